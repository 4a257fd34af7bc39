//! What the relative addresses of a document are relative to: its own place, or what its `<base>` says.

use dom_query::Document;
use url::Url;

use crate::site::{decode_path, folder_of};

/// The `<base>` of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DocumentBase {
    /// A folder of the site, without slashes around it.
    Folder(String),
    /// Another host.
    Remote(Url),
}

/// What `document`, which is at `path` of its site, says; `None` without a `<base>` that counts.
pub(crate) fn stated(document: &Document, path: &str) -> Option<DocumentBase> {
    let base = document.select_single("base[href]");
    let href = base.attr("href")?;
    let site = Url::parse("https://site.invalid/").expect("this is a URL");
    let own = site.join(&encoded(path)).ok()?;
    let url = own.join(href.trim()).ok()?;
    if url.origin() != site.origin() {
        return ["http", "https"].contains(&url.scheme()).then_some(DocumentBase::Remote(url));
    }
    let folder = &url.path()[..=url.path().rfind('/')?];
    decode_path(folder).map(DocumentBase::Folder)
}

/// The folder of the site that relative addresses are resolved in. Those of a document based on another host are its own
/// until they are fetched.
pub(crate) fn folder(document: &Document, path: &str) -> String {
    match stated(document, path) {
        Some(DocumentBase::Folder(folder)) => folder,
        Some(DocumentBase::Remote(_)) | None => folder_of(path).to_owned(),
    }
}

/// A path as a URL has it, without a slash before it: a folder may be called anything.
pub(crate) fn encoded(path: &str) -> String {
    let mut url = Url::parse("https://site.invalid/").expect("this is a URL");
    let mut segments = url.path_segments_mut().expect("https has segments");
    segments.clear().extend(path.split('/'));
    drop(segments);
    url.path().trim_start_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::html::parse;

    #[test]
    fn a_document_says_what_its_addresses_are_relative_to() {
        let inside = |folder: &str| Some(DocumentBase::Folder(folder.to_owned()));
        for (path, html, expected) in [
            ("index.html", "<p>", None),
            ("index.html", "<base href=assets/>", inside("assets")),
            ("index.html", "<base href='assets/page.html'>", inside("assets")),
            ("index.html", "<base target=_top><base href=a/><base href=b/>", inside("a")),
            ("scenes/a.html", "<base href=assets/>", inside("scenes/assets")),
            ("scenes/a.html", "<base href='../my%20files/'>", inside("my files")),
            ("scenes #1/a.html", "<base href=x/>", inside("scenes #1/x")),
            ("scenes/a.html", "<base href=/>", inside("")),
            ("index.html", "<base href='data:text/html,x'>", None),
            (
                "index.html",
                "<base href='https://cdn.example/v1/'>",
                Some(DocumentBase::Remote(Url::parse("https://cdn.example/v1/").unwrap())),
            ),
        ] {
            assert_eq!(stated(&parse(html), path), expected, "{html}");
        }
        assert_eq!(folder(&parse("<p>"), "scenes/a.html"), "scenes");
    }
}
