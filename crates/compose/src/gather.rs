//! What a page needs from elsewhere, gathered into its own folder: files of other hosts, then fonts.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use dom_query::Document;
use serde_json::{Map, Value};

use crate::document::base;
use crate::document::decode::{DecodedText, decode_document, write_as_utf8};
use crate::document::html::{describe, parse, serialize};
use crate::document::inject::inject;
use crate::error::{Error, Result};
use crate::fonts::{self, FontPolicy, Installed, Options};
use crate::geometry::Viewport;
use crate::media::{self, Medium};
use crate::net::Net;
use crate::remote::localise;
use crate::site::Site;

/// A page with all that it needs beside it.
#[derive(Debug)]
pub struct Gathered {
    pub html: String,
    pub media: Vec<Medium>,
    pub warnings: Vec<String>,
}

/// What a page gets its fonts and files from, and how strict to be.
#[derive(Debug, Clone, Copy)]
pub struct GatherOptions<'a> {
    /// The fonts that the worker brings along.
    pub bundle: &'a Path,
    /// The fonts that Chrome falls back to.
    pub machine_fonts: &'a Path,
    /// What media queries are answered for.
    pub viewport: Viewport,
    pub net: &'a Net,
    pub system_fonts: FontPolicy,
    pub missing_fonts: FontPolicy,
}

/// Gathers for the page in `site`, which errors call `file`. What arrives is kept in `scratch` until it has its place.
pub fn gather(
    html: String,
    site: Site<'_>,
    file: &str,
    variables: Option<&Map<String, Value>>,
    options: GatherOptions<'_>,
    scratch: &Path,
) -> Result<Gathered> {
    let document = parse(&html);
    let variables = variables.cloned().map(|map| Value::from(map).to_string());
    let GatherOptions { bundle, machine_fonts, viewport, net, system_fonts, missing_fonts } =
        options;
    let options = Options {
        site,
        bundle,
        machine: machine_fonts,
        net,
        scratch,
        system_fonts,
        missing_fonts,
        variables: variables.as_deref().unwrap_or_default(),
    };
    write_as_utf8(site, &document)?;
    let Installed { changed, faces, warnings } = gather_into(&document, &options)?;
    let mut frames = Frames::default();
    frames.gather(&document, &options)?;
    let warnings = [warnings, frames.warnings].concat();
    media::refuse_unplayed(&document, file)?;
    let sounds = media::script_sounds(&document, site, file)?;
    let warnings = [warnings, sounds].concat();
    let media = media::list(&document, site, file, viewport)?;
    let html = if changed || frames.changed { serialize(&document) } else { html };
    let html = if faces.is_empty() { html } else { inject(&html, "", &faces, "") };
    Ok(Gathered { html, media, warnings })
}

/// The same for a document that is held already; its faces are left to be put into the head.
fn gather_into(document: &Document, options: &Options<'_>) -> Result<Installed> {
    let assets = options.scratch.join("assets");
    let localised = localise(document, options.site, options.net, &assets)?;
    let fonts = Options { scratch: &options.scratch.join("fonts"), ..*options };
    let installed = fonts::install(document, &fonts)?;
    Ok(Installed { changed: localised || installed.changed, ..installed })
}

/// The documents in frames, which get what the page gets.
#[derive(Debug, Default)]
struct Frames {
    /// Files that were looked at.
    seen: BTreeSet<String>,
    warnings: Vec<String>,
    /// Whether a frame that stands in the page itself is another than before.
    changed: bool,
}

impl Frames {
    fn gather(&mut self, document: &Document, options: &Options<'_>) -> Result<()> {
        for frame in document.select("iframe[srcdoc]").nodes() {
            let text = frame.attr("srcdoc").unwrap_or_default();
            if let Some(html) = self.one(&text, "srcdoc", options)? {
                frame.set_attr("srcdoc", &html);
                self.changed = true;
            }
        }
        for frame in document.select("iframe[src]:not([srcdoc]), frame[src]").nodes() {
            let site = options.site;
            let path = frame.attr("src").and_then(|src| site.resolve(&src));
            let Some(path) = path.filter(|path| site.root.join(path).is_file()) else { continue };
            let extension = path.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
            if !["html", "htm"].contains(&extension.as_str()) || !self.seen.insert(path.clone()) {
                continue;
            }
            let file = site.root.join(&path);
            let bytes = fs::read(&file).map_err(Error::io("read", &file))?;
            let DecodedText { text, warning } = decode_document(&bytes, &path);
            self.warnings.extend(warning);
            let folder = base::folder(&parse(&text), &path);
            let inside = Options { site: Site { folder: &folder, ..site }, ..*options };
            if let Some(html) = self.one(&text, &path, &inside)? {
                fs::write(&file, html).map_err(Error::io("write", &file))?;
            }
        }
        Ok(())
    }

    /// The document of a frame with what it needs, if that is another one than `text`.
    fn one(&mut self, text: &str, path: &str, options: &Options<'_>) -> Result<Option<String>> {
        let document = parse(text);
        refuse_media(&document, path)?;
        let Installed { changed, faces, warnings } = gather_into(&document, options)?;
        self.warnings.extend(warnings.into_iter().map(|warning| format!("{path}: {warning}")));
        let outer = std::mem::take(&mut self.changed);
        self.gather(&document, options)?;
        let changed = std::mem::replace(&mut self.changed, outer) || changed;
        if !changed && faces.is_empty() {
            return Ok(None);
        }
        let html = if changed { serialize(&document) } else { text.to_owned() };
        Ok(Some(if faces.is_empty() { html } else { inject(&html, "", &faces, "") }))
    }
}

/// Media are played by the page itself; those of a frame would be left out.
fn refuse_media(document: &Document, path: &str) -> Result<()> {
    let media = document.select("video, audio");
    match media.nodes().iter().find(|node| media::has_source(node)) {
        None => Ok(()),
        Some(node) => Err(Error::MediaUnusable {
            element: format!("{path}: {}", describe(node)),
            reason:
                "video and sound in a frame are not played: put the element into the page itself"
                    .to_owned(),
        }),
    }
}
