//! One event in, one answer out: fetches what the work needs, has it done, stores what came of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use futures::{StreamExt, TryStreamExt, stream};
use render::Patience;
use render::assemble::{ChunkFile, assemble};
use render::chunk::{ChunkOptions, render_chunk};
use render::config::Settings;
use render::plan::{PRODUCER_VERSION, plan};
use render::remote::Net;
use serde_json::{Map, Value};
use store::{About, Store, Uri};

use crate::deadline::millis;
use crate::error::{Error, Result};
use crate::event::{Answer, Event};
use crate::toolbox::Toolbox;
use crate::workdir::WorkDir;

/// Chunks that are fetched at the same time.
const FETCHES_AT_ONCE: usize = 8;

/// What a stored chunk says of itself.
const PLAN_HASH: &str = "plan-hash";
const CHUNK_INDEX: &str = "chunk-index";
const FRAMES: &str = "frames";

/// What every invocation of this process has in common.
#[derive(Debug)]
pub(crate) struct Worker<'a, S> {
    pub(crate) store: &'a S,
    pub(crate) toolbox: &'a Toolbox,
    pub(crate) env: &'a BTreeMap<String, String>,
    /// Where work directories are made.
    pub(crate) scratch: &'a Path,
    pub(crate) options: ChunkOptions<'a>,
}

/// What planning reaches of other hosts: everything public, unless the environment says that there is no way out.
fn net(env: &BTreeMap<String, String>) -> Net {
    match env.get("FRAMEWRIGHT_OFFLINE").map(String::as_str) {
        None | Some("" | "0") => Net::public(),
        Some(_) => Net::offline(),
    }
}

/// What an invocation took, for its log line. Times are milliseconds.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) fetch: Option<u64>,
    pub(crate) work: Option<u64>,
    pub(crate) store: Option<u64>,
    pub(crate) frames: Option<u32>,
    /// Bytes of what was made.
    pub(crate) bytes: Option<u64>,
    pub(crate) chunks: Option<u64>,
    /// Whether an earlier try had already made it.
    pub(crate) was_there: bool,
}

