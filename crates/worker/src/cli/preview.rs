//! `framewright preview`: a page on this machine that shows the frames which a render would have, and follows the project's files.

mod engine;
mod route;
mod server;
mod state;
mod watched;

use std::net::Ipv4Addr;
use std::path::PathBuf;

use futures::future::try_join3;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::cli::args::{Cli, Command, PreviewArgs};
use crate::cli::host::{find_tools, project_and_entry};
use crate::cli::preview::engine::Engine;
use crate::cli::preview::server::Server;
use crate::cli::preview::state::{RenderJob, Shared};
use crate::cli::terminal::Terminal;
use crate::cli::video::{Request, render_request};
use crate::error::{Error, Result};

pub(crate) async fn preview(args: &PreviewArgs, terminal: &Terminal) -> Result<()> {
    let (project, _entry) = project_and_entry(&args.project)?;
    find_tools(&args.host)?;
    let bad = |error: std::io::Error| Error::Argument {
        argument: format!("--port {}", args.port),
        reason: format!("cannot be listened on: {error}"),
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, args.port)).await.map_err(bad)?;
    let address = listener.local_addr().map_err(bad)?;
    let token = token()?;
    let name = project.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let shared = Shared::new(name);
    let (jobs, waiting) = mpsc::channel(1);
    let engine = Engine { args, project, shared: shared.clone(), terminal };
    terminal.line(&format!("preview: http://{address}/{token}/"));
    terminal.note("it is for this machine only; Ctrl-C ends it");
    let server = Server { listener, address, token, shared, jobs };
    let serving = async {
        server.run().await;
        Ok(())
    };
    try_join3(engine.run(), serving, render_jobs(args, waiting, terminal)).await?;
    Ok(())
}

/// What nobody who does not see the terminal can guess.
fn token() -> Result<String> {
    let mut bytes = [0; 16];
    let read = std::fs::File::open("/dev/urandom")
        .and_then(|mut file| std::io::Read::read_exact(&mut file, &mut bytes));
    read.map_err(|source| Error::Io { action: "read", path: "/dev/urandom".to_owned(), source })?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

/// Renders what the page's button asks for, one after the other.
async fn render_jobs(
    args: &PreviewArgs,
    mut jobs: mpsc::Receiver<RenderJob>,
    terminal: &Terminal,
) -> Result<()> {
    while let Some(RenderJob { answer }) = jobs.recv().await {
        let output = free_name(args);
        let rendered = Box::pin(render_to(args, &output, terminal)).await;
        let told = rendered.map(|()| output.display().to_string());
        let _nobody_waits =
            answer.send(told.map_err(|error| format!("{}: {}", error.code(), error.chain())));
    }
    Ok(())
}

async fn render_to(
    args: &PreviewArgs,
    output: &std::path::Path,
    terminal: &Terminal,
) -> Result<()> {
    use clap::Parser;
    let mut words: Vec<std::ffi::OsString> = vec!["framewright".into(), "render".into()];
    words.extend([args.project.clone().into(), "--output".into(), output.into()]);
    if let Some(tools) = &args.host.tools {
        words.extend(["--tools".into(), tools.into()]);
    }
    if let Some(scratch) = &args.host.scratch {
        words.extend(["--scratch".into(), scratch.into()]);
    }
    words.extend(args.page.words());
    let cli = Cli::try_parse_from(words).map_err(|error| Error::Argument {
        argument: "render".to_owned(),
        reason: error.to_string(),
    })?;
    let Command::Render(render) = cli.command else { unreachable!("render was asked for") };
    let request = Request::check(&render, output, None)?;
    render_request(&render, &request, terminal).await.map(drop)
}

/// A video in the current directory that replaces none.
fn free_name(args: &PreviewArgs) -> PathBuf {
    let path = std::fs::canonicalize(&args.project).unwrap_or_else(|_gone| args.project.clone());
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let names = (2..).map(|number| PathBuf::from(format!("{name}-{number}.mp4")));
    let mut names = std::iter::once(PathBuf::from(format!("{name}.mp4"))).chain(names);
    names.find(|name| !name.exists()).expect("there is always another number")
}
