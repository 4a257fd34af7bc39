// bridge.js: what the renderer asks of a page, and the order in which the page is told to do it.
import assert from 'node:assert/strict';
import test from 'node:test';
import { open, plain } from './dom.mjs';

const STAGE = '<div data-composition-id="main" data-duration="4"></div>';

// A page with the bridge; `code` are the scripts that its author and the runtime have run before.
const bridged = async (t, html = STAGE, code = '', options = {}) => {
  const page = await open(t, html, { before: ['virtual-time.js', 'repaint.js'], ...options });
  page.run(code);
  page.run('bridge.js');
  return Object.assign(page, { bridge: page.window.__fw });
};

const PLAYER = `
  window.calls = [];
  window.__renderReady = true;
  window.__player = { renderSeek: (...args) => calls.push(args), getDuration: () => 3 };
`;
const OWN = 'window.calls = []; window.__hf = { duration: 2, seek: (...args) => calls.push(args) };';

test('a page with its own seek is driven by that, and needs neither timelines nor the runtime', async (t) => {
  const { bridge } = await bridged(t, STAGE, OWN + PLAYER.replace('window.__renderReady = true;', ''));
  const { driver, renderReady, duration, missing, loaded } = plain(bridge.status());
  assert.deepEqual({ driver, renderReady, duration, missing, loaded }, { driver: 'own', renderReady: true, duration: 2, missing: [], loaded: true });
});

test('a page without its own seek is driven by the player of the runtime', async (t) => {
  const { bridge, run } = await bridged(t, STAGE, PLAYER);
  assert.deepEqual([bridge.status().driver, bridge.status().duration], ['player', 3]);
  run('window.__hf.seek(1.5, { suppressEvents: true })');
  assert.deepEqual(plain(run('calls')), [[1.5, { suppressEvents: true }]]);
});

test('the driver is decided once, even if the page changes its mind', async (t) => {
  const { bridge, run } = await bridged(t, STAGE, PLAYER);
  bridge.status();
  run('window.__hf = { duration: 9, seek() {} }');
  assert.equal(bridge.status().driver, 'player');
});

test('a page with neither is not driven yet', async (t) => {
  const { bridge } = await bridged(t);
  assert.deepEqual([bridge.status().driver, bridge.status().duration, bridge.status().renderReady], [null, 0, false]);
});

test('the player has no duration before its timelines are built and it is ready', async (t) => {
  const { bridge, run } = await bridged(t, STAGE, `${PLAYER} window.__hfTimelinesBuilding = true;`);
  assert.equal(bridge.status().duration, 0);
  run('window.__hfTimelinesBuilding = false; window.__renderReady = false;');
  assert.deepEqual([bridge.status().duration, bridge.status().renderReady], [0, false]);
  run('window.__renderReady = true;');
  assert.equal(bridge.status().duration, 3);
});

test('where the player knows no duration, the root declares it, or the last scene ends it', async (t) => {
  const scenes = '<div data-composition-id="a" data-start="1" data-duration="2.5"></div><div data-composition-id="b" data-start="3"></div>';
  for (const [html, expected] of [
    [STAGE, 4],
    ['<div data-composition-id="x" data-duration="7"></div><div data-root="true" data-composition-id="y" data-duration="5"></div>', 5],
    ['<div data-composition-id="x" data-composition-duration="6"></div>', 6],
    [`<div data-composition-id="x">${scenes}</div>`, 3.5],
    ['<div data-composition-id="x"></div>', 0],
  ]) {
    const { bridge } = await bridged(t, html, PLAYER.replace('=> 3', '=> 0'));
    assert.equal(bridge.status().duration, expected, html);
  }
});

test('a duration that never ends is told apart from one that is no number', async (t) => {
  for (const [duration, infinite] of [['Infinity', true], ['NaN', false], ['"x"', false]]) {
    const { bridge } = await bridged(t, STAGE, OWN.replace('duration: 2', `duration: ${duration}`));
    assert.deepEqual([bridge.status().duration, bridge.status().infinite], [null, infinite], duration);
  }
});

