//! Some frames of a render, drawn by themselves: to know how long frames take, or to compare them with those of the video.

use render::FrameHashes;
use render::chunk::{ChunkOptions, ChunkReport};
use render::config::Settings;
use render::config::output::Format;
use store::{LocalStore, Uri};

use crate::actions::plan::{PlanEvent, Planned};
use crate::actions::protocol::{PlanLocation, Protocol};
use crate::actions::render_chunk::RenderChunkEvent;
use crate::actions::worker::Worker;
use crate::cli::progress::Meter;
use crate::cli::terminal::Terminal;
use crate::error::Result;

/// Draws the frames from `start` up to `end` of `project` in a browser of their own, below `place`.
pub(super) async fn draw(
    worker: &Worker<'_, LocalStore>,
    project: &Uri,
    settings: &Settings,
    (start, end): (u32, u32),
    place: &Uri,
    terminal: &Terminal,
) -> Result<ChunkReport> {
    let span = format!("{start}..{end}").parse().expect("a start before an end is a span");
    let settings = Settings {
        frames: Some(span),
        poster: None,
        preview: None,
        mute: true,
        ..settings.clone()
    };
    let prefix = place.join(&format!("sample-{start}"));
    let event = PlanEvent {
        project: project.clone(),
        output_prefix: prefix.clone(),
        settings,
        protocol: Protocol::V1,
    };
    let Planned { answer, archive, .. } = worker.plan(&event).await?;
    let event = RenderChunkEvent {
        plan: PlanLocation::Archive(archive),
        plan_hash: answer.plan_hash,
        chunk_index: 0,
        output_prefix: prefix,
        format: Format::from_name(answer.format).unwrap_or(event.settings.output.format),
    };
    // A sample is not part of the progress.
    let silent = Meter::silent(terminal);
    let options =
        ChunkOptions { progress: &silent, hashes: FrameHashes::Compute, ..worker.options };
    let Worker { store, toolbox, env, scratch, options: _, until, cache: _ } = *worker;
    let worker = Worker { store, toolbox, env, scratch, options, until, cache: None };
    Ok(worker.render_new_chunk(&event).await?.report)
}
