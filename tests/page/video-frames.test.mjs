// video-frames.js: videos are not played, each shows the frame that the renderer names.
import assert from 'node:assert/strict';
import test from 'node:test';
import { open, plain } from './dom.mjs';

const BASE = 'http://127.0.0.1:1';
const CLIP = { id: 'v', src: 'clip.mp4', duration: 5, width: 320, height: 180, mediaStart: 2 };
const VIDEO = '<video id="v" src="clip.mp4" autoplay></video>';
// The runtime grades its colours.
const GRADED = '<video id="v" src="clip.mp4" data-color-grading="{}"></video>';

// A page whose clips are `clips`, with `html` parsed after the script as in a browser, and their frames on the server.
const videos = async (t, html = VIDEO, clips = [CLIP]) => {
  const page = await open(t, html, { before: ['virtual-time.js', 'video-frames.js'], set: { __fwClips: clips }, fps: 10 });
  clips.forEach((_, number) => {
    for (let frame = 0; frame < 9; frame += 1) page.files[`/__frames/${number}/${frame}`] = `frame${number}.${frame}`;
  });
  const image = (id = 'v') => page.document.getElementById(`__render_frame_${id}__`);
  return Object.assign(page, { frames: page.window.__fwVideos, video: page.document.querySelector('video'), image });
};
const settle = () => new Promise((done) => setTimeout(done, 0));

test('a video is never loaded, and answers what is known of its file', async (t) => {
  const { video } = await videos(t, `<video id="v" src="clip.mp4" autoplay><source src="other.mp4"></video>`);
  assert.deepEqual([video.hasAttribute('src'), video.hasAttribute('autoplay'), video.querySelectorAll('source').length], [false, false, 0]);
  const { src, currentSrc, duration, readyState, videoWidth, videoHeight, ended, error } = video;
  assert.deepEqual({ src, currentSrc, duration, readyState, videoWidth, videoHeight, ended, error }, {
    src: `${BASE}/clip.mp4`, currentSrc: `${BASE}/clip.mp4`, duration: 5, readyState: 4, videoWidth: 320, videoHeight: 180, ended: false, error: null,
  });
  assert.deepEqual([video.buffered.start(0), video.buffered.end(0), video.seekable.length], [0, 5, 1]);
  assert.match(decodeURIComponent(video.poster), /<svg [^>]*width="320" height="180"/);
  video.src = 'another.mp4';
  video.load();
  assert.equal(video.src, `${BASE}/clip.mp4`);
  await video.play();
});

test('an element that the renderer has named is found by that name first', async (t) => {
  const { document } = await videos(t, '<video id="x" data-hf-render-id="v" src="a.mp4"></video>');
  assert.equal(document.querySelector('video').videoWidth, 320);
});

test('a video that is no clip is left alone', async (t) => {
  const { document } = await videos(t, '<video id="other" src="other.mp4"></video>');
  assert.equal(document.querySelector('video').getAttribute('src'), 'other.mp4');
});

test('the source of a video may stand in an element of its own, also in one that comes later', async (t) => {
  const clips = [{ ...CLIP, src: 'deep/clip.webm' }];
  const { video, document } = await videos(t, '<video id="v"><source src="other.mov"><source src="deep/clip.webm"></video>', clips);
  assert.equal(video.currentSrc, `${BASE}/deep/clip.webm`, 'the one that was planned');
  video.append(Object.assign(document.createElement('source'), { src: 'late.mp4' }));
  await settle();
  assert.equal(video.querySelector('source'), null);
});

test('a video that a script inserts is met before it can load', async (t) => {
  const { document } = await videos(t, '<p></p>');
  document.body.insertAdjacentHTML('beforeend', '<video id="v"><source src="clip.mp4"></video>');
  await settle();
  const video = document.querySelector('video');
  assert.deepEqual([video.currentSrc, video.querySelectorAll('source').length], [`${BASE}/clip.mp4`, 0]);
});

test('a sound that has its file in common with a video is silent, and any other is not', async (t) => {
  const { document } = await videos(t, `${VIDEO}<audio id="same" src="./clip.mp4"></audio><audio id="own" src="music.mp3"></audio>`);
  assert.equal(document.getElementById('same').hasAttribute('src'), false);
  assert.equal(document.getElementById('own').getAttribute('src'), 'music.mp3');
});

