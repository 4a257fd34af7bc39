// Pins another version of Chrome: its package and files in tools.lock.json, and the version that planning tells hosts.
//   node scripts/chrome.mjs [VERSION]    VERSION: of @sparticuz/chromium, such as 153.0.0; without it the newest
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const NAME = '@sparticuz/chromium';
const root = path.resolve(import.meta.dirname, '..');
const lockFile = path.join(root, 'tools.lock.json');
const fetchFile = path.join(root, 'crates/compose/src/net/fetch.rs');

const npm = (...args) => execFileSync('npm', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim();
const sha256 = (file) => createHash('sha256').update(fs.readFileSync(file)).digest('hex');

const version = process.argv[2] || npm('view', NAME, 'version');
if (!/^\d+\.\d+\.\d+$/.test(version)) {
  console.error(`chrome: ${version} is no version: it is three numbers, such as 153.0.0`);
  process.exit(2);
}

const lock = JSON.parse(fs.readFileSync(lockFile, 'utf8'));
const pkg = lock.packages.find(({ name }) => name === NAME);
const before = pkg.version;
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'chrome-'));
try {
  npm('pack', '--silent', '--pack-destination', scratch, `${NAME}@${version}`);
  const archive = path.join(scratch, fs.readdirSync(scratch)[0]);
  execFileSync('tar', ['-xzf', archive, '-C', scratch, '--strip-components=1', ...pkg.files.map(({ from }) => `package/${from}`)]);
  Object.assign(pkg, { version, sha256: sha256(archive) });
  for (const file of pkg.files) file.sha256 = sha256(path.join(scratch, file.from));
} finally {
  fs.rmSync(scratch, { recursive: true, force: true });
}
fs.writeFileSync(lockFile, `${JSON.stringify(lock, null, 2)}\n`);

const source = fs.readFileSync(fetchFile, 'utf8');
const told = source.replace(/Chrome\/\d+\.0\.0\.0/, `Chrome/${version.split('.')[0]}.0.0.0`);
fs.writeFileSync(fetchFile, told);

console.log(`chrome: ${before} is replaced by ${version} in tools.lock.json and crates/compose/src/net/fetch.rs.
Next, with what CONTRIBUTING.md says about it:
  scripts/setup.sh
  cargo run --release -- probe     # "frameSource" has to be "framebuffer"
  scripts/test.sh
  scripts/bench.sh`);
