// virtual-time.js computes: the clock, the frame queue and the random numbers are tested as JavaScript, without a browser.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import vm from 'node:vm';

const source = fs.readFileSync(new URL('../../crates/render/src/page/virtual-time.js', import.meta.url), 'utf8');

function page() {
  const listeners = {};
  const animations = [];
  class Element {
    animate() {
      const animation = { playState: 'running', currentTime: 7, pause() { this.playState = 'paused'; } };
      animations.push(animation);
      return animation;
    }
  }
  const reported = [];
  const context = vm.createContext({
    performance: { now: () => 123456 },
    crypto: { getRandomValues: () => assert.fail('the real generator was asked') },
    location: { origin: 'http://127.0.0.1:1' },
    requestAnimationFrame: () => assert.fail('the real frame clock was asked'),
    cancelAnimationFrame: () => {},
    setTimeout,
    Element,
    document: { getAnimations: () => animations, addEventListener: (name, listener) => { listeners[name] = listener; } },
    addEventListener: (name, listener) => { listeners[name] = listener; },
    reportError: (error) => reported.push(error.message),
  });
  vm.runInContext('globalThis.window = globalThis;', context);
  vm.runInContext(source, context);
  return { run: (code) => vm.runInContext(code, context), listeners, animations, reported, time: context.__HF_VIRTUAL_TIME__ };
}

test('every way to ask for the time gives the time of the frame', () => {
  const { run, time } = page();
  time.seekToTime(1500);
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
  const { run, time } = page();
  run('globalThis.seen = []; requestAnimationFrame((t) => { seen.push(t); requestAnimationFrame((u) => seen.push(u)); })');
  time.seekToTime(100);
  assert.deepEqual(Array.from(run('seen')), [100]);
  time.seekToTime(200);
  time.seekToTime(300);
  assert.deepEqual(Array.from(run('seen')), [100, 200]);
});

test('a cancelled callback does not run, also when another one cancels it', () => {
  const { run, time } = page();
  run('globalThis.seen = []; requestAnimationFrame(() => { seen.push("a"); cancelAnimationFrame(b); }); globalThis.b = requestAnimationFrame(() => seen.push("b"));');
  time.seekToTime(1);
  assert.deepEqual(Array.from(run('seen')), ['a']);
});

test('a callback that throws is reported and does not stop the others', () => {
  const { run, time, reported } = page();
  run('globalThis.seen = 0; requestAnimationFrame(() => { throw new Error("boom"); }); requestAnimationFrame(() => { seen = 1; })');
  time.seekToTime(1);
  assert.deepEqual(reported, ['boom']);
  assert.equal(run('seen'), 1);
});

test('randomness depends on the time alone', () => {
  const draw = (code, ...times) => {
    const { run, time } = page();
    for (const at of times) time.seekToTime(at);
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
    const { run, time } = page();
    time.seekToTime(ms);
    const next = reference(ms);
    for (let i = 0; i < 5; i += 1) assert.equal(run('Math.random()'), next() / 4294967296);
  }
});

test('random bytes are little-endian words with the tail from one more', () => {
  const { run, time } = page();
  time.seekToTime(5);
  const bytes = Array.from(run('crypto.getRandomValues(new Uint8Array(6))'));
  time.seekToTime(5);
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

test('an animation is held at its beginning from the moment it is made', () => {
  const { run, animations } = page();
  run('new Element().animate([], 1000)');
  assert.deepEqual([animations[0].playState, animations[0].currentTime], ['paused', 0]);
});

test('an animation that a style sheet began is held before the runtime looks, and one its author paused is left alone', () => {
  const { listeners, animations } = page();
  const began = { playState: 'running', currentTime: 3.2, pause() { this.playState = 'paused'; } };
  const paused = { playState: 'paused', currentTime: 400, pause: () => assert.fail('it is paused already') };
  animations.push(began, paused);
  listeners.DOMContentLoaded();
  assert.deepEqual([began.playState, began.currentTime, paused.currentTime], ['paused', 0, 400]);
});

test('an animation that nobody else seeks follows the clock from when it was made', () => {
  const { run, animations, time } = page();
  time.seekToTime(500);
  run('new Element().animate([], 1000)');
  time.seekToTime(1250);
  time.seekAnimations();
  assert.equal(animations[0].currentTime, 750);
  time.seekToTime(0);
  time.seekAnimations();
  assert.equal(animations[0].currentTime, 0);
});
