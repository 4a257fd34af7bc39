// Runs before the page's own content. Videos are not played: an image beside each shows the frame that the renderer names.
// window.__fwClips lists them; window.__fwVideos is what the bridge calls.
(() => {
  'use strict';
  const { setTimeout } = window.__HF_VIRTUAL_TIME__.originals;
  const clips = window.__fwClips;
  const numbers = new Map(clips.map((clip, number) => [clip.id, number]));
  // What each clip has: its element, its image, what that shows, and what the element answers.
  const states = clips.map((clip) => ({ clip, video: null, image: null, shown: -1, wanted: null, next: null, styles: new Map(), waiting: new Map() }));
  const byVideo = new WeakMap();

  const define = (target, getters) => {
    for (const [name, value] of Object.entries(getters)) {
      const get = typeof value === 'function' && value.length === 0 && name[0] !== '$' ? value : () => value;
      Object.defineProperty(target, name, { configurable: true, get, set() {} });
    }
  };
  const method = (target, name, value) => Object.defineProperty(target, name, { configurable: true, writable: true, value });

  // Without an address nothing is loaded; what scripts may ask of a loaded video is answered from what is known of its file.
  const adopt = (video) => {
    const id = video.getAttribute('data-hf-render-id') || video.id;
    const state = states[numbers.get(id)];
    if (!state || state.video) return;
    state.video = video;
    byVideo.set(video, state);
    const { clip } = state;
    const named = video.getAttribute('src') ?? video.querySelector('source')?.getAttribute('src') ?? '';
    const address = named && new URL(named, document.baseURI).href;
    video.removeAttribute('src');
    video.removeAttribute('autoplay');
    for (const source of video.querySelectorAll('source')) source.remove();
    // A poster of the video's size gives the element the size that the video would.
    const size = `<svg xmlns="http://www.w3.org/2000/svg" width="${clip.width}" height="${clip.height}"/>`;
    video.setAttribute('poster', `data:image/svg+xml,${encodeURIComponent(size)}`);
    const whole = { length: 1, start: () => 0, end: () => clip.duration };
    define(video, {
      src: () => address, currentSrc: () => address, videoWidth: clip.width, videoHeight: clip.height, duration: clip.duration,
      readyState: HTMLMediaElement.HAVE_ENOUGH_DATA, networkState: HTMLMediaElement.NETWORK_IDLE, error: null, seeking: false,
      ended: false, preload: 'none', buffered: () => whole, seekable: () => whole,
    });
    Object.defineProperty(video, 'currentTime', {
      configurable: true,
      get: () => clip.mediaStart + Math.max(0, state.shown) / window.__HF_EXPORT_RENDER_SEEK_CONFIG.fps,
      set: () => setTimeout(() => video.dispatchEvent(new Event('seeked')), 0),
    });
    method(video, 'load', () => {});
    method(video, 'play', () => Promise.resolve());
    method(video, 'pause', () => {});
    method(video, 'requestVideoFrameCallback', (callback) => {
      const handle = state.waiting.size + 1;
      state.waiting.set(handle, callback);
      return handle;
    });
    method(video, 'cancelVideoFrameCallback', (handle) => state.waiting.delete(handle));
  };

  // An element is met before the task in which it would begin to load.
  const look = (node) => {
    if (node instanceof HTMLVideoElement) adopt(node);
    else if (node instanceof HTMLSourceElement && byVideo.has(node.parentNode)) node.remove();
    else if (node.querySelectorAll) node.querySelectorAll('video').forEach(adopt);
  };
  const observer = new MutationObserver((records) => records.forEach((record) => record.addedNodes.forEach(look)));
  observer.observe(document, { childList: true, subtree: true });
  // Who waits for a video to be loaded has waited long enough when the page is there.
  document.addEventListener('DOMContentLoaded', () => setTimeout(() => {
    for (const { video } of states) {
      if (!video) continue;
      for (const name of ['loadedmetadata', 'durationchange', 'loadeddata', 'canplay', 'canplaythrough']) video.dispatchEvent(new Event(name));
    }
  }, 0));

  const style = document.createElement('style');
  style.textContent = 'video[data-fw-fed]{visibility:hidden!important}';

  const frameUrl = (number, frame) => `/__frames/${number}/${frame}`;

  const setStyle = (state, name, value) => {
    if (state.styles.get(name) === value) return;
    state.styles.set(name, value);
    state.image.style.setProperty(name, value, 'important');
  };

  window.__fwVideos = {
    // Puts an image beside each video, before the first frame.
    async prepare() {
      document.querySelectorAll('video').forEach(adopt);
      observer.disconnect();
      document.head.append(style);
      for (const state of states) {
        const { video, clip } = state;
        if (!video) continue;
        const image = document.createElement('img');
        image.className = '__render_frame__';
        image.id = `__render_frame_${clip.id}__`;
        image.alt = '';
        image.style.cssText = 'all:initial;display:none!important';
        state.image = image;
        video.after(image);
        video.setAttribute('data-fw-fed', '');
      }
    },

    async load(frames) {
      const t0 = performance.now();
      for (const state of states) state.wanted = null;
      for (const [number, frame] of frames) states[number].wanted = frame;
      await Promise.all(states.map(async (state, number) => {
        if (state.wanted === null || state.wanted === state.shown || !state.image) return;
        const r = window.__HF_VIRTUAL_TIME__.originals.performanceNow;
        const a = r();
        await new Promise((resolve, reject) => {
          state.image.onload = resolve;
          state.image.onerror = () => reject(new Error(`frame ${state.wanted} of ${state.clip.id} cannot be shown`));
          state.image.src = frameUrl(number, state.wanted);
        });
        const b = r();
        await state.image.decode();
        const c = r();
        (window.__t = window.__t || []).push([b - a, c - b]);
        if (window.__t.length % 30 === 0) console.log(JSON.stringify(window.__t.slice(-30)));
        state.shown = state.wanted;
      }));
    },

    show(time, nextFrames) {
      for (const state of states) {
        const { video, image } = state;
        if (!image) continue;
        if (state.wanted === null) { setStyle(state, 'display', 'none'); continue; }
        for (const [n, v] of [['display', 'block'], ['position', 'absolute'], ['left', `${video.offsetLeft}px`], ['top', `${video.offsetTop}px`], ['width', `${video.offsetWidth}px`], ['height', `${video.offsetHeight}px`]]) setStyle(state, n, v);
      }
    },
  };
})();
