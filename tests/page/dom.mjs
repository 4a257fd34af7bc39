// A page for the tests of the page scripts: jsdom for the DOM, and recorded stand-ins for what needs a layout, a network or pictures.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '../..');
const installed = path.join(root, '.tools/page-tests');
assert.ok(fs.existsSync(installed), `${installed} is missing: run scripts/setup.sh`);
const { JSDOM, VirtualConsole } = createRequire(`${installed}/`)('jsdom');

// A page script, wherever it is below crates/.
export function script(name) {
  const found = fs.readdirSync(path.join(root, 'crates'), { recursive: true }).filter((file) => path.basename(file) === name);
  assert.equal(found.length, 1, `${name} is ${found.join(' and ') || 'missing'}`);
  return fs.readFileSync(path.join(root, 'crates', found[0]), 'utf8');
}

// Opens a page with `html`, as it is when it has loaded. `before` is run before its content, with the names of page scripts or code.
// What the page did to the stand-ins is in `requested`, `decoded` and `revoked`; `files` answers requests, `broken` cannot be
// decoded, and decoding takes as long as `decoding`.
export async function open(t, html, { before = [], set = {}, fps = 30 } = {}) {
  const page = { files: {}, broken: new Set(), animations: [], requested: [], decoded: [], revoked: [], drawn: [] };
  const run = (window, code) => window.eval(/^[\w-]+\.js$/.test(code) ? script(code) : code);
  const beforeParse = (window) => {
    standIns(window, page);
    Object.assign(window, { __HF_EXPORT_RENDER_SEEK_CONFIG: { fps } }, set);
    for (const code of before) run(window, code);
  };
  const options = { url: 'http://127.0.0.1:1/index.html', runScripts: 'outside-only', pretendToBeVisual: true, virtualConsole: new VirtualConsole() };
  const { window } = new JSDOM(html, { ...options, beforeParse });
  if (window.document.readyState !== 'complete') await new Promise((done) => window.addEventListener('load', done));
  t.after(() => window.close());
  return Object.assign(page, { window, document: window.document, run: (code) => run(window, code) });
}

// Values of another realm as ones of this, so that they can be compared.
export const plain = (value) => JSON.parse(JSON.stringify(value));

function standIns(window, page) {
  const { document } = window;
  document.getAnimations = () => page.animations;
  document.adoptedStyleSheets = [];
  window.SVGSVGElement.prototype.setCurrentTime = () => {};
  document.timeline = { currentTime: 0 };
  for (const name of ['CSSAnimation', 'DocumentTimeline']) window[name] = class {};
  document.fonts = { status: 'loaded', ready: Promise.resolve() };
  window.Element.prototype.animate = () => assert.fail('nothing is animated here');
  window.CSS = { escape: (text) => text.replace(/[^\w-]/g, '\\$&') };
  window.CSSFontFaceRule = class { static [Symbol.hasInstance](rule) { return rule.type === 5; } };
  window.fetch = async (url) => {
    page.requested.push(String(url));
    const body = page.files[url];
    return { ok: body !== undefined, blob: async () => body };
  };
  window.URL.createObjectURL = (body) => `blob:${body}`;
  window.URL.revokeObjectURL = (url) => page.revoked.push(url);
  window.HTMLImageElement.prototype.decode = async function () {
    page.decoded.push(this.src);
    await page.decoding;
    if (page.broken.has(this.src)) throw new Error('cannot be decoded');
  };
  Object.defineProperty(window.HTMLImageElement.prototype, 'complete', { get() { return page.decoded.includes(this.src); } });
  window.CanvasRenderingContext2D = class { drawImage(...args) { page.drawn.push(args); } };
}
