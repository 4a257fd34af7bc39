//! One event in, one answer out: fetches what the work needs, has it done, stores what came of it.

mod answer;
mod assemble;
pub(crate) mod event;
mod fields;
mod render_chunk;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use compose::net::Net;
use render::SideOutput;
use render::chunk::ChunkOptions;
use render::config::Settings;
use render::config::output::Format;
use render::plan::{PRODUCER_VERSION, plan, planned_format};
use serde_json::{Map, Value};
use store::{Metadata, Store, Uri};

use crate::actions::assemble::Pieces;
use crate::actions::event::{Answer, Event};
use crate::actions::render_chunk::Wanted;
use crate::error::{Error, Result};
use crate::function::deadline::millis;
use crate::tools::toolbox::Toolbox;
use crate::workdir::WorkDir;

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
            Event::RenderChunk { plan, plan_hash, chunk_index, output_prefix, format } => {
                let wanted = Wanted { index: chunk_index, plan_hash: &plan_hash, format };
                self.render_chunk(work.path(), &plan, wanted, &output_prefix).await
            }
            Event::Assemble { plan, chunks, audio, output, format, cfr } => {
                let pieces = Pieces { chunks: &chunks, audio: audio.as_ref(), format, cfr };
                Box::pin(self.assemble(work.path(), &plan, pieces, &output)).await
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
        let planned = plan(
            &tools,
            &net(self.env),
            &project,
            &settings,
            self.env,
            self.options.timeouts,
            &out,
        )
        .await?;
        let spent = Some(ms(working));
        let storing = Instant::now();
        let uri = prefix.join(&format!("plan{}", S::TREE_SUFFIX));
        let audio_uri = planned.audio.map(|name| prefix.join(name));
        if let Some((name, uri)) = planned.audio.zip(audio_uri.as_ref()) {
            self.store.put_file(&out.join(name), uri, &Metadata::default()).await?;
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
            format: planned.format.name(),
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
}

/// Refuses an event that means files of another format than those of the plan in `plan_dir`.
fn check_format(plan_dir: &Path, format: Format) -> Result<()> {
    let Some(planned) = planned_format(plan_dir).filter(|planned| *planned != format) else {
        return Ok(());
    };
    Err(Error::Event {
        field: "Format".to_owned(),
        reason: format!("must be {}, as the plan says, not {}", planned.name(), format.name()),
    })
}

/// Where a side output of what is at `uri` belongs.
pub(crate) fn beside(uri: &Uri, side_output: SideOutput) -> Uri {
    match uri {
        Uri::File(path) => Uri::File(side_output.beside(path)),
        Uri::S3 { bucket, key } => {
            let key = key.trim_end_matches('/');
            let (folder, name) = key.rsplit_once('/').unwrap_or(("", key));
            let name = side_output.name_beside(name);
            let key = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            Uri::S3 { bucket: bucket.clone(), key }
        }
    }
}

/// Where a side output of a chunk is until the chunks are joined. Its name has the plan's, since chunks of another plan may come
/// to lie in the same place, and nothing else tells theirs from ours.
pub(crate) fn beside_chunk(chunk: &Uri, plan_hash: &str, side_output: SideOutput) -> Uri {
    let plan = plan_hash.get(..16).unwrap_or(plan_hash);
    let marked = |name: &str| match name.split_once('.') {
        Some((stem, rest)) => format!("{stem}-{plan}.{rest}"),
        None => format!("{name}-{plan}"),
    };
    match beside(chunk, side_output) {
        Uri::File(path) => {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Uri::File(path.with_file_name(marked(&name)))
        }
        Uri::S3 { bucket, key } => {
            let (folder, name) = key.rsplit_once('/').unwrap_or(("", &key));
            let name = marked(name);
            let key = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            Uri::S3 { bucket, key }
        }
    }
}

fn ms(start: Instant) -> u64 {
    millis(start.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn side_outputs_lie_beside_what_they_belong_to_and_those_of_chunks_name_their_plan() {
        let uri = |text: &str| Uri::parse(text).unwrap();
        let hash = "0123456789abcdef0123";
        for (text, kind, expected, of_chunk) in [
            (
                "s3://bucket/w/chunks/0001.webm",
                SideOutput::Poster,
                "s3://bucket/w/chunks/0001.poster.png",
                "s3://bucket/w/chunks/0001-0123456789abcdef.poster.png",
            ),
            (
                "s3://bucket/output.tar.gz",
                SideOutput::Preview,
                "s3://bucket/output.preview.mp4",
                "s3://bucket/output-0123456789abcdef.preview.mp4",
            ),
            (
                "file:///w/0001.mov",
                SideOutput::Preview,
                "file:///w/0001.preview.mp4",
                "file:///w/0001-0123456789abcdef.preview.mp4",
            ),
        ] {
            assert_eq!(beside(&uri(text), kind), uri(expected));
            assert_eq!(beside_chunk(&uri(text), hash, kind), uri(of_chunk));
        }
    }
}
