// Makes the media that fixtures play into fixtures/media/ and puts copies beside the fixtures. Every module of scripts/media/
// exports `list`: each entry a file with FFmpeg's arguments, made again only when one of its inputs has changed.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const root = path.resolve(import.meta.dirname, '..');
const media = path.join(root, 'fixtures/media');
const modules = path.join(import.meta.dirname, 'media');
const ffmpeg = path.join(root, '.tools/ffmpeg/ffmpeg');
const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part).update('\0'), createHash('sha256')).digest('hex');

// Runs FFmpeg; `{frames}` in its arguments stands for raw pictures that are drawn here and handed over on stdin.
async function encode({ args, frames }, out) {
  const raw = frames ? ['-f', 'rawvideo', '-pix_fmt', frames.format, '-s', `${frames.width}x${frames.height}`,
    '-framerate', String(frames.fps), '-i', 'pipe:0'] : [];
  const words = args.flatMap((word) => (word === '{frames}' ? raw : [word.replaceAll('{media}', media)]));
  const child = spawn(ffmpeg, ['-v', 'error', ...words, '-y', out], { stdio: [frames ? 'pipe' : 'ignore', 'ignore', 'inherit'] });
  const ended = once(child, 'close');
  if (frames) {
    child.stdin.on('error', () => {});
    for (let n = 0; n < frames.count; n += 1) {
      if (!child.stdin.write(frames.draw(n))) await Promise.race([once(child.stdin, 'drain'), ended]);
    }
    child.stdin.end();
  }
  const [status] = await ended;
  if (status !== 0) throw new Error(`media: FFmpeg ended with ${status} while making ${path.basename(out)}`);
}

// A file is FFmpeg's work, given bytes, or the beginning of another file.
async function make(entry, out) {
  if (entry.bytes !== undefined) fs.writeFileSync(out, entry.bytes);
  else if (entry.cut) fs.writeFileSync(out, fs.readFileSync(path.join(media, entry.cut.of)).subarray(0, entry.cut.bytes));
  else await encode(entry, out);
}

function place(from, to) {
  if (fs.existsSync(to) && fs.readFileSync(to).equals(fs.readFileSync(from))) return;
  fs.mkdirSync(path.dirname(to), { recursive: true });
  fs.copyFileSync(from, `${to}.part`);
  fs.renameSync(`${to}.part`, to);
}

fs.mkdirSync(path.join(media, '.made'), { recursive: true });
const tool = fs.readFileSync(path.join(root, '.tools/ffmpeg/.installed'), 'utf8');
const own = fs.readFileSync(import.meta.filename);
for (const name of fs.readdirSync(modules).filter((file) => file.endsWith('.mjs')).sort()) {
  const source = path.join(modules, name);
  const { list } = await import(pathToFileURL(source));
  for (const entry of list) {
    const mark = sha256(tool, own, fs.readFileSync(source));
    const [target, markFile] = [path.join(media, entry.file), path.join(media, '.made', entry.file)];
    if (!fs.existsSync(target) || !fs.existsSync(markFile) || fs.readFileSync(markFile, 'utf8') !== mark) {
      const part = path.join(media, `.part-${entry.file}`);
      await make(entry, part);
      fs.renameSync(part, target);
      fs.writeFileSync(markFile, mark);
      console.error(`media: ${entry.file}`);
    }
    for (const to of entry.to ?? []) place(target, path.join(root, 'fixtures', to));
  }
}
