//! How a render ended: its video is fetched and summed up, or its failure reported.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use render::SideOutput;
use render::config::output::Format;
use serde_json::{Value, json};
use store::{Limits, S3Store, Store, Uri};

use crate::actions::side_outputs::beside;
use crate::error::{Code, Error, Result};
use crate::output::output_path;
use crate::submit::cause::readable;
use crate::submit::cloud::{Execution, Status};
use crate::submit::cost;
use crate::submit::show::{chunks, retries, time};
use crate::submit::watcher::{Ended, label};
use crate::time::millis;

/// Where the video of an execution is, as its input says.
pub(super) fn video(execution: &Execution) -> Result<Uri> {
    let input: Value = serde_json::from_str(&execution.input).unwrap_or_default();
    match input["OutputS3Uri"].as_str() {
        Some(uri) => Ok(Uri::parse(uri)?),
        None => Err(Error::Event {
            field: "OutputS3Uri".to_owned(),
            reason: format!("is not in the input of {}, which is no render", execution.name),
        }),
    }
}

/// What an execution makes besides its video, as its input says.
pub(super) fn side_outputs(execution: &Execution) -> Vec<SideOutput> {
    let input: Value = serde_json::from_str(&execution.input).unwrap_or_default();
    let named = |kind: &SideOutput| match kind {
        SideOutput::Poster => "poster",
        SideOutput::Preview => "preview",
    };
    SideOutput::ALL.into_iter().filter(|kind| !input["Config"][named(kind)].is_null()).collect()
}

/// Brings the video beside `output`, checks it, and gives it that name; then what was made besides it.
pub(super) async fn fetch(
    store: &S3Store,
    video: &Uri,
    side_outputs: &[SideOutput],
    output: &Path,
) -> Result<()> {
    let is_packed = matches!(video, Uri::S3 { key, .. } if key.ends_with(PACKED));
    let ending = output.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let called = Format::ALL.into_iter().find(|format| format.extension() == Some(ending));
    if let Some(called) = called
        && !video.to_string().ends_with(&format!(".{}", called.name()))
    {
        return Err(Error::Argument {
            argument: format!("--output {}", output.display()),
            reason: format!("is called like a {}, and the render has made {video}", called.name()),
        });
    }
    if is_packed {
        fetch_tree(store, video, output).await?;
    } else {
        fetch_file(store, video, output).await?;
    }
    for side_output in side_outputs {
        fetch_file(store, &beside(video, *side_output), &side_output.beside(output)).await?;
    }
    Ok(())
}

/// What the name of a directory ends with that is stored as one object.
pub(super) const PACKED: &str = ".tar.gz";

/// Pictures of a day at the highest rate, and whatever they need: they are our own.
const OUTPUT_LIMITS: Limits = Limits { entries: 11_000_000, bytes: u64::MAX, ratio: u64::MAX };

/// Brings a packed directory.
async fn fetch_tree(store: &S3Store, packed: &Uri, output: &Path) -> Result<()> {
    let output = &output_path(output, Format::PngSequence)?;
    let folder = output.parent().unwrap_or(Path::new("/"));
    let beside = tempfile::Builder::new()
        .prefix(".framewright-")
        .tempdir_in(folder)
        .map_err(failed("make a directory in", folder))?;
    let tree = store.tree_within(packed, beside.path(), OUTPUT_LIMITS).await?;
    let open = fs::metadata(folder).map_err(failed("read the metadata of", folder))?.permissions();
    fs::set_permissions(&tree, open).map_err(failed("open up", &tree))?;
    if output.exists() {
        let old = beside.path().join("old");
        fs::rename(output, &old).map_err(failed("replace", output))?;
    }
    fs::rename(&tree, output).map_err(failed("write", output))
}