impl<S: Store> Worker<'_, S> {
    /// Does what `event` asks for, in a work directory of its own that is gone afterwards.
    pub(crate) async fn dispatch(&self, event: Event) -> Result<(Answer, Facts)> {
        let work = WorkDir::make(self.scratch)?;
        match event {
            Event::Plan { project, output_prefix, config } => {
                self.plan(work.path(), &project, &output_prefix, &config).await
            }
            Event::RenderChunk { plan, plan_hash, chunk_index, output_prefix } => {
                self.render_chunk(work.path(), &plan, &plan_hash, chunk_index, &output_prefix).await
            }
            Event::Assemble { plan, chunks, audio, output } => {
                self.assemble(work.path(), &plan, &chunks, audio.as_ref(), &output).await
            }
        }
    }

    async fn plan(
        &self,
        work: &Path,
        project: &Uri,
        prefix: &Uri,
        config: &Map<String, Value>,
    ) -> Result<(Answer, Facts)> {
        let start = Instant::now();
        let settings = Settings::parse(config)?;
        let fetching = async { Ok(self.store.tree(project, work).await?) };
        let (tools, project) = tokio::try_join!(self.toolbox.drawing(), fetching)?;
        let fetch = Some(ms(start));
        let working = Instant::now();
        let out = work.join("plan");
        let patience = Patience { strictness: settings.strictness, ..self.options.patience };
        let planned =
            plan(&tools, &net(self.env), &project, &settings, self.env, patience, &out).await?;
        let spent = Some(ms(working));
        let storing = Instant::now();
        let uri = prefix.join(&format!("plan{}", S::TREE_SUFFIX));
        let audio_uri = planned.audio.map(|name| prefix.join(name));
        if let Some((name, uri)) = planned.audio.zip(audio_uri.as_ref()) {
            self.store.put_file(&out.join(name), uri, &About::default()).await?;
        }
        self.store.put_tree(&out, &uri).await?;
        let facts = Facts {
            fetch,
            work: spent,
            store: Some(ms(storing)),
            frames: Some(planned.total_frames),
            chunks: u64::try_from(planned.chunks.len()).ok(),
            ..Facts::default()
        };
        let answer = Answer::Plan {
            plan_uri: uri.to_string(),
            plan_hash: planned.plan_hash,
            chunk_count: planned.chunks.len(),
            total_frames: planned.total_frames,
            fps: settings.fps.as_f64(),
            width: planned.width,
            height: planned.height,
            format: "mp4",
            has_audio: audio_uri.is_some(),
            audio_uri: audio_uri.as_ref().map(ToString::to_string),
            ffmpeg_version: planned.ffmpeg_version,
            producer_version: PRODUCER_VERSION,
            duration_ms: ms(start),
            warnings: planned.warnings,
            seconds: planned.duration,
        };
        Ok((answer, facts))
    }

    async fn render_chunk(
        &self,
        work: &Path,
        plan: &Uri,
        plan_hash: &str,
        index: u32,
        prefix: &Uri,
    ) -> Result<(Answer, Facts)> {
        let start = Instant::now();
        let uri = prefix.join("chunks").join(&format!("{index:04}.mp4"));
        if let Some((sha256, frames)) = self.earlier_chunk(&uri, plan_hash, index).await {
            let facts = Facts { frames: Some(frames), was_there: true, ..Facts::default() };
            let answer = Answer::RenderChunk {
                chunk_uri: uri.to_string(),
                chunk_index: index,
                sha256,
                frames_encoded: frames,
                capture_mode: "beginframe",
                duration_ms: ms(start),
                warnings: Vec::new(),
                report: None,
            };
            return Ok((answer, facts));
        }
        let fetching = async { Ok(self.store.tree(plan, work).await?) };
        let (tools, plan) = tokio::try_join!(self.toolbox.drawing(), fetching)?;
        let fetch = Some(ms(start));
        let working = Instant::now();
        let out = work.join(format!("{index:04}.mp4"));
        let report = render_chunk(&tools, &plan, index, plan_hash, &out, self.options).await?;
        let spent = Some(ms(working));
        let storing = Instant::now();
        let labels = [
            (PLAN_HASH, plan_hash.to_owned()),
            (CHUNK_INDEX, index.to_string()),
            (FRAMES, report.frames_encoded.to_string()),
        ];
        let about = About {
            sha256: Some(report.sha256.clone()),
            labels: labels.map(|(name, value)| (name.to_owned(), value)).into(),
        };
        self.store.put_file(&out, &uri, &about).await?;
        let facts = Facts {
            fetch,
            work: spent,
            store: Some(ms(storing)),
            frames: Some(report.frames_encoded),
            bytes: std::fs::metadata(&out).ok().map(|file| file.len()),
            ..Facts::default()
        };
        let answer = Answer::RenderChunk {
            chunk_uri: uri.to_string(),
            chunk_index: index,
            sha256: report.sha256.clone(),
            frames_encoded: report.frames_encoded,
            capture_mode: report.capture_mode,
            duration_ms: ms(start),
            warnings: report.warnings.clone(),
            report: Some(Box::new(report)),
        };
        Ok((answer, facts))
    }

    /// The digest and frames of a chunk that an earlier try has stored: the same plan and index make the same bytes.
    async fn earlier_chunk(&self, uri: &Uri, plan_hash: &str, index: u32) -> Option<(String, u32)> {
        let about = match self.store.look(uri).await {
            Ok(about) => about?,
            Err(error) => {
                // Whoever may not look may still be allowed to write.
                tracing::debug!(%error, "no look at an earlier try's chunk");
                return None;
            }
        };
        let About { sha256, labels } = about;
        let is_this = labels.get(PLAN_HASH).is_some_and(|hash| hash == plan_hash)
            && labels.get(CHUNK_INDEX).is_some_and(|found| *found == index.to_string());
        let frames = labels.get(FRAMES)?.parse().ok()?;
        sha256.filter(|_| is_this).map(|sha256| (sha256, frames))
    }

    async fn assemble(
        &self,
        work: &Path,
        plan: &Uri,
        chunks: &[Uri],
        audio: Option<&Uri>,
        output: &Uri,
    ) -> Result<(Answer, Facts)> {
        let start = Instant::now();
        let fetching_plan = async { Ok(self.store.tree(plan, work).await?) };
        let fetching_audio = async {
            match audio {
                Some(uri) => Ok(Some(self.store.file(uri, work).await?)),
                None => Ok(None),
            }
        };
        let (joining, plan, files, audio) = tokio::try_join!(
            self.toolbox.joining(),
            fetching_plan,
            self.fetch_chunks(work, chunks),
            fetching_audio
        )?;
        let fetch = Some(ms(start));
        let working = Instant::now();
        let out = work.join("output.mp4");
        let audio = audio.map(|file| file.path);
        let assembled = assemble(&joining, &plan, &files, audio.as_deref(), &out).await?;
        let spent = Some(ms(working));
        let storing = Instant::now();
        self.store.put_file(&out, output, &About::default()).await?;
        let facts = Facts {
            fetch,
            work: spent,
            store: Some(ms(storing)),
            frames: Some(assembled.frames),
            bytes: Some(assembled.bytes),
            chunks: u64::try_from(chunks.len()).ok(),
            was_there: false,
        };
        let answer = Answer::Assemble {
            output_uri: output.to_string(),
            frames_encoded: assembled.frames,
            file_size: assembled.bytes,
            duration_ms: ms(start),
        };
        Ok((answer, facts))
    }

    /// Fetches the chunks, in their order.
    async fn fetch_chunks(&self, work: &Path, chunks: &[Uri]) -> Result<Vec<ChunkFile>> {
        let fetching = chunks.iter().enumerate().map(|(index, uri)| async move {
            match self.store.file(uri, work).await {
                Ok(file) => Ok(ChunkFile { path: file.path, sha256: file.unchecked_sha256 }),
                Err(store::Error::Digest { expected, actual, .. }) => {
                    Err(Error::from(render::Error::ChunkDigest { index, expected, actual }))
                }
                Err(error) => Err(error.into()),
            }
        });
        stream::iter(fetching).buffered(FETCHES_AT_ONCE).try_collect().await
    }
}

fn ms(start: Instant) -> u64 {
    millis(start.elapsed())
}
