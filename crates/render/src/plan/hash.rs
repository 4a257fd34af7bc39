//! planHash: the digest that names a plan's content, computed from the files as they are on disk.

use std::collections::BTreeMap;
use std::path::Path;

use compose::hash::{hex, sha256_file, sha256_hex};
use compose::tree;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::plan::layout::{self, Dimensions};

/// The one text that stands for a value in a hash: JSON as RFC 8785 writes it, with sorted keys, no blanks, and numbers as
/// JavaScript prints them.
pub(crate) fn canonical_json(value: &impl Serialize) -> String {
    serde_json_canonicalizer::to_string(value).expect("plan files have nothing that JSON has not")
}

/// What goes into the digest besides the files under their own names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity<'a> {
    pub(crate) font_snapshot_sha: &'a str,
    pub(crate) producer_version: &'a str,
    pub(crate) ffmpeg_version: &'a str,
    pub(crate) dimensions: &'a Dimensions,
}

/// The sha256 of each file of a plan but `plan.json`, by its path in the plan.
pub(crate) type FileDigests = BTreeMap<String, String>;

/// Hashes the plan in `dir`, and answers its files' own digests as well.
pub(crate) fn plan_digest(dir: &Path, identity: Identity<'_>) -> Result<(String, FileDigests)> {
    let read = |artifact: &str| {
        let path = dir.join(artifact);
        std::fs::read(&path).map_err(Error::io("read", &path))
    };
    let html = read(layout::INDEX_HTML)?;
    let encoder = read(layout::ENCODER_JSON)?;
    let mut files = FileDigests::new();
    for path in tree::files(dir)? {
        if ![layout::PLAN_JSON, layout::ENCODER_JSON, layout::INDEX_HTML].contains(&path.as_str()) {
            let sha = sha256_file(&dir.join(&path))?;
            files.insert(path, sha);
        }
    }
    let assets = files.clone().into_iter().collect();
    let hash = digest(&html, assets, &encoder, identity);
    files.insert(layout::INDEX_HTML.to_owned(), sha256_hex(&html));
    files.insert(layout::ENCODER_JSON.to_owned(), sha256_hex(&encoder));
    Ok((hash, files))
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
    use serde_json::json;

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

    #[test]
    fn keys_are_sorted_by_utf16_units_at_every_depth() {
        let value = json!({"b": {"z": 1, "a": [true, null]}, "a": 4.0, "\u{ffff}": 1, "😀": 2});
        assert_eq!(
            canonical_json(&value),
            "{\"a\":4,\"b\":{\"a\":[true,null],\"z\":1},\"😀\":2,\"\u{ffff}\":1}"
        );
    }

    #[test]
    fn strings_keep_what_json_stringify_keeps() {
        assert_eq!(
            canonical_json(&json!("\u{2028}\u{7f}\"\\\n\u{1}")),
            "\"\u{2028}\u{7f}\\\"\\\\\\n\\u0001\""
        );
    }

    #[test]
    fn a_manifest_hashes_to_the_vector_of_the_content_addressed_format() {
        let manifest = json!({
            "protocol": {
                "schemaVersion": 2,
                "artifactLayout": "content-addressed-plan-v2",
                "hashSchema": "hyperframes-plan-manifest-hash-v2",
            },
            "sourcePlanV1Hash": "a".repeat(64),
            "chunkCount": 2,
            "totalFrames": 60,
            "fps": 30,
            "width": 640,
            "height": 360,
            "format": "mp4",
            "ffmpegVersion": "ffmpeg version 6.1.1",
            "producerVersion": "0.8.10",
            "limitations": { "videoDependencyMode": "exact-rendered-frames" },
            "artifacts": [
                { "path": "plan.json", "sha256": "b".repeat(64), "sizeBytes": 10, "chunks": "all", "assembler": true },
                {
                    "path": "video-frames/v1/frame_00001.jpg",
                    "sha256": "c".repeat(64),
                    "sizeBytes": 11,
                    "chunks": [0],
                    "assembler": false,
                },
            ],
        });
        let text = format!("hyperframes-plan-manifest-hash-v2\0{}", canonical_json(&manifest));
        let expected = "5a9701eb76e9e4d4299ed2c378131edbed76faf61d179fa60884d43e40910552";
        assert_eq!(sha256_hex(text.as_bytes()), expected);
    }

    #[test]
    fn numbers_are_printed_as_javascript_prints_them() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (-2.25, "-2.25"),
            (1e21, "1e+21"),
            (1e20, "100000000000000000000"),
            (1e-6, "0.000001"),
            (1.25e-7, "1.25e-7"),
            (0.1 + 0.2, "0.30000000000000004"),
        ] {
            assert_eq!(canonical_json(&value), text);
        }
    }
}
