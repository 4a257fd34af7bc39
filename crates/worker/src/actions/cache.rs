//! Chunks that are kept under a digest of all that their bytes depend on, so that what is unchanged is not drawn again.
//!
//! A chunk is found in two steps. What is known before its page is opened (settings, frames, tools, this build) names the list of files
//! that its page has read; their digests in the plan at hand, with that name, are the key of the chunk. Nothing here fails a render: what
//! cannot be found, read or verified is drawn.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use compose::hash::{sha256_file, sha256_hex};
use futures::{StreamExt, stream};
use render::SideOutput;
use render::chunk::ChunkReport;
use render::plan::{ChunkContent, PRODUCER_VERSION, Planned, chunk_contents};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Expected, Metadata, Store, Uri};
use tokio::time::Instant;

use crate::actions::render_chunk::{
    CAPTURE_MODE, ORIGIN, RenderChunkEvent, RenderedChunk, chunk_uri, labels,
};
use crate::actions::side_outputs::beside_chunk;
use crate::actions::worker::{Facts, Worker};
use crate::error::{Error, Result};

/// What names this build and no other.
const BUILD: &str = env!("FRAMEWRIGHT_BUILD");

/// The version of what is stored, and where it is below the prefix.
const VERSION: u32 = 1;
const FOLDER: &str = "v1";

/// Chunks that are looked up at once, and how long that may take for all of them.
const LOOKUPS_AT_ONCE: usize = 16;
const LOOKUP_LIMIT: Duration = Duration::from_secs(20);

/// How long keeping a chunk may take, which is stored already where its render wants it.
const KEEP_LIMIT: Duration = Duration::from_secs(20);

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
struct FileList {
    version: u32,
    recipe: String,
    files: Vec<String>,
}

/// A chunk that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Entry {
    version: u32,
    key: String,
    frames: u32,
    width: u32,
    height: u32,
    chunk: Content,
    /// What the chunk says of itself: the plan and the index that it was drawn for.
    label: String,
    poster: Option<Content>,
    preview: Option<Content>,
    warnings: Vec<String>,
    /// sha256 of each frame's pixels, if whoever drew it wanted them.
    frame_hashes: Option<Vec<String>>,
}

/// A file under its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    sha256: String,
    bytes: u64,
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

    fn file_list(&self, recipe: &str) -> Uri {
        self.at("files", &format!("{recipe}.json"))
    }

    fn entry(&self, key: &str) -> Uri {
        self.at("chunks", &format!("{key}.json"))
    }

    fn content(&self, content: &Content) -> Uri {
        self.at("content", &content.sha256)
    }
}

impl Content {
    fn of(file: &Path) -> Result<Self> {
        let failed =
            |source| Error::Io { action: "read", path: file.display().to_string(), source };
        let sha256 = sha256_file(file).map_err(render::Error::from)?;
        Ok(Self { sha256, bytes: fs::metadata(file).map_err(failed)?.len() })
    }

    fn expected(&self) -> Expected {
        Expected { sha256: self.sha256.clone(), bytes: self.bytes }
    }
}

impl Entry {
    /// What is reported of it as chunk `index` of a plan: nothing was done, and so nothing took any time.
    fn report(self, planned: &Planned, index: u32) -> ChunkReport {
        let range = usize::try_from(index).ok().and_then(|index| planned.chunks.get(index));
        let (start_frame, end_frame) = range.map_or((0, 0), |range| (range.start, range.end));
        ChunkReport {
            plan_hash: planned.plan_hash.clone(),
            chunk_index: index,
            start_frame,
            end_frame,
            frames_encoded: self.frames,
            width: self.width,
            height: self.height,
            duration_ms: 0,
            plan_hash_ms: 0,
            session_boot_ms: 0,
            capture_stage_ms: 0,
            encode_stage_ms: 0,
            verify_stage_ms: 0,
            workers: 0,
            reused_frames: 0,
            relaunches: 0,
            blocked_requests: 0,
            capture_mode: CAPTURE_MODE,
            frame_source: FROM_CACHE,
            frame_source_reason: None,
            output_kind: "file",
            sha256: self.chunk.sha256.clone(),
            producer_version: PRODUCER_VERSION,
            ffmpeg_version: planned.ffmpeg_version.clone(),
            side_outputs: self.side_files().map(|(kind, _)| kind).collect(),
            warnings: self.warnings,
            frame_hashes: self.frame_hashes.unwrap_or_default(),
            label: self.label,
            content: None,
            inputs: None,
        }
    }

    fn side_files(&self) -> impl Iterator<Item = (SideOutput, &Content)> {
        let poster = self.poster.iter().map(|content| (SideOutput::Poster, content));
        poster.chain(self.preview.iter().map(|content| (SideOutput::Preview, content)))
    }
}

