// Runs first in every document, frames included. Chrome keeps virtual time, which passes only as far as the renderer grants
// it; this script makes the clocks that pages read count from frame 0, gives randomness a seed, calls frame callbacks once a
// frame, and notes what makes a page depend on its own history. What is replaced stays reachable in
// __HF_VIRTUAL_TIME__.originals.
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
  const parentClock = () => {
    try {
      return window.parent !== window ? window.parent.__HF_VIRTUAL_TIME__ : null;
    } catch {
      // Another origin.
      return null;
    }
  };

  // Milliseconds on the axis that all documents of a process share, on Chrome's grid of 100 microseconds.
  const shared = () => Math.round((performance.timeOrigin + originals.performanceNow()) * 10) / 10;
  // When frame 0 is on that axis; unknown before the page is ready. A document whose parent cannot be reached takes the
  // date at which most pages have it.
  const USUAL_FIRST_FRAME = 4;
  let epoch = null;
  // The frame that is being drawn, in milliseconds, exactly.
  let frame = 0;
  // Whether Chrome's clock stands still, since nothing moves by it: then the frame is all there is to tell.
  let isFrozen = false;
  const parent = parentClock();
  if (parent) {
    ({ epoch, frame } = parent.place());
  } else if (window.parent !== window) {
    epoch = shared() - RealDate.now() + USUAL_FIRST_FRAME;
  }
  const time = () => {
    if (epoch === null) return 0;
    if (isFrozen) return frame;
    const passed = Math.round((shared() - epoch) * 10) / 10;
    return Math.abs(passed - frame) < 0.15 ? frame : Math.max(0, passed);
  };

  function VirtualDate(...args) {
    if (!new.target) return new RealDate(time()).toString();
    return Reflect.construct(RealDate, args.length === 0 ? [time()] : args, new.target);
  }
  VirtualDate.now = time;
  VirtualDate.parse = RealDate.parse;
  VirtualDate.UTC = RealDate.UTC;
  VirtualDate.prototype = RealDate.prototype;
  Object.defineProperty(VirtualDate, 'name', { value: 'Date' });
  Object.defineProperty(VirtualDate, 'length', { value: 7 });
  // Without this, `new (someDate.constructor)()` would be a way back to the other clock.
  Object.defineProperty(RealDate.prototype, 'constructor', { value: VirtualDate, writable: true, configurable: true });
  window.Date = VirtualDate;
  performance.now = time;

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

  // Errors are kept for the renderer, which decides what they mean, and so is what deserves a warning.
  const errors = [];
  const warnings = [];
  const noteIn = (list, text) => {
    if (list.length < 20) list.push(String(text).slice(0, 500));
  };
  const note = (text) => noteIn(errors, text);

  // Frame callbacks. Chrome may draw a frame more than once; a page's callbacks run the first time. Before the page is
  // ready they wait, unless it does not get ready without them.
  let queue = new Map();
  let due = new Map();
  let nextId = 0;
  let isAsked = false;
  let isHeld = true;
  let flushedAt = null;
  // Whether a frame has been entered, and whether its callbacks have run.
  let hasEntered = false;
  let hasFlushed = false;
  const ask = () => {
    if (isAsked || queue.size === 0) return;
    isAsked = true;
    originals.requestAnimationFrame(onFrame);
  };
  const onFrame = (tick) => {
    isAsked = false;
    const at = shared();
    // A frame that prepares one is drawn a little before its time.
    const isEarly = originals.performanceNow() - tick > 0.05;
    const isAgain = hasEntered ? hasFlushed : flushedAt !== null && at - flushedAt < 1;
    if ((isHeld && (epoch === null || at < epoch)) || isEarly || isAgain) {
      ask();
      return;
    }
    flushedAt = at;
    hasFlushed = true;
    seed(time());
    // What callbacks request while they run waits for the next frame, as in a browser.
    due = queue;
    queue = new Map();
    for (const { callback } of due.values()) {
      try {
        callback(time());
      } catch (error) {
        reportError(error);
      }
    }
    due = new Map();
    ask();
  };

  // Who asked for something that lets a page depend on its history: our own scripts, the runtime among them, do not count.
  let isWatched = true;
  const isOurs = (depth) => {
    if (!isWatched) return false;
    const caller = (new Error().stack || '').split('\n')[depth + 1] || '';
    return caller.includes('/__framewright/');
  };
  window.requestAnimationFrame = (callback) => {
    if (typeof callback !== 'function') throw new TypeError("Failed to execute 'requestAnimationFrame' on 'Window': parameter 1 is not of type 'Function'.");
    nextId += 1;
    queue.set(nextId, { callback, ours: isOurs(2) });
    ask();
    return nextId;
  };
  window.cancelAnimationFrame = (id) => {
    queue.delete(id);
    due.delete(id);
  };

  // Idle time is a property of the machine: such callbacks run as soon as a timer does.
  window.requestIdleCallback = (callback) => window.setTimeout(() => callback({ didTimeout: false, timeRemaining: () => 10 }), 1);
  window.cancelIdleCallback = (id) => window.clearTimeout(id);

  // Timers that the page has set and that have not run, by the number that the page knows. Those that are set while it gets
  // ready are set anew when it begins: how long that took must not show.
  const timers = new Map();
  const nativeClear = window.clearTimeout;
  const watchTimer = (name, repeats) => {
    const original = window[name];
    if (typeof original !== 'function') return;
    window[name] = function (callback, delay, ...rest) {
      if (typeof callback !== 'function' || isOurs(2)) return original.call(window, callback, delay, ...rest);
      const run = function (...args) {
        if (!repeats) timers.delete(id);
        return callback.apply(this, args);
      };
      const set = (wait) => original.call(window, run, wait, ...rest);
      const id = set(delay);
      timers.set(id, {
        native: id,
        start() {
          nativeClear.call(window, this.native);
          this.native = set(delay);
        },
      });
      return id;
    };
  };
  watchTimer('setTimeout', false);
  watchTimer('setInterval', true);
  for (const name of ['clearTimeout', 'clearInterval']) {
    const original = window[name];
    if (typeof original !== 'function') continue;
    window[name] = (id) => {
      original.call(window, timers.has(id) ? timers.get(id).native : id);
      timers.delete(id);
    };
  }

  // Things whose making says that the page may depend on its history.
  const made = new Set();
  const watchMaking = (name) => {
    const Original = window[name];
    if (typeof Original !== 'function') return;
    window[name] = new Proxy(Original, {
      construct(target, args, self) {
        if (!isOurs(2)) made.add(name);
        return Reflect.construct(target, args, self);
      },
    });
  };
  for (const name of ['IntersectionObserver', 'ResizeObserver', 'MutationObserver', 'PerformanceObserver', 'MessageChannel', 'BroadcastChannel', 'WebSocket', 'EventSource']) {
    watchMaking(name);
  }

  // Workers are told which frame is drawn, by a script in front of their own, and answer when they have done what is due.
  const KEY = '__framewright';
  const workers = new Set();
  const blobs = new Map();
  const prelude = window.__HF_WORKER_PRELUDE;
  delete window.__HF_WORKER_PRELUDE;
  if (typeof Worker === 'function') {
    const { createObjectURL, revokeObjectURL } = URL;
    URL.createObjectURL = (object) => {
      const url = createObjectURL.call(URL, object);
      if (object instanceof Blob && /javascript|^$|^text\/plain/.test(object.type)) blobs.set(url, object);
      return url;
    };
    URL.revokeObjectURL = (url) => {
      blobs.delete(url);
      revokeObjectURL.call(URL, url);
    };
    window.Worker = new Proxy(Worker, {
      construct(target, [url, ...rest], self) {
        const blob = blobs.get(String(url));
        // The server puts the script in front of files.
        const own = blob ? createObjectURL.call(URL, new Blob([prelude, blob], { type: blob.type || 'text/javascript' })) : url;
        const worker = Reflect.construct(target, [own, ...rest], self);
        const entry = { worker, answered: null };
        const { terminate } = worker;
        workers.add(entry);
        worker.addEventListener('message', (event) => {
          if (!event.data || typeof event.data !== 'object' || !(KEY in event.data)) return;
          event.stopImmediatePropagation();
          if (entry.answered) entry.answered();
        });
        worker.terminate = () => {
          workers.delete(entry);
          if (entry.answered) entry.answered();
          terminate.call(worker);
        };
        made.add('Worker');
        return worker;
      },
    });
  }
  // Work outside of the page's clock, which passes faster than ours while the page gets ready: it is waited for.
  let inFlight = 0;
  const watchWork = (owner, ...names) => {
    for (const name of names) {
      const original = owner && owner[name];
      if (typeof original !== 'function') continue;
      owner[name] = function (...args) {
        const work = original.apply(this, args);
        const done = () => { inFlight -= 1; };
        inFlight += 1;
        Promise.resolve(work).then(done, done);
        return work;
      };
    }
  };
  watchWork(window.WebAssembly, 'compile', 'instantiate', 'compileStreaming', 'instantiateStreaming');
  watchWork(window.BaseAudioContext && BaseAudioContext.prototype, 'decodeAudioData');
  watchWork(window, 'createImageBitmap');

  // What no clock reaches, by name; the renderer says what to do instead.
  const undriven = [];
  if (typeof ServiceWorkerContainer === 'function') {
    const { register } = ServiceWorkerContainer.prototype;
    ServiceWorkerContainer.prototype.register = function (...args) {
      noteIn(undriven, `a service worker (${String(args[0]).slice(0, 80)})`);
      return register.apply(this, args);
    };
  }
  if (typeof SharedWorker === 'function') {
    window.SharedWorker = new Proxy(SharedWorker, {
      construct(target, args, self) {
        noteIn(undriven, `a SharedWorker (${String(args[0]).slice(0, 80)})`);
        return Reflect.construct(target, args, self);
      },
    });
  }
  // What a sound context plays is not heard; its clock is the page's.
  if (typeof BaseAudioContext === 'function') {
    const { get } = Object.getOwnPropertyDescriptor(BaseAudioContext.prototype, 'currentTime');
    const begun = new WeakMap();
    Object.defineProperty(BaseAudioContext.prototype, 'currentTime', {
      configurable: true,
      enumerable: true,
      get() {
        if (this instanceof OfflineAudioContext) return get.call(this);
        if (!begun.has(this)) begun.set(this, time());
        return (time() - begun.get(this)) / 1000;
      },
    });
    window.AudioContext = new Proxy(AudioContext, {
      construct(target, args, self) {
        const context = Reflect.construct(target, args, self);
        begun.set(context, time());
        if (!isOurs(2)) made.add('AudioContext');
        return context;
      },
    });
    const { createAnalyser } = BaseAudioContext.prototype;
    BaseAudioContext.prototype.createAnalyser = function (...args) {
      if (!(this instanceof OfflineAudioContext)) noteIn(warnings, 'the page makes an AnalyserNode: what it measures follows real time and differs from render to render; measure decoded samples instead');
      return createAnalyser.apply(this, args);
    };
  }

  // Nobody is there to answer a dialog: it is answered as if it had been closed, and named.
  const shorten = (text) => JSON.stringify(String(text ?? '').slice(0, 80));
  for (const [name, answer] of [['alert', undefined], ['confirm', false], ['prompt', null], ['print', undefined]]) {
    window[name] = (text) => {
      noteIn(warnings, `the page called ${name}(${name === 'print' ? '' : shorten(text)}): nobody sees the dialog, it counts as closed`);
      return answer;
    };
  }

  window.addEventListener('error', (event) => {
    if (event.target !== window) return;
    const where = event.filename ? ` (${event.filename.replace(location.origin, '')}:${event.lineno}:${event.colno})` : '';
    note(`${event.message}${where}`);
  }, true);
  window.addEventListener('unhandledrejection', (event) => {
    note(`unhandled rejection: ${event.reason && event.reason.message ? event.reason.message : event.reason}`);
  });

  // Shadow roots that scripts cannot reach from outside may animate, too.
  const roots = new Set();
  if (typeof Element === 'function' && Element.prototype.attachShadow) {
    const attach = Element.prototype.attachShadow;
    Element.prototype.attachShadow = function (init) {
      const root = attach.call(this, init);
      roots.add(new WeakRef(root));
      return root;
    };
  }

  window.__HF_VIRTUAL_TIME__ = {
    originals,
    errors,
    warnings,
    undriven,
    seed,
    getTime: time,
    // Now, on the document's own timeline.
    timelineTime: () => Math.round(originals.performanceNow() * 10) / 10,
    place: () => ({ epoch, frame }),
    // Lets frame callbacks run before the page is ready.
    release() {
      isHeld = false;
      ask();
    },
    // Frame 0 is in `lead` milliseconds, or when `of` says.
    begin(lead, of = null) {
      ({ epoch, frame } = of || { epoch: Math.round((shared() + lead) * 10) / 10, frame: 0 });
      seed(0);
      ask();
    },
    // The frame that is drawn next, in milliseconds: the clock is there already, to a tenth of a millisecond.
    enter(ms) {
      if (ms !== frame || !hasEntered) hasFlushed = false;
      frame = ms;
      seed(ms);
      if (hasEntered) return;
      // The page saw a clock that stood at 0: its timers count from frame 0.
      hasEntered = true;
      for (const timer of timers.values()) timer.start();
    },
    // Why what this document shows may depend on more than the moment: an empty list if nothing is known.
    history() {
      const found = [...made].map((name) => `new ${name}`);
      if ([...queue.values()].some(({ ours }) => !ours)) found.push('requestAnimationFrame');
      if (timers.size > 0) found.push('a timer');
      return found;
    },
    // Tells the workers which frame is drawn; done when all of them have drawn it. False without workers.
    async tellWorkers() {
      const all = [...workers];
      const ms = frame;
      await Promise.all(all.map((entry) => new Promise((answered) => {
        entry.answered = answered;
        entry.worker.addEventListener('error', answered, { once: true });
        entry.worker.postMessage({ [KEY]: ms });
      })));
      return all.length > 0;
    },
    isWorking: () => inFlight > 0,
    isBusy: () => inFlight > 0 || workers.size > 0,
    hasWorkers: () => workers.size > 0,
    // Nothing is left out of this page: it no longer matters what it asks for.
    stopWatching() {
      isWatched = false;
    },
    freeze() {
      isFrozen = true;
    },
    counts: () => [made.size, [...queue.values()].filter(({ ours }) => !ours).length, timers.size],
    shadowRoots: () => [...roots].map((root) => root.deref()).filter(Boolean),
  };
})();
