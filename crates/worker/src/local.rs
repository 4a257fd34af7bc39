//! This machine as the cloud: the same events, dispatched one after the other over a local directory.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use render::chunk::{ChunkOptions, ChunkReport, Workers};
use render::config::{CaptureMode, Settings};
use render::tools::Tools;
use render::{FrameHashes, ReadFault, Reuse, Timeouts};
use serde_json::{Value, json};
use store::{LocalStore, RetryProfile, S3Store, Uri};

use crate::cli::{Cli, Command, FloorArgs, HostArgs, InvokeArgs, RenderArgs};
use crate::dispatch::Worker;
use crate::error::{Code, Error, Result};
use crate::event::{Answer, Event};
use crate::place::{check_side_outputs, output_path};
use crate::progress::{Meter, line};
use crate::resources::default_workers;
use crate::toolbox::{ChromeSource, Toolbox};
use crate::workdir::WorkDir;

/// Frames in a chunk: on one machine, more chunks only mean more browsers that start.
const CHUNK_SIZE: u32 = 600;

/// Renders a project to a video.
pub(crate) async fn render(args: &RenderArgs) -> Result<()> {
    let meter = if args.json { Meter::Silent } else { Meter::for_stderr() };
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

async fn render_with(args: &RenderArgs, meter: &Meter) -> Result<Value> {
    let start = Instant::now();
    let (project, entry) = project_and_entry(&args.project)?;
    let config = args.config.config(entry.as_deref(), CHUNK_SIZE, Some(&args.output))?;
    let settings = Settings::parse(&config)?;
    let format = settings.output.format;
    let output = output_path(&args.output, format)?;
    check_side_outputs(&settings, &output)?;
    let scratch = scratch(&args.host);
    let toolbox = open_toolbox(&args.host, &scratch)?;
    let bench = WorkDir::make(&scratch)?;
    let env = environment();
    let options = ChunkOptions {
        reuse: if args.no_reuse { Reuse::Never } else { Reuse::Proven },
        hashes: if args.frame_hashes { FrameHashes::Compute } else { FrameHashes::Skip },
        capture: args.capture.as_deref().and_then(CaptureMode::from_name),
        fault: args
            .capture_fault
            .as_deref()
            .and_then(|name| ReadFault::ALL.into_iter().find(|fault| fault.name() == name)),
        ..options(args.workers, &args.host, meter)
    };
    let worker =
        Worker { store: &LocalStore, toolbox: &toolbox, env: &env, scratch: bench.path(), options };
    let prefix = uri(bench.path())?;

    meter.stage("planning", &project.display().to_string());
    let event = Event::Plan { project: uri(&project)?, output_prefix: prefix.clone(), config };
    let Answer::Plan {
        plan_uri,
        plan_hash,
        chunk_count,
        total_frames,
        audio_uri,
        warnings,
        seconds,
        duration_ms,
        ..
    } = worker.dispatch(event).await?.0
    else {
        unreachable!("a plan event gets a plan answer")
    };
    for warning in &warnings {
        line(&format!("warning: {warning}"));
    }
    meter.frames(total_frames);
    let plan = Uri::parse(&plan_uri)?;
    let (mut reports, mut chunks) = (Vec::new(), Vec::new());
    let rendering = Instant::now();
    for chunk_index in 0..u32::try_from(chunk_count).unwrap_or(u32::MAX) {
        meter.stage("rendering", &format!("chunk {} of {chunk_count}", chunk_index + 1));
        let event = Event::RenderChunk {
            plan: plan.clone(),
            plan_hash: plan_hash.clone(),
            chunk_index,
            output_prefix: prefix.clone(),
            format,
        };
        let Answer::RenderChunk { chunk_uri, report: Some(report), .. } =
            worker.dispatch(event).await?.0
        else {
            unreachable!("a chunk in a new directory is rendered")
        };
        chunks.push(Uri::parse(&chunk_uri)?);
        report.warnings.iter().for_each(|warning| line(&format!("warning: {warning}")));
        reports.push(*report);
    }
    let chunks_ms = ms(rendering);
    meter.stage("assembling", &format!("{chunk_count} chunks"));
    let assembling = Instant::now();
    let output_uri = uri(&output)?;
    let audio = audio_uri.map(|uri| Uri::parse(&uri)).transpose()?;
    let event = Event::Assemble { plan, chunks, audio, output: output_uri, format, cfr: false };
    let Answer::Assemble { poster_uri, preview_uri, file_size, .. } =
        worker.dispatch(event).await?.0
    else {
        unreachable!("an assemble event gets an assemble answer")
    };
    let path = |uri: Option<String>| uri.map(|uri| uri.trim_start_matches("file://").to_owned());
    Ok(json!({
        "output": output.display().to_string(),
        "format": format.name(),
        "bytes": file_size,
        "poster": path(poster_uri),
        "preview": path(preview_uri),
        "planHash": plan_hash,
        "frames": total_frames,
        "duration": seconds,
        "width": reports.first().map(|report| report.width),
        "height": reports.first().map(|report| report.height),
        "workers": reports.iter().map(|report| report.workers).max(),
        "reusedFrames": reports.iter().map(|report| report.reused_frames).sum::<u32>(),
        "frameSource": reports.iter().map(|report| report.frame_source).max(),
        "frameSourceReason": reports.iter().find_map(|report| report.frame_source_reason),
        "stages": { "planMs": duration_ms, "chunksMs": chunks_ms, "assembleMs": ms(assembling), "totalMs": ms(start) },
        "chunks": reports,
        "frameHashes": frame_hashes(&reports, options.hashes),
        "warnings": warnings,
    }))
}

fn frame_hashes(reports: &[ChunkReport], hashes: FrameHashes) -> Option<Vec<&String>> {
    (hashes == FrameHashes::Compute)
        .then(|| reports.iter().flat_map(|report| &report.frame_hashes).collect())
}

/// Handles one event from a file.
pub(crate) async fn invoke(args: &InvokeArgs) -> Result<()> {
    let bad =
        |reason: String| Error::Argument { argument: args.event.display().to_string(), reason };
    let text =
        std::fs::read(&args.event).map_err(|error| bad(format!("cannot be read: {error}")))?;
    let event =
        serde_json::from_slice(&text).map_err(|error| bad(format!("is not JSON: {error}")))?;
    let event = Event::parse(event)?;
    let meter = Meter::Silent;
    let (env, scratch) = (environment(), scratch(&args.host));
    let toolbox = open_toolbox(&args.host, &scratch)?;
    let options = options(args.workers, &args.host, &meter);
    let is_in_cloud = event.uris().iter().any(|(_, uri)| matches!(uri, Uri::S3 { .. }));
    let (toolbox, env, scratch) = (&toolbox, &env, scratch.as_path());
    let (answer, _facts) = if is_in_cloud {
        let store = &S3Store::from_env(RetryProfile::Interactive).await;
        Worker { store, toolbox, env, scratch, options }.dispatch(event).await?
    } else {
        let store = &LocalStore;
        Worker { store, toolbox, env, scratch, options }.dispatch(event).await?
    };
    answer.warnings().iter().for_each(|warning| line(&format!("warning: {warning}")));
    print(&serde_json::to_value(answer).expect("an answer has nothing that JSON has not"))
}

/// Measures what Chrome alone takes.
pub(crate) async fn floor(args: &FloorArgs) -> Result<()> {
    let scratch = scratch(&args.host);
    let tools = open_toolbox(&args.host, &scratch)?.drawing().await?;
    let workers = args.workers.unwrap_or_else(default_workers);
    let took = drawing_alone(args, &tools, &scratch, workers).await?;
    let ms_per_frame = took.as_secs_f64() * 1000.0 / f64::from(args.frames.max(1));
    print(&json!({ "workers": workers, "frames": args.frames, "msPerFrame": ms_per_frame }))
}

async fn drawing_alone(
    args: &FloorArgs,
    tools: &Tools,
    scratch: &Path,
    workers: u32,
) -> Result<Duration> {
    let mode = args.capture.as_deref().and_then(CaptureMode::from_name);
    let mode = mode.unwrap_or(CaptureMode::Auto);
    Ok(render::floor(tools, &args.page, scratch, workers, args.frames, mode).await?)
}

/// Says what went wrong, where the caller looks for it.
pub(crate) fn report(cli: &Cli, error: &Error) -> ExitCode {
    let (code, message) = (error.code().name(), error.chain());
    let wants_json = match &cli.command {
        Command::Render(args) => args.json,
        Command::Still(args) => args.json,
        Command::Submit(args) => args.json,
        Command::Watch(args) => args.json,
        Command::Invoke(_) | Command::Probe(_) | Command::Floor(_) | Command::Pack { .. } => false,
    };
    if wants_json {
        let mut answer = json!({ "error": { "code": code, "message": message } });
        if let Some(execution) = error.execution() {
            answer["executionArn"] = execution.into();
        }
        let _nobody_reads = print(&answer);
    }
    line(&format!("error: {code}: {message}"));
    ExitCode::from(match (&cli.command, error.code()) {
        (_, Code::Cancelled) => 130,
        (Command::Probe(_), code) => crate::probe::status(code),
        _ => 1,
    })
}

pub(crate) fn options<'a>(
    workers: Option<u32>,
    host: &HostArgs,
    meter: &'a Meter,
) -> ChunkOptions<'a> {
    ChunkOptions {
        workers: workers.map_or_else(|| Workers::ForCores(default_workers()), Workers::Exactly),
        reuse: Reuse::Proven,
        hashes: FrameHashes::Skip,
        timeouts: timeouts(host),
        capture: None,
        fault: None,
        progress: meter,
    }
}

