// What the audio tests play: tones whose place and level can be measured, and one sound in every format that people use.

// A sweep from 300 to 9700 Hz, in which no part is like another: how late it is can be told to the sample.
const sweep = ['-f', 'lavfi', '-i', "aevalsrc='0.4*sin(2*PI*(300*t+2350*t*t))|0.3*sin(2*PI*(9700*t-2350*t*t))':s=48000:d=2"];
const sweeps = [
  ['sweep.flac', []],
  ['sweep.mp3', ['-c:a', 'libmp3lame', '-b:a', '192k']],
  ['sweep-44100.mp3', ['-ar', '44100', '-c:a', 'libmp3lame', '-b:a', '192k']],
  ['sweep.m4a', ['-c:a', 'aac', '-b:a', '192k']],
  ['sweep.opus', ['-c:a', 'libopus', '-b:a', '160k']],
  ['sweep.webm', ['-c:a', 'libopus', '-b:a', '160k']],
];

const tone = (hertz, seconds, amplitude) => ['-f', 'lavfi', '-i', `aevalsrc='${amplitude}*sin(2*PI*${hertz}*t)':s=48000:d=${seconds}`];
const into = (...names) => names.map((name) => `projects/${name}`);

export const list = [
  { file: 'sweep.wav', args: sweep },
  ...sweeps.map(([file, codec]) => ({ file, args: ['-i', '{media}/sweep.wav', ...codec] })),
  { file: 'sweep.mp4', args: ['-f', 'lavfi', '-i', 'testsrc=s=64x64:r=30:d=2', '-i', '{media}/sweep.wav', '-c:v', 'libx264', '-c:a', 'aac', '-b:a', '192k'] },
  { file: 'tone-500.wav', args: tone(500, 6, 0.2), to: into('audio-mix/vendor/tone-500.wav', 'audio-keyframes/vendor/tone-500.wav') },
  { file: 'tone-1000.wav', args: tone(1000, 6, 0.2), to: into('audio-mix/vendor/tone-1000.wav', 'audio-keyframes/vendor/tone-1000.wav') },
  { file: 'tone-1500.mp3', args: [...tone(1500, 2, 0.2), '-ac', '2', '-b:a', '192k'], to: into('audio-mix/vendor/tone-1500.mp3') },
  { file: 'tone-2000.m4a', args: [...tone(2000, 0.5, 0.2), '-ac', '2', '-b:a', '192k'], to: into('audio-mix/vendor/tone-2000.m4a') },
  { file: 'tone-3000.opus', args: [...tone(3000, 2, 0.2), '-ac', '2', '-b:a', '160k'], to: into('audio-mix/vendor/tone-3000.opus') },
  { file: 'tone-4000.wav', args: tone(4000, 6, 0.2), to: into('audio-mix/vendor/tone-4000.wav', 'audio-keyframes/vendor/tone-4000.wav') },
];
