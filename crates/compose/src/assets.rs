//! Addresses in a nested composition's file, as the whole document has to write them.

use std::path::Path;

use dom_query::Document;
use percent_encoding::percent_decode_str;

use crate::css::{CssSpan, places, places_in_declarations, rewrite, url};

/// Attributes that hold one address.
const ADDRESSES: [&str; 4] = ["src", "href", "poster", "xlink:href"];

/// What a file's addresses are relative to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Base<'a> {
    pub(crate) project: &'a Path,
    /// The file's folder in the project, without a slash at its end; empty at the root.
    pub(crate) folder: &'a str,
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
        let from_file = normalized(self.folder, path);
        let from_root = normalized("", path);
        let decoded = percent_decode_str(&from_file).decode_utf8_lossy().into_owned();
        let is_neighbour = self.project.join(decoded).exists();
        let chosen = if path.starts_with("../") || is_neighbour { from_file } else { from_root };
        let rebased = format!("{}{chosen}{rest}", self.root);
        (rebased != address).then_some(rebased)
    }

    /// A style sheet with its addresses rebased.
    pub(crate) fn css(&self, css: &str) -> String {
        self.rewrite(css, &places(css))
    }

    fn rewrite(&self, css: &str, places: &[CssSpan]) -> String {
        rewrite(css, places, |place| match place {
            CssSpan::Url { at, address } => {
                let rebased = self.rebase(address)?;
                let is_bare = css[at.clone()].starts_with(['"', '\'']);
                Some(if is_bare { quoted_address(&rebased) } else { url(&rebased) })
            }
            CssSpan::Selectors(_) => None,
        })
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
            node.set_attr("srcset", &self.srcset(&set));
        }
        for node in content.select("[style*='(']").nodes() {
            let style = node.attr("style").unwrap_or_default();
            node.set_attr("style", &self.rewrite(&style, &places_in_declarations(&style)));
        }
    }

    fn srcset(&self, set: &str) -> String {
        let one = |candidate: &str| {
            let candidate = candidate.trim();
            let (address, rest) =
                candidate.split_at(candidate.find(' ').unwrap_or(candidate.len()));
            format!("{}{rest}", self.rebase(address).unwrap_or_else(|| address.to_owned()))
        };
        if set.contains("data:") {
            set.to_owned()
        } else {
            set.split(',').map(one).collect::<Vec<_>>().join(", ")
        }
    }
}

/// An address as a CSS string.
pub(crate) fn quoted_address(address: &str) -> String {
    let mut text = String::new();
    cssparser::serialize_string(address, &mut text).expect("writing to memory does not fail");
    text
}

/// Whether an address begins with a scheme, as in `https:` or `data:`.
pub(crate) fn has_scheme(address: &str) -> bool {
    address.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+.-".contains(c))
    })
}

/// `path` seen from `folder`, without `.` and `..`; it never leads above the root.
pub fn normalized(folder: &str, path: &str) -> String {
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
        let base = Base { project: project.path(), folder: "scenes/card", root: "" };
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
        let content = Document::fragment(
            "<img src=near.png srcset='near.png 1x, assets/far.png 2x'><p style='background:url(near.png)'></p>\
             <svg><image xlink:href='near.png'></image><use href='#a'></use></svg>",
        );
        base.elements(&content);
        let html = content.html();
        assert!(html.contains("srcset=\"scenes/card/near.png 1x, assets/far.png 2x\""), "{html}");
        assert!(html.contains("xlink:href=\"scenes/card/near.png\""), "{html}");
        assert!(html.contains("url(&quot;scenes/card/near.png&quot;)"), "{html}");
    }
}
