// repaint.js: what has moved by less than Chrome notices is drawn again, and nothing else.
import assert from 'node:assert/strict';
import test from 'node:test';
import { open } from './dom.mjs';

const PROPERTY = 'dynamic-range-limit';

// A page with two boxes whose places the test decides. `drawn` are the ids whose paint has been made invalid, with the value.
const moving = async (t) => {
  const page = await open(t, '<div id="a"></div><div id="b"></div>', { before: ['virtual-time.js', 'repaint.js'] });
  const { window, document } = page;
  const at = { a: [0, 0, 100, 50], b: [10, 10, 20, 20] };
  for (const [id, rect] of Object.entries(at)) {
    document.getElementById(id).getBoundingClientRect = () => ({ x: at[id][0], y: at[id][1], width: at[id][2], height: at[id][3] });
  }
  const drawn = [];
  const { setProperty } = window.CSSStyleDeclaration.prototype;
  for (const element of document.querySelectorAll('*')) {
    element.style.setProperty = (name, value) => {
      if (name === PROPERTY) drawn.push(`${element.id || element.localName} ${value}`);
      else setProperty.call(element.style, name, value);
    };
  }
  const frame = (change) => {
    Object.assign(at, change);
    drawn.length = 0;
    window.__fwRepaint();
    return [...drawn];
  };
  return frame;
};

test('the first frame is drawn as a whole, since how the page stood before is not known', async (t) => {
  const frame = await moving(t);
  assert.deepEqual(frame({}), ['html no-limit']);
  assert.deepEqual(frame({}), []);
});

test('what moved or grew by less than Chrome notices is drawn again, each time with another value', async (t) => {
  const frame = await moving(t);
  frame({});
  assert.deepEqual(frame({ a: [0.005, 0, 100, 50] }), ['a no-limit']);
  assert.deepEqual(frame({ a: [0.009, 0, 100, 50] }), ['a standard']);
  assert.deepEqual(frame({ a: [0.009, 0, 100.004, 50] }), ['a no-limit']);
  assert.deepEqual(frame({}), [], 'it stands still');
});

test('what moves farther is noticed by Chrome itself; a fraction behind whole pixels is not', async (t) => {
  const frame = await moving(t);
  frame({});
  assert.deepEqual(frame({ b: [10.4, 10, 20, 20] }), []);
  assert.deepEqual(frame({ b: [13.401, 10, 20, 20] }), ['b no-limit']);
});

// A page with one box, whose place and style the test decides. `frame` answers whether the frame is to be drawn twice, what has
// been made invalid, and in which of the next frames the whole page is drawn again.
const styled = async (t, given) => {
  const catchFrames = 'window.callbacks = []; window.requestAnimationFrame = (callback) => window.callbacks.push(callback);';
  const page = await open(t, '<div id="around"><div id="a"></div></div>', { before: [catchFrames, 'virtual-time.js', 'repaint.js'] });
  const { window, document } = page;
  const box = document.getElementById('a');
  let rect = [0, 0, 100, 50];
  const none = { transform: 'none', translate: 'none', transformOrigin: '50px 25px', willChange: 'auto' };
  const styles = { a: { ...none, ...given }, around: { ...none } };
  box.getBoundingClientRect = () => ({ x: rect[0], y: rect[1], width: rect[2], height: rect[3] });
  window.getComputedStyle = (element) => styles[element.id] || none;
  let drawn = [];
  const { setProperty } = window.CSSStyleDeclaration.prototype;
  for (const element of document.querySelectorAll('*')) {
    element.style.setProperty = (name, value, ...rest) => {
      if (name === PROPERTY) drawn.push(element.id || element.localName);
      else setProperty.call(element.style, name, value, ...rest);
    };
  }
  const frame = (to, changed = {}) => {
    rect = to;
    for (const [id, style] of Object.entries(changed)) Object.assign(styles[id], style);
    drawn = [];
    const twice = window.__fwRepaint();
    const again = [];
    const pixel = document.querySelector('framewright-redraw');
    for (const number of [1, 2, 3]) {
      const before = pixel && pixel.style.opacity;
      for (const callback of window.callbacks.splice(0)) callback();
      if (pixel && pixel.style.opacity !== before) again.push(number);
    }
    return { twice, first: drawn, again };
  };
  return { frame, box };
};

