//! Stylesheets that refer to other hosts: those that were fetched, and the project's own that the page links or imports.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use dom_query::Document;
use percent_encoding::percent_decode_str;
use url::Url;

use crate::error::{Error, Result};
use crate::remote::find::{Slot, UrlSlot, places, remote};
use crate::remote::kind::Role;
use crate::remote::{Names, Need, value_of};
use crate::stylesheet::{Use, edit, links, parse};

pub(super) fn role_of(used: Use) -> Role {
    match used {
        Use::Import => Role::Style,
        Use::Font => Role::Font,
        Use::Image => Role::Image,
    }
}

/// What a stylesheet needs of other hosts. `base` is its own address, where it has one.
pub(super) fn needs_of(text: &str, base: Option<&Url>, name: &str) -> Result<Vec<Need>> {
    let element = format!("the stylesheet {name}");
    let mut needs = Vec::new();
    for (used, link) in links(&parse(text)) {
        if let Some(url) = remote_link(&link.url, base, &element)? {
            needs.push(Need {
                url,
                role: role_of(used),
                element: element.clone(),
                integrity: None,
            });
        }
    }
    Ok(needs)
}

/// A URL of a stylesheet that has to be fetched: not one that is only a fragment of the page.
fn remote_link(url: &str, base: Option<&Url>, element: &str) -> Result<Option<Url>> {
    if url.trim().is_empty() || url.starts_with('#') {
        return Ok(None);
    }
    remote(url, base, element)
}

/// The stylesheet with local names, `None` where there is nothing to rewrite.
pub(super) fn rewritten(
    text: &str,
    base: Option<&Url>,
    names: &mut Names<'_>,
) -> Result<Option<String>> {
    let sheet = parse(text);
    let mut edits = Vec::new();
    for (_, link) in links(&sheet) {
        if let Some(url) = remote_link(&link.url, base, "a stylesheet")? {
            edits.push((link.span, format!("url(\"{}\")", names.local(&url)?)));
        }
    }
    // A frame is never drawn with the fallback of a font that is on its way.
    if base.is_some() {
        let faces = sheet.blocks.iter().filter(|block| block.is_at("font-face"));
        let displays =
            faces.flat_map(|face| &face.declarations).filter(|one| one.name == "font-display");
        edits.extend(displays.map(|one| (one.at..one.at + one.value.len(), "block".to_owned())));
    }
    Ok(if edits.is_empty() { None } else { Some(edit(text, edits)) })
}

/// The project's own stylesheets, by their path in the site.
#[derive(Debug)]
pub(crate) struct LocalSheets {
    site: PathBuf,
    texts: BTreeMap<String, String>,
}

impl LocalSheets {
    /// The stylesheets of `document`.
    pub(crate) fn of(document: &Document, site: &Path, folder: &str) -> Result<Self> {
        Self::read(site, folder, &places(document))
    }

    /// Their paths and texts.
    pub(crate) fn into_texts(self) -> BTreeMap<String, String> {
        self.texts
    }

    /// Reads those that `places` link, and what they import. One that is not there is left for the page to miss.
    pub(super) fn read(site: &Path, folder: &str, places: &[UrlSlot<'_>]) -> Result<Self> {
        let mut sheets = Self { site: site.to_owned(), texts: BTreeMap::new() };
        for place in places {
            match place.slot {
                Slot::Attribute { role: Role::Style, .. } => {
                    sheets.add(folder, &value_of(place))?;
                }
                Slot::StyleText => sheets.add_imports(folder, &value_of(place))?,
                _ => {}
            }
        }
        Ok(sheets)
    }

    fn add_imports(&mut self, folder: &str, text: &str) -> Result<()> {
        for import in parse(text).imports {
            self.add(folder, &import.url)?;
        }
        Ok(())
    }

    fn add(&mut self, folder: &str, href: &str) -> Result<()> {
        let Some(path) = path_in_site(folder, href) else { return Ok(()) };
        let file = self.site.join(&path);
        if self.texts.contains_key(&path) || !file.is_file() {
            return Ok(());
        }
        let bytes = fs::read(&file).map_err(Error::io("read", &file))?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        self.texts.insert(path.clone(), text.clone());
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        self.add_imports(folder, &text)
    }

    pub(super) fn needs(&self) -> Result<Vec<Need>> {
        let mut needs = Vec::new();
        for (path, text) in &self.texts {
            needs.extend(needs_of(text, None, path)?);
        }
        Ok(needs)
    }

    pub(super) fn rewrite(&self, names: &mut Names<'_>) -> Result<()> {
        for (path, text) in &self.texts {
            if let Some(text) = rewritten(text, None, names)? {
                let file = self.site.join(path);
                fs::write(&file, text).map_err(Error::io("write", &file))?;
            }
        }
        Ok(())
    }
}

/// The path of a file in the site that a reference from `folder` names, `None` if it is elsewhere.
pub(crate) fn path_in_site(folder: &str, href: &str) -> Option<String> {
    let base = Url::parse("https://site.invalid/").expect("this is a URL");
    let folder = if folder.is_empty() { "/".to_owned() } else { format!("/{folder}/") };
    let url = base.join(&folder).ok()?.join(href.trim()).ok()?;
    if url.host_str() != Some("site.invalid") {
        return None;
    }
    let path = percent_decode_str(url.path().trim_start_matches('/')).decode_utf8().ok()?;
    let is_plain = !path.is_empty() && path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    is_plain.then(|| path.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_names_a_file_of_the_site_or_nothing() {
        for (folder, href, expected) in [
            ("", "a.css", Some("a.css")),
            ("", "./css/a%20b.css?v=1#x", Some("css/a b.css")),
            ("css", "a.css", Some("css/a.css")),
            ("css/deep", "../a.css", Some("css/a.css")),
            ("css", "/a.css", Some("a.css")),
            ("", "../../a.css", Some("a.css")),
            ("", "a/%2e%2e/b.css", Some("b.css")),
            ("", "a%2f..%2f..%2fb.css", None),
            ("", "https://cdn.example/a.css", None),
            ("", "//cdn.example/a.css", None),
            ("", "data:text/css,x", None),
            ("", "", None),
        ] {
            assert_eq!(path_in_site(folder, href).as_deref(), expected, "{href}");
        }
    }
}
