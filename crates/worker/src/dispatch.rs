//! One event in, one answer out: fetches what the work needs, has it done, stores what came of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use render::Patience;
use render::assemble::{ChunkFile, assemble};
use render::chunk::{ChunkOptions, render_chunk};
use render::config::Settings;
use render::plan::{PRODUCER_VERSION, plan};
use render::tools::Tools;
use serde_json::{Map, Value};
use store::{Store, Uri};
use tempfile::TempDir;

use crate::error::{Error, Result};
use crate::event::{Answer, Event};

/// What every invocation of this process has in common.
#[derive(Debug)]
pub(crate) struct Worker<'a, S> {
    pub(crate) store: &'a S,
    pub(crate) tools: &'a Tools,
    pub(crate) env: &'a BTreeMap<String, String>,
    /// Where work directories are made.
    pub(crate) scratch: &'a Path,
    pub(crate) options: ChunkOptions<'a>,
}

impl<S: Store> Worker<'_, S> {
    /// Does what `event` asks for, in a work directory of its own that is gone afterwards.
    pub(crate) async fn dispatch(&self, event: Event) -> Result<Answer> {
        let work = tempfile::Builder::new()
            .prefix("framewright-")
            .tempdir_in(self.scratch)
            .map_err(|source| Error::Io {
                action: "make a work directory in",
                path: self.scratch.display().to_string(),
                source,
            })?;
        match event {
            Event::Plan { project, output_prefix, config } => {
                self.plan(&work, &project, &output_prefix, &config).await
            }
            Event::RenderChunk { plan, plan_hash, chunk_index, output_prefix } => {
                self.render_chunk(&work, &plan, &plan_hash, chunk_index, &output_prefix).await
            }
            Event::Assemble { plan, chunks, output } => {
                self.assemble(&work, &plan, &chunks, &output).await
            }
        }
    }

    async fn plan(
        &self,
        work: &TempDir,
        project: &Uri,
        prefix: &Uri,
        config: &Map<String, Value>,
    ) -> Result<Answer> {
        let start = Instant::now();
        let settings = Settings::parse(config)?;
        let project = self.store.tree(project, work.path()).await?;
        let out = work.path().join("plan");
        let patience = Patience { strictness: settings.strictness, ..self.options.patience };
        let planned = plan(self.tools, &project, &settings, self.env, patience, &out).await?;
        let uri = prefix.join(&format!("plan{}", S::TREE_SUFFIX));
        self.store.put_tree(&out, &uri).await?;
        Ok(Answer::Plan {
            plan_uri: uri.to_string(),
            plan_hash: planned.plan_hash,
            chunk_count: planned.chunks.len(),
            total_frames: planned.total_frames,
            fps: settings.fps.as_f64(),
            width: planned.width,
            height: planned.height,
            format: "mp4",
            has_audio: false,
            audio_uri: None,
            ffmpeg_version: planned.ffmpeg_version,
            producer_version: PRODUCER_VERSION,
            duration_ms: ms(start),
            warnings: planned.warnings,
            seconds: planned.duration,
        })
    }

    async fn render_chunk(
        &self,
        work: &TempDir,
        plan: &Uri,
        plan_hash: &str,
        index: u32,
        prefix: &Uri,
    ) -> Result<Answer> {
        let start = Instant::now();
        let plan = self.store.tree(plan, work.path()).await?;
        let out = work.path().join(format!("{index:04}.mp4"));
        let report = render_chunk(self.tools, &plan, index, plan_hash, &out, self.options).await?;
        let uri = prefix.join("chunks").join(&format!("{index:04}.mp4"));
        self.store.put_file(&out, &uri, Some(&report.sha256)).await?;
        Ok(Answer::RenderChunk {
            chunk_uri: uri.to_string(),
            chunk_index: index,
            sha256: report.sha256.clone(),
            frames_encoded: report.frames_encoded,
            capture_mode: report.capture_mode,
            duration_ms: ms(start),
            report: Box::new(report),
        })
    }

    async fn assemble(
        &self,
        work: &TempDir,
        plan: &Uri,
        chunks: &[Uri],
        output: &Uri,
    ) -> Result<Answer> {
        let start = Instant::now();
        let plan = self.store.tree(plan, work.path()).await?;
        let mut files = Vec::new();
        for uri in chunks {
            let fetched = self.store.file(uri, work.path()).await?;
            files.push(ChunkFile { path: fetched.path, sha256: fetched.sha256 });
        }
        let out = work.path().join("output.mp4");
        let assembled = assemble(self.tools, &plan, &files, &out).await?;
        self.store.put_file(&out, output, None).await?;
        Ok(Answer::Assemble {
            output_uri: output.to_string(),
            frames_encoded: assembled.frames,
            file_size: assembled.bytes,
            duration_ms: ms(start),
        })
    }
}

fn ms(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}
