// Unpacks the packages of tools.lock.json into .tools/, each checked by sha256 and put in place by one rename.
//   node scripts/setup.mjs [--render]    --render: only what rendering and the examples need
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { createBrotliDecompress } from 'node:zlib';

const forTests = ['shellcheck', 'cargo-deny', 'lambda'];
const isForRendering = process.argv.includes('--render');

const run = promisify(execFile);
const root = path.resolve(import.meta.dirname, '..');
const tools = path.join(root, '.tools');
const lock = JSON.parse(fs.readFileSync(path.join(root, 'tools.lock.json'), 'utf8'));

const sha256 = async (file) => {
  const hash = createHash('sha256');
  await pipeline(fs.createReadStream(file), hash);
  return hash.digest('hex');
};

// A package is installed when its directory has the hash of exactly this lock entry in its .installed file.
const mark = (pkg) => createHash('sha256').update(JSON.stringify(pkg)).digest('hex');
const markFile = (dir) => path.join(dir, '.installed');
const installed = (pkg) => {
  const file = markFile(path.join(tools, pkg.dir));
  return fs.existsSync(file) && fs.readFileSync(file, 'utf8') === mark(pkg);
};

// The package clients retry and cache; what arrives must still be the bytes of the lock.
async function download(pkg, into) {
  const args = { npm: ['npm', ['pack', '--silent', '--pack-destination', into, `${pkg.name}@${pkg.version}`]],
    pypi: ['python3', ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-deps', '--only-binary', ':all:',
      '--platform', 'manylinux2014_x86_64', '--dest', into, `${pkg.name}==${pkg.version}`]] }[pkg.from];
  await run(...args, { cwd: into, maxBuffer: 1 << 26 });
  const [name] = fs.readdirSync(into);
  const archive = path.join(into, name);
  const got = await sha256(archive);
  if (got !== pkg.sha256) throw new Error(`${pkg.name} ${pkg.version}: sha256 is ${got}, tools.lock.json says ${pkg.sha256}`);
  return archive;
}

async function extract(pkg, archive, into) {
  fs.mkdirSync(into, { recursive: true });
  if (pkg.from === 'npm') {
    await run('tar', ['-xzf', archive, '-C', into, '--strip-components=1', ...pkg.files.map((f) => `package/${f.from}`)]);
  } else {
    await run('python3', ['-m', 'zipfile', '-e', archive, into]);
  }
}

async function place(file, from, dir) {
  const source = path.join(from, file.from);
  const target = path.join(dir, file.to);
  const got = await sha256(source);
  if (got !== file.sha256) throw new Error(`${file.from}: sha256 is ${got}, tools.lock.json says ${file.sha256}`);
  fs.mkdirSync(file.unpack === 'brotli-tar' ? target : path.dirname(target), { recursive: true });
  if (file.unpack) {
    const plain = `${source}.plain`;
    await pipeline(fs.createReadStream(source), createBrotliDecompress(), fs.createWriteStream(plain));
    if (file.unpack === 'brotli-tar') await run('tar', ['-xf', plain, '--no-same-owner', '-C', target]);
    else fs.renameSync(plain, target);
  } else {
    fs.renameSync(source, target);
  }
  if (file.mode) fs.chmodSync(target, Number.parseInt(file.mode, 8));
}

async function install(pkg) {
  const target = path.join(tools, pkg.dir);
  const stage = fs.mkdtempSync(path.join(tools, '.staging-'));
  try {
    const [get, out, ready] = ['get', 'out', 'ready'].map((name) => path.join(stage, name));
    fs.mkdirSync(get);
    fs.mkdirSync(ready);
    await extract(pkg, await download(pkg, get), out);
    for (const file of pkg.files) await place(file, out, ready);
    // Archives may hold directories that only their owner may enter.
    await run('chmod', ['-R', 'a+rX', ready]);
    fs.writeFileSync(markFile(ready), mark(pkg));
    fs.mkdirSync(path.dirname(target), { recursive: true });
    if (fs.existsSync(target)) fs.renameSync(target, path.join(stage, 'old'));
    fs.renameSync(ready, target);
    done += 1;
    console.error(`setup: ${done} of ${missing}: ${pkg.dir} (${pkg.name} ${pkg.version})`);
  } finally {
    fs.rmSync(stage, { recursive: true, force: true });
  }
}

