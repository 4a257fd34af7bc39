//! Where a document refers to other hosts: every place that can be rewritten, with what it is there for.

use dom_query::{Document, NodeRef};
use url::Url;

use crate::document::html::describe;
use crate::document::link::{is_stylesheet, rels};
use crate::error::{Error, Result};
use crate::remote::kind::Role;

/// A place in the document that names files of other hosts.
#[derive(Debug)]
pub(super) struct UrlSlot<'a> {
    pub(super) node: NodeRef<'a>,
    pub(super) element: String,
    pub(super) slot: Slot,
}

/// What of an element holds the URLs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Slot {
    /// An attribute that is one URL.
    Attribute { name: &'static str, role: Role },
    /// An attribute that is a list of images.
    SourceSet,
    /// A `style` attribute.
    StyleAttribute,
    /// The text of a `<style>`.
    StyleText,
}

/// Elements and attributes whose file a render needs.
const ATTRIBUTES: [(&str, &str, Role); 11] = [
    ("script[src]", "src", Role::Script),
    ("link[href]", "href", Role::Style),
    ("img[src]", "src", Role::Image),
    ("input[type='image'][src]", "src", Role::Image),
    ("video[poster]", "poster", Role::Image),
    ("video[src]", "src", Role::Video),
    ("video source[src]", "src", Role::Video),
    ("audio[src]", "src", Role::Audio),
    ("audio source[src]", "src", Role::Audio),
    ("image", "href", Role::Image),
    ("feImage", "href", Role::Image),
];

/// Every place of `document` that can hold a URL, in the order in which they are fetched.
pub(super) fn places<'a>(document: &'a Document) -> Vec<UrlSlot<'a>> {
    let mut found = Vec::new();
    let mut push = |node: &NodeRef<'a>, slot: Slot| {
        // What Chrome never shows, since it runs scripts, is not asked for.
        let is = |node: &NodeRef<'_>| node.node_name().is_some_and(|name| &*name == "noscript");
        if node.ancestors_it(None).any(|above| is(&above)) {
            return;
        }
        found.push(UrlSlot { node: *node, element: describe(node), slot });
    };
    for (selector, name, role) in ATTRIBUTES {
        for node in document.select(selector).nodes() {
            let is_wanted = match role {
                Role::Script => is_run(node),
                Role::Style => is_stylesheet(node),
                _ => true,
            };
            if is_wanted && node.has_attr(name) {
                push(node, Slot::Attribute { name, role });
            }
        }
    }
    for (selector, slot) in [
        ("img[srcset], picture source[srcset]", Slot::SourceSet),
        ("style", Slot::StyleText),
        ("[style]", Slot::StyleAttribute),
    ] {
        for node in document.select(selector).nodes() {
            push(node, slot.clone());
        }
    }
    found
}

/// Whether Chrome runs this classic script: not a data block, and not meant for browsers without modules.
fn is_run(node: &NodeRef<'_>) -> bool {
    let kind = node.attr("type").unwrap_or_default().trim().to_ascii_lowercase();
    // Modules have neighbours, and are fetched with them.
    let is_script = kind.is_empty()
        || kind.ends_with("javascript")
        || kind.ends_with("ecmascript")
        // Scripts that are held back until the fonts are there.
        || kind.starts_with("text/hf-");
    is_script && !node.has_attr("nomodule")
}

/// Whether a link only prepares for requests to another host, which are not made any more.
pub(super) fn is_hint(node: &NodeRef<'_>) -> bool {
    const HINTS: [&str; 6] =
        ["preconnect", "dns-prefetch", "preload", "prefetch", "modulepreload", "prerender"];
    rels(node).iter().any(|rel| HINTS.contains(&rel.as_str())) && !is_stylesheet(node)
}

/// The URL of another host, `None` for what the page brings along. What cannot be fetched in safety is refused.
pub(super) fn remote(url: &str, base: Option<&Url>, element: &str) -> Result<Option<Url>> {
    let text: String = url.trim().chars().filter(|c| !matches!(c, '\t' | '\n' | '\r')).collect();
    let lower = text.to_ascii_lowercase();
    let is_absolute = lower.starts_with("https:") || lower.starts_with("http:");
    let parsed = match base {
        Some(base) => base.join(&text),
        None if is_absolute => Url::parse(&text),
        None if text.starts_with("//") => Url::parse(&format!("https:{text}")),
        None => return Ok(None),
    };
    let refuse = |reason: &str| {
        Err(Error::RemoteRefused { what: element.to_owned(), reason: reason.to_owned() })
    };
    match parsed {
        Ok(url) if url.scheme() == "https" => Ok(Some(url)),
        Ok(url) if url.scheme() == "http" => refuse(
            "its address is http:, which anybody on the way can change: use https: or put the file into the project",
        ),
        Err(_) if base.is_none() => refuse("its address is not a URL"),
        // data:, blob: and what no host serves.
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_page_brings_along_is_not_remote() {
        for url in [
            "a.png",
            "/a.png",
            "../a.png",
            "#x",
            "",
            "data:image/png;base64,AA",
            "blob:https://x/1",
            "httpsfoo",
        ] {
            assert_eq!(remote(url, None, "<img>").unwrap(), None, "{url}");
        }
    }

    #[test]
    fn a_url_of_another_host_is_one_however_it_is_written() {
        for (url, expected) in [
            ("https://cdn.example/a.js", "https://cdn.example/a.js"),
            (" HTTPS://cdn.example/a.js ", "https://cdn.example/a.js"),
            ("//cdn.example/a.js", "https://cdn.example/a.js"),
            ("https:\n//cdn.example/a b.js", "https://cdn.example/a%20b.js"),
        ] {
            assert_eq!(remote(url, None, "<img>").unwrap().unwrap().as_str(), expected);
        }
        let base = Url::parse("https://cdn.example/css/a.css").unwrap();
        for (url, expected) in [
            ("b.woff2", Some("https://cdn.example/css/b.woff2")),
            ("../c.png", Some("https://cdn.example/c.png")),
            ("//other.example/d", Some("https://other.example/d")),
            ("data:,x", None),
        ] {
            let found = remote(url, Some(&base), "<style>").unwrap();
            assert_eq!(found.as_ref().map(Url::as_str), expected);
        }
    }

    #[test]
    fn plain_http_is_refused_with_what_to_do() {
        let error = remote("http://cdn.example/a.js", None, "<script src=\"x\">").unwrap_err();
        assert!(
            error
                .to_string()
                .contains("<script src=\"x\"> cannot be fetched: its address is http:"),
            "{error}"
        );
        assert!(remote("https://", None, "<img>").is_err());
    }

    #[test]
    fn hints_are_told_from_stylesheets() {
        let document = Document::from(
            "<link rel=preconnect href=https://a><link rel='preload' as=style href=https://b onload=\"this.rel='stylesheet'\">\
             <link rel='PRELOAD' href=https://c><link rel=stylesheet href=d.css><link rel='alternate stylesheet' href=e.css>",
        );
        let links = document.select("link");
        let told: Vec<_> =
            links.nodes().iter().map(|node| (is_hint(node), is_stylesheet(node))).collect();
        assert_eq!(
            told,
            [(true, false), (false, true), (true, false), (false, true), (false, false)]
        );
    }
}