test('who waits for a video to be loaded is told when the page is there', async (t) => {
  const names = ['loadedmetadata', 'durationchange', 'loadeddata', 'canplay', 'canplaythrough'];
  const listen = `window.heard = []; for (const name of ${JSON.stringify(names)}) document.addEventListener(name, () => heard.push(name), true);`;
  const page = await open(t, VIDEO, { before: ['virtual-time.js', listen, 'video-frames.js'], set: { __fwClips: [CLIP] } });
  await settle();
  assert.deepEqual(plain(page.window.heard), names);
});

test('nothing is put beside a video, which is not seen until a frame is due', async (t) => {
  const { frames, video, image, document, decoded } = await videos(t, `<div>${VIDEO}</div>`);
  await frames.prepare();
  assert.equal(document.querySelector('div').childElementCount, 1);
  assert.equal(image().parentElement, document.head, 'the runtime finds the image, and selectors of the page do not');
  assert.equal(video.hasAttribute('data-fw-idle'), true);
  assert.deepEqual(decoded, [video.poster], 'the poster gives the video its size before the first frame');
});

test('a video whose colours are graded gets an image beside it, which is hidden until a frame is due', async (t) => {
  const { frames, video, image, decoded } = await videos(t, GRADED);
  await frames.prepare();
  assert.equal(video.nextElementSibling, image());
  assert.equal(video.hasAttribute('data-fw-fed'), true);
  assert.equal(image().style.display, 'none');
  assert.deepEqual(decoded, [video.poster], 'the poster gives the video its size before the first frame');
});

test('a video shows the frame that is due, and its time is that of the frame', async (t) => {
  const { frames, video, image, requested } = await videos(t);
  await frames.prepare();
  assert.equal(video.currentTime, 2);
  await frames.load(0.3, [[0, 3]]);
  frames.show(0.3, []);
  assert.equal(image().src, 'blob:frame0.3');
  assert.equal(video.poster, 'blob:frame0.3');
  assert.equal(video.hasAttribute('data-fw-idle'), false);
  assert.equal(video.currentTime, 2.3);
  assert.deepEqual(requested, ['/__frames/0/3']);
});

test('a video that is not due is not seen, and its frame is kept for later', async (t) => {
  const { frames, video, requested, revoked } = await videos(t);
  await frames.prepare();
  for (const due of [[[0, 3]], [], [[0, 3]]]) {
    await frames.load(0, due);
    frames.show(0, []);
    assert.equal(video.hasAttribute('data-fw-idle'), due.length === 0);
  }
  assert.deepEqual([requested.length, revoked], [1, []]);
});

test('a video in a hidden scene is hidden, whatever it says itself', async (t) => {
  const html = `<div data-composition-id="s"><video id="v" src="clip.mp4" style="visibility: visible"></video></div>`;
  const { frames, video, document } = await videos(t, html);
  await frames.prepare();
  for (const visibility of ['hidden', '']) {
    document.querySelector('div').style.visibility = visibility;
    await frames.load(0, [[0, 0]]);
    frames.show(0, []);
    assert.equal(video.hasAttribute('data-fw-idle'), visibility === 'hidden');
  }
});

test('a video says that its time is another when its frame is', async (t) => {
  const { frames, video } = await videos(t);
  await frames.prepare();
  const heard = [];
  video.addEventListener('timeupdate', () => heard.push(video.currentTime));
  for (const frame of [3, 3, 4]) await frames.load(frame / 10, [[0, frame]]);
  assert.deepEqual(heard, [2.3, 2.4]);
});

test('a frame that is fetched ahead is not fetched again, and a frame that is replaced is given back', async (t) => {
  const { frames, image, requested, revoked } = await videos(t);
  await frames.prepare();
  await frames.load(0, [[0, 0]]);
  frames.show(0, [[0, 1]]);
  frames.show(0, [[0, 1]]);
  await settle();
  assert.deepEqual(requested, ['/__frames/0/0', '/__frames/0/1']);
  await frames.load(0.1, [[0, 1]]);
  assert.deepEqual([image().src, requested.length, revoked], ['blob:frame0.1', 2, ['blob:frame0.0']]);
});

test('a frame that was fetched ahead in vain is given back', async (t) => {
  const { frames, image, revoked } = await videos(t);
  await frames.prepare();
  await frames.load(0, [[0, 0]]);
  frames.show(0, [[0, 1]]);
  await frames.load(0.5, [[0, 5]]);
  await settle();
  assert.equal(image().src, 'blob:frame0.5');
  assert.deepEqual([...revoked].sort(), ['blob:frame0.0', 'blob:frame0.1']);
});

