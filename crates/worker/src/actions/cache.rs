//! Where chunks are kept, and under which names: digests of all that their bytes depend on.
//!
//! A chunk is found in two steps. What is known before its page is opened (settings, frames, tools, this build) names the list of files
//! that its page has read; their digests in the plan at hand, with that name, are the key of the chunk.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use compose::hash::{sha256_file, sha256_hex};
use render::SideOutput;
use render::plan::ChunkContent;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Expected, Uri};

use crate::error::{Error, Result};

/// What names this build and no other.
const BUILD: &str = env!("BUILD_DIGEST");

/// The version of what is stored, and where it is below the prefix.
pub(super) const VERSION: u32 = 1;
const FOLDER: &str = "v1";

/// Where the frames of a chunk come from that was found.
pub(crate) const FROM_CACHE: &str = "cache";

/// Where chunks are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cache {
    prefix: Uri,
}

/// The files that a page has read.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct FileList {
    pub(super) version: u32,
    pub(super) recipe: String,
    pub(super) files: Vec<String>,
}

/// A chunk that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) version: u32,
    pub(super) key: String,
    pub(super) frames: u32,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) chunk: Content,
    /// What the chunk says of itself: the plan and the index that it was drawn for.
    pub(super) label: String,
    pub(super) poster: Option<Content>,
    pub(super) preview: Option<Content>,
    pub(super) warnings: Vec<String>,
    /// sha256 of each frame's pixels, if whoever drew it wanted them.
    pub(super) frame_hashes: Option<Vec<String>>,
}

/// A file under its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Content {
    pub(super) sha256: String,
    pub(super) bytes: u64,
}

impl Cache {
    pub(crate) fn new(prefix: Uri) -> Self {
        Self { prefix }
    }

    /// Whether `uri` is in it, or names a prefix of it.
    pub(crate) fn holds(&self, uri: &Uri) -> bool {
        let slashed = |uri: &Uri| format!("{}/", uri.to_string().trim_end_matches('/'));
        slashed(uri).starts_with(&slashed(&self.prefix))
    }

    fn at(&self, folder: &str, name: &str) -> Uri {
        self.prefix.join(FOLDER).join(folder).join(name)
    }

    pub(super) fn file_list(&self, recipe: &str) -> Uri {
        self.at("files", &format!("{recipe}.json"))
    }

    pub(super) fn entry(&self, key: &str) -> Uri {
        self.at("chunks", &format!("{key}.json"))
    }

    pub(super) fn content(&self, content: &Content) -> Uri {
        self.at("content", &content.sha256)
    }
}

impl Content {
    pub(super) fn of(file: &Path) -> Result<Self> {
        let failed =
            |source| Error::Io { action: "read", path: file.display().to_string(), source };
        let sha256 = sha256_file(file).map_err(render::Error::from)?;
        Ok(Self { sha256, bytes: fs::metadata(file).map_err(failed)?.len() })
    }

    pub(super) fn expected(&self) -> Expected {
        Expected { sha256: self.sha256.clone(), bytes: self.bytes }
    }
}

impl Entry {
    pub(super) fn side_files(&self) -> impl Iterator<Item = (SideOutput, &Content)> {
        let poster = self.poster.iter().map(|content| (SideOutput::Poster, content));
        poster.chain(self.preview.iter().map(|content| (SideOutput::Preview, content)))
    }
}

/// The digest of what is known of a chunk before its page is opened.
pub(super) fn recipe(content: &ChunkContent, tools: &str) -> String {
    let ChunkContent { frames: _, has_poster: _, has_preview: _, settings } = content;
    let parts = json!({ "version": VERSION, "build": BUILD, "tools": tools, "chunk": settings });
    sha256_hex(parts.to_string().as_bytes())
}

/// The digest of all that the bytes of a chunk depend on.
pub(super) fn key(recipe: &str, files: &BTreeMap<String, Option<String>>) -> String {
    sha256_hex(json!([recipe, files]).to_string().as_bytes())
}

/// JSON below its own digest, so that no other change of it is read than one that somebody means.
pub(super) fn sealed(value: &impl Serialize) -> Vec<u8> {
    let json = serde_json::to_string(value).expect("an entry has nothing that JSON has not");
    format!("{}\n{json}", sha256_hex(json.as_bytes())).into_bytes()
}

/// What was sealed, if it still is.
pub(super) fn unsealed<T: DeserializeOwned>(text: &[u8]) -> Option<T> {
    let (digest, json) = std::str::from_utf8(text).ok()?.split_once('\n')?;
    (sha256_hex(json.as_bytes()) == digest).then(|| serde_json::from_str(json).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(settings: &str) -> ChunkContent {
        let settings = settings.to_owned();
        ChunkContent { frames: 3, has_poster: false, has_preview: false, settings }
    }

    fn files(files: &[(&str, Option<&str>)]) -> BTreeMap<String, Option<String>> {
        let owned =
            |(path, digest): &(&str, Option<&str>)| ((*path).to_owned(), digest.map(str::to_owned));
        files.iter().map(owned).collect()
    }

    #[test]
    fn a_key_changes_with_the_settings_the_tools_and_every_file_that_was_asked_for() {
        let usual = recipe(&content("a"), "tools");
        assert_eq!(usual, recipe(&content("a"), "tools"));
        assert_ne!(usual, recipe(&content("b"), "tools"));
        assert_ne!(usual, recipe(&content("a"), "other tools"));
        let of = |list: &[(&str, Option<&str>)]| key(&usual, &files(list));
        let all = [
            of(&[("a", Some("1"))]),
            of(&[("a", Some("2"))]),
            of(&[("a", None)]),
            of(&[("b", Some("1"))]),
            of(&[("a", Some("1")), ("b", None)]),
            key("another", &files(&[("a", Some("1"))])),
        ];
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
    }

    #[test]
    fn what_is_sealed_is_read_back_unless_it_has_changed() {
        let list = FileList { version: 1, recipe: "r".to_owned(), files: vec!["a".to_owned()] };
        let text = sealed(&list);
        assert_eq!(unsealed(&text), Some(list));
        for at in [0, 70, text.len() - 3] {
            let mut changed = text.clone();
            changed[at] ^= 1;
            assert_eq!(unsealed::<FileList>(&changed), None, "byte {at}");
        }
        assert_eq!(unsealed::<FileList>(&text[..text.len() - 1]), None);
        assert_eq!(unsealed::<FileList>(b""), None);
    }

    #[test]
    fn a_cache_holds_what_is_below_its_prefix() {
        let cache = Cache::new(Uri::parse("s3://bucket/cache/").unwrap());
        for (uri, expected) in [
            ("s3://bucket/cache/v1/chunks/x", true),
            ("s3://bucket/cache", true),
            ("s3://bucket/cached/x", false),
            ("s3://bucket/work/cache/x", false),
            ("s3://other/cache/x", false),
        ] {
            assert_eq!(cache.holds(&Uri::parse(uri).unwrap()), expected, "{uri}");
        }
    }
}
