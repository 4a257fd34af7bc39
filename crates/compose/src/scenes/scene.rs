//! The file of a nested composition, taken apart.

use std::fs;
use std::path::Path;

use dom_query::{Document, NodeRef};

use crate::document::base;
use crate::document::decode::{DecodedText, decode_document};
use crate::document::html::{inner_html, outer_html, parse};
use crate::document::rebase::Base;
use crate::document::variables::{Declared, Problem, declared};
use crate::error::{Error, Result};
use crate::scenes::page::Page;
use crate::site::Site;

/// A file's parts, with every address as the whole document writes it.
#[derive(Debug)]
pub(crate) struct Scene {
    /// The composition id that the file declares.
    pub(crate) declared_id: String,
    /// What is put into the host: the root element where it is the host's, else everything.
    pub(crate) content: Content,
    pub(crate) styles: Vec<Style>,
    /// Style sheets and connections, as elements for the head.
    pub(crate) links: Vec<Link>,
    pub(crate) scripts: Vec<Script>,
    pub(crate) variables: Vec<Declared>,
    pub(crate) page: Page,
    pub(crate) warnings: Vec<String>,
}

#[derive(Debug)]
pub(crate) enum Content {
    /// The element with the composition's id, and what else of the content is data for scripts.
    Root {
        html: String,
        data: String,
    },
    Whole(String),
}

