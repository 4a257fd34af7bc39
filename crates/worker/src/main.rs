//! `bootstrap`: the function on Lambda, and the same work on this machine, through one dispatcher.

mod action;
mod actions;
mod cli;
mod cost;
mod error;
mod function;
mod guard;
mod output;
mod processes;
mod resources;
mod restart;
mod submit;
mod time;
mod tools;
mod workdir;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::cli::args::{Cli, Command};
use crate::cli::signals::Signals;
use crate::cli::terminal::Terminal;
use crate::error::Result;
use crate::guard::Guard;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    if let (Some(guard::ARGUMENT), Some(owner)) = (arguments.next().as_deref(), arguments.next()) {
        guard::run(&owner);
        return ExitCode::SUCCESS;
    }
    if is_on_lambda() {
        restart::restart();
    }
    let _guard = Guard::start();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime needs only threads");
    if is_on_lambda() {
        return match runtime.block_on(function::lambda::serve(cli::host::environment())) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                tracing::error!(error, "the runtime API is gone");
                ExitCode::FAILURE
            }
        };
    }
    let cli = Cli::parse();
    let terminal = Terminal::stderr(cli.talk.verbosity());
    cli::events::install(&cli.talk, &terminal);
    match runtime.block_on(run(&cli, &terminal)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => cli::report::report(&cli, &terminal, &error),
    }
}

/// Whether Lambda started us: it sets the address of its runtime API, and its only argument is the name of a handler.
fn is_on_lambda() -> bool {
    let argument = std::env::args().nth(1).unwrap_or_default();
    let is_ours = argument.starts_with('-') || Cli::command().find_subcommand(&argument).is_some();
    std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some() && !is_ours
}

/// Does what was asked for. A signal ends what runs here, with every child and file; a render elsewhere is asked about.
async fn run(cli: &Cli, terminal: &Terminal) -> Result<()> {
    let mut signals = Signals::install();
    match &cli.command {
        Command::Render(args) => {
            signals.unless_stopped(Box::pin(cli::render::render(args, terminal))).await
        }
        Command::Still(args) => {
            signals.unless_stopped(Box::pin(cli::still::still(args, terminal))).await
        }
        Command::Preview(args) => {
            signals.unless_stopped(Box::pin(cli::preview::preview(args, terminal))).await
        }
        Command::Lint(args) => {
            signals.unless_stopped(Box::pin(cli::lint::lint(args, terminal))).await
        }
        Command::Invoke(args) => {
            signals.unless_stopped(Box::pin(cli::invoke::invoke(args, terminal))).await
        }
        Command::Probe(args) => signals.unless_stopped(Box::pin(cli::probe::probe(args))).await,
        Command::Doctor(args) => {
            signals.unless_stopped(Box::pin(cli::doctor::doctor(args, terminal))).await
        }
        Command::New { dir } => cli::new::new(dir, terminal),
        Command::Completions { shell } => cli::manual::completions(*shell),
        Command::Man { dir } => cli::manual::man(dir),
        Command::Floor(args) => signals.unless_stopped(cli::floor::floor(args)).await,
        Command::Pack { from, to, level } => tools::pack::pack(from, to, *level),
        Command::Submit(args) => Box::pin(submit::submit(args, signals, terminal)).await,
        Command::List(args) => Box::pin(submit::renders::list(args, signals)).await,
        Command::Status(args) => Box::pin(submit::renders::status(args, signals, terminal)).await,
        Command::Cancel(args) => Box::pin(submit::renders::cancel(args, signals)).await,
        Command::Watch(args) => Box::pin(submit::watch(args, signals, terminal)).await,
    }
}
