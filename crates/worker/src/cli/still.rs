//! `framewright still`: a render of a single frame, of which only the poster is kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use render::SideOutput;
use render::chunk::ChunkOptions;
use render::config::output::Format;
use render::config::{CaptureMode, Settings};
use render::still::{Kind, convert};
use serde_json::{Value, json};
use store::LocalStore;

use crate::actions::plan::{PlanEvent, Planned};
use crate::actions::protocol::{PlanLocation, Protocol};
use crate::actions::render_chunk::{RenderChunkEvent, RenderedChunk};
use crate::actions::side_outputs::beside_chunk;
use crate::actions::worker::Worker;
use crate::cli::args::StillArgs;
use crate::cli::config::{of_options, settings};
use crate::cli::host::{
    environment, open_toolbox, options, print, project_and_entry, scratch, uri,
};
use crate::cli::progress::Meter;
use crate::cli::target::explain_failure;
use crate::cli::terminal::Terminal;
use crate::error::{Error, Result};
use crate::output::output_path;
use crate::time::millis_since;
use crate::workdir::{self, WorkDir};

/// Draws a frame to a picture.
pub(crate) async fn still(args: &StillArgs, terminal: &Terminal) -> Result<()> {
    let meter = if args.json { Meter::silent(terminal) } else { Meter::start(terminal) };
    let drawn = draw(args, terminal, &meter).await;
    meter.finish();
    let summary =
        drawn.inspect_err(|error| explain_failure(&args.project, None, error, terminal))?;
    if args.json {
        return print(&summary);
    }
    let (width, height) = (&summary["width"], &summary["height"]);
    let seconds = summary["totalMs"].as_f64().unwrap_or_default() / 1000.0;
    let output = args.output.path.display();
    terminal.note(&format!(
        "{output}: frame {}, {width}x{height}, drawn in {seconds:.1} s",
        summary["frame"]
    ));
    Ok(())
}

/// What the command line asks for, checked.
struct Request {
    project: PathBuf,
    frame: u32,
    /// Of a render of this frame and nothing else.
    settings: Settings,
    output: PathBuf,
}

impl Request {
    fn check(args: &StillArgs) -> Result<Self> {
        let (project, entry) = project_and_entry(&args.project)?;
        if args.alpha && args.output.kind == Kind::Jpeg {
            return Err(Error::Argument {
                argument: "--alpha".to_owned(),
                reason: "a JPEG holds no transparency; .png and .webp do".to_owned(),
            });
        }
        let mut config = args.page.config(&project, entry.as_deref())?;
        config.extend([
            ("alpha".to_owned(), args.alpha.into()),
            ("format".to_owned(), Format::PngSequence.name().into()),
            ("mute".to_owned(), true.into()),
        ]);
        let fps = settings(&config)?.fps;
        let frame = fps.frame_at(args.at).min(u32::MAX - 1);
        config.extend([
            ("poster".to_owned(), format!("{frame}f").into()),
            ("frames".to_owned(), format!("{frame}..{}", frame + 1).into()),
        ]);
        let settings = settings(&config)?;
        let output = output_path(&args.output.path, Format::Mp4)?;
        Ok(Self { project, frame, settings, output })
    }
}

async fn draw(args: &StillArgs, terminal: &Terminal, meter: &Meter) -> Result<Value> {
    let start = Instant::now();
    let Request { project, frame, settings, output } = Request::check(args)?;
    let scratch = scratch(&args.host);
    let toolbox = open_toolbox(&args.host, &scratch)?;
    workdir::remove_stale(&scratch);
    let (bench, env) = (WorkDir::make(&scratch)?, environment());
    // Looking for the frame in memory takes longer than one screenshot.
    let options =
        ChunkOptions { capture: Some(CaptureMode::Png), ..options(Some(1), &args.host, meter) };
    let worker = Worker {
        store: &LocalStore,
        toolbox: &toolbox,
        env: &env,
        scratch: bench.path(),
        options,
        until: None,
        cache: None,
    };

    let prefix = uri(bench.path())?;
    let event = PlanEvent {
        project: uri(&project)?,
        output_prefix: prefix,
        settings,
        protocol: Protocol::V1,
    };
    let planned =
        worker.plan(&event).await.map_err(|error| outside_of_timeline(args, frame, error));
    let planned = planned?;
    terminal.warnings(&planned.answer.warnings);
    meter.stage("drawing");
    let (drawn, rendered) = draw_poster(&worker, event, &planned).await?;
    terminal.warnings(&rendered.report.warnings);

    let made = bench.path().join("still");
    convert(&toolbox.joining().await?, args.output.kind, &drawn, &made).await?;
    deliver(&made, &output)?;
    Ok(json!({
        "output": output.display().to_string(),
        "frame": frame,
        "width": rendered.report.width,
        "height": rendered.report.height,
        "totalMs": millis_since(start),
        "warnings": planned.answer.warnings,
    }))
}

/// Renders the only chunk of the plan, and returns the path of its poster.
async fn draw_poster(
    worker: &Worker<'_, LocalStore>,
    event: PlanEvent,
    planned: &Planned,
) -> Result<(PathBuf, RenderedChunk)> {
    let plan_hash = &planned.answer.plan_hash;
    let event = RenderChunkEvent {
        plan: PlanLocation::Archive(planned.archive.clone()),
        plan_hash: plan_hash.clone(),
        chunk_index: 0,
        output_prefix: event.output_prefix,
        format: Format::PngSequence,
    };
    let rendered = worker.render_new_chunk(&event).await?;
    let poster = beside_chunk(&rendered.uri, plan_hash, SideOutput::Poster);
    Ok((LocalStore::path(&poster)?.to_owned(), rendered))
}

/// A frame that the composition has not is an error of `--at`.
fn outside_of_timeline(args: &StillArgs, frame: u32, error: Error) -> Error {
    match error {
        Error::Render(render::Error::OutsideOfTimeline { first, last, .. }) => Error::Argument {
            argument: format!("--at {}", args.at),
            reason: format!("is frame {frame}, and the composition has {first} to {last}"),
        },
        other => of_options(other),
    }
}

/// Gives the picture its name, once it is whole.
fn deliver(made: &Path, output: &Path) -> Result<()> {
    let failed = |source| Error::Io { action: "write", path: output.display().to_string(), source };
    let folder = output.parent().unwrap_or(Path::new("/"));
    let beside = tempfile::Builder::new().prefix(".framewright-").tempdir_in(folder);
    let beside = beside.map_err(failed)?;
    let copy = beside.path().join("still");
    fs::copy(made, &copy).map_err(failed)?;
    fs::rename(&copy, output).map_err(failed)
}
