//! The CSS of a document, from wherever it is: style elements and attributes, and the project's stylesheets.

use std::fs;

use dom_query::{Document, NodeRef};

use crate::css::{edit, parse, urls};
use crate::document::html::describe;
use crate::error::{Error, Result};
use crate::fonts::cmap::{Coverage, coverage};
use crate::fonts::requests::{Requests, before, insertions, only_local};
use crate::remote::sheets::LocalSheets;
use crate::site::{Site, folder_of};

/// All CSS of a page.
#[derive(Debug)]
pub(super) struct Sources {
    sheets: Vec<Source>,
    /// Lists of families outside CSS, with their elements.
    lists: Vec<(String, String)>,
    own: Vec<Coverage>,
}

#[derive(Debug)]
struct Source {
    text: String,
    /// What is said where a block has no selector.
    place: String,
    /// What its URLs are relative to.
    folder: String,
}

impl Sources {
    pub(super) fn of(document: &Document, site: Site<'_>) -> Result<Self> {
        let mut sheets = Vec::new();
        let mut add = |text: String, place: String, folder: &str| {
            sheets.push(Source { text, place, folder: folder.to_owned() });
        };
        for node in document.select("style").nodes() {
            add(node.text().to_string(), "<style>".to_owned(), site.folder);
        }
        for node in document.select("[style]").nodes() {
            add(attribute(node, "style"), describe(node), site.folder);
        }
        for (path, text) in LocalSheets::of(document, site)?.into_texts() {
            let folder = folder_of(&path).to_owned();
            add(text, path, &folder);
        }
        let lists = document.select("[data-font-family]");
        let lists = lists.nodes().iter();
        let lists =
            lists.map(|node| (attribute(node, "data-font-family"), describe(node))).collect();
        let mut sources = Self { sheets, lists, own: Vec::new() };
        sources.own = sources.read_own_faces(site);
        Ok(sources)
    }

    pub(super) fn requests(&self) -> Requests {
        let mut requests = Requests::default();
        for source in &self.sheets {
            requests.add_sheet(&parse(&source.text), &source.place);
        }
        for (list, element) in &self.lists {
            requests.add_list(list, element);
        }
        requests.resolve();
        requests
    }

    /// What the page's own faces can draw.
    pub(super) fn own_faces(&self) -> &[Coverage] {
        &self.own
    }

    fn read_own_faces(&self, site: Site<'_>) -> Vec<Coverage> {
        let mut found = Vec::new();
        for source in &self.sheets {
            let sheet = parse(&source.text);
            for face in sheet.blocks.iter().filter(|block| block.is_at("font-face")) {
                // A font of a machine that this one does not have draws nothing.
                if face.value("src").is_some_and(|src| only_local(src).is_some()) {
                    continue;
                }
                let file = face.value("src").map(urls).unwrap_or_default().into_iter().next();
                let site = Site { folder: &source.folder, ..site };
                // A face that cannot be read is for the browser to judge.
                let bytes = file.and_then(|link| fs::read(site.file(&link.url)?).ok());
                found.push(bytes.map_or(Coverage::Unknown, |bytes| coverage(&bytes)));
            }
        }
        found
    }
}

fn attribute(node: &NodeRef<'_>, name: &str) -> String {
    node.attr(name).unwrap_or_default().to_string()
}

/// Puts a family of the bundle before every list that starts with a font of the machine.
pub(super) fn put_system_families_first(document: &Document, site: Site<'_>) -> Result<bool> {
    let mut changed = false;
    for node in document.select("style").nodes() {
        if let Some(text) = with_families(&node.text()) {
            node.set_text(text);
            changed = true;
        }
    }
    for node in document.select("[style]").nodes() {
        if let Some(text) = with_families(&attribute(node, "style")) {
            node.set_attr("style", &text);
            changed = true;
        }
    }
    for node in document.select("[data-font-family]").nodes() {
        let list = attribute(node, "data-font-family");
        if let Some((at, family)) = before(&list) {
            node.set_attr("data-font-family", &edit(&list, vec![(at..at, family)]));
            changed = true;
        }
    }
    for (path, text) in LocalSheets::of(document, site)?.into_texts() {
        if let Some(text) = with_families(&text) {
            let file = site.root.join(path);
            fs::write(&file, text).map_err(Error::io("write", &file))?;
        }
    }
    Ok(changed)
}

fn with_families(css: &str) -> Option<String> {
    let edits = insertions(&parse(css));
    let edits: Vec<_> = edits.into_iter().map(|(at, text)| (at..at, text)).collect();
    if edits.is_empty() { None } else { Some(edit(css, edits)) }
}