pub(crate) fn timeouts(host: &HostArgs) -> Timeouts {
    Timeouts {
        ready: Duration::from_secs(host.ready_timeout),
        frame: Duration::from_secs(host.frame_timeout),
    }
}

/// A project may be named by its directory or by the HTML file in it.
pub(crate) fn project_and_entry(given: &Path) -> Result<(PathBuf, Option<String>)> {
    let bad = |reason: String| Error::Argument { argument: given.display().to_string(), reason };
    let path = std::fs::canonicalize(given).map_err(|error| bad(error.to_string()))?;
    if path.is_dir() {
        return Ok((path, None));
    }
    let entry = path
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| bad("has no readable name".into()))?;
    let folder = path.parent().ok_or_else(|| bad("has no folder".into()))?;
    Ok((folder.to_owned(), Some(entry.to_owned())))
}

pub(crate) fn open_toolbox(host: &HostArgs, scratch: &Path) -> Result<Toolbox> {
    let dir = host.tools.clone().unwrap_or_else(|| bundled().unwrap_or_else(|| ".tools".into()));
    let dir = std::path::absolute(&dir).unwrap_or(dir);
    Toolbox::open(&dir, ChromeSource::Pack(dir.join("chrome")), scratch)
}

/// The tools of the bundle that this program is in, if it is in one.
fn bundled() -> Option<PathBuf> {
    let dir = std::env::current_exe().ok()?.parent()?.join("tools");
    dir.is_dir().then_some(dir)
}

pub(crate) fn scratch(host: &HostArgs) -> PathBuf {
    host.scratch.clone().unwrap_or_else(std::env::temp_dir)
}

/// The environment as plain text; the plan keeps the part that pages may depend on.
pub(crate) fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

pub(crate) fn uri(path: &Path) -> Result<Uri> {
    Uri::from_path(path).ok_or_else(|| Error::Argument {
        argument: path.display().to_string(),
        reason: "is not an absolute path of readable characters".to_owned(),
    })
}

pub(crate) fn print(value: &Value) -> Result<()> {
    let text = serde_json::to_string_pretty(value).expect("a JSON value is JSON");
    writeln!(std::io::stdout(), "{text}").map_err(|source| Error::Io {
        action: "print to",
        path: "stdout".to_owned(),
        source,
    })
}

fn ms(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}
