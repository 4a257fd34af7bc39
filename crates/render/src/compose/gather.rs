//! What a page needs from elsewhere, gathered into its own folder: files of other hosts, then fonts.

use dom_query::Document;

use crate::compose::fonts::{self, Installed, Setting};
use crate::compose::remote::localise;
use crate::error::Result;

/// Gathers for a whole document and answers its text if it had to be changed.
pub(crate) fn gather(html: &str, setting: &Setting<'_>) -> Result<(Option<String>, Vec<String>)> {
    let document = Document::from(html);
    let Installed { changed, warnings } = gather_into(&document, setting)?;
    Ok((changed.then(|| document.html().to_string()), warnings))
}

/// The same for a document that is held already.
pub(crate) fn gather_into(document: &Document, setting: &Setting<'_>) -> Result<Installed> {
    let assets = setting.scratch.join("assets");
    let localised = localise(document, setting.site, setting.folder, setting.net, &assets)?;
    let fonts = Setting { scratch: &setting.scratch.join("fonts"), ..*setting };
    let installed = fonts::install(document, &fonts)?;
    Ok(Installed { changed: localised || installed.changed, ..installed })
}
