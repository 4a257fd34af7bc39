// scenes.js: the scripts of a nested composition see their own instance instead of the whole page.
import assert from 'node:assert/strict';
import test from 'node:test';
import { open, plain } from './dom.mjs';

// Two instances of the scene "card", whose root is called "root"; the second has an id of its own in the whole document.
const HTML = `
  <div id="stage" data-composition-id="main">
    <p class="title" id="outside">outside</p>
    <div data-composition-id="card"><div data-hf-inner-root data-hf-authored-id="root"><p class="title" id="a">one</p></div></div>
    <div data-composition-id="card__hf1"><div data-hf-inner-root data-hf-authored-id="root"><p class="title" id="a">two</p><i id="b"></i></div></div>
  </div>`;
const FIRST = { id: 'card', authored: 'card', rootId: 'root', file: 'scenes/card.html' };
const SECOND = { ...FIRST, id: 'card__hf1' };

// Every test looks through the eyes of the second instance, unless it names another.
const scenes = async (t, { scene = SECOND, html = HTML, code = '' } = {}) => {
  const page = await open(t, html, { before: [code, 'scenes.js'] });
  const errors = [];
  page.window.reportError = (error) => errors.push(error.message);
  return Object.assign(page, { errors, see: (other = scene) => page.window.__fwScene(other), texts: (nodes) => Array.from(nodes, (node) => node.textContent) });
};

test('a query finds what is in the instance, and nothing else of the page', async (t) => {
  const { see, texts, document } = await scenes(t);
  const scoped = see().document;
  assert.deepEqual(texts(scoped.querySelectorAll('.title')), ['two']);
  assert.equal(scoped.querySelector('.title').textContent, 'two');
  assert.deepEqual(texts(see(FIRST).document.querySelectorAll('.title')), ['one']);
  assert.deepEqual([scoped.querySelector('#outside'), scoped.getElementById('outside')], [null, null]);
  assert.deepEqual(texts(document.querySelectorAll('.title')), ['outside', 'one', 'two'], 'the page itself sees everything');
});

test('an id that several instances have is that of the own one', async (t) => {
  const { see } = await scenes(t);
  assert.deepEqual([see().document.getElementById('a').textContent, see(FIRST).document.getElementById('a').textContent], ['two', 'one']);
  assert.equal(see().document.getElementById('b').localName, 'i');
  assert.equal(see(FIRST).document.getElementById('b'), null);
});

test("the author's names of the composition and of its root find the instance", async (t) => {
  const { see, document } = await scenes(t);
  const [scoped, host] = [see().document, document.querySelector('[data-composition-id="card__hf1"]')];
  const root = host.firstElementChild;
  for (const selector of ['[data-composition-id="card"]', "[ data-composition-id = 'card' ]", '[data-composition-id=card]', '[data-composition-id="card"][data-start="1"]']) {
    assert.equal(scoped.querySelector(selector), host, selector);
  }
  assert.equal(scoped.querySelector('#root'), root);
  assert.equal(scoped.getElementById('root'), root);
  assert.equal(scoped.querySelector('[data-composition-id="card"] #root > .title').textContent, 'two');
});

test('only a whole name is rewritten, and nothing within strings', async (t) => {
  const html = '<div data-composition-id="x"><b id="rooted" title="#root"></b><u data-hf-authored-id="root"></u><s data-composition-id="card2"></s></div>';
  const { see } = await scenes(t, { html, scene: { ...FIRST, id: 'x' } });
  const { document } = see();
  assert.equal(document.querySelector('#rooted').localName, 'b');
  assert.equal(document.querySelector('[title="#root"]').localName, 'b');
  assert.equal(document.querySelector('#root').localName, 'u');
  assert.equal(document.querySelector('[data-composition-id="card2"]').localName, 's');
});

test("the body of a scene's document is its root", async (t) => {
  const { see, document } = await scenes(t);
  const root = document.querySelector('[data-composition-id="card__hf1"] > [data-hf-inner-root]');
  for (const selector of ['body', 'html', ' :root ']) assert.equal(see().document.querySelector(selector), root, selector);
});

test('what a document can do besides is that of the page', async (t) => {
  const { see, document } = await scenes(t);
  const scoped = see().document;
  document.receiver = function () { return this; };
  assert.equal(scoped.receiver(), document, 'a method needs the real document');
  assert.equal(scoped.createElement('p').localName, 'p');
  assert.equal(scoped.body, document.body);
  scoped.title = 'set';
  assert.equal(document.title, 'set');
});

test("a timeline is registered under the instance's id, and found under the author's name", async (t) => {
  const { see, window } = await scenes(t);
  const view = see().window;
  view.__timelines.card = 'second';
  assert.deepEqual(plain(window.__timelines), { card__hf1: 'second', card: 'second' }, 'nobody has the name yet');
  see(FIRST).window.__timelines.card = 'first';
  view.__timelines.card = 'again';
  assert.deepEqual(plain(window.__timelines), { card__hf1: 'again', card: 'first' }, 'the instance of that name keeps it');
  assert.deepEqual([view.__timelines.card, view.__timelines.main], ['again', undefined]);
  assert.equal(see(FIRST).window.__timelines, window.__timelines, 'where both names are one, there is nothing to translate');
});

test("a name that no instance has is not registered for others", async (t) => {
  const { see, window } = await scenes(t, { html: HTML.replace('data-composition-id="card"', 'data-composition-id="other"') });
  see().window.__timelines.card = 'second';
  assert.deepEqual(plain(window.__timelines), { card__hf1: 'second' });
});

