//! `bootstrap`: renders on this machine, or handles one event, through the same dispatcher.

mod cli;
mod dispatch;
mod error;
mod event;
mod local;
mod progress;
mod resources;

use std::process::ExitCode;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::cli::{Cli, Command};
use crate::error::{Error, Result};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = EnvFilter::try_from_env("FRAMEWRIGHT_LOG")
        .unwrap_or_else(|_unset| EnvFilter::new("warn,chromiumoxide=off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime needs only threads");
    match runtime.block_on(run(&cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => local::report(&cli, &error),
    }
}

/// Does what was asked for, unless a signal comes first: then everything is dropped, and with it every child and file.
async fn run(cli: &Cli) -> Result<()> {
    let mut interrupt =
        signal(SignalKind::interrupt()).expect("a handler for SIGINT can be installed");
    let mut terminate =
        signal(SignalKind::terminate()).expect("a handler for SIGTERM can be installed");
    let mut hangup = signal(SignalKind::hangup()).expect("a handler for SIGHUP can be installed");
    let work = async {
        match &cli.command {
            Command::Render(args) => local::render(args).await,
            Command::Invoke(args) => local::invoke(args).await,
            Command::Floor(args) => local::floor(args).await,
        }
    };
    tokio::select! {
        done = work => done,
        _ = interrupt.recv() => Err(Error::Cancelled { signal: "SIGINT" }),
        _ = hangup.recv() => Err(Error::Cancelled { signal: "SIGHUP" }),
        _ = terminate.recv() => Err(Error::Cancelled { signal: "SIGTERM" }),
    }
}
