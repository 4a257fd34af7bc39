// What the scripts of a nested composition see instead of the whole page: one object per instance, made by __fwScene, whose
// document, gsap, window and __hyperframes reach that instance only. Part of the compiled HTML, before the first such script.
window.__fwScene = (scene, script) => {
  'use strict';
  const { id, authored, rootId, file } = scene;
  const quote = (text) => `"${String(text).replace(/\\/g, '\\\\').replace(/"/g, '\\"')}"`;
  const hostSelector = `[data-composition-id=${quote(id)}]`;
  let host = null;
  const findHost = () => host || (host = document.querySelector(hostSelector));
  const isInside = (node) => {
    const found = findHost();
    return !found || found.contains(node);
  };

  // The author's names for the composition and its root element, wherever they stand outside strings.
  const escape = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const value = `(?:"${escape(authored)}"|'${escape(authored)}'|${escape(authored)})`;
  const time = '(?:\\[\\s*data-(?:start|duration)\\s*=\\s*(?:"[^"]*"|\'[^\']*\'|[^\\]]*)\\s*\\])*';
  const own = new RegExp(`${time}\\[\\s*data-composition-id\\s*=\\s*${value}\\s*\\]${time}`, 'g');
  const rootName = rootId ? new RegExp(`#${escape(CSS.escape(rootId))}(?![\\w\\-\\\\\\u0080-\\uffff])`, 'g') : null;
  const rewrite = (selector) => {
    if (typeof selector !== 'string') return selector;
    const hosted = selector.replace(own, () => hostSelector);
    if (!rootName) return hosted;
    return hosted.replace(/(\[[^\]]*\]|"[^"]*"|'[^']*')|[^["']+/g, (part, guarded) => (
      guarded ? part : part.replace(rootName, () => `[data-hf-authored-id=${quote(rootId)}]`)));
  };

  const queryAll = (selector) => {
    // The page of a scene is its box.
    if (typeof selector === 'string' && /^\s*(?:html|body|:root)\s*$/i.test(selector) && findHost()) {
      return [Array.from(host.children).find((child) => child.hasAttribute('data-hf-inner-root')) || host];
    }
    const all = document.querySelectorAll(rewrite(selector));
    return findHost() ? Array.from(all).filter(isInside) : all;
  };
  const byId = (name) => {
    const found = document.getElementById(name);
    if (found && isInside(found)) return found;
    const within = findHost();
    if (!within) return found;
    return within.querySelector(`[data-hf-authored-id=${quote(name)}]`) || within.querySelector(`[id=${quote(name)}]`);
  };
  const scopedDocument = new Proxy(document, {
    get(target, name) {
      if (name === 'querySelector') return (selector) => queryAll(selector)[0] || null;
      if (name === 'querySelectorAll') return queryAll;
      if (name === 'getElementById') return byId;
      const found = Reflect.get(target, name, target);
      return typeof found === 'function' ? found.bind(target) : found;
    },
    set: (target, name, to) => Reflect.set(target, name, to, target),
  });

  // A timeline is registered under the id that its composition has in the whole document. One whose author calls it
  // otherwise is found under both, unless another instance has that name.
  let registry = null;
  const timelines = () => {
    window.__timelines = window.__timelines || {};
    if (authored === id) return window.__timelines;
    registry = registry || new Proxy(window.__timelines, {
      get(target, name) {
        return name === authored && target[id] !== undefined ? target[id] : target[name];
      },
      set(target, name, timeline) {
        if (name !== authored) return Reflect.set(target, name, timeline, target);
        const isFree = target[authored] === undefined || target[authored] === target[id];
        target[id] = timeline;
        if (isFree && document.querySelector(`[data-composition-id=${quote(authored)}]`)) target[authored] = timeline;
        return true;
      },
    });
    return registry;
  };

  const scopedHyperframes = window.__hyperframes && {
    ...window.__hyperframes,
    assetUrl: (path) => new URL(path, new URL(file, document.baseURI)).href,
    getVariables: () => ({ ...(window.__hfVariablesByComp || {})[id] }),
  };

  const scopedWindow = new Proxy(window, {
    get(target, name) {
      if (name === '__timelines') return timelines();
      if (name === '__hyperframes') return scopedHyperframes;
      const found = Reflect.get(target, name, target);
      // A native method needs the real window; a class must not lose what hangs on it.
      return typeof found === 'function' && found.prototype === undefined ? found.bind(target) : found;
    },
    set(target, name, to) {
      // A new object would lose the timelines of all other compositions: what is in it is added to them.
      if (name === '__timelines') {
        if (to !== registry && to !== target.__timelines) Object.assign(timelines(), to);
        return true;
      }
      return Reflect.set(target, name, to, target);
    },
  });

  // GSAP's own objects are extended, never wrapped: it walks through them.
  const targets = (given) => {
    if (typeof given === 'string') return Array.from(queryAll(given));
    return Array.isArray(given) ? given.flatMap((one) => (typeof one === 'string' ? Array.from(queryAll(one)) : [one])) : given;
  };
  const byTargets = (from, into, names) => {
    for (const name of names) {
      if (typeof from[name] !== 'function') continue;
      const original = from[name];
      into[name] = (given, ...rest) => original.call(from, targets(given), ...rest);
    }
    return into;
  };
  const scopeGsap = (gsap) => {
    if (!gsap || typeof gsap.to !== 'function') return gsap;
    const names = ['to', 'from', 'fromTo', 'set', 'quickTo', 'quickSetter', 'killTweensOf', 'getTweensOf'];
    const scoped = byTargets(gsap, Object.create(gsap), names);
    if (typeof gsap.timeline === 'function') {
      scoped.timeline = (...args) => {
        const timeline = gsap.timeline(...args);
        return byTargets(timeline, timeline, ['to', 'from', 'fromTo', 'set', 'staggerTo', 'staggerFrom', 'staggerFromTo']);
      };
    }
    const first = (given) => (typeof given === 'string' ? queryAll(given)[0] : given);
    scoped.getProperty = (given, ...rest) => gsap.getProperty(first(given), ...rest);
    if (gsap.utils) {
      const elementOf = (scope) => first(scope && scope.current !== undefined ? scope.current : scope);
      const within = (scope, found) => (scope ? found.filter((node) => node !== elementOf(scope) && elementOf(scope).contains(node)) : found);
      scoped.utils = Object.create(gsap.utils);
      scoped.utils.toArray = (given, scope, ...rest) => (
        typeof given === 'string' ? within(scope, Array.from(queryAll(given))) : gsap.utils.toArray(targets(given), scope, ...rest));
      scoped.utils.selector = (scope) => (selector) => within(scope, Array.from(queryAll(selector)));
    }
    return scoped;
  };

  const seen = { document: scopedDocument, gsap: scopeGsap(window.gsap), window: scopedWindow, __hyperframes: scopedHyperframes };
  if (!script) return seen;
  try {
    script.call(window, seen.document, seen.gsap, seen.window, seen.__hyperframes);
  } catch (error) {
    // The scripts of other compositions run all the same; the renderer hears of it as of any other error.
    reportError(error);
  }
  return seen;
};
