//! Where a video goes that the command line asks for: a file, which may have to be asked about, or stdout.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use render::config::Settings;
use tokio::sync::oneshot;

use crate::cli::args::OverwriteArgs;
use crate::cli::terminal::Terminal;
use crate::error::{Error, Result};
use crate::output::{check_side_outputs, output_path};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    File(PathBuf),
    /// The video is copied to stdout when it is complete.
    Stdout,
}

impl Target {
    /// What `-o` names, which must be able to take the output.
    pub(crate) fn check(given: &Path, settings: &Settings) -> Result<Self> {
        if given != Path::new("-") {
            let output = output_path(given, settings.output.format)?;
            check_side_outputs(settings, &output)?;
            return Ok(Self::File(output));
        }
        let refused = |reason: &str| Error::Argument {
            argument: "--output -".to_owned(),
            reason: reason.to_owned(),
        };
        if settings.output.format.is_directory() {
            return Err(refused("is stdout, and a png-sequence is a directory"));
        }
        if settings.poster.is_some() || settings.preview.is_some() {
            return Err(refused(
                "is stdout, beside which there is no place for --poster or --preview",
            ));
        }
        if io::stdout().is_terminal() {
            return Err(refused("is stdout, which is a terminal; send it to a file or a pipe"));
        }
        Ok(Self::Stdout)
    }

    /// Whether what is there may be replaced, asked of the person at the terminal, if there is one.
    pub(crate) async fn confirm(
        &self,
        overwrite: &OverwriteArgs,
        terminal: &Terminal,
    ) -> Result<()> {
        let Self::File(path) = self else { return Ok(()) };
        if overwrite.force || !path.exists() {
            return Ok(());
        }
        let kept = |reason: &str| Error::Argument {
            argument: format!("--output {}", path.display()),
            reason: reason.to_owned(),
        };
        if overwrite.no_clobber {
            return Err(kept("is there already, and --no-clobber keeps it"));
        }
        if !io::stdin().is_terminal() || !terminal.is_terminal() {
            return Ok(());
        }
        terminal.line(&format!("{} is there already. Replace it? [y/N]", path.display()));
        match typed().await.trim() {
            "y" | "Y" | "yes" => Ok(()),
            _ => Err(kept("is there already, and is kept")),
        }
    }

    /// Where the video is made: in its place, or in `scratch` until it is copied.
    pub(crate) fn file(&self, scratch: &Path) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Stdout => scratch.join("stdout"),
        }
    }

    /// Gives the video that was made at `made` to whoever reads stdout.
    pub(crate) fn deliver(&self, made: &Path) -> Result<()> {
        if *self != Self::Stdout {
            return Ok(());
        }
        let copied = File::open(made).and_then(|mut file| {
            let mut stdout = io::stdout().lock();
            io::copy(&mut file, &mut stdout)?;
            stdout.flush()
        });
        let path = "stdout".to_owned();
        copied.map_err(|source| Error::Io { action: "write to", path, source })
    }
}

/// A line that is typed. It is read on a thread that is never joined, so that a signal ends the wait.
async fn typed() -> String {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        if io::stdin().read_line(&mut line).is_ok() {
            let _nobody_waits = sender.send(line);
        }
    });
    receiver.await.unwrap_or_default()
}

/// Says, after a command has failed, what else is known to be wrong with the project: it is often the cause.
pub(crate) fn explain_failure(
    project: &Path,
    entry: Option<&str>,
    error: &Error,
    terminal: &Terminal,
) {
    use compose::lint::Severity;
    if error.is_of_arguments() || matches!(error, Error::Cancelled { .. }) {
        return;
    }
    terminal.print_held_warnings();
    let Ok((project, named)) = crate::cli::host::project_and_entry(project) else { return };
    let entry = entry.or(named.as_deref()).unwrap_or("index.html");
    let message = error.chain();
    let findings = compose::lint::project(&project, entry).into_iter();
    let findings: Vec<String> = findings
        .filter(|finding| finding.severity != Severity::Note && !message.contains(&finding.message))
        .map(|finding| finding.to_string())
        .collect();
    terminal.warnings(&findings);
}