#[derive(Debug)]
pub(crate) struct Style {
    pub(crate) css: String,
    pub(crate) media: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Link {
    /// What it links to, by which a second one is known.
    pub(crate) address: String,
    pub(crate) html: String,
}

#[derive(Debug)]
pub(crate) enum Script {
    External { address: String, html: String },
    Module(String),
    Classic(String),
    ImportMap(String),
}

/// Reads `src`, a path from the root of the project, for a host with the composition id `host_id`, if it has one.
pub(crate) fn load(base: Base<'_>, src: &str, host_id: Option<&str>) -> Result<Scene> {
    let DecodedText { text, warning } = read(base.site.root, src)?;
    let document = parse(&text);
    let mut warnings: Vec<String> = warning.into_iter().collect();
    let folder = base::folder(&document, src);
    let base = Base { site: Site { folder: &folder, ..base.site }, ..base };
    let template = document.select_single("template").nodes().first().copied();
    let body = document.body().ok_or_else(|| problem(src, "has no content"))?;
    let content = match &template {
        Some(template) => inner_html(template),
        None if body.has_attr("data-composition-id") => {
            let root = document.body().ok_or_else(|| problem(src, "has no content"))?;
            root.rename("div");
            outer_html(&root)
        }
        None => inner_html(&body),
    };
    if content.trim().is_empty() {
        return Err(problem(src, "is empty"));
    }
    let content = Document::fragment(content);
    let roots = content.select("[data-composition-id]");
    let own_root = match host_id {
        Some(id) => roots
            .nodes()
            .iter()
            .find(|root| root.attr("data-composition-id").as_deref() == Some(id)),
        None => roots.nodes().first(),
    };
    let Some(declaring) = own_root.or_else(|| roots.nodes().first()) else {
        return Err(problem(src, NO_COMPOSITION));
    };
    let declared_id = declaring.attr("data-composition-id").unwrap_or_default().to_string();
    let mut carriers = vec![document.html_root()];
    carriers.push(*declaring);
    let (variables, problems) = declared(&carriers);
    let told = problems
        .into_iter()
        .map(|Problem { element, reason }| format!("{src}: {element}: {reason}"));
    warnings.extend(told);
    // What is around a template is another page.
    let page = if template.is_none() { Page::of(&document) } else { Page::default() };

    base.elements(&content);
    let head = document.head();
    let mut parts = Parts::default();
    if let Some(head) = head {
        let head_elements = Document::fragment(inner_html(&head));
        base.elements(&head_elements);
        // The head of a file whose content is a template is another page's; what it links to may be needed all the same.
        parts.take(&head_elements, template.is_none(), base);
    }
    parts.take(&content, true, base);
    let Parts { mut styles, links, scripts } = parts;
    styles.extend(page.inline_styles().map(|css| Style { css: base.css(&css), media: None }));
    let content = match own_root {
        Some(root) => {
            let inside =
                |node: &NodeRef<'_>| node.ancestors_it(None).any(|above| above.id == root.id);
            let scripts = content.select("script");
            let outside = scripts.nodes().iter().filter(|node| !inside(node));
            let data = outside.map(outer_html).collect();
            Content::Root { html: outer_html(root), data }
        }
        None => Content::Whole(content.select_single("html").inner_html().to_string()),
    };
    Ok(Scene { declared_id, content, styles, links, scripts, variables, page, warnings })
}

/// The text of a file that a host names.
pub(crate) fn read(project: &Path, src: &str) -> Result<DecodedText> {
    let path = project.join(src);
    let real = fs::canonicalize(&path).map_err(|_| problem(src, "does not exist"))?;
    if !real.is_file() {
        return Err(problem(src, "is not a file"));
    }
    let bytes = fs::read(&real).map_err(Error::io("read", &real))?;
    let decoded = decode_document(&bytes, src);
    if decoded.text.trim().is_empty() { Err(problem(src, "is empty")) } else { Ok(decoded) }
}

/// The composition id that a file declares.
pub(crate) fn declared_id(project: &Path, src: &str) -> Result<String> {
    let content = content(&read(project, src)?.text);
    let root = content.select_single("[data-composition-id]");
    let id = root.attr("data-composition-id").map(|id| id.trim().to_owned());
    id.filter(|id| !id.is_empty()).ok_or_else(|| problem(src, NO_COMPOSITION))
}

/// The variables that a file declares.
pub(crate) fn declared_variables(project: &Path, src: &str) -> Result<Vec<Declared>> {
    let text = read(project, src)?.text;
    let (whole, content) = (parse(&text), content(&text));
    let mut carriers = vec![whole.html_root()];
    carriers.extend(content.select_single("[data-composition-id]").nodes().first());
    let (variables, _told_when_it_is_mounted) = declared(&carriers);
    Ok(variables)
}

/// What of a file's text is mounted: what is in its first template, if it has one.
pub(crate) fn content(text: &str) -> Document {
    let whole = parse(text);
    let template = whole.select_single("template").nodes().first().map(inner_html);
    template.map_or(whole, Document::fragment)
}

pub(crate) const NO_COMPOSITION: &str = "has no element with data-composition-id";

/// What is wrong with the file `src`.
pub(crate) fn problem(src: &str, reason: &str) -> Error {
    Error::Nested { problems: format!("{src} {reason}") }
}

#[derive(Default)]
struct Parts {
    styles: Vec<Style>,
    links: Vec<Link>,
    scripts: Vec<Script>,
}

impl Parts {
    /// Takes the links out of `content` and, if they count, its styles and scripts too.
    fn take(&mut self, content: &Document, with_code: bool, base: Base<'_>) {
        for node in content.select("link[href]").nodes() {
            let rel = node.attr("rel").unwrap_or_default().to_ascii_lowercase();
            if rel.split_whitespace().any(|kind| ["stylesheet", "preconnect"].contains(&kind)) {
                let address = node.attr("href").unwrap_or_default().to_string();
                self.links.push(Link { address, html: outer_html(node) });
                node.remove_from_parent();
            }
        }
        for node in content.select("style").nodes() {
            if with_code {
                let media = node.attr("media").map(|media| media.to_string());
                self.styles.push(Style { css: base.css(&node.text()), media });
            }
            node.remove_from_parent();
        }
        for node in content.select("script").nodes() {
            let Some(script) = executable(node) else { continue };
            if with_code {
                self.scripts.push(script);
            }
            node.remove_from_parent();
        }
    }
}

/// A script that runs; other types are data that scripts read.
fn executable(node: &NodeRef<'_>) -> Option<Script> {
    let kind = node.attr("type").unwrap_or_default().trim().to_ascii_lowercase();
    let is_classic = [
        "",
        "text/javascript",
        "application/javascript",
        "text/ecmascript",
        "application/ecmascript",
    ]
    .contains(&kind.as_str());
    if !(is_classic && !node.has_attr("nomodule") || kind == "module" || kind == "importmap") {
        return None;
    }
    if let Some(address) = node.attr("src") {
        return Some(Script::External { address: address.to_string(), html: outer_html(node) });
    }
    let text = node.text().to_string();
    Some(match kind.as_str() {
        "module" => Script::Module(text),
        "importmap" => Script::ImportMap(text),
        _ => Script::Classic(text),
    })
}
