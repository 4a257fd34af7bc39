//! One video of a project: the actions of the cloud on this machine, one after the other over a local directory.

use std::path::{Path, PathBuf};
use std::time::Instant;

use render::chunk::{ChunkOptions, ChunkReport, Progress};
use render::config::Settings;
use render::config::output::Format;
use render::{FrameHashes, Reuse};
use serde_json::{Map, Value, json};
use store::{LocalStore, Uri};

use crate::actions::assemble::{AssembleAnswer, AssembleEvent};
use crate::actions::cache::FROM_CACHE;
use crate::actions::plan::{PlanEvent, Planned};
use crate::actions::protocol::{PlanLocation, Protocol};
use crate::actions::render_chunk::RenderChunkEvent;
use crate::actions::worker::Worker;
use crate::cli::args::RenderArgs;
use crate::cli::cache_dir::CacheDir;
use crate::cli::config::{of_options, settings};
use crate::cli::host::{environment, open_toolbox, options, project_and_entry, scratch, uri};
use crate::cli::progress::Meter;
use crate::cli::report_page::{self, Rendered};
use crate::cli::status::bytes;
use crate::cli::target::{Target, explain_failure};
use crate::cli::terminal::Terminal;
use crate::error::{Error, Result};
use crate::output::output_path;
use crate::time::millis_since;
use crate::workdir::{self, WorkDir};

/// Frames in a chunk: on one machine, more chunks only mean more browsers that start.
pub(super) const CHUNK_SIZE: u32 = 600;

/// What the command line asks for, checked.
#[derive(Debug)]
pub(super) struct Request {
    project: PathBuf,
    settings: Settings,
    pub(super) target: Target,
    /// As it was given.
    output: PathBuf,
}

impl Request {
    /// `variables` are set instead of those of the options.
    pub(super) fn check(
        args: &RenderArgs,
        output: &Path,
        variables: Option<&Map<String, Value>>,
    ) -> Result<Self> {
        let (project, entry) = project_and_entry(&args.project)?;
        let mut config =
            args.config.config(&project, entry.as_deref(), CHUNK_SIZE, Some(output))?;
        if let Some(variables) = variables {
            config.insert("variables".to_owned(), variables.clone().into());
        }
        let settings = settings(&config)?;
        let target = Target::check(output, &settings)?;
        if target == Target::Stdout && args.json {
            return Err(Error::Argument {
                argument: "--json".to_owned(),
                reason: "goes to stdout, and so does the video with --output -".to_owned(),
            });
        }
        if let Some(report) = &args.extent.report {
            output_path(report, Format::Mp4)?;
        }
        Ok(Self { project, settings, target, output: output.to_owned() })
    }
}

/// Renders one video, shows how far it is, and says what was made or what is wrong with the project.
pub(super) async fn render_request(
    args: &RenderArgs,
    request: &Request,
    terminal: &Terminal,
) -> Result<Value> {
    let meter = if args.json { Meter::silent(terminal) } else { Meter::start(terminal) };
    let rendered = render_with(args, request, &meter, terminal).await.map_err(of_options);
    meter.finish();
    let entry = Some(request.settings.entry.as_str());
    let summary =
        rendered.inspect_err(|error| explain_failure(&args.project, entry, error, terminal))?;
    if !args.json {
        say(&summary, &request.output, args.extent.report.as_deref(), terminal);
    }
    Ok(summary)
}

fn say(summary: &Value, output: &Path, report: Option<&Path>, terminal: &Terminal) {
    let seconds = summary["stages"]["totalMs"].as_f64().unwrap_or_default() / 1000.0;
    terminal.note(&format!(
        "{}: {} frames, {}x{}, {} s, {}, rendered in {seconds:.1} s",
        output.display(),
        summary["frames"],
        summary["width"],
        summary["height"],
        summary["duration"],
        bytes(summary["bytes"].as_u64().unwrap_or_default()),
    ));
    let cached = summary["cachedFrames"].as_u64().unwrap_or_default();
    if cached > 0 {
        terminal.note(&format!(
            "{cached} of these frames, in {} of {} chunks, have not changed and were not drawn",
            summary["cachedChunks"],
            summary["chunks"].as_array().map_or(0, Vec::len),
        ));
    }
    for side_output in ["poster", "preview"] {
        if let Some(path) = summary[side_output].as_str() {
            terminal.note(&format!("{path}: {side_output}"));
        }
    }
    if let Some(report) = report {
        terminal.note(&format!("{}: report", report.display()));
    }
}

