// repaint.js: what has moved by less than Chrome notices is drawn again, and nothing else.
import assert from 'node:assert/strict';
import test from 'node:test';
import { open } from './dom.mjs';

const PROPERTY = 'dynamic-range-limit';

// A page with two boxes whose places the test decides. `drawn` are the ids whose paint has been made invalid, with the value.
const moving = async (t) => {
  const page = await open(t, '<div id="a"></div><div id="b"></div>', { before: ['repaint.js'] });
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
