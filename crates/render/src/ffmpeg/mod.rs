//! FFmpeg and ffprobe: each call a pure function to a command, a typed result, and a thin run.

pub(crate) mod concat;
pub(crate) mod encode;
pub(crate) mod extract;
pub(crate) mod probe;
pub(crate) mod sound;
pub(crate) mod source;

use std::path::Path;
use std::time::Duration;

use crate::error::Result;
use crate::process::{Cmd, run};
use crate::tools::Tools;

/// The first line of `ffmpeg -version`, by which a plan and its chunks make sure that they use the same encoder.
pub(crate) async fn version(tools: &Tools) -> Result<String> {
    version_of(tools.ffmpeg()).await
}

/// The first line of `ffprobe -version`.
pub(crate) async fn probe_version(tools: &Tools) -> Result<String> {
    version_of(tools.ffprobe()).await
}

async fn version_of(program: &Path) -> Result<String> {
    let printed = run(&Cmd::new(program).arg("-version"), Duration::from_secs(30)).await?;
    let text = String::from_utf8_lossy(&printed);
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}
