//! What a command uses of this machine: its tools, its scratch directory, its environment and its terminal.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use render::chunk::{ChunkOptions, Progress, Workers};
use render::{FrameHashes, Reuse, Timeouts};
use serde_json::Value;
use store::Uri;

use crate::cli::args::HostArgs;
use crate::error::{Error, Result};
use crate::resources::default_workers;
use crate::tools::toolbox::{ChromeSource, Toolbox};

/// A project may be named by its directory or by the HTML file in it.
pub(crate) fn project_and_entry(given: &Path) -> Result<(PathBuf, Option<String>)> {
    let bad = |reason: String| Error::Argument { argument: given.display().to_string(), reason };
    let path = std::fs::canonicalize(given).map_err(|error| bad(error.to_string()))?;
    if path.is_dir() {
        return Ok((path, None));
    }
    let entry = path
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| bad("has no readable name".into()))?;
    let folder = path.parent().ok_or_else(|| bad("has no folder".into()))?;
    Ok((folder.to_owned(), Some(entry.to_owned())))
}

pub(crate) fn open_toolbox(host: &HostArgs, scratch: &Path) -> Result<Toolbox> {
    let dir = find_tools(host)?;
    Toolbox::open(&dir, ChromeSource::Pack(dir.join("chrome")), scratch)
}

/// The directory of the tools: the one that is named, or else the first that is found.
pub(crate) fn find_tools(host: &HostArgs) -> Result<PathBuf> {
    if let Some(named) = &host.tools {
        return Ok(std::path::absolute(named).unwrap_or_else(|_empty| named.clone()));
    }
    let program = std::env::current_exe().unwrap_or_default();
    let here = std::env::current_dir().unwrap_or_default();
    tools_near(&program, &here).ok_or(Error::NoTools { program, here })
}

/// `tools` beside the program, as in a bundle and an archive; `.tools` above it, as in a clone; `.tools` above the current directory.
fn tools_near(program: &Path, here: &Path) -> Option<PathBuf> {
    let beside = program.parent().map(|dir| dir.join("tools"));
    let above = |from: &Path| from.ancestors().map(|dir| dir.join(".tools")).collect::<Vec<_>>();
    let candidates = beside.into_iter().chain(above(program)).chain(above(here));
    candidates.into_iter().find(|dir| dir.join("chrome").is_dir())
}

pub(crate) fn scratch(host: &HostArgs) -> PathBuf {
    host.scratch.clone().unwrap_or_else(std::env::temp_dir)
}

/// The environment as plain text; the plan keeps the part that pages may depend on.
pub(crate) fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

pub(crate) fn options<'a>(
    workers: Option<u32>,
    host: &HostArgs,
    progress: &'a dyn Progress,
) -> ChunkOptions<'a> {
    ChunkOptions {
        workers: workers.map_or_else(|| Workers::ForCores(default_workers()), Workers::Exactly),
        reuse: Reuse::Proven,
        hashes: FrameHashes::Skip,
        timeouts: timeouts(host),
        capture: None,
        fault: None,
        progress,
    }
}

pub(crate) fn timeouts(host: &HostArgs) -> Timeouts {
    Timeouts {
        ready: Duration::from_secs(host.ready_timeout),
        frame: Duration::from_secs(host.frame_timeout),
    }
}

pub(crate) fn uri(path: &Path) -> Result<Uri> {
    Uri::from_path(path).ok_or_else(|| Error::Argument {
        argument: path.display().to_string(),
        reason: "is not an absolute path of readable characters".to_owned(),
    })
}

/// Prints an answer or a summary on stdout.
pub(crate) fn print(value: &Value) -> Result<()> {
    let text = serde_json::to_string_pretty(value).expect("a JSON value is JSON");
    writeln!(std::io::stdout(), "{text}").map_err(|source| Error::Io {
        action: "print to",
        path: "stdout".to_owned(),
        source,
    })
}

/// Prints a line on stdout.
pub(crate) fn out(text: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{text}").map_err(|source| Error::Io {
        action: "print to",
        path: "stdout".to_owned(),
        source,
    })
}

/// Prints a line on stderr. If nobody reads it, the command goes on.
pub(crate) fn line(text: &str) {
    let _nobody_reads = writeln!(std::io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_found_beside_the_program_then_above_it_then_above_the_current_directory() {
        let dir = tempfile::tempdir().unwrap();
        let make = |path: &str| std::fs::create_dir_all(dir.path().join(path)).unwrap();
        let (program, here) = (dir.path().join("clone/target/bin"), dir.path().join("work/videos"));
        make("clone/target");
        make("work/videos");
        let found = || tools_near(&program, &here);
        assert_eq!(found(), None);
        make("work/.tools/chrome");
        assert_eq!(found(), Some(dir.path().join("work/.tools")));
        make("clone/.tools/chrome");
        assert_eq!(found(), Some(dir.path().join("clone/.tools")));
        // A directory that is only called so is none.
        make("clone/target/tools");
        assert_eq!(found(), Some(dir.path().join("clone/.tools")));
        make("clone/target/tools/chrome");
        assert_eq!(found(), Some(dir.path().join("clone/target/tools")));
    }
}
