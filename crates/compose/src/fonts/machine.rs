//! Fonts that Chrome falls back to where no family of the page has a letter: symbols, mathematics and emoji among them.

use std::path::Path;

use crate::error::{Error, Result};
use crate::fonts::cmap::{Coverage, coverage_of_file};

/// Families of operating systems, in lower case, for which those fonts stand: nothing else has to be found for them.
const STOOD_FOR: [&str; 9] = [
    "apple color emoji",
    "segoe ui emoji",
    "segoe ui symbol",
    "noto color emoji",
    "noto emoji",
    "twemoji mozilla",
    "android emoji",
    "emojisymbols",
    "noto sans symbols 2",
];

pub(super) fn is_of_the_machine(family: &str) -> bool {
    STOOD_FOR.contains(&family.to_lowercase().as_str())
}

/// What each font below `dir` can draw.
pub(super) fn coverages(dir: &Path) -> Result<Vec<Coverage>> {
    let mut found = Vec::new();
    for name in crate::tree::files(dir)? {
        let extension = name.rsplit('.').next().unwrap_or_default();
        if ["ttf", "otf"].contains(&extension) {
            let file = dir.join(&name);
            found.push(coverage_of_file(&file).map_err(Error::io("read", &file))?);
        }
    }
    Ok(found)
}