test('compositions without their timeline are named, but for those that need none', async (t) => {
  const html = `${STAGE}<div data-composition-id="late"></div><div data-composition-id="css" data-no-timeline></div>`;
  const { bridge, run } = await bridged(t, html, `${PLAYER} window.__timelines = { main: {} };`);
  assert.deepEqual(plain(bridge.status().missing), ['late']);
  run('window.__timelines.late = {}');
  assert.deepEqual(plain(bridge.status().missing), []);
});

test('errors of the page are in its status and counted by every seek', async (t) => {
  const { bridge, window } = await bridged(t, STAGE, OWN);
  window.__HF_VIRTUAL_TIME__.errors.push('x is not defined (/a.js:1:2)');
  assert.deepEqual(plain(bridge.status().errors), ['x is not defined (/a.js:1:2)']);
  bridge.status();
  bridge.begin(0, false);
  assert.equal((await bridge.seek(0)).errors, 1);
});

test('a seek loads videos, puts the clock at the frame, seeks the page and shows videos, in this order', async (t) => {
  const { bridge, window, run } = await bridged(t, STAGE, OWN);
  bridge.status();
  bridge.begin(0, false);
  run(`
    const log = (name) => (...args) => { calls.push([name, ...args]); };
    window.__fwVideos = { load: async (...args) => log('load')(...args), show: log('show') };
    window.__hf.seek = log('page');
    const { enter } = window.__HF_VIRTUAL_TIME__;
    window.__HF_VIRTUAL_TIME__.enter = (ms) => { log('enter')(ms); enter(ms); };
    window.__fwRepaint = log('repaint');
  `);
  await bridge.seek(1.5, [[0, 45]], [[0, 46]]);
  const expected = [['load', 1.5, [[0, 45]]], ['enter', 1500], ['page', 1.5], ['show', 1.5, [[0, 46]]], ['repaint']];
  assert.deepEqual(plain(run('calls')), expected);
  run('calls.length = 0');
  await bridge.seek(1.6, null);
  assert.deepEqual(plain(run('calls')), [['enter', 1600], ['page', 1.6]], 'a frame that nobody sees needs no videos');
  assert.equal(window.__HF_VIRTUAL_TIME__.place().frame, 1600);
});

test('a seek waits for fonts and the runtime', async (t) => {
  const page = await bridged(t, STAGE, OWN);
  const { bridge, run } = page;
  bridge.status();
  await assert.rejects(() => bridge.seek(0), /has left its document/);
  bridge.begin(0, false);
  assert.equal((await bridge.seek(0)).animated, false);
  run(`
    let done; document.fonts.status = 'loading'; document.fonts.ready = new Promise((resolve) => { done = resolve; });
    setTimeout(() => { calls.push('fonts'); done(); }, 20);
    window.__hfWaitForSeekCompletion = async () => { calls.push('runtime'); };
  `);
  await bridge.seek(1);
  assert.deepEqual(plain(run('calls')).slice(-2), ['fonts', 'runtime']);
});

test('pictures of the document are decoded before the first frame; one that waits until it is near is not waited for', async (t) => {
  const { bridge, decoded, run } = await bridged(t, `${STAGE}<img src="a.png"><img src="b.png" loading="lazy"><img>`, OWN);
  run("document.querySelectorAll('img')[1].loading = 'lazy'");
  bridge.status();
  await bridge.settle();
  assert.deepEqual(decoded, ['http://127.0.0.1:1/a.png']);
});

test('a seek tells whether something is loaded only when it comes into view', async (t) => {
  for (const [html, expected] of [['<img src="a.png">', false], ['<img loading="lazy" src="a.png">', true], ['<iframe loading="LAZY"></iframe>', true]]) {
    const { bridge } = await bridged(t, `${STAGE}${html}`, OWN);
    bridge.status();
    bridge.begin(0, false);
    assert.equal((await bridge.seek(0)).lazy, expected, html);
  }
});

test('media that a script has made are refused by name, and those that were planned are not', async (t) => {
  const { bridge } = await bridged(t, `${STAGE}
    <video data-hf-render-id="v1" src="planned.mp4"></video><video></video>
    <video src="made.mp4"></video><audio><source src="made.mp3"></audio>`, OWN);
  bridge.status();
  await bridge.settle();
  const [video, audio, ...others] = plain(bridge.errors());
  assert.match(video, /^<video src="made.mp4"> was made by a script/);
  assert.match(audio, /^<audio src="made.mp3"> was made by a script/);
  assert.deepEqual(others, []);
});

