//! Stderr as a person reads it: lines that stay, one line of progress below them, and how much of both is wanted.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use clap::builder::styling::{AnsiColor, Style};

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
    progress: Mutex<ProgressLine>,
    /// Warnings that are printed, each of them once.
    warned: Mutex<BTreeSet<String>>,
    /// Warnings of planning that are printed only if it fails: else its answer has them.
    held: Mutex<Vec<String>>,
    /// Lines of the page's console that were shown: several browsers run the same page.
    said: Mutex<BTreeSet<String>>,
}

/// The line that is drawn anew, below those that stay.
#[derive(Debug, Default)]
struct ProgressLine {
    status: Option<Arc<Mutex<Status>>>,
    /// What of it is on the screen.
    drawn: Option<String>,
}

/// To the start of the line, which is emptied.
const CLEAR_LINE: &str = "\r\x1b[2K";

/// Columns that stay free: a line that fills its row would be left behind when the terminal writes `^C` after it.
const FREE_COLUMNS: usize = 3;

/// Terminals that tell no width are as wide as most.
const DEFAULT_WIDTH: usize = 80;

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
            progress: Mutex::default(),
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
        self.line(&format!("{}: {}", label.shown(self.0.has_colours), harmless(text)));
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
        let line = format!("page {level}: {}", harmless(text).replace('\n', " "));
        if is_wanted && locked(&self.0.said).insert(line.clone()) {
            self.line(&line);
        }
    }

    /// Writes above the line of progress.
    pub(super) fn write(&self, bytes: &[u8]) {
        let mut progress = locked(&self.0.progress);
        let mut all = Vec::new();
        if progress.drawn.take().is_some() {
            all.extend(CLEAR_LINE.as_bytes());
        }
        all.extend(bytes);
        emit(&all);
    }

    /// Whose progress is shown; it is drawn by [`Terminal::draw`].
    pub(super) fn show(&self, status: Arc<Mutex<Status>>) {
        locked(&self.0.progress).status = Some(status);
    }

    /// Draws the line of progress, if it is not what is on the screen.
    pub(super) fn draw(&self) {
        let mut progress = locked(&self.0.progress);
        let Some(status) = &progress.status else { return };
        let text = locked(status).bar(Instant::now(), width().saturating_sub(FREE_COLUMNS));
        if progress.drawn.as_ref() != Some(&text) {
            emit(format!("{CLEAR_LINE}{text}").as_bytes());
            progress.drawn = Some(text);
        }
    }

    /// Takes the line of progress away.
    pub(super) fn clear(&self) {
        let mut progress = locked(&self.0.progress);
        progress.status = None;
        if progress.drawn.take().is_some() {
            emit(CLEAR_LINE.as_bytes());
        }
    }

    /// Changes what the line of progress says, if there is one.
    pub(super) fn change(&self, change: impl FnOnce(&mut Status)) {
        let status = locked(&self.0.progress).status.clone();
        if let Some(status) = status {
            change(&mut locked(&status));
        }
    }
}

/// In one piece, so that nothing of another thread comes between. If nobody reads it, the command goes on.
fn emit(bytes: &[u8]) {
    let mut stderr = std::io::stderr().lock();
    let _nobody_reads = stderr.write_all(bytes).and_then(|()| stderr.flush());
}

/// Columns of the terminal.
fn width() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stderr());
    let columns = size.ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0);
    columns.unwrap_or(DEFAULT_WIDTH)
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

/// What a page says, without the characters that a terminal takes for commands.
fn harmless(text: &str) -> String {
    let is_command = |c: char| c.is_control() && c != '\n' && c != '\t';
    text.chars().map(|c| if is_command(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_commands_no_terminal() {
        assert_eq!(harmless("a\tb\nc"), "a\tb\nc");
        assert_eq!(harmless("\u{1b}[2J\rx\u{9b}1m"), "\u{fffd}[2J\u{fffd}x\u{fffd}1m");
    }

    #[test]
    fn a_label_has_a_colour_only_where_colours_are_wanted() {
        assert_eq!(Label::Error.shown(false), "error");
        assert!(Label::Error.shown(true).contains("\u{1b}["));
    }
}
