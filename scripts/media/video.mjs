// The clips of the video tests: every frame says its own number, every colour is known.

// Sixteen blocks at the top of the frame: white, black, then fourteen bits of the frame's number, highest first. Below them a
// colour that changes with the number, for people who look at a frame.
const BLOCKS = 16;
function numbered(width, height, count, fps) {
  const block = width / BLOCKS;
  const pixels = Buffer.alloc(width * height * 3);
  return { width, height, count, fps, format: 'rgb24', draw(n) {
    const bits = Array.from({ length: BLOCKS }, (_, i) => (i < 2 ? i === 0 : Boolean((n >> (BLOCKS - 1 - i)) & 1)));
    for (let y = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1) {
        const below = [60 + (n * 7) % 120, 90, 200 - (n * 5) % 120];
        const colour = y < block ? Array(3).fill(bits[Math.floor(x / block)] ? 255 : 0) : below;
        for (let c = 0; c < 3; c += 1) pixels[(y * width + x) * 3 + c] = colour[c];
      }
    }
    return pixels;
  } };
}

// Columns of the colours that the tests know by heart.
export const BARS = [[255, 255, 255], [255, 255, 0], [0, 255, 255], [0, 255, 0], [255, 0, 255], [255, 0, 0], [0, 0, 255], [128, 128, 128],
  [200, 120, 40], [40, 90, 160], [16, 16, 16], [235, 235, 235], [0, 0, 0], [64, 64, 64], [120, 30, 90], [192, 192, 192]];
function bars(width, height) {
  const pixels = Buffer.alloc(width * height * 3);
  for (let i = 0; i < width * height; i += 1) pixels.set(BARS[Math.floor((i % width) / (width / BARS.length))], i * 3);
  return { width, height, count: 30, fps: 30, format: 'rgb24', draw: () => pixels };
}

