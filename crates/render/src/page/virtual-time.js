// Runs first in every document. Replaces what would let a page see the real clock or real randomness, so that a frame
// depends on its time alone. What is replaced stays reachable, for our own polling, in __HF_VIRTUAL_TIME__.originals.
(() => {
  'use strict';
  if (window.__HF_VIRTUAL_TIME__) return;
  window.__HF_RENDER_CAPTURE_MODE = true;
  window.__hf = window.__hf || {};

  const RealDate = Date;
  const originals = {
    Date: RealDate,
    performanceNow: performance.now.bind(performance),
    requestAnimationFrame: window.requestAnimationFrame.bind(window),
    cancelAnimationFrame: window.cancelAnimationFrame.bind(window),
    setTimeout: window.setTimeout.bind(window),
    random: Math.random,
  };
  let now = 0;

  function VirtualDate(...args) {
    if (!new.target) return new RealDate(now).toString();
    return Reflect.construct(RealDate, args.length === 0 ? [now] : args, new.target);
  }
  VirtualDate.now = () => now;
  VirtualDate.parse = RealDate.parse;
  VirtualDate.UTC = RealDate.UTC;
  VirtualDate.prototype = RealDate.prototype;
  Object.defineProperty(VirtualDate, 'name', { value: 'Date' });
  Object.defineProperty(VirtualDate, 'length', { value: 7 });
  // Without this, `new (someDate.constructor)()` would be a way back to the real clock.
  Object.defineProperty(RealDate.prototype, 'constructor', { value: VirtualDate, writable: true, configurable: true });
  window.Date = VirtualDate;
  performance.now = () => now;

  let queue = new Map();
  let due = new Map();
  let nextId = 0;
  window.requestAnimationFrame = (callback) => {
    nextId += 1;
    queue.set(nextId, callback);
    return nextId;
  };
  window.cancelAnimationFrame = (id) => {
    queue.delete(id);
    due.delete(id);
  };
  // What callbacks request while they run waits for the next flush, as in a browser.
  const flush = () => {
    due = queue;
    queue = new Map();
    for (const callback of due.values()) {
      try {
        callback(now);
      } catch (error) {
        reportError(error);
      }
    }
  };

  // Mulberry32, seeded by the time in whole milliseconds.
  let state = 0;
  const seed = (ms) => {
    state = (Math.imul(Math.floor(ms), -1640531527) + 0x9e3779b9) | 0;
  };
  const word = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  seed(0);
  Math.random = () => word() / 4294967296;
  if (window.crypto) {
    const fill = (array) => {
      const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
      for (let i = 0; i < bytes.length; i += 4) {
        const drawn = word();
        for (let j = 0; j < 4 && i + j < bytes.length; j += 1) bytes[i + j] = (drawn >>> (8 * j)) & 255;
      }
      return array;
    };
    crypto.getRandomValues = fill;
    crypto.randomUUID = () => {
      const bytes = fill(new Uint8Array(16));
      bytes[6] = (bytes[6] & 0x0f) | 0x40;
      bytes[8] = (bytes[8] & 0x3f) | 0x80;
      const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
      return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
    };
  }

  // Animations of the browser's own run by its clock, which ticks while the page gets ready. Each is held at its beginning
  // from the moment it exists, and remembers when that was.
  const begun = new WeakMap();
  const hold = (animation) => {
    if (begun.has(animation)) return;
    begun.set(animation, now);
    if (animation.playState !== 'running') return;
    animation.pause();
    animation.currentTime = 0;
  };
  const holdAll = () => {
    if (document.getAnimations) document.getAnimations().forEach(hold);
  };
  if (typeof Element === 'function' && Element.prototype.animate) {
    const animate = Element.prototype.animate;
    Element.prototype.animate = function (...args) {
      const animation = animate.apply(this, args);
      hold(animation);
      return animation;
    };
  }
  // Before the runtime, whose listener is added later, takes stock of them.
  if (typeof document === 'object') document.addEventListener('DOMContentLoaded', holdAll);

  // Errors are kept for the renderer, which decides what they mean.
  const errors = [];
  const note = (text) => {
    if (errors.length < 20) errors.push(String(text).slice(0, 500));
  };
  window.addEventListener('error', (event) => {
    if (event.target !== window) return;
    const where = event.filename ? ` (${event.filename.replace(location.origin, '')}:${event.lineno}:${event.colno})` : '';
    note(`${event.message}${where}`);
  }, true);
  window.addEventListener('unhandledrejection', (event) => {
    note(`unhandled rejection: ${event.reason && event.reason.message ? event.reason.message : event.reason}`);
  });

  window.__HF_VIRTUAL_TIME__ = {
    originals,
    errors,
    seed,
    getTime: () => now,
    holdAnimations: holdAll,
    // For a page that nothing else seeks: puts each animation where it would be had it run by the virtual clock.
    seekAnimations() {
      if (!document.getAnimations) return;
      for (const animation of document.getAnimations()) {
        hold(animation);
        if (animation.playState === 'paused') animation.currentTime = Math.max(0, now - begun.get(animation));
      }
    },
    // Moves the clock, gives randomness the seed of that time, then runs what waited for a frame.
    seekToTime(ms) {
      now = ms;
      seed(ms);
      flush();
    },
  };
})();
