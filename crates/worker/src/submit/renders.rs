//! What an operator asks about renders of a stack: which there are, how far one is, and to end one.

use std::path::Path;
use std::time::SystemTime;

use serde_json::{Value, json};
use store::{Metadata, Store, Uri};

use crate::actions::marker;
use crate::cli::args::{ListArgs, MachineArgs, OneRenderArgs};
use crate::cli::host::{line, out, print};
use crate::cli::signals::Signals;
use crate::cli::terminal::Terminal;
use crate::error::{Error, Result};
use crate::submit::cause::readable;
use crate::submit::cloud::{Execution, Listed, Status};
use crate::submit::cost;
use crate::submit::deployment::{Deployment, no_deployment};
use crate::submit::naming::{Arn, utc};
use crate::submit::session::Session;
use crate::submit::show::{Show, time};
use crate::submit::watcher::{Look, Watcher};
use crate::time::millis;

/// Prints the renders of a stack, the newest first.
pub(crate) async fn list(args: &ListArgs, mut signals: Signals) -> Result<()> {
    let machine = machine(&args.machine)?;
    let listing = async {
        let arn = Arn::parse(&machine, "stateMachine", "--state-machine")?;
        let session = Session::connect(arn).await?;
        session.cloud.list(&machine, args.status.map(Status::from), args.limit).await
    };
    let listed = signals.unless_stopped(Box::pin(listing)).await?;
    if args.json {
        return print(&listed.iter().map(listed_json).collect());
    }
    for one in &listed {
        let took = took(one.start, one.stop);
        let row = format!("{:<9}  {}  {took:>12}  {}", one.status.name(), utc(one.start), one.name);
        out(&row)?;
    }
    Ok(())
}

fn listed_json(one: &Listed) -> Value {
    let Listed { name, execution, status, start, stop } = one;
    json!({
        "renderId": name,
        "executionArn": execution,
        "status": status.name(),
        "started": utc(*start),
        "stopped": stop.map(utc),
    })
}

/// Says once how far a render is, and why it failed if it has.
pub(crate) async fn status(
    args: &OneRenderArgs,
    mut signals: Signals,
    terminal: &Terminal,
) -> Result<()> {
    let asked = Asked::of(args)?;
    let looking = async {
        let session = Session::connect(asked.arn()?).await?;
        let show = Show::silent(terminal);
        let watcher = Watcher::new(&session.cloud, &asked.execution, asked.memory_mib, &show);
        let look = watcher.look().await?;
        let drawn = session.frames_drawn(&look).await;
        Ok((look, drawn))
    };
    let (look, drawn) = signals.unless_stopped(Box::pin(looking)).await?;
    let answer = status_json(&look, &asked.execution, drawn);
    if args.json {
        return print(&answer);
    }
    out(&status_line(&look, drawn))
}

fn status_json(look: &Look, execution: &str, drawn: Option<u32>) -> Value {
    let Look { execution: found, progress, elapsed, dollars, .. } = look;
    let plan = progress.plan.as_ref();
    json!({
        "renderId": found.name,
        "executionArn": execution,
        "status": found.status.name(),
        "stage": progress.stage().name(),
        "started": utc(found.start),
        "stopped": found.stop.map(utc),
        "elapsedMs": millis(*elapsed),
        "chunks": plan.map(|plan| plan.chunks),
        "chunksDone": progress.chunks_done(),
        "frames": plan.map(|plan| plan.frames),
        "framesDone": drawn.unwrap_or(progress.frames_done),
        "retries": progress.retries,
        "costUsd": dollars.map(|dollars| (dollars * 1e6).round() / 1e6),
        "outputS3Uri": output(found),
        "error": found.error,
        "cause": found.cause.as_deref().map(readable),
    })
}

fn status_line(look: &Look, drawn: Option<u32>) -> String {
    let Look { execution: found, progress, elapsed, dollars, .. } = look;
    let is_running = found.status == Status::Running;
    let stage = is_running.then(|| progress.stage().name().to_owned());
    let frames = progress
        .plan
        .as_ref()
        .map(|plan| format!("{} of {} frames", drawn.unwrap_or(progress.frames_done), plan.frames));
    let cost = dollars.map(cost::shown);
    let error = found.error.as_ref().map(|error| {
        let cause = found.cause.as_deref().map(readable).unwrap_or_default();
        if cause.is_empty() { error.clone() } else { format!("{error}: {cause}") }
    });
    let parts = [stage, frames, Some(time(*elapsed)), cost, error];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    format!("{}: {}: {}", found.name, found.status.name(), parts.join(", "))
}