test('what is shown at another scale is drawn twice, as is the first frame', async (t) => {
  const { frame } = await styled(t);
  assert.deepEqual(frame([0, 0, 100, 50]), { twice: true, first: ['html'], again: [2] });
  assert.deepEqual(frame([0, 0, 100, 50]), { twice: false, first: [], again: [] });
  assert.deepEqual(frame([0, 0, 200, 100], { a: { transform: 'matrix(2, 0, 0, 2, 0, 0)' } }), { twice: true, first: [], again: [2] });
  assert.deepEqual(frame([0, 0, 150, 100], { around: { transform: 'matrix(0.75, 0, 0, 1, 0, 0)' } }), { twice: true, first: [], again: [2] });
});

test('what is laid out in another size, or only moves, is drawn once', async (t) => {
  const { frame } = await styled(t);
  frame([0, 0, 100, 50]);
  frame([0, 0, 150, 50]);
  assert.equal(frame([0, 0, 180, 50]).twice, false, 'another width');
  assert.equal(frame([9.5, 0, 180, 50], { a: { transform: 'matrix(1, 0, 0, 1, 9.5, 0)' } }).twice, false, 'another place');
});

test('what turns is drawn once, and twice where its scale changes with that', async (t) => {
  const { frame } = await styled(t, { transform: 'matrix(1, 0, 0, 1, 0, 0)' });
  frame([0, 0, 100, 50]);
  assert.equal(frame([0, 0, 110, 78], { a: { transform: 'matrix(0.8, 0.6, -0.6, 0.8, 0, 0)' } }).twice, false, 'it turns');
  assert.equal(frame([0, 0, 50, 100], { around: { transform: 'matrix(0, 1, -1, 0, 0, 0)' } }).twice, false, 'what it is in turns');
  assert.equal(frame([0, 0, 100, 100], { around: { transform: 'matrix(0, 2, -1, 0, 0, 0)' } }).twice, true, 'what it is in grows');
  assert.equal(frame([0, 0, 100, 120], { a: { transform: 'matrix(0.6, 0.8, -0.8, 0.6, 0, 0)' } }).twice, true, 'it turns in what is scaled');
  assert.equal(frame([0, 0, 90, 120], { a: { transform: 'matrix3d(1, 0, 0, 0, 0, 0.7, 0.7, 0, 0, -0.7, 0.7, 0, 0, 0, 0, 1)' } }).twice, true, 'it turns in space');
});

test('a transform that changes by less than Chrome notices is drawn again, however what is around it moves', async (t) => {
  const { frame } = await styled(t, { transform: 'matrix(1, 0.1, -0.1, 1, 4, 0)' });
  frame([0, 0, 100, 50]);
  frame([30.4, 0, 100, 50]);
  assert.deepEqual(frame([61, 0, 100, 50], { a: { transform: 'matrix(1, 0.1001, -0.1001, 1, 4.01, 0)' } }).first, ['a']);
  assert.deepEqual(frame([92.4, 0, 100, 50], { a: { transform: 'matrix(1, 0.11, -0.11, 1, 4.01, 0)' } }).first, [], 'it turns farther');
  assert.deepEqual(frame([123.8, 0, 100, 50], { a: { transformOrigin: '50.01px 25px' } }).first, ['a']);
});

test('a hint that a transform will change is replaced by one that leaves the scale alone', async (t) => {
  for (const [given, expected] of [
    ['transform', 'filter'],
    ['opacity, transform', 'opacity,filter'],
    ['perspective', 'filter'],
    ['opacity', ''],
    ['auto', ''],
  ]) {
    const { frame, box } = await styled(t, { willChange: given });
    frame([0, 0, 100, 50]);
    assert.equal(box.style.getPropertyValue('will-change'), expected, given);
  }
});
