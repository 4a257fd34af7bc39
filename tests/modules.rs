//! Modules of other hosts lie beside the page after planning, and find each other there.

use crate::remote::refusal;
use crate::web::{Reply, TestProject, Web};

/// An import map with a name and a prefix, a relative import, one from the host's root, one by address, one by a name from within
/// a module, a redirect, an address without an ending, and a module of the project that imports one of the host's.
#[test]
fn modules_of_another_host_find_each_other_beside_the_page() {
    let web = Web::start();
    let script = |source: &str| [Reply::ok("text/javascript", web.fill(source))];
    web.on("/three/three.js", script("export * from './core.js'; export const name = 'three';"));
    web.on("/three/core.js", script("export const core = 0.5;"));
    web.on(
        "/three/addons/loader.js",
        script("import { core } from 'three'; export const loaded = core;"),
    );
    web.on("/npm/lib/+esm", script("import { deep } from '/npm/deep/+esm'; export default deep;"));
    web.on("/npm/deep/+esm", script("export * from 'https://HOST/late?v=1';"));
    web.on("/late", [Reply::moved(&web.fill("https://HOST/moved/there.js"))]);
    web.on("/moved/there.js", script("export { deep } from './beside.js';"));
    web.on("/moved/beside.js", script("export const deep = 0.25;"));
    web.on("/own.js", script("export const own = 0.25;"));
    let html = "<!doctype html><html><head><script type=importmap>{\"imports\":{\"three\":\"https://HOST/three/three.js\",\
        \"three/addons/\":\"https://HOST/three/addons/\"}}</script></head><body>\
        <div data-composition-id=m data-width=320 data-height=180></div><script type=module src=own.js></script>\
        <script type=module>import { loaded } from 'three/addons/loader.js'; import lib from 'https://HOST/npm/lib/+esm';\
        window.__hf = { duration: loaded + lib + window.own, seek() {} };</script></body></html>";
    let project_dir = TestProject::with(&web.fill(html));
    project_dir
        .put("own.js", web.fill("import { own } from 'https://HOST/own.js'; window.own = own;"));
    let planned = project_dir.plan(&web.net()).unwrap();
    assert!((planned.duration - 1.0).abs() < 1e-9, "{}", planned.duration);
    let asked = web.asked();
    let mut once = asked.clone();
    once.sort();
    once.dedup();
    assert_eq!(asked.len(), once.len(), "something was asked for twice: {asked:?}");
    // A module that is not there is named, and so is who imports it.
    web.on("/three/core.js", [Reply::status(404)]);
    let (code, message) = refusal(html, &web);
    assert_eq!(code, "refused", "{message}");
    assert!(message.contains("/three/core.js") && message.contains("/three/three.js"), "{message}");
}
