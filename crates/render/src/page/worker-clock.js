/*
 * Runs first in every dedicated worker, in front of its script's first line. The page says which frame is drawn; timers and
 * frame callbacks run then, in order, and the page is answered when they have. Before frame 0, timers run when Chrome says.
 */
(() => {
  const KEY = '__framewright';
  const RealDate = Date;
  let frame = null;
  let time = 0;
  const clock = () => (frame === null ? 0 : time);
  performance.now = clock;
  const VirtualDate = function (...args) {
    if (!new.target) return new RealDate(clock()).toString();
    return Reflect.construct(RealDate, args.length === 0 ? [clock()] : args, new.target);
  };
  Object.assign(VirtualDate, { now: clock, parse: RealDate.parse, UTC: RealDate.UTC });
  VirtualDate.prototype = RealDate.prototype;
  Object.defineProperty(RealDate.prototype, 'constructor', { value: VirtualDate, writable: true, configurable: true });
  self.Date = VirtualDate;

  let state = 0;
  const seed = (ms) => { state = (Math.imul(Math.floor(ms), -1640531527) + 0x9e3779b9) | 0; };
  seed(0);
  Math.random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };

  let timers = [];
  let frames = new Map();
  let nextId = 1000000;
  const native = { setTimeout: self.setTimeout.bind(self) };
  const remove = (id) => { timers = timers.filter((timer) => timer.id !== id); };
  /* Until frame 0, Chrome says when a timer is due. */
  const wait = (timer) => {
    native.setTimeout(() => {
      if (frame !== null || !timers.includes(timer)) return;
      if (timer.every) wait(timer);
      else remove(timer.id);
      call(timer.callback, timer.args);
    }, timer.at);
  };
  const add = (callback, delay, args, every) => {
    nextId += 1;
    const timer = { id: nextId, at: clock() + Math.max(every ? 1 : 0, Number(delay) || 0), callback, args, every };
    timers.push(timer);
    if (frame === null) wait(timer);
    return timer.id;
  };
  self.setTimeout = (callback, delay, ...args) => add(callback, delay, args, 0);
  self.setInterval = (callback, delay, ...args) => add(callback, delay, args, Math.max(1, Number(delay) || 0));
  self.clearTimeout = remove;
  self.clearInterval = self.clearTimeout;
  self.requestAnimationFrame = (callback) => { nextId += 1; frames.set(nextId, callback); return nextId; };
  self.cancelAnimationFrame = (id) => { frames.delete(id); };

  const turn = () => new Promise((done) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => { port1.close(); done(); };
    port2.postMessage(0);
  });
  const call = (callback, args) => {
    try {
      if (typeof callback === 'function') callback(...args);
    } catch (error) {
      reportError(error);
    }
  };
  const goTo = async (ms) => {
    frame = ms;
    for (let ran = 0; ran < 10000; ran += 1) {
      timers.sort((a, b) => a.at - b.at || a.id - b.id);
      const [first] = timers;
      if (!first || first.at > ms + 0.05) break;
      time = Math.max(time, first.at);
      if (first.every) first.at += first.every;
      else timers.shift();
      call(first.callback, first.args);
      await null;
    }
    time = ms;
    seed(ms);
    const due = [...frames.values()];
    frames = new Map();
    for (const callback of due) call(callback, [ms]);
    await turn();
  };
  self.addEventListener('message', (event) => {
    if (!event.data || typeof event.data !== 'object' || !(KEY in event.data)) return;
    event.stopImmediatePropagation();
    goTo(event.data[KEY]).then(() => self.postMessage({ [KEY]: event.data[KEY] }));
  });
})();
