//! What a page needs from elsewhere, gathered into its own folder: files of other hosts, then fonts.

use std::path::Path;

use dom_query::Document;
use serde_json::{Map, Value};

use crate::error::Result;
use crate::fonts::{self, FontPolicy, Installed, Setting};
use crate::html::{parse, serialize};
use crate::inject::inject;
use crate::net::Net;
use crate::remote::localise;

/// Gathers for the page whose files lie in `site` and whose relative addresses are meant from `folder` in it, and answers its text if it had to be changed, with warnings.
pub fn gather(
    html: &str,
    (site, folder): (&Path, &str),
    variables: Option<&Map<String, Value>>,
    (system_fonts, missing_fonts): (FontPolicy, FontPolicy),
    bundle: &Path,
    net: &Net,
    scratch: &Path,
) -> Result<(Option<String>, Vec<String>)> {
    let document = parse(html);
    let variables = variables.cloned().map(|map| Value::from(map).to_string());
    let setting = Setting {
        site,
        folder,
        bundle,
        net,
        scratch,
        system_fonts,
        missing_fonts,
        variables: variables.as_deref().unwrap_or_default(),
    };
    let Installed { changed, faces, warnings } = gather_into(&document, &setting)?;
    let changed = changed.then(|| serialize(&document));
    if faces.is_empty() {
        return Ok((changed, warnings));
    }
    Ok((Some(inject(changed.as_deref().unwrap_or(html), "", &faces, "")), warnings))
}

/// The same for a document that is held already; its faces are left to be put into the head.
fn gather_into(document: &Document, setting: &Setting<'_>) -> Result<Installed> {
    let assets = setting.scratch.join("assets");
    let localised = localise(document, setting.site, setting.folder, setting.net, &assets)?;
    let fonts = Setting { scratch: &setting.scratch.join("fonts"), ..*setting };
    let installed = fonts::install(document, &fonts)?;
    Ok(Installed { changed: localised || installed.changed, ..installed })
}
