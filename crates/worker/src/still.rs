//! One frame of a composition: a render of a single frame, of which only the poster is kept.

use std::fs;
use std::path::Path;
use std::time::Instant;

use render::SideOutput;
use render::chunk::ChunkOptions;
use render::config::output::Format;
use render::config::{CaptureMode, Settings};
use render::frame::Moment;
use render::still::{Kind, convert};
use serde_json::{Map, Value, json};
use store::{LocalStore, Uri};

use crate::cli::StillArgs;
use crate::deadline::millis;
use crate::dispatch::{Worker, beside_chunk};
use crate::error::{Error, Result};
use crate::event::{Answer, Event};
use crate::local::{environment, open_toolbox, options, print, project_and_entry, scratch, uri};
use crate::place::output_path;
use crate::progress::{Meter, line};
use crate::workdir::WorkDir;

/// Draws a frame to a picture.
pub(crate) async fn still(args: &StillArgs) -> Result<()> {
    let summary = draw(args).await?;
    if args.json {
        return print(&summary);
    }
    let (width, height) = (&summary["width"], &summary["height"]);
    let seconds = summary["totalMs"].as_f64().unwrap_or_default() / 1000.0;
    let output = args.output.display();
    line(&format!(
        "{output}: frame {}, {width}x{height}, drawn in {seconds:.1} s",
        summary["frame"]
    ));
    Ok(())
}

async fn draw(args: &StillArgs) -> Result<Value> {
    let start = Instant::now();
    let bad =
        |argument: String, reason: &str| Error::Argument { argument, reason: reason.to_owned() };
    let at: Moment = args.at.parse().map_err(|()| {
        bad(format!("--at {}", args.at), "is no moment; write 1.5s, 1500ms or 45f")
    })?;
    let kind = Kind::of(&args.output).ok_or_else(|| {
        let argument = format!("--output {}", args.output.display());
        bad(argument, "must end with .png, .jpg, .jpeg or .webp")
    })?;
    let (project, entry) = project_and_entry(&args.project)?;
    if args.alpha && kind == Kind::Jpeg {
        let reason = "a JPEG holds no transparency; .png and .webp do";
        return Err(bad("--alpha".to_owned(), reason));
    }
    let (frame, config) = config(args, at, entry.as_deref())?;
    let output = output_path(&args.output, Format::Mp4)?;

    let scratch = scratch(&args.host);
    let toolbox = open_toolbox(&args.host, &scratch)?;
    let (bench, env) = (WorkDir::make(&scratch)?, environment());
    let meter = Meter::Silent;
    // Looking for the frame in memory takes longer than one screenshot.
    let options =
        ChunkOptions { capture: Some(CaptureMode::Png), ..options(Some(1), &args.host, &meter) };
    let worker =
        Worker { store: &LocalStore, toolbox: &toolbox, env: &env, scratch: bench.path(), options };
    let prefix = uri(bench.path())?;
    let event = Event::Plan { project: uri(&project)?, output_prefix: prefix.clone(), config };
    let planned = worker.dispatch(event).await.map_err(|error| match error {
        Error::Render(render::Error::OutsideOfTimeline { first, last, .. }) => {
            let reason = format!("is frame {frame}, and the composition has {first} to {last}");
            Error::Argument { argument: format!("--at {}", args.at), reason }
        }
        other => other,
    });
    let Answer::Plan { plan_uri, plan_hash, warnings, .. } = planned?.0 else {
        unreachable!("a plan event gets a plan answer")
    };
    for warning in &warnings {
        line(&format!("warning: {warning}"));
    }
    let event = Event::RenderChunk {
        plan: Uri::parse(&plan_uri)?,
        plan_hash: plan_hash.clone(),
        chunk_index: 0,
        output_prefix: prefix,
        format: Format::PngSequence,
    };
    let Answer::RenderChunk { chunk_uri, report: Some(report), .. } =
        worker.dispatch(event).await?.0
    else {
        unreachable!("a chunk in a new directory is rendered")
    };
    for warning in &report.warnings {
        line(&format!("warning: {warning}"));
    }
    let Uri::File(drawn) = beside_chunk(&Uri::parse(&chunk_uri)?, &plan_hash, SideOutput::Poster)
    else {
        unreachable!("what is rendered here is stored here")
    };
    let made = bench.path().join("still");
    convert(&toolbox.joining().await?, kind, &drawn, &made).await?;
    deliver(&made, &output)?;
    Ok(json!({
        "output": output.display().to_string(),
        "frame": frame,
        "width": report.width,
        "height": report.height,
        "totalMs": millis(start.elapsed()),
        "warnings": warnings,
    }))
}

/// The number of the frame, and the config of a render of nothing else.
fn config(args: &StillArgs, at: Moment, entry: Option<&str>) -> Result<(u32, Map<String, Value>)> {
    let mut config = args.page.config(entry)?;
    let mut set = |name: &str, value: Value| drop(config.insert(name.to_owned(), value));
    set("alpha", args.alpha.into());
    set("format", Format::PngSequence.name().into());
    set("mute", true.into());
    let frame = Settings::parse(&config)?.fps.frame_at(at).min(u32::MAX - 1);
    let mut set = |name: &str, value: Value| drop(config.insert(name.to_owned(), value));
    set("poster", format!("{frame}f").into());
    set("frames", format!("{frame}..{}", frame + 1).into());
    Ok((frame, config))
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
