//! Files that a document names: whether they are in the project, and whether they travel with it.

use crate::css;
use crate::document::rebase::Base;
use crate::document::srcset;
use crate::lint::markup::Tag;
use crate::lint::{Part, Severity, Source};
use crate::site::{Site, has_scheme};
use crate::tree::SKIPPED;

/// Attributes that name a file, by their elements.
const ADDRESSES: [(&str, &str); 17] = [
    ("script", "src"),
    ("link", "href"),
    ("img", "src"),
    ("video", "src"),
    ("video", "poster"),
    ("audio", "src"),
    ("source", "src"),
    ("track", "src"),
    ("iframe", "src"),
    ("frame", "src"),
    ("embed", "src"),
    ("object", "data"),
    ("input", "src"),
    ("image", "href"),
    ("image", "xlink:href"),
    ("use", "href"),
    ("use", "xlink:href"),
];

/// Kinds of `<link>` whose file a render needs.
const NEEDED_LINKS: [&str; 2] = ["stylesheet", "modulepreload"];

/// Looks at every address, and answers the documents that are shown.
pub(super) fn check(
    source: &Source<'_>,
    found: &mut Vec<(usize, Severity, String)>,
) -> Vec<(String, Part)> {
    let mut shown = Vec::new();
    let mut templates = 0_usize;
    for tag in &source.tags {
        if tag.name == "template" {
            templates = if tag.is_end { templates.saturating_sub(1) } else { templates + 1 };
        }
        // What is in a template of a page, a script may use or not; the first one of a scene is its content.
        let is_used = templates == 0 || source.part == Part::Scene;
        if tag.is_end || !is_used {
            continue;
        }
        check_tag(source, tag, found);
        shown.extend(documents(source, tag, found));
    }
    shown
}

fn check_tag(source: &Source<'_>, tag: &Tag<'_>, found: &mut Vec<(usize, Severity, String)>) {
    for attribute in &tag.attributes {
        let name = attribute.name.as_str();
        let value = attribute.value.replace("&amp;", "&");
        let is_address = ADDRESSES.iter().any(|(of, at)| tag.name == *of && name == *at)
            && (tag.name != "link" || is_needed(tag));
        let addresses: Vec<String> = match name {
            "srcset" => srcset::parse(&value).into_iter().map(|link| link.url).collect(),
            "style" => css::urls(&value).into_iter().map(|link| link.url).collect(),
            _ if is_address => vec![value],
            _ => continue,
        };
        for address in addresses {
            if let Some((severity, message)) = problem(source, &address) {
                found.push((attribute.start, severity, format!("{}: {message}", tag.described())));
            }
        }
    }
    if let (Some((at, text)), "style") = (tag.text, tag.name.as_str()) {
        for link in css::parse(text).urls() {
            // A rule that never applies may name a file that does not exist.
            if let Some((severity, message)) = problem(source, &link.url) {
                let severity = severity.min(Severity::Warning);
                found.push((at + link.span.start, severity, format!("<style>: {message}")));
            }
        }
    }
}

fn is_needed(tag: &Tag<'_>) -> bool {
    let rel = tag.attribute("rel").unwrap_or_default().to_ascii_lowercase();
    let mut rels = rel.split_whitespace();
    rels.any(|rel| NEEDED_LINKS.contains(&rel)) && !rel.contains("alternate")
}

fn problem(source: &Source<'_>, address: &str) -> Option<(Severity, String)> {
    let address = address.trim();
    let is_filled_in = address.contains("{{") || address.contains("${");
    if address.is_empty() || address.starts_with(['#', '?']) || is_filled_in {
        return None;
    }
    let lower = address.to_ascii_lowercase();
    if lower.starts_with("https:") || lower.starts_with("//") {
        return Some((
            Severity::Note,
            format!("{address} is fetched from another host when the composition is planned"),
        ));
    }
    if lower.starts_with("http:") {
        return Some((
            Severity::Error,
            format!("{address} is not fetched: use https: or put the file into the project"),
        ));
    }
    if lower.starts_with("file:") {
        return Some((
            Severity::Error,
            format!("{address} is a file of one machine: put it into the project"),
        ));
    }
    if has_scheme(address) {
        return None;
    }
    let site = source.site();
    let path = match source.part {
        Part::Entry | Part::Frame => site.resolve(address),
        // Scenes are written for their own folder or for the project's root.
        Part::Scene => {
            let base = Base { site, root: "" };
            let rebased = base.rebase(address).unwrap_or_else(|| address.to_owned());
            Site { folder: "", ..site }.resolve(&rebased)
        }
    }?;
    let top = path.split('/').next().unwrap_or_default();
    if SKIPPED.contains(&top) && path.contains('/') {
        return Some((
            Severity::Error,
            format!(
                "{path} does not travel with the project: the folder {top} is left out; copy the file to another one"
            ),
        ));
    }
    (!source.project.join(&path).is_file())
        .then(|| (Severity::Error, format!("{path} is not in the project")))
}

/// The document that a tag shows, from the root of the project.
fn documents(
    source: &Source<'_>,
    tag: &Tag<'_>,
    found: &mut Vec<(usize, Severity, String)>,
) -> Option<(String, Part)> {
    if let Some(src) = tag.attribute("data-composition-src") {
        let src = src.trim();
        let is_open = ["__", "<<", "{{", "${"].iter().any(|open| src.starts_with(open));
        let site = Site { folder: "", root: source.project };
        let path = site.resolve(src).filter(|_| !is_open)?;
        if !source.project.join(&path).is_file() {
            let message = format!("{}: {path} is not in the project", tag.described());
            found.push((tag.start, Severity::Error, message));
        }
        return Some((path, Part::Scene));
    }
    let is_frame = tag.name == "iframe" || tag.name == "frame";
    let path = source.site().resolve(&tag.attribute("src").filter(|_| is_frame)?)?;
    let extension = path.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    ["html", "htm"].contains(&extension.as_str()).then_some((path, Part::Frame))
}
