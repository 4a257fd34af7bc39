// Runs before the bridge. window.__fwRepaint() makes Chrome draw again what has moved too little for it to notice.
//
// Chrome keeps the pixels of a part of a layer that has moved by less than 0.01 pixels since they were drawn, or whose
// matrix has changed by less than 0.0001. Antialiased edges then show where the part was when this browser drew it last, so
// that a frame would depend on the frames before it. A whole number of pixels does not count: the layer moves along.
//
// A layer whose scale changes is rasterized anew, and the edges of its first frame at that scale depend on the scale that it
// had before. window.__fwRepaint() answers whether there is such a layer: then the frame is to be drawn twice.
window.__fwRepaint = (() => {
  'use strict';
  // Twice what Chrome allows, since it compares with the last position that it noticed, and a margin for rounding.
  const MOVED = 0.025;
  const TURNED = 0.00022;
  // An inherited property that changes what is drawn on no screen without HDR: another value makes Chrome draw an element
  // and all that is in it again, in place and without a new layout.
  const PROPERTY = 'dynamic-range-limit';
  const VALUES = ['standard', 'no-limit'];

  const requestFrame = window.__HF_VIRTUAL_TIME__.originals.requestAnimationFrame;
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
  const OTHERS = ['transformOrigin', 'translate', 'rotate', 'scale', 'offsetPath', 'offsetDistance', 'offsetAnchor', 'offsetPosition', 'offsetRotate', 'perspective', 'perspectiveOrigin', 'zoom'];
  const transformOf = (element) => {
    const style = getComputedStyle(element);
    return { matrix: style.transform, others: OTHERS.map((name) => style[name]).join() };
  };
  const numbersOf = (text) => (text.match(/-?[\d.]+(?:e[-+]?\d+)?/g) || []).map(Number);
  const areNear = (numbers, before, room) => numbers.length === before.length && numbers.every((number, i) => Math.abs(number - before[i]) <= room(i));
  // Whether one transform differs from another by too little in the place where it is written, however what is around moves.
  const isNear = (now, before) => {
    if (now.matrix === 'none' || before.matrix === 'none') return false;
    const [matrix, other] = [numbersOf(now.matrix), numbersOf(before.matrix)];
    const isMove = (i) => (matrix.length === 6 ? i > 3 : i > 12 && i < 16);
    return areNear(matrix, other, (i) => (isMove(i) ? MOVED : TURNED)) && areNear(numbersOf(now.others), numbersOf(before.others), () => MOVED);
  };
  const newState = () => ({ x: 0, y: 0, width: 0, height: 0, moved: [0, 0], grown: 0, transform: null, turned: false, near: false, checked: 0, linear: null, measured: 0, value: 0 });
  const stateOf = (element) => {
    if (!seen.has(element)) seen.set(element, newState());
    return seen.get(element);
  };
  const around = (element) => element.parentElement || element.getRootNode().host || null;

  let frame = 0;
  // Whether the element's own transform is another one than when it was looked at last.
  const isTurned = (element) => {
    const state = stateOf(element);
    if (state.checked !== frame) {
      const [transform, before] = [transformOf(element), state.transform];
      const turned = !before || transform.matrix !== before.matrix || transform.others !== before.others;
      Object.assign(state, { checked: frame, transform, turned, near: Boolean(turned && before && isNear(transform, before)) });
    }
    return state.turned;
  };
  const isTurnedInPage = (element) => {
    for (let one = element; one; one = around(one)) if (isTurned(one)) return true;
    return false;
  };

  // The lengths of one pixel's two sides where an element is drawn are its scale. Turning and moving leave them alone.
  const multiply = ([a, b, c, d], [e, f, g, h]) => [a * e + c * f, b * e + d * f, a * g + c * h, b * g + d * h];
  const IDENTITY = [1, 0, 0, 1];
  const product = (matrices) => matrices.reduce(multiply, IDENTITY);
  // The computed string has six digits, which is too little to tell a scale from a turn.
  const exactTransform = (element) => {
    const value = element.computedStyleMap && element.computedStyleMap().get('transform');
    if (!value || typeof value[Symbol.iterator] !== 'function') return null;
    const parts = [...value].filter((part) => !(part instanceof CSSTranslate));
    return product(parts.map((part) => part.toMatrix()).map(({ a, b, c, d }) => [a, b, c, d]));
  };
  const scaleOf = (text) => {
    const [x, y = x] = numbersOf(text);
    return [x, 0, 0, y];
  };
  const rotationOf = (text) => {
    const angle = (numbersOf(text)[0] * Math.PI) / 180;
    return [Math.cos(angle), Math.sin(angle), -Math.sin(angle), Math.cos(angle)];
  };
  const isGiven = (value) => Boolean(value) && value !== 'none';
  // What an element's own transform does to a pixel, or nothing where that takes more than two dimensions.
  const linearOf = (element) => {
    const style = getComputedStyle(element);
    const isDeep = /3d/.test(style.transform) || isGiven(style.perspective) || isGiven(style.offsetPath) || (style.zoom || '1') !== '1';
    if (isDeep || /[xyz]/.test(style.rotate || '') || numbersOf(style.scale || '').length > 2) return null;
    const parts = [];
    if (isGiven(style.rotate)) parts.push(rotationOf(style.rotate));
    if (isGiven(style.scale)) parts.push(scaleOf(style.scale));
    if (isGiven(style.transform)) parts.push(exactTransform(element) || numbersOf(style.transform).slice(0, 4));
    return product(parts);
  };
  const inPage = (element) => {
    const state = stateOf(element);
    if (state.measured !== frame) {
      const [parent, own] = [around(element), linearOf(element)];
      const above = parent ? inPage(parent) : IDENTITY;
      Object.assign(state, { measured: frame, linear: own && above && multiply(above, own) });
    }
    return state.linear;
  };
  // Parts of an SVG are pixels of its layer, unless something hints at changes.
  const isPartOfSvg = (element) => Boolean(element.ownerSVGElement) && getComputedStyle(element).willChange === 'auto';
  // How far Chrome's own numbers tell two scales apart.
  const EQUAL = 1e-7;
  // Whether the element is drawn at another scale than when its scale was looked at last.
  const isScaled = (element) => {
    if (isPartOfSvg(element)) return false;
    const { linear: before } = stateOf(element);
    const now = inPage(element);
    if (!now || !before) return true;
    const lengths = ([a, b, c, d]) => [Math.hypot(a, b), Math.hypot(c, d)];
    const [old, scale] = [lengths(before), lengths(now)];
    return scale.some((length, i) => Math.abs(length - old[i]) > EQUAL * old[i]);
  };

  // With the hint that its transform will change, Chrome keeps a layer's pixels at the scale at which it was drawn first. With
  // the hint that its filter will, it is a layer, too, and holds what is fixed in it.
  const OF_TRANSFORMS = /^(?:-webkit-)?(?:transform|transform-style|perspective|translate|rotate|scale|offset(?:-.*)?)$/;
  const dropHint = (element) => {
    const hints = getComputedStyle(element).willChange.split(/,\s*/);
    const kept = hints.filter((hint) => !OF_TRANSFORMS.test(hint));
    if (kept.length < hints.length) element.style.setProperty('will-change', [...kept, 'filter'].join(), 'important');
  };

  // Draws the whole page again, with little effort: a pixel gets another opacity. It adds nothing to what is below it, since it
  // is the least that Chrome draws at all, and a hundredth of that.
  const OPACITIES = [0.01, 0.02];
  const pixel = document.createElement('framewright-redraw');
  const important = (style) => Object.entries(style).map(([name, value]) => `${name}: ${value} !important`).join(';');
  pixel.style.cssText = important({
    all: 'initial', position: 'fixed', left: 0, top: 0, width: '1px', height: '1px', 'z-index': 2147483647,
    contain: 'strict', 'pointer-events': 'none', 'will-change': 'opacity', 'background-color': 'rgb(0 0 0 / 0.003)',
  });
  let redraws = 0;
  const redraw = () => {
    redraws += 1;
    pixel.style.setProperty('opacity', OPACITIES[redraws % 2], 'important');
  };
  const redrawInNextFrameButOne = () => {
    if (!pixel.isConnected) document.documentElement.append(pixel);
    requestFrame(() => requestFrame(redraw));
  };

  // Whether anything is drawn at another scale than in the frame before.
  let isRescaled = false;

  // Whether the element has moved too little. `view` is where its document is in the page.
  const lookAt = (element, view) => {
    const rect = element.getBoundingClientRect();
    const [x, y, { width, height }] = [rect.x + view.x, rect.y + view.y, rect];
    const before = seen.get(element);
    if (!before) {
      Object.assign(stateOf(element), { x, y, width, height });
      isTurned(element);
      inPage(element);
      dropHint(element);
      return false;
    }
    before.moved = [x - before.x, y - before.y];
    before.grown = Math.max(Math.abs(width - before.width), Math.abs(height - before.height));
    const isStill = x === before.x && y === before.y && before.grown === 0;
    Object.assign(before, { x, y, width, height });
    if (isStill) return false;
    if (before.grown > 0 && isTurnedInPage(element)) {
      dropHint(element);
      isRescaled = isScaled(element) || isRescaled;
    }
    if (isTiny(before, [0, 0])) return true;
    // What moves along with a layer may have moved in that layer by as little.
    if (!isTurned(element)) return false;
    if (before.near) return true;
    for (let one = around(element); one; one = around(one)) {
      const other = seen.get(one);
      if (other && (other.moved[0] !== 0 || other.moved[1] !== 0) && isTiny(before, other.moved)) return true;
    }
    return false;
  };

  const walk = (root, view) => {
    for (const element of root.querySelectorAll('*')) {
      if (!element.style) continue;
      const isLate = lookAt(element, view);
      if (isLate) repaint(element, seen.get(element));
      if (element.shadowRoot) walk(element.shadowRoot, view);
      if (element.localName === 'iframe') enter(element, isLate || isFirst);
    }
  };
  const enter = (iframe, isLate) => {
    let inner = null;
    try {
      inner = iframe.contentDocument;
    } catch {
      // Another origin, which is not driven either.
    }
    if (!inner || !inner.documentElement) return;
    const { x, y } = seen.get(iframe);
    const root = inner.documentElement;
    if (isLate) repaint(root, stateOf(root));
    walk(inner, { x, y });
  };

  return () => {
    const root = document.documentElement;
    frame += 1;
    isRescaled = isFirst;
    walk(document, { x: 0, y: 0 });
    // How the page stood when it was drawn while it was loading is not known.
    if (isFirst) repaint(root, stateOf(root));
    isFirst = false;
    if (isRescaled) redrawInNextFrameButOne();
    return isRescaled;
  };
})();
