//! How far something is: one line that is drawn anew on a terminal, plain lines otherwise.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use render::chunk::Progress;

use crate::cli::args::Verbosity;
use crate::cli::status::{Count, Status, Unit};
use crate::cli::terminal::{Terminal, locked};

/// Between two pictures of the line on a terminal.
const TICK: Duration = Duration::from_millis(100);

/// Between two plain lines: soon at first, and rarely in a render of hours.
fn line_interval(running: Duration) -> Duration {
    Duration::from_secs(match running.as_secs() {
        0..30 => 2,
        30..300 => 10,
        _ => 30,
    })
}

/// Terminals that tell no width are as wide as most.
const DEFAULT_WIDTH: usize = 80;

/// Progress of something that has stages, on stderr.
#[derive(Debug)]
pub(crate) struct Display {
    terminal: Terminal,
    status: Arc<Mutex<Status>>,
    lines: Option<Lines>,
    is_shown: bool,
}

/// What writes plain lines, until this is dropped.
#[derive(Debug)]
struct Lines {
    /// Dropped to end the thread.
    wake: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Display {
    /// Shows nothing but the lines of [`Display::say`].
    pub(crate) fn silent(terminal: &Terminal) -> Self {
        let status = Arc::new(Mutex::new(Status::new("")));
        Self { terminal: terminal.clone(), status, lines: None, is_shown: false }
    }

    /// Shows `stage` and what comes after it.
    pub(crate) fn start(terminal: &Terminal, stage: &'static str) -> Self {
        if terminal.verbosity() == Verbosity::Quiet {
            return Self::silent(terminal);
        }
        let status = Arc::new(Mutex::new(Status::new(stage)));
        let (bar, lines) = if terminal.is_terminal() {
            (Some(bar(&status)), None)
        } else {
            (None, Some(Lines::start(terminal.clone(), Arc::clone(&status))))
        };
        terminal.show(Arc::clone(&status), bar);
        Self { terminal: terminal.clone(), status, lines, is_shown: true }
    }

    /// Writes a line that stays.
    pub(crate) fn say(&self, text: &str) {
        self.terminal.note(text);
    }

    /// Changes what is shown. A new stage is told at once.
    pub(crate) fn update(&self, change: impl FnOnce(&mut Status)) {
        let mut status = locked(&self.status);
        let before = status.stage;
        change(&mut status);
        let is_new = status.stage != before;
        drop(status);
        if let Some(lines) = self.lines.as_ref().filter(|_| is_new) {
            lines.wake();
        }
    }

    /// Takes the line of progress away, so that what follows starts on a line of its own.
    pub(crate) fn finish(&self) {
        if self.is_shown {
            self.terminal.clear();
        }
        if let Some(lines) = &self.lines {
            lines.wake();
        }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.finish();
    }
}

fn bar(status: &Arc<Mutex<Status>>) -> ProgressBar {
    let status = Arc::clone(status);
    let shown = move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
        let text = locked(&status).bar(Instant::now(), width().saturating_sub(1));
        let _fits = out.write_str(&text);
    };
    let style = ProgressStyle::with_template("{status}").expect("the template is well-formed");
    let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr());
    bar.set_style(style.with_key("status", shown));
    bar.enable_steady_tick(TICK);
    bar
}

/// Columns of the terminal.
fn width() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stderr());
    size.ok()
        .map(|size| usize::from(size.ws_col))
        .filter(|width| *width > 0)
        .unwrap_or(DEFAULT_WIDTH)
}

impl Lines {
    fn start(terminal: Terminal, status: Arc<Mutex<Status>>) -> Self {
        let (wake, woken) = channel();
        let start = Instant::now();
        let thread = std::thread::spawn(move || {
            let mut last = (String::new(), "");
            loop {
                let (text, stage) = {
                    let status = locked(&status);
                    (status.line(Instant::now()), status.stage)
                };
                if text != last.0 && !stage.is_empty() {
                    terminal.line(&text);
                    last = (text, stage);
                }
                let until = Instant::now() + line_interval(start.elapsed());
                loop {
                    let left = until.saturating_duration_since(Instant::now());
                    match woken.recv_timeout(left) {
                        Err(RecvTimeoutError::Disconnected) => return,
                        Err(RecvTimeoutError::Timeout) => break,
                        Ok(()) if locked(&status).stage != last.1 => break,
                        Ok(()) => {}
                    }
                }
            }
        });
        Self { wake: Some(wake), thread: Some(thread) }
    }

    fn wake(&self) {
        if let Some(wake) = &self.wake {
            let _it_has_ended = wake.send(());
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        drop(self.wake.take());
        if let Some(thread) = self.thread.take() {
            let _it_has_ended = thread.join();
        }
    }
}

/// The progress of a render on this machine.
#[derive(Debug)]
pub(crate) struct Meter {
    display: Display,
    done: AtomicU32,
    total: AtomicU32,
    /// When the encoder had each frame.
    arrivals: Mutex<Vec<Instant>>,
}

impl Meter {
    pub(crate) fn silent(terminal: &Terminal) -> Self {
        Self::on(Display::silent(terminal))
    }

    pub(crate) fn start(terminal: &Terminal) -> Self {
        Self::on(Display::start(terminal, "planning"))
    }

    fn on(display: Display) -> Self {
        Self {
            display,
            done: AtomicU32::new(0),
            total: AtomicU32::new(0),
            arrivals: Mutex::default(),
        }
    }

    pub(crate) fn stage(&self, name: &'static str) {
        let count = self.count();
        self.display.update(|status| {
            // From chunk to chunk, frames are counted on.
            let began = status.count.and_then(|count| count.since).filter(|_| status.stage == name);
            let count = (name == "rendering").then_some(Count { since: began, ..count });
            *status = Status { count, ..Status::new(name) };
        });
    }

    /// Shows how many frames there will be.
    pub(crate) fn frames(&self, total: u32) {
        self.total.store(total, Ordering::Relaxed);
    }

    pub(crate) fn finish(&self) {
        self.display.finish();
    }

    /// When the encoder had each of the frames that are done.
    pub(crate) fn arrivals(&self) -> Vec<Instant> {
        locked(&self.arrivals).clone()
    }

    fn count(&self) -> Count {
        Count {
            done: u64::from(self.done.load(Ordering::Relaxed)),
            total: u64::from(self.total.load(Ordering::Relaxed)),
            unit: Unit::Frames,
            since: None,
        }
    }
}

impl Progress for Meter {
    fn begin(&self, _frames_of_one_chunk: u32) {}

    fn frame_done(&self) {
        locked(&self.arrivals).push(Instant::now());
        let done = u64::from(self.done.fetch_add(1, Ordering::Relaxed) + 1);
        self.display.update(|status| {
            // Drawing began with the last thing that was waited for.
            let since = status.activity.take().map_or(status.since, |activity| activity.since);
            if let Some(count) = &mut status.count {
                count.done = done;
                count.since = count.since.or(Some(since));
            }
        });
    }
}