test('a frame that is missing or damaged fails the seek and is named; fetched ahead it fails when it is due', async (t) => {
  const { frames, files, broken } = await videos(t);
  await frames.prepare();
  delete files['/__frames/0/4'];
  broken.add('blob:frame0.5');
  await frames.load(0, [[0, 0]]);
  for (const frame of [4, 5]) {
    frames.show(0, [[0, frame]]);
    await settle();
    await assert.rejects(frames.load(0, [[0, frame]]), { message: `frame ${frame} of the video "v" cannot be shown` });
  }
});

test('what draws a video draws its frame', async (t) => {
  const { frames, video, image, window, drawn } = await videos(t);
  await frames.prepare();
  const context = new window.CanvasRenderingContext2D();
  context.drawImage(video, 1, 2);
  assert.equal(drawn[0][0], video, 'before any frame there is nothing else to draw');
  await frames.load(0, [[0, 0]]);
  context.drawImage(video, 3, 4);
  context.drawImage(window.document.body, 0, 0);
  assert.deepEqual([drawn[1][0] === image(), ...drawn[1].slice(1)], [true, 3, 4]);
  assert.equal(drawn[2][0], window.document.body);
});

test('frame callbacks of a video run once, when its frame is another, with the times of that frame', async (t) => {
  const { frames, video } = await videos(t);
  await frames.prepare();
  const heard = [];
  video.requestVideoFrameCallback((now, facts) => heard.push([now, facts]));
  video.cancelVideoFrameCallback(video.requestVideoFrameCallback(() => assert.fail('it was cancelled')));
  await frames.load(0.3, [[0, 3]]);
  await frames.load(0.4, [[0, 4]]);
  const facts = { mediaTime: 2.3, presentedFrames: 4, width: 320, height: 180, presentationTime: 300, expectedDisplayTime: 300 };
  assert.deepEqual(plain(heard), [[300, facts]]);
});

test('a seek of the page is answered, and changes nothing', async (t) => {
  const { video } = await videos(t);
  const seeked = new Promise((done) => video.addEventListener('seeked', done));
  video.currentTime = 4;
  await seeked;
  assert.equal(video.currentTime, 2);
});

test('the image has the look of its video', async (t) => {
  const style = 'opacity: 0.5; z-index: 3; filter: blur(2px); border-top-width: 4px; object-fit: cover';
  const { frames, video, image } = await videos(t, `<video id="v" data-color-grading src="clip.mp4" style="${style}; position: fixed"></video>`);
  await frames.prepare();
  await frames.load(0, [[0, 0]]);
  frames.show(0, []);
  for (const [name, value] of style.split('; ').map((one) => one.split(': '))) {
    assert.equal(image().style.getPropertyValue(name), value, name);
  }
  assert.equal(image().style.getPropertyPriority('opacity'), 'important', 'rules of the page for images do not count');
  assert.equal(image().style.position, 'fixed');
  video.style.opacity = '0.25';
  video.style.position = 'static';
  frames.show(0.1, []);
  assert.deepEqual([image().style.opacity, image().style.position], ['0.25', 'absolute']);
});

test('what did not change is not written again, since it would have to be drawn again', async (t) => {
  const { frames, video, image } = await videos(t, GRADED);
  await frames.prepare();
  await frames.load(0, [[0, 0]]);
  frames.show(0, []);
  const written = [];
  const { style } = image();
  const setProperty = style.setProperty.bind(style);
  style.setProperty = (name, ...rest) => { written.push(name); setProperty(name, ...rest); };
  frames.show(0, []);
  assert.deepEqual(written, []);
  video.style.opacity = '0.75';
  frames.show(0, []);
  assert.deepEqual(written, ['opacity']);
});

