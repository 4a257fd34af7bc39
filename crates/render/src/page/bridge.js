// Runs last in the composition's document: the one object the renderer talks to, window.__fw, over whatever seeks the
// page: its own __hf {duration, seek}, or the HyperFrames runtime's player.
(() => {
  'use strict';
  const hf = window.__hf;

  const playerSeek = (time, options) => window.__player.renderSeek(time, options);
  const declared = () => {
    const root = document.querySelector('[data-root="true"][data-composition-id]') || document.querySelector('[data-composition-id]');
    const own = root ? Number(root.getAttribute('data-duration') ?? root.getAttribute('data-composition-duration') ?? 0) : 0;
    if (own > 0 && Number.isFinite(own)) return own;
    const ends = Array.from(document.querySelectorAll('[data-composition-id][data-start]'), (host) =>
      Number(host.getAttribute('data-start')) + Number(host.getAttribute('data-duration') ?? 0));
    return Math.max(0, ...ends.filter(Number.isFinite));
  };
  const playerDuration = () => {
    if (window.__hfTimelinesBuilding || !window.__renderReady) return 0;
    const found = window.__player.getDuration();
    return found > 0 ? found : declared();
  };
  const playerIsThere = () => Boolean(window.__player && window.__player.renderSeek && window.__player.getDuration);

  // Patches, never replaces: a page may fill in its own __hf until it is loaded, and then its own wins. Decided once, since
  // the runtime wraps whatever seek it finds.
  let driver = null;
  const connect = () => {
    if (driver) return driver;
    if (window.__hf && typeof window.__hf.seek === 'function') {
      driver = 'own';
    } else if (document.readyState === 'complete' && playerIsThere()) {
      driver = 'player';
      const target = window.__hf || (window.__hf = hf);
      target.seek = playerSeek;
      Object.defineProperty(target, 'duration', { configurable: true, enumerable: true, get: playerDuration });
    }
    return driver;
  };

  const missingTimelines = () => {
    const found = window.__timelines || {};
    return Array.from(document.querySelectorAll('[data-composition-id]:not([data-no-timeline])'), (el) => el.getAttribute('data-composition-id'))
      .filter((id) => !found[id]);
  };

  // Every document of our own origin below `view`, itself first.
  const views = (view) => {
    const found = [view];
    for (let i = 0; i < view.frames.length; i += 1) {
      try {
        if (view.frames[i].__HF_VIRTUAL_TIME__) found.push(...views(view.frames[i]));
      } catch {
        // Another origin: nothing there can be driven.
      }
    }
    return found;
  };

  const allErrors = () => views(window).flatMap((view) => view.__HF_VIRTUAL_TIME__.errors);

  const decode = (image) => (image.decode ? image.decode().catch(() => {}) : Promise.resolve());
  // Pictures that are in the document before the first frame; one that waits until it is near is loaded when it is.
  const firstPictures = () => Array.from(document.images).filter((image) => image.src && (image.complete || image.loading !== 'lazy'));
  const FRAMES_PER_SECOND = () => window.__HF_EXPORT_RENDER_SEEK_CONFIG.fps;
  const frameAt = (seconds) => Math.ceil(seconds * FRAMES_PER_SECOND() - 1e-6);

  // When the tweens of a GSAP timeline begin and end, in seconds of the timeline that `found` was started for.
  const moments = (timeline, offset, found) => {
    if (!timeline || typeof timeline.getChildren !== 'function') return;
    for (const child of timeline.getChildren(false, true, true)) {
      const begin = offset + child.startTime();
      const end = begin + child.totalDuration() / Math.abs(child.timeScale() || 1);
      if (Number.isFinite(begin) && begin >= 0) found.begins.add(begin);
      if (Number.isFinite(end) && end >= 0) found.ends.add(end);
      moments(child, begin, found);
    }
  };
  const isRepeated = (timeline) => Boolean(timeline && typeof timeline.getChildren === 'function')
    && timeline.getChildren(true, false, true).concat(timeline).some((one) => one.repeat && one.repeat() !== 0);
  const timelines = () => Object.values(window.__timelines || {});

  // A tween takes its start values when it is first come to, which may be in the frame in which its scene is shown for the
  // first time: by then the runtime still hides the scene, and what has no box has no size, and is read elsewhere.
  const authored = new WeakMap();
  const rememberDisplays = () => {
    for (const element of document.querySelectorAll('[data-start], [data-composition-id]')) {
      if (!authored.has(element)) authored.set(element, element.hasAttribute('data-hf-clip-hidden') ? '' : element.style.display);
    }
  };
  document.addEventListener('DOMContentLoaded', rememberDisplays);
  const showHidden = () => {
    for (const element of document.querySelectorAll('[data-start][data-hf-clip-hidden]')) {
      if (element.style.display === 'none' && authored.get(element) !== 'none') element.style.display = authored.get(element) ?? '';
    }
  };

  // When the clip of an element starts, in seconds of the page.
  const startOf = (element) => {
    let start = 0;
    for (let host = element && element.closest('[data-start]'); host; host = host.parentElement && host.parentElement.closest('[data-composition-id][data-start]')) {
      start += Number(host.getAttribute('data-start')) || 0;
    }
    return start;
  };

  // The frames in which a tween begins, and those in which one begins or ends, in order.
  const begins = new Set();
  let steps = [];
  let isEveryFrameAStep = false;
  const findSteps = () => {
    rememberDisplays();
    const found = { begins: new Set([0]), ends: new Set() };
    for (const [id, timeline] of Object.entries(window.__timelines || {})) {
      // A scene's timeline goes by itself, or as a part of the one around it.
      const host = document.querySelector(`[data-composition-id="${CSS.escape(id)}"]`);
      for (const offset of new Set([0, startOf(host)])) moments(timeline, offset, found);
    }
    for (const at of found.begins) begins.add(frameAt(at));
    steps = [...new Set([...begins, ...[...found.ends].map(frameAt)])].sort((a, b) => a - b);
    isEveryFrameAStep = timelines().some(isRepeated) || document.querySelector('[data-composition-id][data-playback-rate]') !== null;
  };
  const seekPage = (frame, seconds, options) => {
    if (begins.has(frame)) showHidden();
    if (options) window.__hf.seek(seconds, options);
    else window.__hf.seek(seconds);
  };

  let hasBegun = false;
  // Whether frames may be left out, because nothing but registered timelines moves here: those are put through the frames in
  // which a tween begins or ends.
  let mayJump = false;
  let lastFrame = -1;
  // What the page had when it began of the things that make it depend on its history. GSAP's own frame callback is one.
  let before = [];
  const hasMore = (counts) => window.__HF_VIRTUAL_TIME__.counts().some((count, i) => count > counts[i]);
  const walkTo = (frame) => {
    const seek = (at) => seekPage(at, at / FRAMES_PER_SECOND(), { suppressEvents: true });
    if (frame < lastFrame) {
      seek(0);
      lastFrame = 0;
    }
    const first = Math.max(0, lastFrame + 1);
    if (isEveryFrameAStep) {
      for (let at = first; at < frame; at += 1) seek(at);
    } else if (first < frame) {
      for (const step of steps) if (step >= first && step < frame - 1) seek(step);
      seek(frame - 1);
    }
    lastFrame = frame;
  };

  // Media are planned from the HTML: what a script has made since would be missing, and its author is told.
  const refuseScriptMadeMedia = () => {
    for (const element of document.querySelectorAll('video:not([data-hf-render-id]), audio:not([data-hf-render-id])')) {
      const src = element.getAttribute('src') || (element.querySelector('source[src]') || { getAttribute: () => '' }).getAttribute('src');
      if (!src) continue;
      const name = `<${element.localName} src="${src.slice(0, 100)}">`;
      window.__HF_VIRTUAL_TIME__.errors.push(`${name} was made by a script: write it into the HTML, from which media are planned`);
    }
  };

  // Who waits for something that only asking tells is asked whenever the renderer asks whether the page is settled: timers do
  // not run while Chrome's clock stands still.
  let asked = [];
  const until = async (isDone) => {
    while (!isDone()) await new Promise((next) => asked.push(next));
  };

  // Lottie players that load their animation from a file, which comes when it comes.
  const lottiesLoad = async () => {
    const all = () => {
      const registered = window.lottie && window.lottie.getRegisteredAnimations ? window.lottie.getRegisteredAnimations() : [];
      return [...registered, ...(Array.isArray(window.__hfLottie) ? window.__hfLottie : [])];
    };
    const isLoading = (player) => player && player.isLoaded === false && !player.__fwFailed;
    for (const player of all()) {
      if (!isLoading(player) || !player.addEventListener) continue;
      // lottie-web's name of the event, and that of dotLottie players.
      for (const name of ['data_failed', 'loadError']) player.addEventListener(name, () => { player.__fwFailed = true; });
    }
    await until(() => !all().some(isLoading));
  };

  const animationsOf = (root) => (root.getAnimations ? root.getAnimations() : []);

  // The runtime seeks the animations of the document. One that begins later (with a class, by a script, as a transition) it
  // counts from when it comes to see it, which may be a frame early or late: the difference is kept.
  const known = new WeakSet();
  const offsets = new WeakMap();
  // Elements whose animations begin with their clip.
  const inClips = new WeakSet();
  const findClipAnimations = () => {
    for (const element of document.querySelectorAll('*')) {
      const { animationName } = getComputedStyle(element);
      if (animationName && animationName !== 'none') inClips.add(element);
    }
  };
  const beginsWithClip = ({ effect }) => effect && inClips.has(effect.target) && !effect.pseudoElement;
  // Where the animations that began since the last frame are by the clock.
  const newAnimations = () => {
    const now = window.__HF_VIRTUAL_TIME__.timelineTime();
    const found = new Map();
    for (const animation of animationsOf(document)) {
      if (known.has(animation)) continue;
      known.add(animation);
      if (animation.timeline !== document.timeline || animation.playState !== 'running' || beginsWithClip(animation)) continue;
      found.set(animation, animation.startTime === null ? 0 : (now - animation.startTime) * animation.playbackRate);
    }
    return found;
  };
  // What the runtime does not seek as Chrome would show it: besides those, animations that follow a scroller, and those of
  // pseudo-elements and of SVG that begin with their clip. A clip is in the page before it is shown.
  const correctAnimations = (time, begun) => {
    for (const animation of animationsOf(document)) {
      const { target, pseudoElement } = animation.effect || {};
      const isPaused = animation.playState === 'paused' && animation.currentTime !== null;
      if (isPaused && begun.has(animation)) offsets.set(animation, begun.get(animation) - animation.currentTime);
      if (isPaused && offsets.get(animation)) animation.currentTime += offsets.get(animation);
      if (animation.timeline && animation.timeline !== document.timeline) {
        // It follows a scroller; the runtime stops it as one that follows the time.
        if (animation.playState === 'paused') animation.play();
        continue;
      }
      if (!(animation instanceof CSSAnimation) || !target || !(pseudoElement || target instanceof SVGElement)) continue;
      const start = startOf(target);
      if (start <= 0) continue;
      animation.pause();
      animation.currentTime = Math.max(0, time - start) * 1000;
    }
  };

  // Every shadow root of a document.
  const shadowRoots = (view) => view.__HF_VIRTUAL_TIME__.shadowRoots();
  const allAnimations = () => views(window).flatMap((view) => [view.document, ...shadowRoots(view)].flatMap(animationsOf));

  // What a style sheet can say that makes a page depend on what was shown before.
  const historyInSheets = () => {
    const found = new Set();
    const isTimed = (value) => value.split(',').some((part) => Number.parseFloat(part) > 0);
    const walk = (rules) => {
      for (const rule of rules) {
        if (rule.cssRules) walk(rule.cssRules);
        if (!rule.style) continue;
        const value = (name) => rule.style.getPropertyValue(name);
        if (isTimed(value('transition-duration'))) found.add(`a CSS transition of ${rule.selectorText || 'an element'}`);
        if ((rule.selectorText || '').includes('::') && !['', 'none'].includes(value('animation-name'))) found.add(`a CSS animation of ${rule.selectorText}`);
        if (value('scroll-behavior') === 'smooth') found.add('smooth scrolling');
        if (/(?:scroll|view)\(|--|scroll-timeline/.test(value('animation-timeline'))) found.add('a scroll timeline');
      }
    };
    for (const sheet of [...document.styleSheets, ...document.adoptedStyleSheets]) {
      try {
        walk(sheet.cssRules);
      } catch {
        found.add('a style sheet that cannot be read');
      }
    }
    return found;
  };
  const EVENTS = ['onStart', 'onUpdate', 'onComplete', 'onRepeat', 'onReverseComplete', 'onInterrupt'];
  const historyInTimelines = () => {
    const found = new Set();
    const registered = new Set();
    for (const timeline of timelines()) {
      if (!timeline || typeof timeline.getChildren !== 'function') {
        found.add('a timeline of its own kind');
        continue;
      }
      for (const one of [timeline, ...timeline.getChildren(true, true, true)]) {
        const vars = one.vars || {};
        if (EVENTS.some((name) => typeof vars[name] === 'function')) found.add('a callback of a timeline');
        if (vars.repeatRefresh) found.add('values that are taken anew when a tween repeats');
        registered.add(one);
      }
    }
    const all = window.gsap && window.gsap.globalTimeline ? window.gsap.globalTimeline.getChildren(true, true, true) : [];
    if (all.some((one) => !registered.has(one) && one.totalDuration() > 0)) found.add('a tween outside of the registered timelines');
    return found;
  };
  const MOVING_ELEMENTS = 'animate, animateTransform, animateMotion, set, marquee, iframe, frame, object, embed';
  // Why a frame may depend on the frames before it; nothing means that frames can be left out.
  const history = () => {
    const found = [];
    if (driver !== 'player') found.push('a seek of its own');
    const { ticker } = window.gsap || {};
    const canSleep = ticker && ticker.sleep && ticker.wake;
    if (canSleep) ticker.sleep();
    found.push(...window.__HF_VIRTUAL_TIME__.history());
    if (canSleep) ticker.wake();
    found.push(...historyInSheets(), ...historyInTimelines());
    if (allAnimations().some((animation) => animation.playState === 'running')) found.push('an animation of the browser');
    // Libraries that take values from what was shown before; Lottie players are put at any frame.
    for (const name of ['__hfAnime', '__hfThree', '__hfD3', '__hfMapbox', '__hfMaplibre', '__hfLeaflet', '__hfGoogleMaps']) {
      if (window[name] && window[name].length !== 0) found.push(`${name.slice(4)} animations`);
    }
    const moving = document.querySelector(MOVING_ELEMENTS);
    if (moving) found.push(`<${moving.localName}>`);
    const { activeElement } = document;
    if (activeElement && activeElement.matches('input, textarea, [contenteditable]')) found.push('a text cursor');
    if (document.querySelector('[style*="transition"]')) found.push('a CSS transition');
    if (/data:image\/(?:gif|webp|apng|avif)/.test(document.documentElement.outerHTML)) found.push('a picture that may be animated');
    return found;
  };

  window.__fw = {
    errors: allErrors,

    // Seconds of every registered timeline that has an end, by composition.
    timelines() {
      const lasts = ([id, timeline]) => [id, timeline && typeof timeline.duration === 'function' ? Number(timeline.duration()) : NaN];
      return Object.fromEntries(Object.entries(window.__timelines || {}).map(lasts).filter(([, seconds]) => Number.isFinite(seconds)));
    },

    // The volumes of media at `count` moments. Timelines are moved by hand, since the runtime's own seek sets volumes, too;
    // `places` says for each composition when it starts, with which moment of its own, and how fast its time goes.
    volumes(ids, places, first, count, step) {
      const elements = ids.map((id) => document.querySelector(`[data-hf-render-id="${CSS.escape(id)}"]`));
      const moved = Object.entries(window.__timelines || {}).filter(([, timeline]) => timeline && typeof timeline.totalTime === 'function')
        .map(([id, timeline]) => ({ timeline, place: places[id] || { depth: 0, start: 0, inPoint: 0, rate: 1 } }));
      // Outer ones move those inside along, unless these stand still: so each is put where it belongs after them.
      moved.sort((a, b) => a.place.depth - b.place.depth);
      if (first === 0) {
        for (const element of elements) element.volume = Math.min(1, Math.max(0, Number(element.dataset.volume ?? 1) || 0));
      }
      return Array.from({ length: count }, (_, i) => {
        const now = (first + i) * step;
        for (const { timeline, place } of moved) {
          const local = place.inPoint + (now - place.start) * place.rate;
          timeline.totalTime(Math.min(Math.max(0, local), timeline.totalDuration()), true);
        }
        return elements.map((element) => element.volume);
      });
    },

    // What is still missing before the first frame can be drawn.
    status() {
      connect();
      const number = driver ? Number(window.__hf.duration) : 0;
      return {
        href: location.href,
        loaded: document.readyState === 'complete',
        driver,
        renderReady: driver === 'own' || Boolean(window.__renderReady),
        duration: Number.isFinite(number) ? number : null,
        infinite: number === Infinity,
        working: views(window).some((view) => view.__HF_VIRTUAL_TIME__.isWorking()),
        busy: views(window).some((view) => view.__HF_VIRTUAL_TIME__.isBusy()),
        missing: driver === 'own' ? [] : missingTimelines(),
        errors: allErrors(),
        undriven: views(window).flatMap((view) => view.__HF_VIRTUAL_TIME__.undriven),
        startupError: window.__hfStartupError || null,
      };
    },

    // Frame callbacks that wait for the first frame run from now on: the page does not get ready without them.
    release() {
      for (const view of views(window)) view.__HF_VIRTUAL_TIME__.release();
    },

    // Binds child timelines that registered late, then waits for every pixel that has to be loaded.
    async settle() {
      if (driver === 'player' && window.__hfForceTimelineRebind) window.__hfForceTimelineRebind();
      refuseScriptMadeMedia();
      await lottiesLoad();
      await document.fonts.ready;
      await Promise.all(firstPictures().map(decode));
      if (window.__tailwindReady) await window.__tailwindReady;
      if (window.__fwVideos) await window.__fwVideos.prepare();
      if (driver === 'player') {
        findSteps();
        seekPage(0, 0, { suppressEvents: true });
      }
      return true;
    },

    // Asks those that wait for something to look again.
    look() {
      for (const next of asked.splice(0)) next();
      return this.settled;
    },

    // Lets the workers of all documents draw the frame. Answers whether there are any.
    async workers() {
      const told = await Promise.all(views(window).map((view) => view.__HF_VIRTUAL_TIME__.tellWorkers()));
      return told.includes(true);
    },

    // Whether animations have begun with the frame that was drawn.
    hasBegun() {
      const { currentTime } = document.timeline;
      return currentTime !== null && Math.abs(currentTime - window.__HF_VIRTUAL_TIME__.originals.performanceNow()) < 0.25;
    },

    // Frame 0 is in `lead` milliseconds: what moves by itself begins then. Answers why frames cannot be left out, if they
    // cannot.
    begin(lead, canLeaveOut) {
      const clock = window.__HF_VIRTUAL_TIME__;
      hasBegun = true;
      clock.begin(lead);
      for (const view of views(window)) {
        if (view !== window) view.__HF_VIRTUAL_TIME__.begin(lead, clock.place());
        for (const svg of view.document.querySelectorAll('svg')) if (!svg.ownerSVGElement) svg.setCurrentTime(0);
      }
      for (const view of views(window)) {
        const start = Math.round((view.__HF_VIRTUAL_TIME__.timelineTime() + lead) * 10) / 10;
        for (const animation of [view.document, ...shadowRoots(view)].flatMap(animationsOf)) {
          if (animation.playState === 'running' && animation.timeline === view.document.timeline) animation.startTime = start;
        }
      }
      if (driver === 'player') findClipAnimations();
      const reasons = history();
      mayJump = canLeaveOut && reasons.length === 0;
      before = clock.counts();
      if (mayJump) clock.freeze();
      else for (const view of views(window)) view.__HF_VIRTUAL_TIME__.stopWatching();
      return { history: reasons, warnings: views(window).flatMap((view) => view.__HF_VIRTUAL_TIME__.warnings) };
    },

    // Puts the page at `time` seconds, to which Chrome's clock has been put already, with the given frames of videos.
    // `frames` is null for a frame that nobody sees.
    async seek(time, frames = [], nextFrames = []) {
      if (!hasBegun) throw new Error('the page has left its document for another one, or loaded it again');
      const ms = time * 1000;
      const frame = Math.round(time * FRAMES_PER_SECOND());
      if (mayJump && frame !== lastFrame) walkTo(frame);
      if (window.__fwVideos && frames) await window.__fwVideos.load(time, frames);
      for (const view of views(window)) view.__HF_VIRTUAL_TIME__.enter(ms);
      const begun = driver === 'player' && !mayJump ? newAnimations() : new Map();
      seekPage(frame, time);
      if (driver === 'player') correctAnimations(time, begun);
      if (window.__fwVideos && frames) window.__fwVideos.show(time, nextFrames);
      // Text that appears in this frame asks for its font when it is laid out.
      void document.documentElement.offsetHeight;
      if (document.fonts.status === 'loading') await document.fonts.ready;
      if (window.__hfWaitForSeekCompletion) await window.__hfWaitForSeekCompletion();
      if (window.__hf.colorGrading && document.querySelector('[data-color-grading]')) await window.__hf.colorGrading.waitForActiveLuts();
      const twice = Boolean(frames) && window.__fwRepaint();
      return {
        errors: allErrors().length,
        twice,
        animated: document.getAnimations().length > 0,
        jumped: mayJump && hasMore(before),
        workers: views(window).some((view) => view.__HF_VIRTUAL_TIME__.hasWorkers()),
        lazy: views(window).some((view) => Boolean(view.document.querySelector('[loading=lazy i]'))),
      };
    },
  };
})();