test('a whole new object of timelines is added to those that there are', async (t) => {
  const { see, window } = await scenes(t, { code: 'window.__timelines = { main: 1 };' });
  const { __timelines: before } = window;
  see().window.__timelines = { card: 2, extra: 3 };
  assert.equal(window.__timelines, before);
  assert.deepEqual(plain(window.__timelines), { main: 1, card__hf1: 2, card: 2, extra: 3 });
  see().window.__timelines = see().window.__timelines || {};
  assert.deepEqual(plain(window.__timelines), { main: 1, card__hf1: 2, card: 2, extra: 3 });
});

test('the window passes everything else through, natives with their own receiver', async (t) => {
  const { see, window } = await scenes(t, { code: 'window.Shape = class { static made = 1; };' });
  const view = see().window;
  Object.assign(window, { receiver() { return this; } });
  assert.equal(view.receiver(), window, 'a native method needs the real window');
  assert.equal(view.Shape, window.Shape, 'a class keeps what hangs on it');
  assert.equal(view.getComputedStyle(window.document.body).display, 'block');
  view.answer = 42;
  assert.equal(window.answer, 42);
});

test('variables and assets are those of the instance and its file', async (t) => {
  const code = `
    window.__hyperframes = { version: 1, getVariables: () => 'all', assetUrl: () => 'wrong' };
    window.__hfVariablesByComp = { card: { hue: 1 }, card__hf1: { hue: 2 } };`;
  const { see } = await scenes(t, { code });
  const { __hyperframes: api, window: view } = see();
  assert.deepEqual(plain(api.getVariables()), { hue: 2 });
  api.getVariables().hue = 9;
  assert.equal(api.getVariables().hue, 2, 'a script has a copy');
  assert.equal(api.assetUrl('img/a.png'), 'http://127.0.0.1:1/scenes/img/a.png');
  assert.equal(api.assetUrl('/b.png'), 'http://127.0.0.1:1/b.png');
  assert.equal(api.version, 1);
  assert.equal(view.__hyperframes, api);
});

const GSAP = `
  window.calls = [];
  const names = (given) => (Array.isArray(given) ? given : [given]).map((one) => (one && one.textContent !== undefined ? one.textContent : one));
  const log = (name) => function (given, ...rest) { calls.push([name, names(given), ...rest]); return this; };
  window.gsap = {
    version: '3', to: log('to'), from: log('from'), fromTo: log('fromTo'), set: log('set'), killTweensOf: log('kill'), ticker: {},
    getProperty: log('property'), timeline: (vars) => ({ vars, to: log('tl.to'), set: log('tl.set'), add: log('tl.add') }),
    utils: { clamp: () => 'clamped', toArray: (given) => names(given), selector: () => [] },
  };`;

test('GSAP animates what the selector finds in the instance', async (t) => {
  const { see, run, document } = await scenes(t, { code: GSAP });
  const { gsap } = see();
  gsap.to('.title', { x: 1 });
  gsap.fromTo(['.title', '#b'], { x: 1 }, { x: 2 });
  gsap.set(document.getElementById('outside'), {});
  const timeline = gsap.timeline({ paused: true });
  assert.equal(timeline.to('.title', { y: 1 }, 0.5), timeline, 'calls can be chained');
  gsap.getProperty('#a', 'x');
  assert.deepEqual(plain(run('calls')), [
    ['to', ['two'], { x: 1 }], ['fromTo', ['two', ''], { x: 1 }, { x: 2 }], ['set', ['outside'], {}], ['tl.to', ['two'], { y: 1 }, 0.5],
    ['property', ['two'], 'x'],
  ]);
  assert.deepEqual([plain(timeline.vars), gsap.version, gsap.ticker === run('window.gsap.ticker')], [{ paused: true }, '3', true]);
});

test("GSAP's own object is not changed", async (t) => {
  const { see, run, texts } = await scenes(t, { code: GSAP });
  see().gsap.to('.title', {});
  run("window.gsap.to('.title', {})");
  assert.deepEqual(plain(run('calls')), [['to', ['two'], {}], ['to', ['.title'], {}]]);
  assert.deepEqual(texts(run("document.querySelectorAll('.title')")).length, 3);
});

test("GSAP's helpers find within the instance, and within their scope", async (t) => {
  const { see, texts, document } = await scenes(t, { code: GSAP });
  const { utils } = see().gsap;
  assert.deepEqual(texts(utils.toArray('.title')), ['two']);
  assert.deepEqual(texts(utils.selector()('.title')), ['two']);
  assert.deepEqual(texts(utils.toArray('p', '#root')), ['two']);
  assert.deepEqual(utils.toArray('p', '#b').length, 0);
  assert.deepEqual(utils.selector({ current: document.getElementById('b') })('p').length, 0);
  assert.equal(utils.clamp(), 'clamped');
});

test('a page without GSAP has none in its scenes', async (t) => {
  const { see } = await scenes(t);
  assert.equal(see().gsap, undefined);
});

test('a script is run with its view, and an error of it is reported without stopping the page', async (t) => {
  const { window, errors } = await scenes(t);
  let heard;
  window.__fwScene(SECOND, function (...seen) {
    heard = [this === window, seen.length, seen[0].querySelector('.title').textContent];
    throw new Error('boom');
  });
  assert.deepEqual([heard, errors], [[true, 4, 'two'], ['boom']]);
});

test('a script that runs before its instance is there sees the page as it is', async (t) => {
  const { see, texts } = await scenes(t, { html: '<p class="title">alone</p><p id="a">x</p>' });
  assert.deepEqual(texts(see().document.querySelectorAll('.title')), ['alone']);
  assert.equal(see().document.getElementById('a').textContent, 'x');
});
