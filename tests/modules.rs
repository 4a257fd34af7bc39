//! Modules of other hosts lie beside the page after planning, and find each other there.

use compose::net::Net;
use serde_json::json;

use crate::offline::assert_drawn;
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

/// From the site's root with a query, from the root by an import, by a relative import of an inline module, and by an import
/// map; each imports a module of another host.
#[test]
fn a_module_of_the_project_is_followed_by_whatever_address_it_has() {
    let web = Web::start();
    let mut project = TestProject::new();
    project.config = json!({"fps": 30, "entryFile": "pages/index.html"});
    let files = [
        ("x.js", "import '/lib/root.js'; import { n } from 'https://HOST/a.js'; window.a = n;"),
        ("lib/root.js", "import { n } from 'https://HOST/b.js'; window.b = n;"),
        ("pages/beside.js", "import { n } from 'https://HOST/c.js'; export const c = n;"),
        ("vendor/named.js", "export { n as d } from 'https://HOST/d.js';"),
    ];
    for (path, source) in files {
        project.put(path, web.fill(source));
    }
    for path in ["/a.js", "/b.js", "/c.js", "/d.js"] {
        web.on(path, [Reply::ok("text/javascript", "export const n = 0.25;")]);
    }
    project.put(
        "pages/index.html",
        "<!doctype html><html><head><script type=importmap>{\"imports\":{\"named\":\"../vendor/named.js\"}}</script></head><body>\
         <div data-composition-id=m data-width=320 data-height=180></div><script type=module src='/x.js?v=1'></script>\
         <script type=module>import { c } from './beside.js'; import { d } from 'named';\
         window.__hf = { duration: a + b + c + d, seek() {} };</script></body></html>",
    );
    let planned = project.plan(&web.net()).unwrap();
    assert!((planned.duration - 1.0).abs() < 1e-9, "{}", planned.duration);
    drop(web);
    assert_drawn(&project, &planned);
}

#[test]
fn an_import_that_is_only_text_is_not_fetched() {
    let html = "<!doctype html><html><body><div data-composition-id=m data-width=320 data-height=180 data-duration=1></div>\
        <script type=module src=own.js></script><script type=module>/* import \"https://cdn.example/a.js\" */\n\
        const help = `import 'https://cdn.example/b.js'`; // import 'https://cdn.example/c.js'\n\
        window.help = help;</script></body></html>";
    let project = TestProject::with(html);
    project.put("own.js", "const a = 1; // import 'https://cdn.example/d.js'\nexport { a };");
    let planned = project.plan(&Net::offline()).unwrap();
    assert_drawn(&project, &planned);
}
