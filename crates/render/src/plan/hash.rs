//! planHash: the digest that names a plan's content, computed from the files as they are on disk.

use std::path::Path;

use compose::hash::{hex, sha256_file};
use compose::tree;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::plan::layout::{self, Dimensions};

/// What goes into the digest besides the files under their own names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity<'a> {
    pub(crate) font_snapshot_sha: &'a str,
    pub(crate) producer_version: &'a str,
    pub(crate) ffmpeg_version: &'a str,
    pub(crate) dimensions: &'a Dimensions,
}

/// Hashes the plan in `dir`.
pub(crate) fn plan_digest(dir: &Path, identity: Identity<'_>) -> Result<String> {
    let read = |artifact: &str| {
        let path = dir.join(artifact);
        std::fs::read(&path).map_err(Error::io("read", &path))
    };
    let html = read(layout::INDEX_HTML)?;
    let encoder = read(layout::ENCODER_JSON)?;
    let mut assets = Vec::new();
    for path in tree::files(dir)? {
        if ![layout::PLAN_JSON, layout::ENCODER_JSON, layout::INDEX_HTML].contains(&path.as_str()) {
            let sha = sha256_file(&dir.join(&path))?;
            assets.push((path, sha));
        }
    }
    Ok(digest(&html, assets, &encoder, identity))
}

fn digest(
    html: &[u8],
    mut assets: Vec<(String, String)>,
    encoder: &[u8],
    identity: Identity<'_>,
) -> String {
    let Identity { font_snapshot_sha, producer_version, ffmpeg_version, dimensions } = identity;
    let Dimensions { fps_num, fps_den, width, height, format } = dimensions;
    assets.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
    let mut hasher = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hasher.update(bytes);
        hasher.update([0]);
    };
    part(layout::HASH_SCHEMA.as_bytes());
    part(html);
    for (path, sha) in &assets {
        part(path.as_bytes());
        part(sha.as_bytes());
    }
    part(font_snapshot_sha.as_bytes());
    part(encoder);
    part(producer_version.as_bytes());
    part(ffmpeg_version.as_bytes());
    hasher.update(format!("{fps_num}/{fps_den}x{width}x{height}x{format}"));
    hex(hasher.finalize().as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_format_s_own_vector_is_met() {
        let dimensions = Dimensions {
            fps_num: 30,
            fps_den: 1,
            width: 1920,
            height: 1080,
            format: "mp4".to_owned(),
        };
        let (a, b) = ("a".repeat(64), "b".repeat(64));
        let assets = vec![("assets/b.png".to_owned(), b), ("assets/a.png".to_owned(), a)];
        let found = digest(
            b"<!doctype html><html><body>hi</body></html>",
            assets,
            br#"{"closedGop":true,"encoder":"libx264-software","gopSize":240}"#,
            Identity {
                font_snapshot_sha: &"f".repeat(64),
                producer_version: "0.5.7",
                ffmpeg_version: "ffmpeg version 6.1.1",
                dimensions: &dimensions,
            },
        );
        assert_eq!(found, "995b4105a1a629965e85dc5d92c6aab9b888e39acdb14369d1bc781aa3247a94");
    }
}
