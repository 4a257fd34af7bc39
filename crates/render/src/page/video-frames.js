// Runs before the page's own content. Videos are not played: each shows the frame that the renderer names as its poster, so that
// the page's selectors, boxes and effects are those of its author. A video whose colours the runtime grades has an image beside
// it instead, which is what the runtime reads.
// window.__fwClips lists them; window.__fwVideos is what the bridge calls.
(() => {
  'use strict';
  const { setTimeout } = window.__HF_VIRTUAL_TIME__.originals;
  const [fetch, Image, { createObjectURL, revokeObjectURL }] = [window.fetch.bind(window), window.Image, URL];
  // What each clip has: its element, the image that holds its frame, which frame that is, the one due now, and the one that is
  // fetched.
  const states = window.__fwClips.map((clip) => ({
    clip, video: null, image: null, frame: null, due: null, still: null, next: null, styles: new Map(), callbacks: new Map(), handle: 0,
  }));
  const byElement = new WeakMap();

  // Without an address nothing is loaded; what may be asked of a loaded element is answered from what is known of its file.
  const silence = (element, clip, address) => {
    element.removeAttribute('src');
    element.removeAttribute('autoplay');
    for (const source of element.querySelectorAll('source')) source.remove();
    const whole = { length: 1, start: () => 0, end: () => clip.duration };
    const answers = {
      src: address, currentSrc: address, duration: clip.duration, readyState: HTMLMediaElement.HAVE_ENOUGH_DATA,
      networkState: HTMLMediaElement.NETWORK_IDLE, error: null, seeking: false, ended: false, preload: 'none', buffered: whole, seekable: whole,
    };
    for (const [name, value] of Object.entries(answers)) Object.defineProperty(element, name, { configurable: true, get: () => value, set() {} });
    const methods = { load() {}, play: () => Promise.resolve(), pause() {} };
    for (const [name, value] of Object.entries(methods)) Object.defineProperty(element, name, { configurable: true, writable: true, value });
  };

  const addressOf = (element) => {
    const named = element.getAttribute('src') ?? element.querySelector('source')?.getAttribute('src');
    return named ? new URL(named, document.baseURI).href : '';
  };

  // The size is given to the element by a poster: that is what it has without a video, and what a video would give it.
  const posterOf = ({ width, height }) => `data:image/svg+xml,${encodeURIComponent(`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"/>`)}`;

  const adopt = (video) => {
    const id = video.getAttribute('data-hf-render-id') || video.id;
    const state = states.find(({ clip }) => clip.id === id);
    if (!state || state.video) return;
    state.video = video;
    byElement.set(video, state);
    const { clip } = state;
    silence(video, clip, new URL(clip.src, document.baseURI).href);
    video.setAttribute('poster', posterOf(clip));
    Object.defineProperties(video, {
      videoWidth: { configurable: true, get: () => clip.width },
      videoHeight: { configurable: true, get: () => clip.height },
      currentTime: {
        configurable: true,
        get: () => mediaTime(state),
        set: () => setTimeout(() => video.dispatchEvent(new Event('seeked')), 0),
      },
      requestVideoFrameCallback: {
        configurable: true,
        value: (callback) => {
          state.handle += 1;
          state.callbacks.set(state.handle, callback);
          return state.handle;
        },
      },
      cancelVideoFrameCallback: { configurable: true, value: (handle) => state.callbacks.delete(handle) },
    });
  };
  const isGraded = (video) => video.hasAttribute('data-color-grading');
  const mediaTime = ({ clip, frame }) => clip.mediaStart + (frame ?? 0) / window.__HF_EXPORT_RENDER_SEEK_CONFIG.fps;

  // A sound that has its file in common with a video lost it: it was mixed when the composition was planned.
  const adoptAudio = (audio) => {
    const address = addressOf(audio);
    const clip = window.__fwClips.find(({ src }) => address && new URL(src, document.baseURI).href === address);
    if (!clip || byElement.has(audio)) return;
    byElement.set(audio, null);
    silence(audio, clip, address);
  };

  // An animated picture shows its frames itself; without its own address, the browser has nothing to play.
  const adoptPicture = (image) => {
    const state = states.find(({ clip }) => clip.id === image.getAttribute('data-hf-render-id'));
    if (!state || state.image) return;
    state.image = image;
    image.removeAttribute('srcset');
    image.src = posterOf(state.clip);
  };

  // An element is met in the task that inserts it, and would begin to load in one of its own.
  const look = (node) => {
    if (node instanceof HTMLVideoElement) adopt(node);
    else if (node instanceof HTMLAudioElement) adoptAudio(node);
    else if (node instanceof HTMLImageElement) adoptPicture(node);
    else if (node instanceof HTMLSourceElement && byElement.has(node.parentNode)) node.remove();
    else if (node.querySelectorAll) node.querySelectorAll('video, audio, img').forEach(look);
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

  // What draws a video elsewhere draws its frame.
  const stillOf = (source) => {
    const state = source instanceof HTMLVideoElement && byElement.get(source);
    return state && state.image && state.frame !== null ? state.image : source;
  };
  const substitute = (owner, name) => {
    const original = owner && owner[name];
    if (!original) return;
    owner[name] = function (source, ...rest) {
      return original.call(this, stillOf(source), ...rest);
    };
  };
  for (const owner of [window.CanvasRenderingContext2D, window.OffscreenCanvasRenderingContext2D]) {
    substitute(owner && owner.prototype, 'drawImage');
    substitute(owner && owner.prototype, 'createPattern');
  }
  substitute(window, 'createImageBitmap');

  // A decoded frame, kept until another takes its place.
  const fetchStill = async (number, frame) => {
    const { clip } = states[number];
    const refuse = () => new Error(`frame ${frame} of the video "${clip.id}" cannot be shown`);
    const answer = await fetch(`/__frames/${number}/${frame}`);
    if (!answer.ok) throw refuse();
    const url = createObjectURL(await answer.blob());
    const image = new Image();
    image.src = url;
    await image.decode().catch(() => { throw refuse(); });
    return { url, image };
  };
  const forget = (still) => {
    if (still) revokeObjectURL(still.url);
  };
  const put = async (state, number) => {
    const { due, next } = state;
    if (due === null && !state.video && state.frame !== null) {
      // Nobody sees a picture before its time or after it; it must not be the one that was shown last here.
      state.image.src = posterOf(state.clip);
      await state.image.decode();
      state.frame = null;
      return true;
    }
    if (due === null || due === state.frame || !state.image) return false;
    state.next = null;
    if (next && next.frame !== due) next.still.then(forget);
    const still = (next && next.frame === due && (await next.still)) || (await fetchStill(number, due));
    state.image.src = still.url;
    await state.image.decode();
    // What is decoded under the same address is there at once.
    if (state.video && !isGraded(state.video)) state.video.poster = still.url;
    forget(state.still);
    Object.assign(state, { still, frame: due });
    return true;
  };
  const fetchAhead = ([number, frame]) => {
    const state = states[number];
    if (frame === state.frame || !state.image || (state.next && state.next.frame === frame)) return;
    if (state.next) state.next.still.then(forget);
    // What fails ahead of its time is asked for again, and then says so.
    state.next = { frame, still: fetchStill(number, frame).catch(() => null) };
  };

  // What is seen of an element beside its place and its content.
  const sides = (name, part) => ['top', 'right', 'bottom', 'left'].map((side) => `${name}-${side}${part}`);
  const COPIED = [
    'opacity', 'z-index', 'mix-blend-mode', 'isolation', 'filter', 'backdrop-filter', 'clip-path', 'box-shadow', 'image-rendering',
    'transform', 'transform-origin', 'transform-style', 'translate', 'rotate', 'scale', 'perspective', 'perspective-origin', 'backface-visibility',
    'offset-path', 'offset-distance', 'offset-rotate', 'offset-anchor', 'offset-position',
    'object-fit', 'object-position', 'object-view-box', 'box-sizing', 'overflow', 'overflow-clip-margin', 'width', 'height',
    'mask-image', 'mask-mode', 'mask-position', 'mask-size', 'mask-repeat', 'mask-origin', 'mask-clip', 'mask-composite',
    'background-color', 'background-image', 'background-position', 'background-size', 'background-repeat', 'background-origin', 'background-clip',
    'border-top-left-radius', 'border-top-right-radius', 'border-bottom-right-radius', 'border-bottom-left-radius',
    'border-image-source', 'border-image-slice', 'border-image-width', 'border-image-outset', 'border-image-repeat',
    'outline-color', 'outline-style', 'outline-width', 'outline-offset',
    ...sides('border', '-width'), ...sides('border', '-style'), ...sides('border', '-color'), ...sides('padding', ''),
  ];
  const MOVING = ['transform', 'translate', 'rotate', 'scale', 'offset-path'];

  // Layout counts in 64ths of a pixel, offsets in whole ones. Where nothing is turned or stretched, the difference is known.
  const placeOf = (video, computed) => {
    const whole = [video.offsetLeft, video.offsetTop];
    const parent = video.offsetParent;
    if (!parent || MOVING.some((name) => computed.getPropertyValue(name) !== 'none')) return whole;
    const [inner, outer] = [video.getBoundingClientRect(), parent.getBoundingClientRect()];
    const straight = (box, element) => Math.abs(box.width - element.offsetWidth) <= 0.5 && Math.abs(box.height - element.offsetHeight) <= 0.5;
    if (!straight(inner, video) || !straight(outer, parent)) return whole;
    const exact = [inner.left - outer.left - parent.clientLeft + parent.scrollLeft, inner.top - outer.top - parent.clientTop + parent.scrollTop];
    return exact.map((value, i) => (Math.abs(value - whole[i]) <= 0.5 ? Math.round(value * 64) / 64 : whole[i]));
  };

  const isInHiddenScene = (video) => {
    for (let host = video.parentElement; host; host = host.parentElement) {
      const isHost = host.matches('[data-composition-id], [data-composition-src], [data-composition-file]');
      if (isHost && getComputedStyle(host).visibility === 'hidden') return true;
    }
    return false;
  };

  // The visibility that the video would have if it were not hidden for its image.
  const visibilityOf = (video) => {
    if (isInHiddenScene(video)) return 'hidden';
    if (video.style.visibility) return video.style.visibility;
    video.removeAttribute('data-fw-fed');
    const { visibility } = getComputedStyle(video);
    video.setAttribute('data-fw-fed', '');
    return visibility;
  };

  // Writes only what differs: what is written again would have to be drawn again.
  const write = (state, name, value, priority = 'important') => {
    if (state.styles.get(name) === value) return false;
    state.styles.set(name, value);
    state.image.style.setProperty(name, value, priority);
    return true;
  };
  const follow = (state) => {
    const { video } = state;
    const computed = getComputedStyle(video);
    if (state.due === null || computed.display === 'none') return write(state, 'display', 'none');
    const visibility = visibilityOf(video);
    // A rule of the page's that hides whatever is inside a hidden scene must win over a visible video's own.
    let changed = write(state, 'visibility', visibility, visibility === 'hidden' ? 'important' : '');
    const [left, top] = placeOf(video, computed);
    const placed = { display: 'block', position: computed.position === 'fixed' ? 'fixed' : 'absolute', left: `${left}px`, top: `${top}px` };
    for (const [name, value] of Object.entries(placed)) changed = write(state, name, value) || changed;
    for (const name of COPIED) changed = write(state, name, computed.getPropertyValue(name)) || changed;
    return changed;
  };

  // A video without a frame is not there, and whatever is inside a hidden scene is hidden, a visible video too.
  const reveal = ({ video, due }) => {
    const isIdle = due === null || isInHiddenScene(video);
    if (video.hasAttribute('data-fw-idle') === isIdle) return false;
    video.toggleAttribute('data-fw-idle', isIdle);
    return true;
  };

  let replaced = false;
  window.__fwVideos = {
    // Gives each video the image that holds its frame, before the first frame.
    async prepare() {
      look(document);
      observer.disconnect();
      const style = document.createElement('style');
      style.textContent = 'video[data-fw-fed], video[data-fw-idle]{visibility:hidden!important}';
      document.head.append(style);
      await Promise.all(states.filter(({ video }) => video).map(async (state) => {
        const { video, clip } = state;
        const poster = new Image();
        poster.src = posterOf(clip);
        await poster.decode();
        const image = document.createElement('img');
        image.className = '__render_frame__';
        image.id = `__render_frame_${clip.id}__`;
        image.alt = '';
        state.image = image;
        if (!isGraded(video)) {
          // The runtime looks for it by its id, and nothing in the head is displayed.
          document.head.append(image);
          video.setAttribute('data-fw-idle', '');
          return;
        }
        image.style.cssText = 'all: initial; pointer-events: none';
        write(state, 'display', 'none');
        video.after(image);
        video.setAttribute('data-fw-fed', '');
      }));
    },

    // Puts the frames, pairs of a video's number and its frame's, into their images. Whoever draws a video during the seek
    // draws the right one.
    async load(time, frames) {
      for (const state of states) state.due = null;
      for (const [number, frame] of frames) states[number].due = frame;
      const placed = await Promise.all(states.map(put));
      replaced = placed.includes(true);
      states.filter((_, number) => placed[number]).forEach((state) => {
        const callbacks = [...state.callbacks.values()];
        state.callbacks.clear();
        const { width, height } = state.clip;
        const facts = { mediaTime: mediaTime(state), presentedFrames: state.frame + 1, width, height, presentationTime: time * 1000, expectedDisplayTime: time * 1000 };
        callbacks.forEach((callback) => callback(time * 1000, facts));
        if (state.video) state.video.dispatchEvent(new Event('timeupdate'));
      });
    },

    // Shows the videos as they are after the seek, and begins to fetch what comes next.
    show(time, nextFrames) {
      const shown = states.filter(({ video, image }) => video && image);
      const followed = shown.map((state) => (isGraded(state.video) ? follow(state) : reveal(state)));
      if ((replaced || followed.includes(true)) && document.querySelector('canvas')) {
        if (window.__hfReseekGpu) window.__hfReseekGpu(time);
        const grading = window.__hf.colorGrading;
        if (grading && grading.redraw && document.querySelector('[data-color-grading]')) grading.redraw();
      }
      nextFrames.forEach(fetchAhead);
    },
  };
})();
