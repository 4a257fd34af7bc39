//! Renders on a deployed stack: a project is uploaded, an execution of the state machine is started and watched, and its video
//! is downloaded.

mod cause;
mod cloud;
mod deployment;
mod history;
mod interrupt;
mod naming;
mod outcome;
mod project;
pub(crate) mod renders;
mod session;
mod show;
mod submission;
mod upload;
mod watcher;

use std::path::Path;

use render::config::output::Format;
use serde_json::Value;

use crate::cli::args::{SubmitArgs, WatchArgs};
use crate::cli::host::{line, print};
use crate::cli::signals::Signals;
use crate::cli::terminal::Terminal;
use crate::cost;
use crate::error::{Error, Result};
use crate::output::output_path;
use crate::submit::cloud::Started;
use crate::submit::deployment::Deployment;
use crate::submit::naming::Arn;
use crate::submit::session::{Render, Session};
use crate::submit::show::Show;
use crate::submit::submission::Submission;
use crate::submit::upload::upload;

/// Renders a project on a deployed stack.
pub(crate) async fn submit(
    args: &SubmitArgs,
    mut signals: Signals,
    terminal: &Terminal,
) -> Result<()> {
    let submission = signals.unless_stopped(Box::pin(Submission::check(args))).await?;
    let show = if args.json { Show::silent(terminal) } else { Show::start(terminal) };
    let session = signals.unless_stopped(Box::pin(Session::connect(submission.machine()?))).await?;
    let sending = Box::pin(send(args, &submission, &session, &show));
    let sent = signals.unless_stopped(sending).await;
    if sent.is_err() {
        show.finish();
        session.settle().await;
    }
    let input = sent?;
    let mut render = Render {
        name: submission.name.clone(),
        execution: submission.machine()?.execution(&submission.name),
        output: submission.output.clone(),
        memory_mib: submission.memory_mib,
        log_group: submission.log_group.clone(),
        deployment: args.stack.deployment.clone(),
        wants_json: args.json,
    };
    let may_exist = args.idempotency_name.is_some();
    let starting = start(&session, &submission, &input, &render.execution, may_exist);
    match signals.unless_stopped(Box::pin(starting)).await {
        Ok(execution) => render.execution = execution,
        // The request may have arrived.
        Err(error @ (Error::Cancelled { .. } | Error::CloudUnavailable { .. })) => {
            show.finish();
            render.say_that_it_may("have started");
            return Err(error.of_execution(&render.execution));
        }
        Err(error) => {
            show.finish();
            return Err(error);
        }
    }
    show.say(&format!("{} is started: {}", render.name, render.execution));
    if args.detach {
        show.finish();
        line(&format!("watch it with: {}", render.watch_command()));
        return if args.json { print(&render.summary()) } else { Ok(()) };
    }
    let watched = session.watch_to_end(&render, &show, &mut signals).await;
    watched.map_err(|error| error.of_execution(&render.execution))
}

/// Watches a render that somebody started.
pub(crate) async fn watch(
    args: &WatchArgs,
    mut signals: Signals,
    terminal: &Terminal,
) -> Result<()> {
    let arn = Arn::parse(&args.execution, "execution", "EXECUTION_ARN")?;
    let output = args.output.as_deref();
    let output = output.map(|output| output_path(output, likely_format(output))).transpose()?;
    let deployment = Deployment::find(&args.stack)?;
    let deployment = deployment.filter(|found| arn.is_of(&found.state_machine));
    let memory = deployment.as_ref().map(|deployment| deployment.memory_mib);
    let show = if args.json { Show::silent(terminal) } else { Show::start(terminal) };
    let session = signals.unless_stopped(Box::pin(Session::connect(arn))).await?;
    let render = Render {
        name: args.execution.rsplit(':').next().unwrap_or_default().to_owned(),
        execution: args.execution.clone(),
        output,
        memory_mib: args.stack.memory.or(memory),
        log_group: deployment.map(|deployment| deployment.log_group),
        deployment: args.stack.deployment.clone(),
        wants_json: args.json,
    };
    let watched = session.watch_to_end(&render, &show, &mut signals).await;
    watched.map_err(|error| error.of_execution(&render.execution))
}

/// The format that a file or directory of this name most likely has; what the render has made is known when it is over.
fn likely_format(output: &Path) -> Format {
    if output.is_dir() { Format::PngSequence } else { Format::Mp4 }
}

/// Packs the project, uploads it, and returns the input of the execution.
async fn send(
    args: &SubmitArgs,
    submission: &Submission,
    session: &Session,
    show: &Show,
) -> Result<String> {
    let name = submission.name.as_str();
    if !submission.has_new_name
        && args.idempotency_name.is_none()
        && session.cloud.describe(&submission.machine()?.execution(name)).await?.is_some()
    {
        return Err(taken("--name", name));
    }
    let scratch = tempfile::Builder::new().prefix("framewright-").tempdir().map_err(|source| {
        let path = std::env::temp_dir().display().to_string();
        Error::Io { action: "make a directory in", path, source }
    })?;
    let packed = submission.project.pack(scratch.path()).await?;
    let uri = submission.project_uri(&packed.sha256)?;
    let input = submission.input(&uri, args)?.to_string();
    upload(&session.store, &packed, &uri, show).await?;
    Ok(input)
}

/// Starts the execution, whose ARN would be `expected`, and returns its ARN.
async fn start(
    session: &Session,
    submission: &Submission,
    input: &str,
    expected: &str,
    may_exist: bool,
) -> Result<String> {
    match session.cloud.start(&submission.state_machine, &submission.name, input).await? {
        Started::As { execution } => Ok(execution),
        // The answer to an earlier try was lost, and the render is over already: a generated name is unique.
        Started::NameTaken
            if submission.has_new_name && session.cloud.describe(expected).await?.is_some() =>
        {
            Ok(expected.to_owned())
        }
        Started::NameTaken if may_exist => {
            let json = |text: &str| serde_json::from_str::<Value>(text).ok();
            match session.cloud.describe(expected).await? {
                Some(found) if json(&found.input) == json(input) => Ok(expected.to_owned()),
                _ => Err(taken("--idempotency-name", &submission.name)),
            }
        }
        Started::NameTaken => Err(taken("--name", &submission.name)),
    }
}

fn taken(option: &str, name: &str) -> Error {
    Error::Argument {
        argument: format!("{option} {name}"),
        reason: "is the name of another render of this state machine".to_owned(),
    }
}
