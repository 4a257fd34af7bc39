// Drives a preview as a person does: preview.mjs URL PROJECT [PICTURE.png]. The project fills its stage with red, and shows frame n as
// a bar n pixels wide.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { Chrome } from './chrome.mjs';

const [url, project, picture] = process.argv.slice(2);
const index = path.join(project, 'index.html');
const original = fs.readFileSync(index, 'utf8');
const chrome = await Chrome.start();

const pixel = (x, y) => chrome.ask(`[...document.getElementById("picture").getContext("2d").getImageData(${x}, ${y}, 1, 1).data]`);
const scrub = async (frame) => {
  await chrome.ask(`(() => { const scrub = document.getElementById("scrub"); scrub.value = ${frame}; scrub.oninput(); })()`);
  await chrome.until(`document.body.dataset.shown?.endsWith("/${frame}")`);
};
const version = () => chrome.ask('Number(document.body.dataset.shown.split("/")[0])');

try {
  await chrome.open(url);
  await chrome.until('document.body.dataset.shown');
  // Scrub to a moment: that frame's pixels.
  for (const frame of [10, 25, 3]) {
    await scrub(frame);
    assert.deepEqual(await pixel(frame - 1, 50), [0, 0, 255, 255], `the bar of frame ${frame}`);
    assert.deepEqual(await pixel(frame + 1, 50), [255, 0, 0, 255], `beside the bar of frame ${frame}`);
  }
  assert.match(await chrome.ask('document.getElementById("clock").textContent'), /^frame 3 of 30 · 0\.10 s$/);
  // The tree of scenes and clips.
  const rows = await chrome.ask('[...document.querySelectorAll(".row")].map((row) => row.textContent)');
  assert.deepEqual(rows, ['main', 'scene', 'bar']);
  if (picture) await chrome.picture(picture, 1200);
  // Play every frame to the end.
  await scrub(20);
  await chrome.ask('document.getElementById("every").checked = true; document.getElementById("play").click()');
  await chrome.until('document.body.dataset.shown.endsWith("/29")');
  // Change a file: the change.
  const before = await version();
  fs.writeFileSync(index, original.replace('background:#f00', 'background:#0f0'));
  await chrome.until(`Number(document.body.dataset.shown.split("/")[0]) > ${before}`);
  await scrub(3);
  assert.deepEqual(await pixel(60, 50), [0, 255, 0, 255]);
  // Break the page: the error.
  fs.writeFileSync(index, original.replace('</body>', '<script src="gone.js"></script></body>'));
  await chrome.until('document.getElementById("messages").textContent.includes("gone.js")');
  const cover = await chrome.ask('document.getElementById("cover").textContent');
  assert.match(cover, /PAGE_ASSET_MISSING[^]*gone\.js/);
  // And mend it.
  fs.writeFileSync(index, original);
  await chrome.until('document.body.dataset.stage === "ready" && document.getElementById("cover").hidden');
  await scrub(3);
  assert.deepEqual(await pixel(60, 50), [255, 0, 0, 255]);
  // The button that renders.
  await chrome.ask('document.getElementById("render").click()');
  await chrome.until('document.getElementById("said").textContent.startsWith("rendered ")');
  assert.deepEqual(chrome.errors, []);
  // Nobody without the token, and nobody under another name, sees anything.
  const { origin } = new URL(url);
  assert.equal((await fetch(`${origin}/`)).status, 404);
  assert.equal((await fetch(`${origin}/state/0`)).status, 404);
} finally {
  fs.writeFileSync(index, original);
  await chrome.stop();
}
