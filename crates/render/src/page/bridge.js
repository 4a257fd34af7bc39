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
  const loadUrl = (url) => {
    const image = new Image();
    image.src = url;
    return decode(image);
  };
  // Pictures that a style sheet names are loaded before the first frame and kept, so that one which comes into sight later
  // is there in that very frame. A rule that never applies may name a file that does not exist.
  const kept = [];
  const sheetPictures = () => {
    const urls = new Set();
    const walk = (rules, base) => {
      for (const rule of rules) {
        if (rule.cssRules) walk(rule.cssRules, base);
        if (!rule.style || rule instanceof CSSFontFaceRule) continue;
        for (const [, , url] of rule.style.cssText.matchAll(/url\((["']?)(.*?)\1\)/g)) {
          if (!url.startsWith('#')) urls.add(new URL(url, base).href);
        }
      }
    };
    for (const sheet of document.styleSheets) {
      try {
        walk(sheet.cssRules, sheet.href || document.baseURI);
      } catch {
        // A sheet or URL that cannot be read names nothing that could be loaded.
      }
    }
    return Array.from(urls, async (url) => {
      const there = url.startsWith('data:') || (url.startsWith(location.origin) && (await fetch(url)).ok);
      if (!there) return;
      const image = new Image();
      image.src = url;
      kept.push(image);
      await decode(image);
    });
  };
  const seenBackgrounds = new Set();
  const newBackgrounds = () => {
    const waits = [];
    for (const el of document.querySelectorAll('[style*="url"]')) {
      const value = el.style.backgroundImage;
      if (!value || seenBackgrounds.has(value)) continue;
      seenBackgrounds.add(value);
      for (const [, , url] of value.matchAll(/url\((["']?)(.*?)\1\)/g)) waits.push(loadUrl(url));
    }
    return waits;
  };
  const unfinishedImages = () => Array.from(document.images).filter((image) => image.src && !image.complete).map(decode);

  // When each tween of a GSAP timeline begins, in seconds of the timeline that `found` was started for.
  const begins = (timeline, offset, found) => {
    if (!timeline || typeof timeline.getChildren !== 'function') return;
    for (const child of timeline.getChildren(false, true, true)) {
      const at = offset + child.startTime();
      if (Number.isFinite(at) && at >= 0) found.add(at);
      begins(child, at, found);
    }
  };
  // Libraries take the values that a tween starts from when they first come to it. A browser that draws only every other
  // frame, or starts in the middle, would come to it elsewhere: so each one first walks through the frames in which a tween
  // begins, as a browser that draws them all would.
  const walkThrough = () => {
    const found = new Set([0]);
    for (const timeline of Object.values(window.__timelines || {})) begins(timeline, 0, found);
    const duration = window.__hf.duration;
    const { fps } = window.__HF_EXPORT_RENDER_SEEK_CONFIG;
    const frames = new Set([...found].filter((at) => at < duration).sort((a, b) => a - b).map((at) => Math.ceil(at * fps - 1e-6)));
    const times = [...frames].slice(0, 2000).map((frame) => frame / fps);
    for (const at of [...times, duration, 0]) window.__hf.seek(at, { suppressEvents: true });
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

  // Lottie players that load their animation from a file, which comes when it comes.
  const lottiesLoad = async () => {
    const { setTimeout } = window.__HF_VIRTUAL_TIME__.originals;
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
    while (all().some(isLoading)) await new Promise((done) => setTimeout(done, 2));
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
      for (const view of views(window)) view.__HF_VIRTUAL_TIME__.holdAnimations();
      const number = driver ? Number(window.__hf.duration) : 0;
      return {
        href: location.href,
        loaded: document.readyState === 'complete',
        driver,
        renderReady: driver === 'own' || Boolean(window.__renderReady),
        duration: Number.isFinite(number) ? number : null,
        infinite: number === Infinity,
        missing: driver === 'own' ? [] : missingTimelines(),
        errors: allErrors(),
        startupError: window.__hfStartupError || null,
      };
    },

    // Binds child timelines that registered late, then waits for every pixel that has to be loaded.
    async settle() {
      if (driver === 'player' && window.__hfForceTimelineRebind) window.__hfForceTimelineRebind();
      refuseScriptMadeMedia();
      await lottiesLoad();
      await document.fonts.ready;
      await Promise.all(Array.from(document.images).filter((image) => image.src).map(decode));
      await Promise.all([...newBackgrounds(), ...sheetPictures()]);
      if (window.__tailwindReady) await window.__tailwindReady;
      if (window.__fwVideos) await window.__fwVideos.prepare();
      if (driver === 'player') walkThrough();
      return true;
    },

    // Puts the page at `time` seconds, with the given frames of videos, and returns once everything that the picture needs
    // is there.
    async seek(time, frames = [], nextFrames = []) {
      const ms = time * 1000;
      if (window.__fwVideos) await window.__fwVideos.load(time, frames);
      for (const view of views(window)) view.__HF_VIRTUAL_TIME__.seed(ms);
      window.__hf.seek(time);
      for (const view of views(window)) {
        view.__HF_VIRTUAL_TIME__.seekToTime(ms);
        if (driver === 'own') view.__HF_VIRTUAL_TIME__.seekAnimations();
      }
      if (window.__fwVideos) window.__fwVideos.show(time, nextFrames);
      // Text that appears in this frame asks for its font when it is laid out.
      void document.documentElement.offsetHeight;
      if (document.fonts.status === 'loading') await document.fonts.ready;
      const waits = [...newBackgrounds(), ...unfinishedImages()];
      if (waits.length > 0) await Promise.all(waits);
      if (window.__hfWaitForSeekCompletion) await window.__hfWaitForSeekCompletion();
      if (window.__hf.colorGrading && document.querySelector('[data-color-grading]')) await window.__hf.colorGrading.waitForActiveLuts();
      window.__fwRepaint();
      return { errors: allErrors().length, animated: document.getAnimations().length > 0 };
    },
  };
})();
