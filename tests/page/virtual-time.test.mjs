// virtual-time.js computes: the clock, the frame queue and the random numbers are tested as JavaScript, without a browser.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import vm from 'node:vm';

const source = fs.readFileSync(new URL('../../crates/render/src/page/virtual-time.js', import.meta.url), 'utf8');

// A document whose clock Chrome keeps: `chrome.now` is what it says, and `chrome.draw()` draws a frame.
function page(set = {}) {
  const listeners = {};
  const reported = [];
  let native = [];
  const chrome = {
    now: 0.3,
    draw() {
      const due = native;
      native = [];
      due.forEach((callback) => callback(chrome.now));
    },
  };
  const context = vm.createContext({
    performance: { now: () => chrome.now, timeOrigin: 1000 },
    crypto: { getRandomValues: () => assert.fail('the real generator was asked') },
    location: { origin: 'http://127.0.0.1:1' },
    requestAnimationFrame: (callback) => native.push(callback),
    cancelAnimationFrame: () => {},
    setTimeout: (callback, ...args) => Number(setTimeout(callback, ...args).unref()),
    clearTimeout: (id) => clearTimeout(id),
    setInterval: (callback, ...args) => Number(setInterval(callback, ...args).unref()),
    clearInterval: (id) => clearInterval(id),
    document: {},
    addEventListener: (name, listener) => { listeners[name] = listener; },
    reportError: (error) => reported.push(error.message),
    ...set,
  });
  vm.runInContext('globalThis.window = globalThis; window.parent = window.parent || window;', context);
  vm.runInContext(source, context);
  const time = context.__HF_VIRTUAL_TIME__;
  // The page is ready, and is put at frames from then on.
  const begin = () => {
    chrome.now = 4;
    time.begin(0);
  };
  const goTo = (ms) => {
    if (time.place().epoch === null) begin();
    chrome.now = 4 + Math.floor(ms * 10) / 10;
    time.enter(ms);
    chrome.draw();
  };
  return { run: (code) => vm.runInContext(code, context), listeners, reported, time, chrome, begin, goTo };
}

test('every way to ask for the time gives the time of the frame', () => {
  const { run, goTo } = page();
  goTo(1500);
  assert.equal(run('Date.now()'), 1500);
  assert.equal(run('performance.now()'), 1500);
  assert.equal(run('new Date().getTime()'), 1500);
  assert.equal(run('new (new Date().constructor)().getTime()'), 1500);
  assert.equal(run('Date()'), run('new Date(1500).toString()'));
  assert.equal(run('class Later extends Date {}; new Later().getTime()'), 1500);
});

test('a date that is given stays what it is', () => {
  const { run } = page();
  assert.equal(run('new Date(2020, 0, 2).getDate()'), 2);
  assert.equal(run('new Date("2020-01-02T00:00:00Z").toISOString()'), '2020-01-02T00:00:00.000Z');
  assert.equal(run('Date.UTC(1970, 0, 1)'), 0);
  assert.equal(run('new Date() instanceof Date && Date.name === "Date"'), true);
});

test('a frame callback runs once, at the next seek, with its time', () => {
  const { run, goTo } = page();
  run('globalThis.seen = []; requestAnimationFrame((t) => { seen.push(t); requestAnimationFrame((u) => seen.push(u)); })');
  goTo(100);
  assert.deepEqual(Array.from(run('seen')), [100]);
  goTo(200);
  goTo(300);
  assert.deepEqual(Array.from(run('seen')), [100, 200]);
});

test('a cancelled callback does not run, also when another one cancels it', () => {
  const { run, goTo } = page();
  run('globalThis.seen = []; requestAnimationFrame(() => { seen.push("a"); cancelAnimationFrame(b); }); globalThis.b = requestAnimationFrame(() => seen.push("b"));');
  goTo(1);
  assert.deepEqual(Array.from(run('seen')), ['a']);
});

test('a callback that throws is reported and does not stop the others', () => {
  const { run, goTo, reported } = page();
  run('globalThis.seen = 0; requestAnimationFrame(() => { throw new Error("boom"); }); requestAnimationFrame(() => { seen = 1; })');
  goTo(1);
  assert.deepEqual(reported, ['boom']);
  assert.equal(run('seen'), 1);
});

test('randomness depends on the time alone', () => {
  const draw = (code, ...times) => {
    const { run, goTo } = page();
    for (const at of times) goTo(at);
    return String(run(code));
  };
  for (const code of ['Math.random()', 'crypto.getRandomValues(new Uint8Array(7)).join()', 'crypto.randomUUID()']) {
    assert.equal(draw(code, 0, 40, 80), draw(code, 80), code);
    assert.notEqual(draw(code, 40), draw(code, 80), code);
  }
});