/// Stops a render, and lets the chunks that are being drawn end soon.
pub(crate) async fn cancel(args: &OneRenderArgs, mut signals: Signals) -> Result<()> {
    let asked = Asked::of(args)?;
    let cancelling = async {
        let session = Session::connect(asked.arn()?).await?;
        let Some(found) = session.cloud.describe(&asked.execution).await? else {
            return Err(no_such(&asked.execution));
        };
        if found.status != Status::Running {
            return Ok(found);
        }
        // The execution first: what ends by the marker is not tried again then.
        session.cloud.stop(&asked.execution).await?;
        if let Some(prefix) = prefix(&found) {
            session.mark_cancelled(&prefix).await;
        }
        Ok(Execution { status: Status::Aborted, ..found })
    };
    let found = signals.unless_stopped(Box::pin(cancelling)).await?;
    let was_over = found.status != Status::Aborted;
    if args.json {
        return print(&json!({
            "renderId": found.name, "executionArn": asked.execution, "status": found.status.name(),
        }));
    }
    let what = if was_over { "is over already: " } else { "is stopped: " };
    line(&format!("{} {what}{}", found.name, found.status.name()));
    Ok(())
}

impl Session {
    /// Tells the chunks of a render that nobody wants them. What is already paid for ends a little later without it.
    async fn mark_cancelled(&self, prefix: &Uri) {
        let marked = async {
            let file = tempfile::NamedTempFile::new().ok()?;
            let uri = prefix.join(marker::CANCELLED);
            let at = (marker::CANCELLED_AT.to_owned(), utc(SystemTime::now()));
            let metadata = Metadata { sha256: None, labels: [at].into() };
            self.store.put_file(file.path(), &uri, &metadata).await.ok()
        };
        if marked.await.is_none() {
            line("the chunks that are being drawn are not told, and go on to their end");
        }
    }

    /// Frames that are drawn, with those of chunks that are not done yet; `None` if that is not to be known.
    async fn frames_drawn(&self, look: &Look) -> Option<u32> {
        let prefix = prefix(&look.execution)?;
        let dir = tempfile::tempdir().ok()?;
        let mut frames = look.progress.frames_done;
        for index in look.progress.chunks_running() {
            let uri = prefix.join(&marker::progress(index));
            // A chunk tells how far it is some seconds after it has begun.
            if let Ok(file) = self.store.file(&uri, dir.path()).await {
                frames += frames_in(&file.path).unwrap_or(0);
            }
        }
        Some(frames)
    }
}

fn frames_in(file: &Path) -> Option<u32> {
    let told: Value = serde_json::from_str(&std::fs::read_to_string(file).ok()?).ok()?;
    told["frames"].as_u64()?.try_into().ok()
}

/// A render that was asked about.
struct Asked {
    execution: String,
    memory_mib: Option<u32>,
}

impl Asked {
    fn of(args: &OneRenderArgs) -> Result<Self> {
        let deployment = Deployment::find(&args.machine.stack)?;
        let memory = deployment.as_ref().map(|found| found.memory_mib);
        let memory_mib = args.machine.stack.memory.or(memory);
        let execution = if args.render.starts_with("arn:") {
            args.render.clone()
        } else {
            let machine = machine(&args.machine)?;
            Arn::parse(&machine, "stateMachine", "--state-machine")?.execution(&args.render)
        };
        Ok(Self { execution, memory_mib })
    }

    fn arn(&self) -> Result<Arn<'_>> {
        Arn::parse(&self.execution, "execution", "RENDER")
    }
}

fn machine(args: &MachineArgs) -> Result<String> {
    match &args.state_machine {
        Some(machine) => Ok(machine.clone()),
        None => match Deployment::find(&args.stack)? {
            Some(found) => Ok(found.state_machine),
            None => Err(no_deployment("--state-machine")),
        },
    }
}

/// Where an execution keeps its plan and chunks, as its input says.
fn prefix(execution: &Execution) -> Option<Uri> {
    input_uri(execution, "PlanOutputS3Prefix")
}

fn output(execution: &Execution) -> Option<Uri> {
    input_uri(execution, "OutputS3Uri")
}

fn input_uri(execution: &Execution, field: &str) -> Option<Uri> {
    let input: Value = serde_json::from_str(&execution.input).ok()?;
    Uri::parse(input[field].as_str()?).ok()
}

fn took(start: SystemTime, stop: Option<SystemTime>) -> String {
    stop.map(|stop| time(stop.duration_since(start).unwrap_or_default())).unwrap_or_default()
}

fn no_such(execution: &str) -> Error {
    let reason = "there is no such execution".to_owned();
    Error::Argument { argument: execution.to_owned(), reason }
}