async fn render_with(
    args: &RenderArgs,
    request: &Request,
    meter: &Meter,
    terminal: &Terminal,
) -> Result<Value> {
    let start = Instant::now();
    let Request { project, settings, target, output: _ } = request;
    let format = settings.output.format;
    let scratch = scratch(&args.host);
    let toolbox = open_toolbox(&args.host, &scratch)?;
    workdir::remove_stale(&scratch);
    let (bench, env) = (WorkDir::make(&scratch)?, environment());
    let wants_hashes = args.frame_hashes || args.extent.report.is_some();
    let options = ChunkOptions {
        reuse: if args.no_reuse { Reuse::Never } else { Reuse::Proven },
        hashes: if wants_hashes { FrameHashes::Compute } else { FrameHashes::Skip },
        capture: Some(args.capture),
        fault: args.capture_fault,
        ..options(args.workers, &args.host, meter)
    };
    // A report is about how frames were drawn.
    let cache_args = Some(&args.cache).filter(|_| args.extent.report.is_none());
    let kept = cache_args.map(|args| CacheDir::open(args, project)).transpose()?.flatten();
    let worker = Worker {
        store: &LocalStore,
        toolbox: &toolbox,
        env: &env,
        scratch: bench.path(),
        options,
        until: None,
        cache: kept.as_ref().map(CacheDir::cache),
    };
    let (prefix, output) = (uri(bench.path())?, target.file(bench.path()));

    meter.stage("planning");
    let event = PlanEvent {
        project: uri(project)?,
        output_prefix: prefix.clone(),
        settings: settings.clone(),
        protocol: Protocol::V1,
    };
    let mut planned = worker.plan(&event).await?;
    terminal.warnings(&planned.answer.warnings);

    meter.frames(planned.answer.total_frames);
    let rendering = Instant::now();
    let plan = PlanLocation::Archive(planned.archive.clone());
    let drawing = render_chunks(&worker, &mut planned, (&prefix, format), (meter, terminal));
    let chunks = drawing.await;
    if let Some(kept) = &kept {
        kept.prune();
    }
    let chunks = chunks?;
    let chunks_ms = millis_since(rendering);

    meter.stage("assembling");
    let assembling = Instant::now();
    let join = AssembleEvent {
        plan,
        plan_hash: None,
        chunks: chunks.uris,
        audio: planned.answer.audio.clone(),
        output: uri(&output)?,
        format,
        cfr: false,
        took: None,
    };
    let (assembled, _facts) = Box::pin(worker.assemble(&join)).await?;
    let stages = json!({
        "planMs": planned.answer.duration_ms,
        "chunksMs": chunks_ms,
        "assembleMs": millis_since(assembling),
        "totalMs": millis_since(start),
    });
    let named = if *target == Target::Stdout { Path::new("-") } else { &output };
    let mut summary =
        summary(named, &planned, &chunks.reports, &assembled, args.frame_hashes, &stages)?;
    if let Some(file) = &args.extent.report {
        meter.stage("reporting");
        let rendered = Rendered {
            name: project.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            project: event.project,
            settings,
            output: output.clone(),
            summary: &summary,
            reports: &chunks.reports,
            fps: planned.answer.fps,
            has_audio: planned.answer.has_audio,
            start,
            chunk_starts: &chunks.starts,
            arrivals: meter.arrivals(),
            warnings: &terminal.warned(),
        };
        let facts = Box::pin(report_page::facts(&rendered, &worker, &prefix, terminal)).await?;
        report_page::write(&facts, file)?;
        // The summary is among the facts, and the contact sheet is a picture.
        let Value::Object(mut facts) = facts else { unreachable!("facts are an object") };
        facts.retain(|name, _| name != "summary" && name != "sheet");
        summary["report"] = facts.into();
    }
    target.deliver(&output)?;
    Ok(summary)
}

/// Chunks that were rendered.
#[derive(Debug, Default)]
struct Chunks {
    uris: Vec<Uri>,
    reports: Vec<ChunkReport>,
    starts: Vec<Instant>,
}

/// Renders all chunks of a plan but those that were found. Warnings are printed as they come.
async fn render_chunks(
    worker: &Worker<'_, LocalStore>,
    planned: &mut Planned,
    (prefix, format): (&Uri, Format),
    (meter, terminal): (&Meter, &Terminal),
) -> Result<Chunks> {
    let mut chunks = Chunks::default();
    let count = u32::try_from(planned.answer.chunk_count).unwrap_or(u32::MAX);
    let found = std::mem::take(&mut planned.found).into_iter();
    for (chunk_index, found) in (0..count).zip(found.chain(std::iter::repeat_with(|| None))) {
        meter.stage("rendering");
        chunks.starts.push(Instant::now());
        let event = RenderChunkEvent {
            plan: PlanLocation::Archive(planned.archive.clone()),
            plan_hash: planned.answer.plan_hash.clone(),
            chunk_index,
            output_prefix: prefix.clone(),
            format,
        };
        let rendered = match found {
            Some(found) => {
                (0..found.report.frames_encoded).for_each(|_| meter.frame_done());
                found
            }
            None => worker.render_new_chunk(&event).await?,
        };
        terminal.warnings(&rendered.report.warnings);
        chunks.uris.push(rendered.uri);
        chunks.reports.push(rendered.report);
    }
    Ok(chunks)
}

/// The chunks that were found and not drawn.
fn cached(reports: &[ChunkReport]) -> impl Iterator<Item = &ChunkReport> {
    reports.iter().filter(|report| report.frame_source == FROM_CACHE)
}

fn cached_frames(reports: &[ChunkReport]) -> u32 {
    cached(reports).map(|report| report.frames_encoded).sum()
}

fn summary(
    output: &Path,
    planned: &Planned,
    reports: &[ChunkReport],
    assembled: &AssembleAnswer,
    wants_hashes: bool,
    stages: &Value,
) -> Result<Value> {
    let Planned { answer: plan, archive: _, duration, facts: _, found: _ } = planned;
    let frame_hashes: Option<Vec<_>> =
        wants_hashes.then(|| reports.iter().flat_map(|report| &report.frame_hashes).collect());
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
        "cachedChunks": cached(reports).count(),
        "cachedFrames": cached_frames(reports),
        "reusedFrames": reports.iter().map(|report| report.reused_frames).sum::<u32>(),
        "frameSource": reports.iter().map(|report| report.frame_source).max(),
        "frameSourceReason": reports.iter().find_map(|report| report.frame_source_reason),
        "stages": stages,
        "chunks": reports,
        "frameHashes": frame_hashes,
        "warnings": plan.warnings,
    }))
}