async fn fetch_file(store: &S3Store, video: &Uri, output: &Path) -> Result<()> {
    let folder = output.parent().unwrap_or(Path::new("/"));
    let beside = tempfile::Builder::new()
        .prefix(".framewright-")
        .tempdir_in(folder)
        .map_err(failed("make a directory in", folder))?;
    let fetched = store.file(video, beside.path()).await?.path;
    // A temporary file is private to its owner; a video is as readable as any file its owner makes.
    let usual = beside.path().join("usual");
    let usual = File::create(&usual).and_then(|file| file.metadata());
    let permissions = usual.map_err(failed("make a file in", beside.path()))?.permissions();
    fs::set_permissions(&fetched, permissions).map_err(failed("open up", &fetched))?;
    fs::rename(&fetched, output).map_err(failed("write", output))
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.display().to_string();
    move |source| Error::Io { action, path, source }
}

/// One line for a render that succeeded: what it made, and what that took.
pub(super) fn line(ended: &Ended, output: &str) -> String {
    let Ended { execution: _, progress, elapsed, dollars, warnings: _ } = ended;
    let plan = progress.plan.as_ref().map(|plan| {
        let seconds = seconds(plan.frames, plan.fps);
        let count = chunks(plan.chunks);
        format!("{} frames, {}x{}, {seconds} s, {count}", plan.frames, plan.width, plan.height)
    });
    let rendered = Some(format!("rendered in {}", time(*elapsed)));
    let again = (progress.retries > 0).then(|| retries(progress.retries));
    let parts = [plan, rendered, again, dollars.map(cost::shown)];
    format!("{output}: {}", parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

/// The same for a program.
pub(super) fn summary(ended: &Ended, arn: &str, video: &Uri, output: Option<&Path>) -> Value {
    let Ended { execution, progress, elapsed, dollars, warnings } = ended;
    let plan = progress.plan.as_ref();
    let made = side_outputs(execution);
    let name = |kind: SideOutput| {
        let there = || beside(video, kind).to_string();
        let here = output.map(|output| kind.beside(output).display().to_string());
        made.contains(&kind).then(|| here.unwrap_or_else(there))
    };
    json!({
        "status": "SUCCEEDED",
        "renderId": execution.name,
        "executionArn": arn,
        "output": output.map(|output| output.display().to_string()),
        "outputS3Uri": video,
        "poster": name(SideOutput::Poster),
        "preview": name(SideOutput::Preview),
        "planHash": plan.map(|plan| &plan.hash),
        "frames": plan.map(|plan| plan.frames),
        "duration": plan.map(|plan| seconds(plan.frames, plan.fps)),
        "width": plan.map(|plan| plan.width),
        "height": plan.map(|plan| plan.height),
        "chunks": plan.map(|plan| plan.chunks),
        "retries": progress.retries,
        "elapsedMs": millis(*elapsed),
        "costUsd": dollars.map(|dollars| (dollars * 1e6).round() / 1e6),
        "warnings": warnings,
    })
}

/// To the millisecond.
fn seconds(frames: u32, fps: f64) -> f64 {
    if fps > 0.0 { (f64::from(frames) / fps * 1e3).round() / 1e3 } else { 0.0 }
}

/// Why a render did not succeed: with the worker's own code, if it gave one.
pub(super) fn failure(ended: &Ended) -> Error {
    let Ended { execution, progress, .. } = ended;
    let error = execution.error.as_deref().unwrap_or_default();
    let cause = execution.cause.as_deref().unwrap_or_default();
    let task = progress.failure(error, cause).map(|failure| failure.task);
    let task = task.map(|task| label(task, progress.plan.as_ref().map(|plan| plan.chunks)));
    let (code, cause) = (Code::from_name(error), readable(cause));
    let what = match execution.status {
        Status::Failed | Status::Running | Status::Succeeded => None,
        Status::TimedOut => Some("it took longer than the state machine allows".to_owned()),
        Status::Aborted => Some("it was stopped".to_owned()),
    };
    // A code of ours stands before the message as it is.
    let named = (code.is_none() && !error.is_empty()).then(|| error.to_owned());
    let parts = [what, task, named, (!cause.is_empty()).then_some(cause)];
    let message: Vec<_> = parts.into_iter().flatten().collect();
    let message =
        if message.is_empty() { "no cause was reported".to_owned() } else { message.join(": ") };
    Error::RenderFailed { code, message }
}