test('a page is put at its beginning before it begins, and shows what is hidden where a tween takes its start values', async (t) => {
  const timelines = `
    const tween = (at, ...inner) => ({ vars: {}, startTime: () => at, totalDuration: () => 0.5, timeScale: () => 1, getChildren: () => inner });
    window.__timelines = { main: { vars: {}, getChildren: () => [tween(0.5), tween(-1), tween(NaN)] }, late: { vars: {}, getChildren: () => [tween(0.2)] }, odd: null };
  `;
  const html = `${STAGE}<div id="late" data-composition-id="late" data-start="1" style="display: flex"></div>`;
  const { bridge, run, document } = await bridged(t, html, PLAYER + timelines, { fps: 10 });
  const late = document.getElementById('late');
  bridge.status();
  await bridge.settle();
  assert.deepEqual(plain(run('calls')), [[0, { suppressEvents: true }]]);
  bridge.begin(0, false);
  run("window.calls.length = 0; window.__player.renderSeek = (at) => calls.push([at, document.getElementById('late').style.display])");
  for (const frame of [4, 5, 11, 12]) {
    late.toggleAttribute('data-hf-clip-hidden', true);
    late.style.display = 'none';
    await bridge.seek(frame / 10);
  }
  assert.deepEqual(plain(run('calls')), [[0.4, 'none'], [0.5, 'flex'], [1.1, 'none'], [1.2, 'flex']]);
});

test('a page of nothing but registered timelines has no history; what else moves is named', async (t) => {
  const tween = '{ vars: {}, getChildren: () => [], totalDuration: () => 1, timeScale: () => 1, startTime: () => 0 }';
  const timeline = (inner) => `window.__timelines = { main: { vars: {}, getChildren: () => [${inner}] } };`;
  for (const [html, code, expected] of [
    ['', timeline(tween), []],
    ['', timeline(tween.replace('vars: {}', 'vars: { onUpdate() {} }')), ['a callback of a timeline']],
    ['', timeline(tween.replace('vars: {}', 'vars: { repeatRefresh: true }')), ['values that are taken anew when a tween repeats']],
    ['', 'window.__timelines = { main: {} };', ['a timeline of its own kind']],
    ['<style>p { transition-duration: 0s, 0.3s }</style>', timeline(tween), ['a CSS transition of p']],
    ['<style>p::before { animation-name: x }</style>', timeline(tween), ['a CSS animation of p::before']],
    ['<svg><animate /></svg>', timeline(tween), ['<animate>']],
    ['<img src="data:image/gif;base64,AA">', timeline(tween), ['a picture that may be animated']],
    ['', `${timeline(tween)} window.__hfAnime = [{}]; window.__hfLottie = [{}];`, ['Anime animations']],
    ['', `${timeline(tween)} setTimeout(() => {}, 1e6)`, ['a timer']],
    ['', `${timeline(tween)} window.gsap = { globalTimeline: { getChildren: () => [...__timelines.main.getChildren(), { totalDuration: () => 2 }] } };`, ['a tween outside of the registered timelines']],
  ]) {
    const { bridge } = await bridged(t, html + STAGE, PLAYER + code);
    bridge.status();
    assert.deepEqual(plain(bridge.begin(0, true).history), expected, html + code);
  }
  const { bridge } = await bridged(t, STAGE, OWN);
  bridge.status();
  assert.deepEqual(plain(bridge.begin(0, true).history), ['a seek of its own']);
});

test('where frames may be left out, timelines are put through what lies between, also backwards', async (t) => {
  const timelines = `
    const tween = (at) => ({ vars: {}, startTime: () => at, totalDuration: () => 0.5, timeScale: () => 1, getChildren: () => [] });
    const all = [tween(0.5), tween(2)];
    window.__timelines = { main: { vars: {}, getChildren: () => all } };
  `;
  const { bridge, run } = await bridged(t, STAGE, PLAYER + timelines, { fps: 10 });
  bridge.status();
  await bridge.settle();
  bridge.begin(0, true);
  const visited = async (at) => {
    run('calls.length = 0');
    await bridge.seek(at);
    return plain(run('calls')).map(([seconds]) => seconds);
  };
  assert.deepEqual(await visited(0), [0]);
  assert.deepEqual(await visited(0.1), [0.1]);
  assert.deepEqual(await visited(2.2), [0.5, 1, 2, 2.1, 2.2]);
  assert.deepEqual(await visited(0.7), [0, 0.5, 0.6, 0.7]);
});