// Columns of one grey each, in candela per square metre, as PQ says them.
export const NITS = [0, 10, 50, 100, 203, 400, 1000, 4000];
function greys(width, height) {
  const pq = (nits) => {
    const y = (nits / 10000) ** 0.1593017578125;
    return ((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375;
  };
  const pixels = Buffer.alloc(width * height * 6);
  for (let i = 0; i < width * height; i += 1) {
    const value = Math.round(65535 * pq(NITS[Math.floor((i % width) / (width / NITS.length))]));
    for (let c = 0; c < 3; c += 1) pixels.writeUInt16LE(value, i * 6 + c * 2);
  }
  return { width, height, count: 30, fps: 30, format: 'rgb48le', draw: () => pixels };
}

// Red, fully there; green, half there; nothing; blue, moving down and fully there.
function seeThrough(width, height) {
  const pixels = Buffer.alloc(width * height * 4);
  return { width, height, count: 60, fps: 30, format: 'rgba', draw(n) {
    for (let i = 0; i < width * height; i += 1) {
      const [x, y] = [i % width, Math.floor(i / width)];
      const column = Math.floor(x / (width / 4));
      const shown = y >= 2 * n && y < 2 * n + 40;
      pixels.set([[255, 0, 0, 255], [0, 255, 0, 128], [0, 0, 0, 0], [0, 0, 255, shown ? 255 : 0]][column], i * 4);
    }
    return pixels;
  } };
}

const same = ['-fflags', '+bitexact', '-flags:v', '+bitexact', '-map_metadata', '-1'];
const x264 = ['-c:v', 'libx264', '-threads', '1', '-preset', 'veryfast', '-crf', '12', ...same];
const flags = 'flags=accurate_rnd+full_chroma_int+full_chroma_inp+bitexact';
const matrix = (name, range = 'tv', format = 'yuv420p') => `scale=out_color_matrix=${name}:out_range=${range}:${flags},format=${format}`;
const tags = (space, primaries, transfer, range = 'tv') => ['-colorspace', space, '-color_primaries', primaries, '-color_trc', transfer, '-color_range', range];
const hd = tags('bt709', 'bt709', 'bt709');
const forget = 'setparams=colorspace=unknown:color_primaries=unknown:color_trc=unknown:range=unknown';
const into = (...names) => names.map((name) => `projects/${name}`);

export const list = [
  { file: 'code-30.mp4', frames: numbered(320, 180, 300, 30), args: ['{frames}', '-vf', matrix('bt709'), ...x264, ...hd, '-g', '48', '-bf', '2', '-movflags', '+faststart'],
    to: into('video-trim-rate-loop-hold/vendor/code-30.mp4', 'webgl-video-texture/vendor/code-30.mp4') },
  { file: 'code-24.mp4', frames: numbered(320, 180, 48, 24), args: ['{frames}', '-vf', matrix('bt709'), ...x264, ...hd, '-g', '24'] },
  // After every third frame two are missing.
  { file: 'code-vfr.mp4', frames: numbered(320, 180, 90, 30),
    args: ['{frames}', '-vf', `setpts=(N+2*floor(N/3))/30/TB,${matrix('bt709')}`, '-fps_mode', 'passthrough', ...x264, ...hd, '-g', '30'],
    to: into('vfr/vendor/code-vfr.mp4') },
  { file: 'alpha.webm', frames: seeThrough(160, 120),
    args: ['{frames}', '-vf', matrix('bt709', 'tv', 'yuva420p'), '-c:v', 'libvpx-vp9', '-threads', '1', '-auto-alt-ref', '0', '-crf', '6', '-b:v', '0', ...hd, ...same],
    to: into('video-alpha/vendor/alpha.webm') },
  { file: 'alpha.mov', frames: seeThrough(160, 120),
    args: ['{frames}', '-vf', matrix('bt709', 'tv', 'yuva444p10le'), '-c:v', 'prores_ks', '-profile:v', '4444', '-threads', '1', ...hd, ...same],
    to: into('video-alpha/vendor/alpha.mov') },
  { file: 'bars-709.mp4', frames: bars(320, 180), args: ['{frames}', '-vf', matrix('bt709'), ...x264, ...hd] },
  { file: 'bars-601.mp4', frames: bars(320, 180), args: ['{frames}', '-vf', matrix('smpte170m'), ...x264, ...tags('smpte170m', 'smpte170m', 'smpte170m')] },
  { file: 'bars-709-full.mp4', frames: bars(320, 180), args: ['{frames}', '-vf', matrix('bt709', 'pc'), ...x264, ...tags('bt709', 'bt709', 'bt709', 'pc')] },
  { file: 'bars-601-full.mp4', frames: bars(320, 180), args: ['{frames}', '-vf', matrix('smpte170m', 'pc'), ...x264, ...tags('smpte170m', 'smpte170m', 'smpte170m', 'pc')] },
  { file: 'bars-small-untagged.mp4', frames: bars(320, 180), args: ['{frames}', '-vf', `${matrix('smpte170m')},${forget}`, ...x264] },
  { file: 'bars-large-untagged.mp4', frames: bars(1280, 720), args: ['{frames}', '-vf', `${matrix('bt709')},${forget}`, ...x264] },
  { file: 'bars.webm', frames: bars(320, 180), args: ['{frames}', '-vf', matrix('bt709'), '-c:v', 'libvpx-vp9', '-threads', '1', '-crf', '4', '-b:v', '0', ...hd, ...same] },
  { file: 'hdr10.mp4', frames: greys(320, 180),
    args: ['{frames}', '-vf', matrix('bt2020', 'tv', 'yuv420p10le'), '-c:v', 'libx265', '-x265-params', 'pools=1:frame-threads=1:log-level=error:crf=8', '-tag:v', 'hvc1',
      ...tags('bt2020nc', 'bt2020', 'smpte2084'), ...same] },
  // Ten minutes of five frames a second.
  { file: 'long.mp4', frames: numbered(320, 180, 3000, 5), args: ['{frames}', '-vf', matrix('bt709'), ...x264, ...hd, '-g', '50', '-movflags', '+faststart'] },
  { file: 'rotated.mp4', args: ['-display_rotation:v:0', '90', '-i', '{media}/code-30.mp4', '-c', 'copy', '-t', '1', ...same] },
  { file: 'sound-only.mp4', args: ['-f', 'lavfi', '-i', 'sine=duration=1', '-c:a', 'aac', ...same] },
  { file: 'truncated.mp4', cut: { of: 'code-30.mp4', bytes: 40_000 } },
  { file: 'no-index.mp4', cut: { of: 'code-24.mp4', bytes: 9_000 } },
  { file: 'page.mp4', bytes: '<!doctype html><title>Sign in</title><p>Please sign in to download this video.' },
];