// What the tests of the page scripts run with: npm checks each package against the lock beside them, and runs none of their scripts.
async function installPageTests() {
  const [from, target] = [path.join(root, 'tests/page'), path.join(tools, 'page-tests')];
  const files = ['package.json', 'package-lock.json'];
  const wanted = createHash('sha256').update(files.map((file) => fs.readFileSync(path.join(from, file), 'utf8')).join('')).digest('hex');
  if (fs.existsSync(markFile(target)) && fs.readFileSync(markFile(target), 'utf8') === wanted) return;
  const stage = fs.mkdtempSync(path.join(tools, '.staging-'));
  try {
    const ready = path.join(stage, 'ready');
    fs.mkdirSync(ready);
    for (const file of files) fs.copyFileSync(path.join(from, file), path.join(ready, file));
    await run('npm', ['ci', '--silent', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: ready, maxBuffer: 1 << 26 });
    fs.writeFileSync(markFile(ready), wanted);
    if (fs.existsSync(target)) fs.renameSync(target, path.join(stage, 'old'));
    fs.renameSync(ready, target);
    console.error('setup: page-tests');
  } finally {
    fs.rmSync(stage, { recursive: true, force: true });
  }
}

// Some fixtures use libraries that are not ours to commit: they are copied beside the fixture, as its author would have them.
function vendor() {
  for (const [target, source] of Object.entries(lock.vendor)) {
    const to = path.join(root, target);
    const from = path.join(tools, source);
    if (fs.existsSync(to) && fs.readFileSync(to).equals(fs.readFileSync(from))) continue;
    fs.mkdirSync(path.dirname(to), { recursive: true });
    fs.copyFileSync(from, `${to}.part`);
    fs.renameSync(`${to}.part`, to);
  }
}

fs.mkdirSync(tools, { recursive: true });
const wanted = lock.packages.filter((pkg) => !isForRendering || !forTests.includes(pkg.dir));
// A package is replaced with all that lies in its directory.
const isWithin = (pkg, others) => others.some(({ dir }) => pkg.dir.startsWith(`${dir}/`));
const outdated = wanted.filter((pkg) => !installed(pkg));
const missing = wanted.filter((pkg) => outdated.includes(pkg) || isWithin(pkg, outdated)).length;
let done = 0;
const failures = [];
async function installMissing(packages) {
  const queue = packages.filter((pkg) => !installed(pkg));
  const worker = async () => {
    for (let pkg = queue.shift(); pkg; pkg = queue.shift()) {
      try {
        await install(pkg);
      } catch (error) {
        failures.push(`setup: ${pkg.name} ${pkg.version}: ${error.stderr || error.message}`);
      }
    }
  };
  await Promise.all(Array.from({ length: 4 }, worker));
}
// What lies inside another package's directory is installed after that one.
const isInside = (pkg) => isWithin(pkg, lock.packages);
if (missing > 0) console.error(`setup: fetching ${missing} of ${wanted.length} packages through npm and pip`);
await installMissing(wanted.filter((pkg) => !isInside(pkg)));
await installMissing(wanted.filter(isInside));
if (!isForRendering) {
  await installPageTests().catch((error) => failures.push(`setup: tests/page/package-lock.json: ${error.stderr || error.message}`));
}
if (failures.length > 0) {
  console.error(failures.join('\n'));
  console.error('setup: run it again; what arrived is kept');
  process.exit(1);
}
vendor();
