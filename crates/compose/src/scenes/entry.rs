//! An entry that is a single scene: it is rendered alone, in the host that the project's index.html has for it.

use std::path::Path;

use crate::document::decode::decode_document;
use crate::document::html::{describe, escape_attribute, inner_html, outer_html, parse, serialize};
use crate::error::{Error, Result};
use crate::scenes::preflight::source;

/// A document around the scene `file` whose text is `html`; `None` if that is a document or fragment of its own.
pub(crate) fn isolate(html: &str, file: &str, project: &Path) -> Result<Option<String>> {
    let is_template = html
        .trim_start_matches('\u{feff}')
        .trim_start()
        .get(..9)
        .is_some_and(|start| start.eq_ignore_ascii_case("<template"));
    if !is_template {
        return Ok(None);
    }
    if let Ok(index) = std::fs::read(project.join("index.html")) {
        let document = parse(&decode_document(&index, "index.html").text);
        let hosts = document.select("[data-composition-src]");
        let own = hosts.nodes().iter().find(|host| source(host).as_deref() == Some(file));
        if let (Some(host), Some(body)) = (own, document.body()) {
            host.set_attr("data-start", "0");
            host.set_attr("data-root", "true");
            // Libraries that the scene counts on stay; what else index.html shows or runs is left out.
            let libraries: String = body
                .descendants_it()
                .filter(|node| node.has_name("script") && node.has_attr("src"))
                .map(|script| outer_html(&script))
                .collect();
            body.set_html(format!("{}{libraries}", outer_html(host)));
            return Ok(Some(serialize(&document)));
        }
    }
    let document = parse(html);
    let template = document.select_single("template");
    let content = template.nodes().first().map(inner_html).unwrap_or_default();
    let content = dom_query::Document::fragment(content);
    let root = content.select_single("[data-composition-id]");
    let Some(root) = root.nodes().first() else {
        return Err(Error::Composition {
            file: file.to_owned(),
            element: template.nodes().first().map(describe).unwrap_or_default(),
            reason: "has no element with data-composition-id, so there is nothing to render"
                .to_owned(),
        });
    };
    let kept = ["data-composition-id", "data-width", "data-height", "data-duration"];
    let attributes: String = kept
        .iter()
        .filter_map(|name| Some(format!(" {name}=\"{}\"", escape_attribute(&root.attr(name)?))))
        .collect();
    let src = escape_attribute(file);
    Ok(Some(format!(
        "<!doctype html><html><head><meta charset=\"utf-8\"></head><body>\
         <div{attributes} data-start=\"0\" data-root=\"true\" data-composition-src=\"/{src}\"></div></body></html>"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scene_is_rendered_alone_in_its_own_host() {
        let project = tempfile::tempdir().unwrap();
        let scene = "<template><div data-composition-id=s data-width=320 data-height=180 data-duration=2></div></template>";
        let alone = isolate(scene, "scenes/s.html", project.path()).unwrap().unwrap();
        assert!(
            alone.contains("data-width=\"320\" data-height=\"180\" data-duration=\"2\""),
            "{alone}"
        );
        let index = "<body><p>other</p><script src=gsap.js></script><script>root()</script>\
            <div data-composition-id=s data-composition-src=scenes/s.html data-start=4></div></body>";
        std::fs::write(project.path().join("index.html"), index).unwrap();
        let hosted = isolate(scene, "scenes/s.html", project.path()).unwrap().unwrap();
        assert!(hosted.contains("data-start=\"0\"") && hosted.contains("gsap.js"), "{hosted}");
        assert!(!hosted.contains("other") && !hosted.contains("root()"), "{hosted}");
        assert_eq!(
            isolate("<!doctype html><body></body>", "index.html", project.path()).unwrap(),
            None
        );
    }
}
