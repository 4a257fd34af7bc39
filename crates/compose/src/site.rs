//! A directory of files as a browser sees it: the only way from an address in a file to a path.

use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use url::Url;

/// The files below a directory, and the folder in it that relative addresses are resolved against.
#[derive(Debug, Clone, Copy)]
pub struct Site<'a> {
    pub root: &'a Path,
    /// A path in the site, without slashes around it; empty at the root.
    pub folder: &'a str,
}

impl<'a> Site<'a> {
    /// The same files, seen from the file at `path`.
    #[must_use]
    pub fn at(self, path: &'a str) -> Self {
        Self { folder: folder_of(path), ..self }
    }

    /// The path in the site that `address` names, resolved as a browser does; `None` where it names no file of the site.
    pub fn resolve(self, address: &str) -> Option<String> {
        let address = address.trim();
        if address.is_empty() || address.starts_with(['#', '?']) {
            return None;
        }
        let base = Url::parse("https://site.invalid/").expect("this is a URL");
        let url = match self.folder {
            "" => base.join(address),
            // Each segment is escaped by itself: a folder may be called anything.
            folder => {
                let mut from = base.clone();
                let mut segments = from.path_segments_mut().expect("https has segments");
                segments.clear().extend(folder.split('/')).push("");
                drop(segments);
                from.join(address)
            }
        };
        let url = url.ok().filter(|url| url.origin() == base.origin())?;
        decode_path(url.path()).filter(|path| !path.is_empty())
    }

    /// Where on disk `address` leads.
    pub fn file(self, address: &str) -> Option<PathBuf> {
        self.resolve(address).map(|path| self.root.join(path))
    }
}

/// The folder of a file in the site.
pub(crate) fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The path in a site that the path of a URL names; `None` if it leaves the site.
pub fn decode_path(path: &str) -> Option<String> {
    let mut parts = Vec::new();
    for segment in path.split('/') {
        let part = percent_decode_str(segment).decode_utf8().ok()?;
        match &*part {
            "" | "." => {}
            ".." => return None,
            part if part.contains(['/', '\\', '\0']) => return None,
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Whether an address begins with a scheme, as in `https:` or `data:`.
pub(crate) fn has_scheme(address: &str) -> bool {
    address.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+.-".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_a_file_of_the_site_or_nothing() {
        for (folder, address, expected) in [
            ("", "a.css", Some("a.css")),
            ("", "./css/a%20b.css?v=1#x", Some("css/a b.css")),
            ("", "my file.css", Some("my file.css")),
            ("css", " a.css\n", Some("css/a.css")),
            ("css/deep", "../a.css", Some("css/a.css")),
            ("50% off/#1", "../a.css", Some("50% off/a.css")),
            ("css", "/a.css", Some("a.css")),
            ("css", "\\a.css", Some("a.css")),
            ("", "../../a.css", Some("a.css")),
            ("", "a//b.css", Some("a/b.css")),
            ("", "a/%2e%2e/b.css", Some("b.css")),
            ("", "100%.css", Some("100%.css")),
            ("", "a%2fb.css", None),
            ("", "a%2f..%2f..%2fb.css", None),
            ("", "%ff.css", None),
            ("", "https://cdn.example/a.css", None),
            ("", "//cdn.example/a.css", None),
            ("", "data:text/css,x", None),
            ("css", "#x", None),
            ("css", "?x", None),
            ("css", "", None),
            ("", "/", None),
        ] {
            let site = Site { root: Path::new("project"), folder };
            assert_eq!(site.resolve(address).as_deref(), expected, "{address}");
        }
    }

    #[test]
    fn a_path_cannot_leave_the_root() {
        for (path, expected) in [
            ("/a/b.png", Some("a/b.png")),
            ("/a%20b.png", Some("a b.png")),
            ("/%E2%9C%93.png", Some("✓.png")),
            ("//a/./b", Some("a/b")),
            ("/../etc/passwd", None),
            ("/a/%2e%2e/b", None),
            ("/a%2f..%2fb", None),
            ("/a%00b", None),
            ("/%ff", None),
        ] {
            assert_eq!(decode_path(path), expected.map(str::to_owned), "{path}");
        }
    }
}
