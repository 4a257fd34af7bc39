//! Which fonts the planner had, as one digest, so that a plan says when they were others.

use std::fs;
use std::path::Path;

use compose::hash::sha256_hex;
use compose::tree;

use crate::error::{Error, Result};
use crate::plan::hash::canonical_json;

/// sha256 over the canonical families and how many bytes of each are installed.
pub(super) fn font_snapshot(fonts: &Path) -> Result<String> {
    let mut families = serde_json::Map::new();
    for path in tree::files(fonts)? {
        if let (Some((family, _)), true) = (
            path.split_once('/'),
            Path::new(&path).extension().is_some_and(|extension| extension == "woff2"),
        ) {
            let file = fonts.join(&path);
            let bytes = fs::metadata(&file).map_err(Error::io("look at", &file))?.len();
            let sum = families.get(family).and_then(serde_json::Value::as_u64).unwrap_or(0) + bytes;
            families.insert(family.to_owned(), sum.into());
        }
    }
    Ok(sha256_hex(canonical_json(&families).as_bytes()))
}
