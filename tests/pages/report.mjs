// Opens a report and compares it with what the summary says: report.mjs REPORT.html EXPECTED_JSON [PICTURE.png]
import assert from 'node:assert/strict';
import { Chrome } from './chrome.mjs';

const [file, expected, picture] = process.argv.slice(2);
const { frames, chunks } = JSON.parse(expected);
const chrome = await Chrome.start();
try {
  await chrome.open(`file://${file}`);
  const cards = await chrome.ask('[...document.querySelectorAll(".card")].map((card) => card.textContent)');
  assert(cards.some((text) => text.startsWith(`${frames}frames`)), cards.join());
  assert.equal(await chrome.ask('document.querySelectorAll("#chunks tr").length'), chunks + 1);
  assert.equal(await chrome.ask('document.querySelectorAll("#frames rect title").length >= ' + (frames - chunks)), true);
  assert(await chrome.ask('document.querySelector("#sheet img").naturalWidth') > 1000, 'the contact sheet is a picture');
  assert.equal(await chrome.ask('document.querySelectorAll("#checks .bad").length'), 0);
  assert(await chrome.ask('document.querySelectorAll("#sound rect").length') > 100);
  // Nothing is asked of another file or host.
  assert.deepEqual(await chrome.ask('performance.getEntriesByType("resource").filter((one) => !one.name.startsWith("data:")).map((one) => one.name)'), []);
  assert.deepEqual(chrome.errors, []);
  if (picture) await chrome.picture(picture);
} finally {
  await chrome.stop();
}
