//! Stderr as a person reads it: lines that stay, one line of progress below them, and how much of both is wanted.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard};

use clap::builder::styling::{AnsiColor, Style};
use indicatif::ProgressBar;

use crate::cli::args::Verbosity;
use crate::cli::status::Status;

/// Stderr, shared by everything that writes to it.
#[derive(Debug, Clone)]
pub(crate) struct Terminal(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Whether somebody sits before it.
    is_terminal: bool,
    has_colours: bool,
    verbosity: Verbosity,
    /// The line of progress that is shown now.
    bar: Mutex<Option<ProgressBar>>,
    status: Mutex<Option<Arc<Mutex<Status>>>>,
    /// Warnings that are printed, each of them once.
    warned: Mutex<BTreeSet<String>>,
    /// Warnings of planning that are printed only if it fails: else its answer has them.
    held: Mutex<Vec<String>>,
    /// Lines of the page's console that were shown: several browsers run the same page.
    said: Mutex<BTreeSet<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Label {
    Error,
    Warning,
    Note,
}

impl Terminal {
    pub(crate) fn stderr(verbosity: Verbosity) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Self(Arc::new(Inner {
            is_terminal,
            has_colours: is_terminal && !is_dumb && !is_set("NO_COLOR"),
            verbosity,
            bar: Mutex::default(),
            status: Mutex::default(),
            warned: Mutex::default(),
            held: Mutex::default(),
            said: Mutex::default(),
        }))
    }

    pub(crate) fn is_terminal(&self) -> bool {
        self.0.is_terminal
    }

    pub(crate) fn verbosity(&self) -> Verbosity {
        self.0.verbosity
    }

    /// Writes a line that stays. If nobody reads it, the command goes on.
    pub(crate) fn line(&self, text: &str) {
        self.write(format!("{text}\n").as_bytes());
    }

    /// A line that tells what was done, which `--quiet` leaves out.
    pub(crate) fn note(&self, text: &str) {
        if self.0.verbosity != Verbosity::Quiet {
            self.line(text);
        }
    }

    /// A line with a label before it.
    pub(crate) fn labelled(&self, label: Label, text: &str) {
        self.line(&format!("{}: {text}", label.shown(self.0.has_colours)));
    }

    /// Prints warnings that are not printed yet.
    pub(crate) fn warnings<'a>(&self, warnings: impl IntoIterator<Item = &'a String>) {
        for warning in warnings {
            if locked(&self.0.warned).insert(warning.clone()) {
                self.labelled(Label::Warning, warning);
            }
        }
    }

    /// The warnings that are printed.
    pub(crate) fn warned(&self) -> Vec<String> {
        locked(&self.0.warned).iter().cloned().collect()
    }

    /// Keeps a warning for the case that the command fails.
    pub(crate) fn hold_warning(&self, warning: String) {
        locked(&self.0.held).push(warning);
    }

    pub(crate) fn print_held_warnings(&self) {
        let held = std::mem::take(&mut *locked(&self.0.held));
        self.warnings(&held);
    }

    /// Shows a line of the page's console, unless it was shown.
    pub(crate) fn page_says(&self, level: &str, text: &str) {
        let is_wanted = level == "error" || self.0.verbosity == Verbosity::Verbose;
        let line = format!("page {level}: {text}");
        if is_wanted && locked(&self.0.said).insert(line.clone()) {
            self.line(&line);
        }
    }

    pub(super) fn write(&self, bytes: &[u8]) {
        let write = || {
            let _nobody_reads = std::io::stderr().write_all(bytes);
        };
        match &*locked(&self.0.bar) {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Puts a line of progress below the others; `bar` is `None` where lines are written instead.
    pub(super) fn show(&self, status: Arc<Mutex<Status>>, bar: Option<ProgressBar>) {
        *locked(&self.0.status) = Some(status);
        *locked(&self.0.bar) = bar;
    }

    /// Takes the line of progress away.
    pub(super) fn clear(&self) {
        *locked(&self.0.status) = None;
        if let Some(bar) = locked(&self.0.bar).take() {
            bar.finish_and_clear();
        }
    }

    /// Changes what the line of progress says, if there is one.
    pub(super) fn change(&self, change: impl FnOnce(&mut Status)) {
        let status = locked(&self.0.status).clone();
        if let Some(status) = status {
            change(&mut locked(&status));
        }
    }
}

impl Label {
    fn shown(self, has_colours: bool) -> String {
        let (text, colour) = match self {
            Self::Error => ("error", AnsiColor::Red),
            Self::Warning => ("warning", AnsiColor::Yellow),
            Self::Note => ("note", AnsiColor::Cyan),
        };
        if !has_colours {
            return text.to_owned();
        }
        let style = Style::new().fg_color(Some(colour.into())).bold();
        format!("{style}{text}{style:#}")
    }
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while holding it")
}

/// What writes log lines above the line of progress.
#[derive(Debug)]
pub(super) struct LogLines(pub(super) Terminal);

impl Write for LogLines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
