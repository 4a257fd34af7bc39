// Runs before the bridge. window.__fwRepaint() makes Chrome draw again what has moved too little for it to notice.
//
// Chrome keeps the pixels of a part of a layer that has moved by less than 0.01 pixels since they were drawn, or whose
// matrix has changed by less than 0.0001. Antialiased edges then show where the part was when this browser drew it last, so
// that a frame would depend on the frames before it. A whole number of pixels does not count: the layer moves along.
window.__fwRepaint = (() => {
  'use strict';
  // Twice what Chrome allows, since it compares with the last position that it noticed, and a margin for rounding.
  const MOVED = 0.025;
  const TURNED = 0.00022;
  // An inherited property that changes what is drawn on no screen without HDR: another value makes Chrome draw an element
  // and all that is in it again, in place and without a new layout.
  const PROPERTY = 'dynamic-range-limit';
  const VALUES = ['standard', 'no-limit'];

  const seen = new WeakMap();
  let isFirst = true;
  const repaint = (element, state) => {
    state.value = 1 - state.value;
    element.style.setProperty(PROPERTY, VALUES[state.value]);
  };

  const whole = (distance) => Math.abs(distance * devicePixelRatio - Math.round(distance * devicePixelRatio));
  const isTiny = (state, by) => {
    const room = MOVED + TURNED * (state.width + state.height);
    return whole(state.moved[0] - by[0]) <= room && whole(state.moved[1] - by[1]) <= room && state.grown <= room;
  };
  const transformOf = (element) => {
    const { transform, translate, rotate, scale, offsetPath, offsetDistance } = getComputedStyle(element);
    return [transform, translate, rotate, scale, offsetPath, offsetDistance].join();
  };

  // Whether the element has moved too little. `view` is where its document is in the page.
  const look = (element, view) => {
    const rect = element.getBoundingClientRect();
    const [x, y, { width, height }] = [rect.x + view.x, rect.y + view.y, rect];
    const before = seen.get(element);
    if (!before) {
      seen.set(element, { x, y, width, height, moved: [0, 0], grown: 0, transform: null, value: 0 });
      return false;
    }
    before.moved = [x - before.x, y - before.y];
    before.grown = Math.max(Math.abs(width - before.width), Math.abs(height - before.height));
    const isStill = x === before.x && y === before.y && before.grown === 0;
    Object.assign(before, { x, y, width, height });
    if (isStill) return false;
    if (isTiny(before, [0, 0])) return true;
    // What moves along with a layer may have moved in that layer by as little.
    const transform = transformOf(element);
    const turned = before.transform !== transform;
    before.transform = transform;
    if (!turned) return false;
    for (let around = element.parentElement; around; around = around.parentElement) {
      const other = seen.get(around);
      if (other && (other.moved[0] !== 0 || other.moved[1] !== 0) && isTiny(before, other.moved)) return true;
    }
    return false;
  };

  const walk = (root, view) => {
    for (const element of root.querySelectorAll('*')) {
      if (!element.style) continue;
      const isLate = look(element, view);
      if (isLate) repaint(element, seen.get(element));
      if (element.shadowRoot) walk(element.shadowRoot, view);
      if (element.localName === 'iframe') enter(element, isLate || isFirst);
    }
  };
  const enter = (frame, isLate) => {
    let inner = null;
    try {
      inner = frame.contentDocument;
    } catch {
      // Another origin, which is not driven either.
    }
    if (!inner || !inner.documentElement) return;
    const { x, y } = seen.get(frame);
    const root = inner.documentElement;
    const state = seen.get(root) || { x: 0, y: 0, width: 0, height: 0, moved: [0, 0], grown: 0, transform: null, value: 0 };
    seen.set(root, state);
    if (isLate) repaint(root, state);
    walk(inner, { x, y });
  };

  return () => {
    const root = document.documentElement;
    walk(document, { x: 0, y: 0 });
    // How the page stood when it was drawn while it was loading is not known.
    if (isFirst) repaint(root, seen.get(root));
    isFirst = false;
  };
})();