test('the generator is Mulberry32 with the seed of the plan format', () => {
  const reference = (ms) => {
    let a = (Math.imul(Math.floor(ms), -1640531527) + 0x9e3779b9) | 0;
    return () => {
      a = (a + 0x6d2b79f5) | 0;
      let t = Math.imul(a ^ (a >>> 15), a | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return (t ^ (t >>> 14)) >>> 0;
    };
  };
  for (const ms of [0, 33.33, 1000, 86400000]) {
    const { run, goTo } = page();
    goTo(ms);
    const next = reference(ms);
    for (let i = 0; i < 5; i += 1) assert.equal(run('Math.random()'), next() / 4294967296);
  }
});

test('random bytes are little-endian words with the tail from one more', () => {
  const { run, goTo } = page();
  goTo(5);
  const bytes = Array.from(run('crypto.getRandomValues(new Uint8Array(6))'));
  goTo(5);
  const words = [run('Math.random()'), run('Math.random()')].map((value) => value * 4294967296);
  const expected = words.flatMap((word) => [0, 8, 16, 24].map((shift) => (word >>> shift) & 255)).slice(0, 6);
  assert.deepEqual(bytes, expected);
});

test('a UUID looks like one of version 4', () => {
  assert.match(page().run('crypto.randomUUID()'), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test('errors are kept with their place, without the address of the server', () => {
  const { run, listeners, time } = page();
  listeners.error({ target: run('window'), message: 'Uncaught Error: x', filename: 'http://127.0.0.1:1/a.js', lineno: 3, colno: 7 });
  listeners.unhandledrejection({ reason: new Error('y') });
  assert.deepEqual(Array.from(time.errors), ['Uncaught Error: x (/a.js:3:7)', 'unhandled rejection: y']);
});

test('the clock stands at 0 until the page is ready, and shows each frame exactly from then on', () => {
  const { run, chrome, begin, goTo } = page();
  assert.deepEqual([run('performance.now()'), run('Date.now()')], [0, 0]);
  chrome.now = 3.9;
  assert.equal(run('performance.now()'), 0);
  begin();
  assert.equal(run('performance.now()'), 0);
  goTo(100 / 3);
  assert.equal(run('performance.now()'), 100 / 3);
});

test('a timer between two frames sees the time between them', () => {
  const { run, chrome, goTo } = page();
  goTo(1000);
  chrome.now = 4 + 1012.5;
  assert.equal(run('performance.now()'), 1012.5);
});

test('Chrome may draw a frame twice: callbacks run once', () => {
  const { run, chrome, goTo } = page();
  run('globalThis.seen = []; (function loop(at) { seen.push(at); requestAnimationFrame(loop); })(-1)');
  goTo(0);
  chrome.draw();
  chrome.draw();
  goTo(40);
  assert.deepEqual(Array.from(run('seen')), [-1, 0, 40]);
});

test('callbacks wait for the first frame, unless the page is not ready without them', () => {
  for (const [isReleased, expected] of [[false, []], [true, [0]]]) {
    const { run, chrome, time } = page();
    run('globalThis.seen = []; requestAnimationFrame((at) => seen.push(at))');
    chrome.draw();
    if (isReleased) time.release();
    chrome.draw();
    assert.deepEqual(Array.from(run('seen')), expected);
  }
});

test('a document that is made later takes over the clock of the page', () => {
  const outer = page();
  outer.goTo(500);
  const inner = page({ parent: { __HF_VIRTUAL_TIME__: outer.time } });
  inner.chrome.now = 4 + 500;
  assert.equal(inner.run('performance.now()'), 500);
});

test('a page depends on its history if it has a timer, a frame callback or an observer', () => {
  for (const [code, expected] of [
    ['', []],
    ['setTimeout(() => {}, 1e6)', ['a timer']],
    ['clearTimeout(setTimeout(() => {}, 1e6))', []],
    ['clearInterval(setInterval(() => {}, 1e6))', []],
    ['requestAnimationFrame(() => {})', ['requestAnimationFrame']],
    ['cancelAnimationFrame(requestAnimationFrame(() => {}))', []],
    ['new MessageChannel()', ['new MessageChannel']],
    ['new IntersectionObserver()', ['new IntersectionObserver']],
  ]) {
    class IntersectionObserver {}
    class MessageChannel {}
    const { run, time } = page({ IntersectionObserver, MessageChannel });
    run(code);
    assert.deepEqual(Array.from(time.history()), expected, code);
  }
});

test('a dialog is answered as if it was closed, and named', () => {
  const { run, time } = page();
  assert.deepEqual([run('alert("hello")'), run('confirm("go on?")'), run('prompt("name")')], [undefined, false, null]);
  assert.match(time.warnings[0], /^the page called alert\("hello"\)/);
  assert.equal(time.warnings.length, 3);
});

test('idle callbacks run', async () => {
  const { run } = page();
  run('globalThis.seen = null; requestIdleCallback(({ didTimeout, timeRemaining }) => { seen = [didTimeout, timeRemaining() > 0]; })');
  await new Promise((done) => setTimeout(done, 20));
  assert.deepEqual(Array.from(run('seen')), [false, true]);
});
