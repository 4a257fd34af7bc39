// Stands before the scripts of a body: they measure text, so the fonts of the text before them are loaded first. The parser
// waits for this script as often as it writes itself again, which the server answers after a moment. Nothing here waits for
// a promise: while a script is on its way, Chrome's clock stands, and only what is loaded is taken in.
(() => {
  'use strict';
  const clock = window.__HF_VIRTUAL_TIME__;
  const state = clock.fonts || (clock.fonts = { asked: new Set(), looks: 0 });
  const MAX_LOOKS = 1000;
  document.currentScript.remove();
  // Styles that are in the document count from now on.
  void document.documentElement.offsetHeight;
  const text = document.documentElement.textContent;
  const quoted = (family) => `"${family.replace(/^["']|["']$/g, '').replace(/["\\]/g, '\\$&')}"`;
  for (const { family, style, weight } of document.fonts) {
    const font = `${style.split(' ')[0]} ${weight.split(' ')[0]} 16px ${quoted(family)}`;
    const key = `${font}\n${text.length}`;
    if (state.asked.has(key)) continue;
    state.asked.add(key);
    state.looks = 0;
    // Asks for those faces that have letters of the text.
    document.fonts.load(font, text).catch(() => {});
  }
  state.looks += 1;
  // A font that does not come is not waited for longer than a few seconds.
  if (state.looks > MAX_LOOKS || ![...document.fonts].some((face) => face.status === 'loading')) return;
  Document.prototype.write.call(document, '<script src="/__framewright/fonts.js?again"></' + 'script>');
})();