test('a page that seeks itself is not walked through', async (t) => {
  const { bridge, run } = await bridged(t, STAGE, OWN);
  bridge.status();
  await bridge.settle();
  assert.deepEqual(plain(run('calls')), []);
});

test('timelines that registered late are bound before anything is loaded', async (t) => {
  const { bridge, run } = await bridged(t, STAGE, `${PLAYER} window.__hfForceTimelineRebind = () => calls.push('bound');`);
  bridge.status();
  await bridge.settle();
  assert.equal(plain(run('calls'))[0], 'bound');
});

test('Lottie players are waited for until their file has come, or has failed to', async (t) => {
  const { bridge, run } = await bridged(t, STAGE, `${OWN}
    const player = () => ({ isLoaded: false, addEventListener(name, heard) { this[name] = heard; } });
    [window.comes, window.fails, window.registered] = [player(), player(), player()];
    window.__hfLottie = [comes, fails, {}];
    window.lottie = { getRegisteredAnimations: () => [registered] };
  `);
  bridge.status();
  let settled = false;
  const settling = bridge.settle().then(() => { settled = true; });
  const pause = () => new Promise((done) => setTimeout(done, 20));
  for (const code of ['comes.isLoaded = true', 'fails.data_failed()', 'registered.isLoaded = true']) {
    bridge.look();
    await pause();
    assert.equal(settled, false, `before ${code}`);
    run(code);
  }
  bridge.look();
  await settling;
});

test('durations of timelines are told by composition, where they have one', async (t) => {
  const { bridge } = await bridged(t, STAGE, `window.__timelines = {
    a: { duration: () => 2 }, endless: { duration: () => Infinity }, odd: {}, none: null, text: { duration: () => '1.5' },
  };`);
  assert.deepEqual(plain(bridge.timelines()), { a: 2, text: 1.5 });
});

test('volumes are read at each moment, outer timelines moved before those inside them', async (t) => {
  const html = `${STAGE}<audio data-hf-render-id="m:1" data-volume="0.5"></audio><video data-hf-render-id="m2"></video><audio data-hf-render-id="m3" data-volume="7"></audio>`;
  const { bridge, run, document } = await bridged(t, html, `
    window.calls = [];
    const timeline = (name, total) => ({
      totalDuration: () => total,
      totalTime(at, silently) { calls.push([name, at, silently]); if (name === 'inner') document.querySelector('audio').volume = at / 10; },
    });
    window.__timelines = { inner: timeline('inner', 3), outer: timeline('outer', 10), free: timeline('free', 10), odd: {} };
  `);
  const places = { inner: { depth: 1, start: 1, inPoint: 0.5, rate: 2 }, outer: { depth: 0, start: 0, inPoint: 0, rate: 1 } };
  const volumes = plain(bridge.volumes(['m:1', 'm2', 'm3'], places, 0, 3, 1));
  // The inner one starts at 1 s with its moment 0.5 and runs twice as fast, within its 3 s: 0, 0.5, 2.5.
  assert.deepEqual(volumes, [[0, 1, 1], [0.05, 1, 1], [0.25, 1, 1]]);
  const calls = plain(run('calls'));
  assert.deepEqual(calls.slice(0, 3), [['outer', 0, true], ['free', 0, true], ['inner', 0, true]]);
  assert.deepEqual(calls.filter(([name]) => name === 'inner').map(([, at]) => at), [0, 0.5, 2.5]);
  document.querySelector('video').volume = 0.25;
  assert.equal(bridge.volumes(['m2'], places, 3, 1, 1)[0][0], 0.25, 'only the first part sets what the HTML says');
  assert.deepEqual(plain(bridge.volumes(['m:1'], places, 9, 1, 1)), [[0.3]], 'a moment after the end is the end');
});
