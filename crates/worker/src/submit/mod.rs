//! Renders on a deployed stack: a project goes up, an execution of the state machine is started and watched, and its video
//! comes down.

mod cause;
mod cloud;
mod cost;
mod deployment;
mod history;
mod interrupt;
mod naming;
mod order;
mod outcome;
mod project;
mod session;
mod show;
mod upload;
mod watcher;

use crate::cli::{SubmitArgs, WatchArgs};
use crate::error::{Error, Result};
use crate::local::{output_path, print};
use crate::progress::line;
use crate::signals::Signals;
use crate::submit::cloud::Started;
use crate::submit::deployment::Deployment;
use crate::submit::naming::Arn;
use crate::submit::order::Order;
use crate::submit::session::{Render, Session};
use crate::submit::show::Show;
use crate::submit::upload::upload;

/// Renders a project on a deployed stack.
pub(crate) async fn submit(args: &SubmitArgs, mut signals: Signals) -> Result<()> {
    let order = Order::check(args)?;
    let show = if args.json { Show::Silent } else { Show::for_stderr() };
    let session = Session::connect(order.machine()?.region);
    let session = signals.unless_stopped(Box::pin(session)).await?;
    let starting = Box::pin(start(args, order, &session, &show));
    let started = signals.unless_stopped(starting).await;
    if started.is_err() {
        show.finish();
        session.settle().await;
    }
    let render = started?;
    show.say(&format!("{} is started: {}", render.name, render.execution));
    if args.detach {
        show.finish();
        line(&format!("watch it with: {}", render.watch_command()));
        return if args.json { print(&render.summary()) } else { Ok(()) };
    }
    session.see_through(&render, &show, &mut signals).await
}

/// Watches a render that somebody started.
pub(crate) async fn watch(args: &WatchArgs, mut signals: Signals) -> Result<()> {
    let arn = Arn::parse(&args.execution, "execution", "EXECUTION_ARN")?;
    let output = args.output.as_deref().map(output_path).transpose()?;
    let deployment = Deployment::find(&args.stack)?;
    let memory = deployment.as_ref().map(|deployment| deployment.memory_mib);
    let show = if args.json { Show::Silent } else { Show::for_stderr() };
    let session = signals.unless_stopped(Box::pin(Session::connect(arn.region))).await?;
    let render = Render {
        name: args.execution.rsplit(':').next().unwrap_or_default().to_owned(),
        execution: args.execution.clone(),
        output,
        memory_mib: args.stack.memory.or(memory),
        log_group: deployment.map(|deployment| deployment.log_group),
        deployment: args.stack.deployment.clone(),
        wants_json: args.json,
    };
    session.see_through(&render, &show, &mut signals).await
}

/// Packs the project, brings it up, and starts the execution.
async fn start(args: &SubmitArgs, order: Order, session: &Session, show: &Show) -> Result<Render> {
    let name = order.name.as_str();
    if args.name.is_some()
        && session.cloud.describe(&order.machine()?.execution(name)).await?.is_some()
    {
        return Err(taken(name));
    }
    let scratch = tempfile::Builder::new().prefix("framewright-").tempdir().map_err(|source| {
        let path = std::env::temp_dir().display().to_string();
        Error::Io { action: "make a directory in", path, source }
    })?;
    let packed = order.project.pack(scratch.path()).await?;
    let uri = order.project_uri(&packed.sha256)?;
    let input = order.input(&uri, args)?.to_string();
    upload(&session.store, &packed, &uri, show).await?;
    match session.cloud.start(&order.state_machine, name, &input).await? {
        Started::NameTaken => Err(taken(name)),
        Started::As { execution } => Ok(Render {
            name: order.name,
            execution,
            output: order.output,
            memory_mib: order.memory_mib,
            log_group: order.log_group,
            deployment: args.stack.deployment.clone(),
            wants_json: args.json,
        }),
    }
}

fn taken(name: &str) -> Error {
    Error::Argument {
        argument: format!("--name {name}"),
        reason: "is the name of another render of this state machine".to_owned(),
    }
}
