//! Addresses in a nested composition's file, as the whole document has to write them.

use dom_query::Document;

use crate::css::{self, Link, edit};
use crate::document::srcset;
use crate::site::{Site, has_scheme};

/// Attributes that hold one address.
const ADDRESSES: [&str; 4] = ["src", "href", "poster", "xlink:href"];

/// What a file's addresses are relative to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Base<'a> {
    /// The project, seen from the file.
    pub(crate) site: Site<'a>,
    /// What an address from the root begins with: nothing, or a slash where the document's own base lies elsewhere.
    pub(crate) root: &'a str,
}

impl Base<'_> {
    /// `address` from the document's point of view; `None` where it stays as it is.
    ///
    /// A leading `../` is meant from the file. Anything else relative is a neighbour of the file if there is one, and
    /// otherwise meant from the root of the project.
    pub(crate) fn rebase(&self, address: &str) -> Option<String> {
        let address = address.trim();
        if address.is_empty() || address.starts_with(['#', '/', '?']) || has_scheme(address) {
            return None;
        }
        let end = address.find(['?', '#']).unwrap_or(address.len());
        let (path, rest) = address.split_at(end);
        let is_neighbour = self.site.file(path).is_some_and(|file| file.exists());
        let from_file = path.starts_with("../") || is_neighbour;
        let chosen = normalized(if from_file { self.site.folder } else { "" }, path);
        let rebased = format!("{}{chosen}{rest}", self.root);
        (rebased != address).then_some(rebased)
    }

    /// A style sheet, or what stands in a `style` attribute, with its addresses rebased.
    pub(crate) fn css(&self, text: &str) -> String {
        let edits = css::parse(text).urls().into_iter().filter_map(|Link { span, url }| {
            let rebased = self.rebase(&url)?;
            let is_bare = text[span.clone()].starts_with(['"', '\'']);
            Some((span, if is_bare { css::string(&rebased) } else { css::url(&rebased) }))
        });
        edit(text, edits.collect())
    }

    /// Rebases every address in the elements of `content`; style sheets and scripts are not looked at.
    pub(crate) fn elements(&self, content: &Document) {
        for node in content.select("[src], [href], [poster], svg *").nodes() {
            for name in ADDRESSES {
                if let Some(address) = node.attr(name).and_then(|value| self.rebase(&value)) {
                    node.set_attr(name, &address);
                }
            }
        }
        for node in content.select("[srcset]").nodes() {
            let set = node.attr("srcset").unwrap_or_default();
            let candidates = srcset::parse(&set).into_iter();
            let edits = candidates.filter_map(|link| Some((link.span, self.rebase(&link.url)?)));
            node.set_attr("srcset", &edit(&set, edits.collect()));
        }
        for node in content.select("[style*='(']").nodes() {
            let style = node.attr("style").unwrap_or_default();
            node.set_attr("style", &self.css(&style));
        }
    }
}

/// The address `path`, written from the root where it is meant from `folder`: without `.` and `..`, and never above the root.
pub(crate) fn normalized(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_rebased_where_the_file_s_folder_is_meant() {
        let project = tempfile::tempdir().unwrap();
        for file in ["scenes/card/near.png", "scenes/my file.png", "assets/far.png"] {
            let path = project.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        let base = Base { site: Site { root: project.path(), folder: "scenes/card" }, root: "" };
        for (address, expected) in [
            ("near.png", Some("scenes/card/near.png")),
            ("./near.png?v=1#x", Some("scenes/card/near.png?v=1#x")),
            ("../my%20file.png", Some("scenes/my%20file.png")),
            ("../../assets/far.png", Some("assets/far.png")),
            ("../../../../far.png", Some("far.png")),
            ("../absent.png", Some("scenes/absent.png")),
            ("assets/far.png", None),
            ("absent.png", None),
            ("/near.png", None),
            ("//host/near.png", None),
            ("https://host/near.png", None),
            ("data:image/png;base64,xx", None),
            ("#grad", None),
            ("", None),
        ] {
            assert_eq!(base.rebase(address).as_deref(), expected, "{address}");
        }
        let elsewhere = Base { root: "/", ..base };
        assert_eq!(elsewhere.rebase("assets/far.png").as_deref(), Some("/assets/far.png"));
        assert_eq!(
            base.css("@import 'near.png';a{b:url(near.png) url(#g)}"),
            "@import \"scenes/card/near.png\";a{b:url(\"scenes/card/near.png\") url(#g)}"
        );
        assert_eq!(
            base.css("a{b:image-set('near.png' 1x, \"assets/far.png\" 2x);content:'near.png'}"),
            "a{b:image-set(\"scenes/card/near.png\" 1x, \"assets/far.png\" 2x);content:'near.png'}"
        );
        let content = Document::fragment(
            "<img src=near.png srcset='near.png 1x, data:image/png;base64,xx 2x'><p style='background:url(near.png)'></p>\
             <svg><image xlink:href='near.png'></image><use href='#a'></use></svg>",
        );
        base.elements(&content);
        let html = content.html();
        assert!(
            html.contains("srcset=\"scenes/card/near.png 1x, data:image/png;base64,xx 2x\""),
            "{html}"
        );
        assert!(html.contains("xlink:href=\"scenes/card/near.png\""), "{html}");
        assert!(html.contains("url(&quot;scenes/card/near.png&quot;)"), "{html}");
    }
}
