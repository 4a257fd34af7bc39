//! The renderChunk action: some frames of a plan become a video.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::time::Instant;

use render::chunk::{ChunkOptions, ChunkReport, render_chunk};
use render::config::output::Format;
use serde::{Deserialize, Serialize};
use store::{Metadata, Store, Uri};

use crate::actions::fields::{self, Fields};
use crate::actions::marker::Counted;
use crate::actions::protocol::PlanLocation;
use crate::actions::side_outputs::beside_chunk;
use crate::actions::worker::{Facts, Worker, bounded, check_format, first};
use crate::error::Result;
use crate::time::millis_since;
use crate::workdir::WorkDir;

// The metadata of a stored chunk.
const PLAN_HASH: &str = "plan-hash";
const CHUNK_INDEX: &str = "chunk-index";
const FRAMES: &str = "frames";
const WARNINGS: &str = "warnings";
/// What the chunk says of itself, if it was drawn for another plan in which it is the same.
pub(super) const ORIGIN: &str = "origin";

pub(super) const CAPTURE_MODE: &str = "beginframe";

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RenderChunkEvent {
    pub(crate) plan: PlanLocation,
    pub(crate) plan_hash: String,
    pub(crate) chunk_index: u32,
    pub(crate) output_prefix: Uri,
    /// The plan says it too, and decides.
    pub(crate) format: Format,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wire {
    #[serde(deserialize_with = "fields::sha256")]
    plan_hash: String,
    #[serde(deserialize_with = "fields::index")]
    chunk_index: u32,
    #[serde(rename = "ChunkOutputS3Prefix", deserialize_with = "fields::uri")]
    output_prefix: Uri,
    #[serde(default = "fields::default_format", deserialize_with = "fields::format")]
    format: Format,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct RenderChunkAnswer {
    #[serde(rename = "ChunkS3Uri")]
    pub(crate) chunk: Uri,
    pub(crate) chunk_index: u32,
    pub(crate) sha256: String,
    pub(crate) frames_encoded: u32,
    pub(crate) capture_mode: &'static str,
    pub(crate) duration_ms: u64,
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "bounded")]
    pub(crate) warnings: Vec<String>,
}

/// A chunk that is stored already.
struct EarlierChunk {
    sha256: String,
    frames: u32,
    warnings: Vec<String>,
}

/// A chunk that was rendered and stored.
#[derive(Debug)]
pub(crate) struct RenderedChunk {
    pub(crate) uri: Uri,
    pub(crate) report: ChunkReport,
    pub(super) facts: Facts,
}

impl RenderChunkEvent {
    pub(super) fn read(fields: &Fields) -> Result<Self> {
        let plan = PlanLocation::read(fields)?;
        let Wire { plan_hash, chunk_index, output_prefix, format } = fields.read()?;
        Ok(Self { plan, plan_hash, chunk_index, output_prefix, format })
    }

    pub(super) fn uris(&self) -> Vec<(String, &Uri)> {
        let Self { plan, output_prefix, plan_hash: _, chunk_index: _, format: _ } = self;
        let mut uris = plan.uris();
        uris.push(("ChunkOutputS3Prefix".to_owned(), output_prefix));
        uris
    }

    /// Where the chunk is stored.
    pub(super) fn chunk(&self) -> Uri {
        chunk_uri(&self.output_prefix, self.chunk_index, self.format)
    }
}

fn file_name(index: u32, format: Format) -> String {
    format!("{index:04}.{}", format.chunk_extension())
}

/// Where chunk `index` is stored below `prefix`.
pub(super) fn chunk_uri(prefix: &Uri, index: u32, format: Format) -> Uri {
    prefix.join("chunks").join(&file_name(index, format))
}

/// The metadata of a stored chunk.
pub(super) fn labels(
    plan_hash: &str,
    index: u32,
    frames: u32,
    warnings: &[String],
) -> BTreeMap<String, String> {
    let labels = [
        (PLAN_HASH, plan_hash.to_owned()),
        (CHUNK_INDEX, index.to_string()),
        (FRAMES, frames.to_string()),
    ];
    let warnings = (!warnings.is_empty()).then(|| (WARNINGS, ascii_json(&first(warnings))));
    labels.into_iter().chain(warnings).map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Whether these labels are those of chunk `index` of a plan.
fn is_chunk(labels: &BTreeMap<String, String>, plan_hash: &str, index: u32) -> bool {
    labels.get(PLAN_HASH).is_some_and(|hash| hash == plan_hash)
        && labels.get(CHUNK_INDEX).is_some_and(|found| *found == index.to_string())
}

/// What the file with these labels says of itself, if they are those of a chunk of this plan that was drawn for another one.
pub(super) fn origin(
    labels: &BTreeMap<String, String>,
    plan_hash: &str,
    index: u32,
) -> Option<String> {
    labels.get(ORIGIN).filter(|_| is_chunk(labels, plan_hash, index)).cloned()
}

/// JSON that can stand in a header.
fn ascii_json(value: &[String]) -> String {
    let text = serde_json::to_string(value).expect("texts are JSON");
    let mut ascii = String::new();
    for c in text.chars() {
        if matches!(c, ' '..='~') {
            ascii.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(ascii, "\\u{unit:04x}").expect("writing to a string does not fail");
            }
        }
    }
    ascii
}

