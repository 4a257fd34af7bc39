//! What is unchanged is not drawn again: chunks are found in the cache, and put there. Nothing here fails a render: what cannot be found,
//! read or verified is drawn.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use futures::{StreamExt, stream};
use render::SideOutput;
use render::chunk::ChunkReport;
use render::plan::{ChunkContent, PRODUCER_VERSION, Planned, chunk_contents};
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::{Metadata, Store, Uri};
use tokio::time::Instant;

use crate::actions::cache::{
    Cache, Content, Entry, FROM_CACHE, FileList, VERSION, key, recipe, sealed, unsealed,
};
use crate::actions::render_chunk::{
    CAPTURE_MODE, ORIGIN, RenderChunkEvent, RenderedChunk, chunk_uri, labels,
};
use crate::actions::side_outputs::beside_chunk;
use crate::actions::worker::{Facts, Worker};
use crate::error::{Error, Result};

/// Chunks that are looked up at once, and how long that may take for all of them.
const LOOKUPS_AT_ONCE: usize = 16;
const LOOKUP_LIMIT: Duration = Duration::from_secs(20);

/// How long keeping a chunk may take, which is stored already where its render wants it.
const KEEP_LIMIT: Duration = Duration::from_secs(20);

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
            let contents = chunk_contents(dir, planned, self.options.capture).await?;
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
        let mut labels = labels(&planned.plan_hash, index, entry.frames, &entry.warnings);
        labels.insert(ORIGIN.to_owned(), entry.label.clone());
        let side_files = entry.side_files().map(|(kind, content)| {
            (content, beside_chunk(&chunk, &planned.plan_hash, kind), BTreeMap::new())
        });
        // Whoever finds the chunk finds its side outputs.
        let copies = side_files.chain([(&entry.chunk, chunk.clone(), labels)]).collect::<Vec<_>>();
        for (content, to, labels) in &copies {
            let from = cache.content(content);
            let store = self.store.temporary();
            if let Err(error) = store.copy(&from, to, &content.expected(), labels).await {
                miss(&from, &error);
                return None;
            }
            touch(&from);
        }
        touch(&list);
        touch(&kept);
        tracing::debug!(chunk = index, key, "found");
        Some(RenderedChunk {
            uri: chunk,
            report: report(entry, planned, index),
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
                miss(uri, &error);
                return None;
            }
        };
        let found = fs::read(&path).ok().and_then(|text| unsealed(&text)).filter(is_right);
        if found.is_none() {
            tracing::warn!(%uri, "an entry of the cache is not what it should be, the chunk is drawn");
            discard(uri);
        }
        found
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
        // The chunk is stored: its invocation must not end for want of time.
        let left = self.until.map(|until| until.saturating_duration_since(Instant::now().into()));
        let limit = left.map_or(KEEP_LIMIT, |left| KEEP_LIMIT.min(left / 2));
        match tokio::time::timeout(limit, keeping).await {
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
        let text = sealed(value);
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

/// What is reported of an entry as chunk `index` of a plan: nothing was done, and so nothing took any time.
fn report(entry: Entry, planned: &Planned, index: u32) -> ChunkReport {
    let range = usize::try_from(index).ok().and_then(|index| planned.chunks.get(index));
    let (start_frame, end_frame) = range.map_or((0, 0), |range| (range.start, range.end));
    ChunkReport {
        plan_hash: planned.plan_hash.clone(),
        chunk_index: index,
        start_frame,
        end_frame,
        frames_encoded: entry.frames,
        width: entry.width,
        height: entry.height,
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
        sha256: entry.chunk.sha256.clone(),
        producer_version: PRODUCER_VERSION,
        ffmpeg_version: planned.ffmpeg_version.clone(),
        side_outputs: entry.side_files().map(|(kind, _)| kind).collect(),
        warnings: entry.warnings,
        frame_hashes: entry.frame_hashes.unwrap_or_default(),
        label: entry.label,
        content: None,
        inputs: None,
    }
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

/// Tells why something is not found. Without the right to list, what is missing looks like what is not allowed.
fn miss(uri: &Uri, error: &store::Error) {
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
