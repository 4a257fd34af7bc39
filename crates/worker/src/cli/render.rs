//! `bootstrap render`: the actions of the cloud on this machine, one after the other over a local directory.

use std::path::{Path, PathBuf};
use std::time::Instant;

use render::chunk::{ChunkOptions, ChunkReport};
use render::config::Settings;
use render::{FrameHashes, Reuse};
use serde_json::{Value, json};
use store::{LocalStore, Uri};

use crate::actions::assemble::{AssembleAnswer, AssembleEvent};
use crate::actions::plan::{PlanEvent, Planned};
use crate::actions::protocol::{PlanLocation, Protocol};
use crate::actions::render_chunk::RenderChunkEvent;
use crate::actions::worker::Worker;
use crate::cli::args::RenderArgs;
use crate::cli::host::{
    environment, line, open_toolbox, options, print, print_warnings, project_and_entry, scratch,
    uri,
};
use crate::cli::progress::Meter;
use crate::error::Result;
use crate::output::{check_side_outputs, output_path};
use crate::time::millis_since;
use crate::workdir::{self, WorkDir};

/// Frames in a chunk: on one machine, more chunks only mean more browsers that start.
const CHUNK_SIZE: u32 = 600;

/// Renders a project to a video.
pub(crate) async fn render(args: &RenderArgs) -> Result<()> {
    let meter = if args.json { Meter::silent() } else { Meter::for_stderr() };
    let rendered = render_with(args, &meter).await;
    meter.finish();
    let summary = rendered?;
    if args.json {
        return print(&summary);
    }
    let seconds = summary["stages"]["totalMs"].as_f64().unwrap_or_default() / 1000.0;
    line(&format!(
        "{}: {} frames, {}x{}, {} s, rendered in {seconds:.1} s",
        args.output.display(),
        summary["frames"],
        summary["width"],
        summary["height"],
        summary["duration"]
    ));
    for side_output in ["poster", "preview"] {
        if let Some(path) = summary[side_output].as_str() {
            line(&format!("{path}: {side_output}"));
        }
    }
    Ok(())
}

/// What the command line asks for, checked.
struct Request {
    project: PathBuf,
    settings: Settings,
    output: PathBuf,
}

impl Request {
    fn check(args: &RenderArgs) -> Result<Self> {
        let (project, entry) = project_and_entry(&args.project)?;
        let config =
            args.config.config(&project, entry.as_deref(), CHUNK_SIZE, Some(&args.output))?;
        let settings = Settings::parse(&config)?;
        let output = output_path(&args.output, settings.output.format)?;
        check_side_outputs(&settings, &output)?;
        Ok(Self { project, settings, output })
    }
}

async fn render_with(args: &RenderArgs, meter: &Meter) -> Result<Value> {
    let start = Instant::now();
    let Request { project, settings, output } = Request::check(args)?;
    let format = settings.output.format;
    let scratch = scratch(&args.host);
    let toolbox = open_toolbox(&args.host, &scratch)?;
    workdir::remove_stale(&scratch);
    let (bench, env) = (WorkDir::make(&scratch)?, environment());
    let options = ChunkOptions {
        reuse: if args.no_reuse { Reuse::Never } else { Reuse::Proven },
        hashes: if args.frame_hashes { FrameHashes::Compute } else { FrameHashes::Skip },
        capture: Some(args.capture),
        fault: args.capture_fault,
        ..options(args.workers, &args.host, meter)
    };
    let worker = Worker {
        store: &LocalStore,
        toolbox: &toolbox,
        env: &env,
        scratch: bench.path(),
        options,
        until: None,
    };
    let prefix = uri(bench.path())?;

    meter.stage("planning", &project.display().to_string());
    let event = PlanEvent {
        project: uri(&project)?,
        output_prefix: prefix.clone(),
        settings,
        protocol: Protocol::V1,
    };
    let planned = worker.plan(&event).await?;
    print_warnings(&planned.answer.warnings);

    meter.frames(planned.answer.total_frames);
    let rendering = Instant::now();
    let plan = PlanLocation::Archive(planned.archive.clone());
    let event = RenderChunkEvent {
        plan: plan.clone(),
        plan_hash: planned.answer.plan_hash.clone(),
        chunk_index: 0,
        output_prefix: prefix,
        format,
    };
    let (chunks, reports) =
        render_chunks(&worker, event, planned.answer.chunk_count, meter).await?;
    let chunks_ms = millis_since(rendering);

    meter.stage("assembling", &format!("{} chunks", chunks.len()));
    let assembling = Instant::now();
    let event = AssembleEvent {
        plan,
        plan_hash: None,
        chunks,
        audio: planned.answer.audio.clone(),
        output: uri(&output)?,
        format,
        cfr: false,
        took: None,
    };
    let (assembled, _facts) = Box::pin(worker.assemble(&event)).await?;
    let stages = json!({
        "planMs": planned.answer.duration_ms,
        "chunksMs": chunks_ms,
        "assembleMs": millis_since(assembling),
        "totalMs": millis_since(start),
    });
    summary(&output, &planned, &reports, &assembled, options, &stages)
}

/// Renders all chunks of a plan. Warnings are printed as they come.
async fn render_chunks(
    worker: &Worker<'_, LocalStore>,
    first: RenderChunkEvent,
    count: usize,
    meter: &Meter,
) -> Result<(Vec<Uri>, Vec<ChunkReport>)> {
    let (mut chunks, mut reports) = (Vec::new(), Vec::new());
    for chunk_index in 0..u32::try_from(count).unwrap_or(u32::MAX) {
        meter.stage("rendering", &format!("chunk {} of {count}", chunk_index + 1));
        let event = RenderChunkEvent { chunk_index, ..first.clone() };
        let rendered = worker.render_new_chunk(&event).await?;
        print_warnings(&rendered.report.warnings);
        chunks.push(rendered.uri);
        reports.push(rendered.report);
    }
    Ok((chunks, reports))
}

fn summary(
    output: &Path,
    planned: &Planned,
    reports: &[ChunkReport],
    assembled: &AssembleAnswer,
    options: ChunkOptions<'_>,
    stages: &Value,
) -> Result<Value> {
    let Planned { answer: plan, archive: _, duration, facts: _ } = planned;
    let frame_hashes: Option<Vec<_>> = (options.hashes == FrameHashes::Compute)
        .then(|| reports.iter().flat_map(|report| &report.frame_hashes).collect());
    Ok(json!({
        "output": output.display().to_string(),
        "format": plan.format,
        "bytes": assembled.file_size,
        "poster": assembled.poster.as_ref().map(LocalStore::path).transpose()?,
        "preview": assembled.preview.as_ref().map(LocalStore::path).transpose()?,
        "planHash": plan.plan_hash,
        "frames": plan.total_frames,
        "duration": duration,
        "width": reports.first().map(|report| report.width),
        "height": reports.first().map(|report| report.height),
        "workers": reports.iter().map(|report| report.workers).max(),
        "reusedFrames": reports.iter().map(|report| report.reused_frames).sum::<u32>(),
        "frameSource": reports.iter().map(|report| report.frame_source).max(),
        "frameSourceReason": reports.iter().find_map(|report| report.frame_source_reason),
        "stages": stages,
        "chunks": reports,
        "frameHashes": frame_hashes,
        "warnings": plan.warnings,
    }))
}