impl<S: Store> Worker<'_, S> {
    /// Renders the chunk, unless an earlier try has stored it.
    pub(crate) async fn render_chunk(
        &self,
        event: &RenderChunkEvent,
    ) -> Result<(RenderChunkAnswer, Facts)> {
        let start = Instant::now();
        if let Some(EarlierChunk { sha256, frames, warnings }) = self.earlier_chunk(event).await {
            let answer = RenderChunkAnswer {
                chunk: event.chunk(),
                chunk_index: event.chunk_index,
                sha256,
                frames_encoded: frames,
                capture_mode: CAPTURE_MODE,
                duration_ms: millis_since(start),
                warnings,
            };
            let facts = Facts { frames: Some(frames), was_there: true, ..Facts::default() };
            return Ok((answer, facts));
        }
        let RenderedChunk { uri, report, facts } = self.render_new_chunk(event).await?;
        let answer = RenderChunkAnswer {
            chunk: uri,
            chunk_index: event.chunk_index,
            sha256: report.sha256.clone(),
            frames_encoded: report.frames_encoded,
            capture_mode: report.capture_mode,
            duration_ms: millis_since(start),
            warnings: report.warnings.clone(),
        };
        Ok((answer, Facts { report: Some(Box::new(report)), ..facts }))
    }

    /// Renders the chunk, whatever is stored.
    pub(crate) async fn render_new_chunk(&self, event: &RenderChunkEvent) -> Result<RenderedChunk> {
        let RenderChunkEvent { plan, plan_hash, chunk_index, output_prefix: _, format } = event;
        let start = Instant::now();
        let work = WorkDir::make(self.scratch)?;
        let fetching = self.fetch_plan(plan, work.path());
        let (tools, plan) = tokio::try_join!(self.toolbox.drawing(), fetching)?;
        let fetch = Some(millis_since(start));

        let working = Instant::now();
        check_format(&plan, *format)?;
        let out = work.path().join(file_name(*chunk_index, *format));
        let counted = Counted::new(self.options.progress);
        let options = ChunkOptions { progress: &counted, ..self.options };
        let rendering =
            Box::pin(render_chunk(&tools, &plan, *chunk_index, plan_hash, &out, options));
        let report = if S::TREE_SUFFIX.is_empty() {
            // Whoever waits for it here ends it by a signal.
            rendering.await?
        } else {
            let (prefix, index) = (&event.output_prefix, *chunk_index);
            tokio::select! {
                rendered = rendering => rendered?,
                cancelled = self.until_cancelled(prefix, index, &counted, work.path()) => return Err(cancelled),
            }
        };
        let spent = Some(millis_since(working));

        let storing = Instant::now();
        let uri = event.chunk();
        self.store_chunk(&out, &uri, event, &report).await?;
        self.keep_chunk(event, &out, &report).await;
        let facts = Facts {
            fetch,
            work: spent,
            store: Some(millis_since(storing)),
            frames: Some(report.frames_encoded),
            bytes: std::fs::metadata(&out).ok().map(|file| file.len()),
            ..Facts::default()
        };
        Ok(RenderedChunk { uri, report, facts })
    }

    /// Stores the chunk after its side outputs: whoever finds the chunk finds them.
    async fn store_chunk(
        &self,
        chunk: &Path,
        uri: &Uri,
        event: &RenderChunkEvent,
        report: &ChunkReport,
    ) -> Result<()> {
        let store = self.store.temporary();
        for side_output in &report.side_outputs {
            let to = beside_chunk(uri, &event.plan_hash, *side_output);
            let file = side_output.beside(chunk);
            store.put_file(&file, &to, &Metadata::default()).await?;
        }
        let RenderChunkEvent { plan_hash, chunk_index, .. } = event;
        let metadata = Metadata {
            sha256: Some(report.sha256.clone()),
            labels: labels(plan_hash, *chunk_index, report.frames_encoded, &report.warnings),
        };
        Ok(store.put_file(chunk, uri, &metadata).await?)
    }

    /// A chunk that an earlier try has stored, or that was kept from another render: the same plan and index make the same bytes.
    async fn earlier_chunk(&self, event: &RenderChunkEvent) -> Option<EarlierChunk> {
        let Metadata { sha256, labels } = match self.store.metadata(&event.chunk()).await {
            Ok(metadata) => metadata?,
            Err(error) => {
                // Whoever may not read may still be allowed to write.
                tracing::debug!(%error, "the metadata of an earlier try's chunk cannot be read");
                return None;
            }
        };
        let frames = labels.get(FRAMES)?.parse().ok()?;
        let warnings = match labels.get(WARNINGS) {
            Some(text) => serde_json::from_str(text).ok()?,
            None => Vec::new(),
        };
        let is_this = is_chunk(&labels, &event.plan_hash, event.chunk_index);
        sha256.filter(|_| is_this).map(|sha256| EarlierChunk { sha256, frames, warnings })
    }
}
