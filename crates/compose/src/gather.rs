//! What a page needs from elsewhere, gathered into its own folder: files of other hosts, then fonts.

use std::path::Path;

use dom_query::Document;
use serde_json::{Map, Value};

use crate::document::html::{parse, serialize};
use crate::document::inject::inject;
use crate::error::Result;
use crate::fonts::{self, FontPolicy, Installed, Options};
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
    let GatherOptions { bundle, net, system_fonts, missing_fonts } = options;
    let options = Options {
        site,
        bundle,
        net,
        scratch,
        system_fonts,
        missing_fonts,
        variables: variables.as_deref().unwrap_or_default(),
    };
    let Installed { changed, faces, warnings } = gather_into(&document, &options)?;
    let media = media::list(&document, site, file)?;
    let html = if changed { serialize(&document) } else { html };
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