test('an image is hidden with the scene that its video is in, and with the video itself', async (t) => {
  const html = `<div data-composition-id="s">${GRADED}</div>`;
  const { frames, video, image, document } = await videos(t, html);
  await frames.prepare();
  const { style } = image();
  const setProperty = style.setProperty.bind(style);
  let priority = null;
  style.setProperty = (name, ...rest) => {
    if (name === 'visibility') priority = rest[1];
    setProperty(name, ...rest);
  };
  const shown = async (scene, own) => {
    document.querySelector('div').style.visibility = scene;
    video.style.visibility = own;
    await frames.load(0, [[0, 0]]);
    frames.show(0, []);
    return [style.visibility, priority];
  };
  assert.deepEqual(await shown('', ''), ['visible', '']);
  assert.deepEqual(await shown('hidden', 'visible'), ['hidden', 'important'], 'no rule of the page shows it');
  assert.deepEqual(await shown('', 'hidden'), ['hidden', 'important']);
  assert.deepEqual(await shown('', ''), ['visible', ''], 'the rule that hides a video for its image does not count');
  assert.equal(video.hasAttribute('data-fw-fed'), true);
});

test('layout in fractions of a pixel is kept where nothing is turned or stretched', async (t) => {
  const { frames, video, image, document } = await videos(t, GRADED);
  await frames.prepare();
  const rectangle = (left, top, width, height) => () => ({ left, top, width, height });
  const layout = (element, values) => {
    for (const [name, value] of Object.entries(values)) Object.defineProperty(element, name, { configurable: true, value });
  };
  layout(video, { offsetLeft: 10, offsetTop: 20, offsetWidth: 100, offsetHeight: 50, offsetParent: document.body, getBoundingClientRect: rectangle(13.25, 24.5, 100, 50) });
  layout(document.body, { offsetWidth: 640, offsetHeight: 360, clientLeft: 1, clientTop: 2, getBoundingClientRect: rectangle(2, 2, 640, 360) });
  const placed = async () => {
    await frames.load(0, [[0, 0]]);
    frames.show(0, []);
    return [image().style.left, image().style.top];
  };
  for (const name of ['transform', 'translate', 'rotate', 'scale', 'offset-path']) video.style.setProperty(name, 'none');
  const computed = document.defaultView.getComputedStyle;
  document.defaultView.getComputedStyle = (element) => new Proxy(computed(element), {
    get: (target, name) => (name === 'getPropertyValue' ? (property) => element.style.getPropertyValue(property) || target.getPropertyValue(property) : target[name]),
  });
  assert.deepEqual(await placed(), ['10.25px', '20.5px']);
  video.style.transform = 'rotate(10deg)';
  assert.deepEqual(await placed(), ['10px', '20px']);
  video.style.transform = 'none';
  layout(video, { getBoundingClientRect: rectangle(13.25, 24.5, 200, 50) });
  assert.deepEqual(await placed(), ['10px', '20px'], 'a parent that is stretched stretches the difference, too');
});

test('an animated picture shows its frames itself, and nothing before its time', async (t) => {
  const clip = { ...CLIP, id: 'g', src: 'loop.gif', mediaStart: 0 };
  const { frames, document, image } = await videos(t, '<img data-hf-render-id="g" src="loop.gif" srcset="loop.gif 2x">', [clip]);
  const picture = document.querySelector('img');
  const empty = picture.src;
  assert.deepEqual([picture.hasAttribute('srcset'), empty.startsWith('data:image/svg+xml,')], [false, true]);
  await frames.prepare();
  assert.equal(image('g'), null, 'it needs no image beside it');
  await frames.load(0, [[0, 2]]);
  assert.equal(picture.src, 'blob:frame0.2');
  await frames.load(1, []);
  assert.equal(picture.src, empty);
});

test('two videos get their own frames', async (t) => {
  const { frames, image } = await videos(t, `${VIDEO}<video id="w" src="w.mp4"></video>`, [CLIP, { ...CLIP, id: 'w', src: 'w.mp4' }]);
  await frames.prepare();
  await frames.load(0, [[1, 7], [0, 3]]);
  assert.deepEqual([image('v').src, image('w').src], ['blob:frame0.3', 'blob:frame1.7']);
});

test('a canvas that may have drawn a video is drawn again when the video has changed', async (t) => {
  const { frames, window } = await videos(t, `${VIDEO}<canvas data-color-grading></canvas>`);
  const calls = [];
  window.__hfReseekGpu = (time) => calls.push(['gpu', time]);
  window.__hf.colorGrading = { redraw: () => calls.push(['grading']) };
  await frames.prepare();
  await frames.load(0.1, [[0, 1]]);
  frames.show(0.1, []);
  await frames.load(0.2, [[0, 1]]);
  frames.show(0.2, []);
  assert.deepEqual(calls, [['gpu', 0.1], ['grading']]);
});