/// The digest of what is known of a chunk before its page is opened.
fn recipe(content: &ChunkContent, tools: &str) -> String {
    let ChunkContent { frames: _, has_poster: _, has_preview: _, settings } = content;
    let parts = json!({ "version": VERSION, "build": BUILD, "tools": tools, "chunk": settings });
    sha256_hex(parts.to_string().as_bytes())
}

/// The digest of all that the bytes of a chunk depend on.
fn key(recipe: &str, files: &BTreeMap<String, Option<String>>) -> String {
    sha256_hex(json!([recipe, files]).to_string().as_bytes())
}

/// Marks what is in a local cache as just used.
fn touch(uri: &Uri) {
    if let Uri::File(path) = uri {
        let _removed_meanwhile =
            fs::File::open(path).and_then(|file| file.set_modified(std::time::SystemTime::now()));
    }
}

/// Removes from a local cache what is not what it should be. In a bucket, it is written over when the chunk has been drawn.
fn discard(uri: &Uri) {
    if let Uri::File(path) = uri {
        let _removed_meanwhile = fs::remove_file(path);
    }
}

/// Where chunks are copied to that are found.
#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    planned: &'a Planned,
    prefix: &'a Uri,
    scratch: &'a Path,
    tools: &'a str,
}

impl<S: Store> Worker<'_, S> {
    /// The cache, unless what is drawn is meant to be wrong.
    fn cache(&self) -> Option<&Cache> {
        self.cache.filter(|_| self.options.fault.is_none())
    }

    /// Copies those chunks of the plan in `dir` that are kept to where they are expected below `prefix`. Answers them in the order of all
    /// chunks.
    pub(super) async fn find_chunks(
        &self,
        dir: &Path,
        planned: &Planned,
        prefix: &Uri,
        scratch: &Path,
    ) -> Vec<Option<RenderedChunk>> {
        let Some(cache) = self.cache() else { return Vec::new() };
        let found = async {
            let tools = &self.toolbox.identity().await?;
            let contents = chunk_contents(dir, planned, self.options.capture)?;
            let until = Instant::now() + LOOKUP_LIMIT;
            let place = Place { planned, prefix, scratch, tools };
            let finding = (0..).zip(&contents).map(|(index, content)| async move {
                let finding = self.find_chunk(cache, index, content, place);
                tokio::time::timeout_at(until, finding).await.ok().flatten()
            });
            Ok::<_, Error>(stream::iter(finding).buffered(LOOKUPS_AT_ONCE).collect().await)
        };
        found.await.unwrap_or_else(|error| {
            tracing::warn!(error = error.chain(), "no chunk is looked up");
            Vec::new()
        })
    }

    async fn find_chunk(
        &self,
        cache: &Cache,
        index: u32,
        content: &ChunkContent,
        place: Place<'_>,
    ) -> Option<RenderedChunk> {
        let Place { planned, prefix, scratch, tools } = place;
        let recipe = recipe(content, tools);
        let list = cache.file_list(&recipe);
        let is_right = |list: &FileList| list.version == VERSION && list.recipe == recipe;
        let FileList { files, .. } = self.kept(&list, is_right, scratch).await?;
        let key = key(&recipe, &planned.digests(&files));
        let kept = cache.entry(&key);
        let is_right = |entry: &Entry| {
            entry.version == VERSION
                && entry.key == key
                && entry.frames == content.frames
                && entry.poster.is_some() == content.has_poster
                && entry.preview.is_some() == content.has_preview
        };
        let entry = self.kept::<Entry>(&kept, is_right, scratch).await?;
        let wants_hashes = self.options.hashes == render::FrameHashes::Compute;
        if wants_hashes && entry.frame_hashes.is_none() {
            return None;
        }
        let chunk = chunk_uri(prefix, index, planned.format);
        let mut copies: Vec<_> = entry
            .side_files()
            .map(|(kind, content)| (content, beside_chunk(&chunk, &planned.plan_hash, kind)))
            .collect();
        // Whoever finds the chunk finds its side outputs.
        copies.push((&entry.chunk, chunk.clone()));
        let mut labels = labels(&planned.plan_hash, index, entry.frames, &entry.warnings);
        labels.insert(ORIGIN.to_owned(), entry.label.clone());
        for (content, to) in &copies {
            let from = cache.content(content);
            let store = self.store.temporary();
            if let Err(error) = store.copy(&from, to, &content.expected(), &labels).await {
                self.miss(&from, &error);
                return None;
            }
            touch(&from);
        }
        touch(&list);
        touch(&kept);
        tracing::debug!(chunk = index, key, "found");
        Some(RenderedChunk {
            uri: chunk,
            report: entry.report(planned, index),
            facts: Facts { was_there: true, ..Facts::default() },
        })
    }

    /// What is kept at `uri`, if it is there and right.
    async fn kept<T: DeserializeOwned>(
        &self,
        uri: &Uri,
        is_right: impl FnOnce(&T) -> bool,
        scratch: &Path,
    ) -> Option<T> {
        let path = match self.store.file(uri, scratch).await {
            Ok(file) => file.path,
            Err(error) => {
                self.miss(uri, &error);
                return None;
            }
        };
        let read = fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let found = read.filter(is_right);
        if found.is_none() {
            tracing::warn!(%uri, "an entry of the cache is not what it should be, the chunk is drawn");
            discard(uri);
        }
        found
    }

    /// Tells why something is not found. Without the right to list, what is missing looks like what is not allowed.
    fn miss(&self, uri: &Uri, error: &store::Error) {
        match error {
            store::Error::Missing { .. } => tracing::debug!(%uri, "not in the cache"),
            store::Error::Denied { .. } => tracing::debug!(%uri, %error, "not in the cache"),
            store::Error::Digest { .. } | store::Error::Length { .. } => {
                tracing::warn!(%uri, %error, "an entry of the cache is not what it should be, the chunk is drawn");
                discard(uri);
            }
            error => tracing::warn!(%uri, %error, "the cache cannot be read, the chunk is drawn"),
        }
    }

    /// Keeps a chunk that was drawn and stored, with what was made besides it.
    pub(super) async fn keep_chunk(
        &self,
        event: &RenderChunkEvent,
        file: &Path,
        report: &ChunkReport,
    ) {
        let Some(cache) = self.cache() else { return };
        let (Some(inputs), Some(content)) = (&report.inputs, &report.content) else {
            tracing::debug!("the page has asked for too much to say what the chunk depends on");
            return;
        };
        // Another try may read the same frames without a fault, and warn of none.
        if report.frame_source_reason == Some(render::PngReason::Mismatch.name()) {
            return;
        }
        let keeping = self.keep(cache, event, file, report, (content, inputs));
        match tokio::time::timeout(KEEP_LIMIT, keeping).await {
            Ok(Ok(key)) => tracing::debug!(key, "kept"),
            Ok(Err(error)) => tracing::warn!(error = error.chain(), "the chunk is not kept"),
            Err(_elapsed) => tracing::warn!("keeping the chunk takes too long"),
        }
    }

    async fn keep(
        &self,
        cache: &Cache,
        event: &RenderChunkEvent,
        file: &Path,
        report: &ChunkReport,
        (content, inputs): (&ChunkContent, &BTreeMap<String, Option<String>>),
    ) -> Result<String> {
        let recipe = recipe(content, &self.toolbox.identity().await?);
        let key = key(&recipe, inputs);
        let stored = event.chunk();
        let side = |kind: SideOutput| {
            let is_made = report.side_outputs.contains(&kind);
            is_made.then(|| Content::of(&kind.beside(file))).transpose()
        };
        let entry = Entry {
            version: VERSION,
            key: key.clone(),
            frames: report.frames_encoded,
            width: report.width,
            height: report.height,
            chunk: Content::of(file)?,
            label: report.label.clone(),
            poster: side(SideOutput::Poster)?,
            preview: side(SideOutput::Preview)?,
            warnings: report.warnings.clone(),
            frame_hashes: (!report.frame_hashes.is_empty()).then(|| report.frame_hashes.clone()),
        };
        let side_files = entry
            .side_files()
            .map(|(kind, content)| (content, beside_chunk(&stored, &event.plan_hash, kind)));
        let files = side_files.chain([(&entry.chunk, stored.clone())]).collect::<Vec<_>>();
        for (content, from) in files {
            let to = cache.content(content);
            self.store.copy(&from, &to, &content.expected(), &BTreeMap::new()).await?;
        }
        let list = FileList {
            version: VERSION,
            recipe: recipe.clone(),
            files: inputs.keys().cloned().collect(),
        };
        // Whoever finds an entry finds its content.
        let folder = file.parent().unwrap_or(Path::new("."));
        self.keep_json(&entry, &cache.entry(&key), folder).await?;
        self.keep_json(&list, &cache.file_list(&recipe), folder).await?;
        Ok(key)
    }

    async fn keep_json(&self, value: &impl Serialize, uri: &Uri, folder: &Path) -> Result<()> {
        let text = serde_json::to_vec(value).expect("an entry has nothing that JSON has not");
        let written = tempfile::NamedTempFile::new_in(folder)
            .and_then(|file| fs::write(file.path(), text).map(|()| file));
        let file = written.map_err(|source| Error::Io {
            action: "write in",
            path: folder.display().to_string(),
            source,
        })?;
        Ok(self.store.put_file(file.path(), uri, &Metadata::default()).await?)
    }
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
