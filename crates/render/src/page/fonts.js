// Stands before the scripts of a body: they measure text, so the fonts of the text before them are loaded first. The parser
// waits for a second script, which the server answers when it is told that they are there.
(() => {
  'use strict';
  const { originals, fontKeys = new Set() } = window.__HF_VIRTUAL_TIME__;
  window.__HF_VIRTUAL_TIME__.fontKeys = fontKeys;
  document.currentScript.remove();
  // Styles that are in the document count from now on.
  void document.documentElement.offsetHeight;
  const text = document.documentElement.textContent;
  const quoted = (family) => `"${family.replace(/^["']|["']$/g, '').replace(/["\\]/g, '\\$&')}"`;
  const loads = [];
  for (const { family, style, weight } of document.fonts) {
    const font = `${style.split(' ')[0]} ${weight.split(' ')[0]} 16px ${quoted(family)}`;
    const key = `${font}\n${text.length}`;
    if (fontKeys.has(key)) continue;
    fontKeys.add(key);
    loads.push(document.fonts.load(font, text).catch(() => {}));
  }
  if (loads.length === 0) return;
  const token = originals.random().toString(36).slice(2);
  Promise.all(loads).then(() => document.fonts.ready).then(() => fetch(`/__framewright/fonts-are-there?${token}`));
  Document.prototype.write.call(document, `<script src="/__framewright/after-fonts.js?${token}"></` + 'script>');
})();
