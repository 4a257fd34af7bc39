//! How far something is: one line that is drawn anew on a terminal, plain lines otherwise.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

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

/// Progress of something that has stages, on stderr.
#[derive(Debug)]
pub(crate) struct Display {
    terminal: Terminal,
    status: Arc<Mutex<Status>>,
    ticker: Option<Ticker>,
}

/// The thread that writes, until this is dropped.
#[derive(Debug)]
struct Ticker {
    /// Told of a new stage, and dropped to end the thread.
    news: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Display {
    /// Shows nothing but the lines of [`Display::say`].
    pub(crate) fn silent(terminal: &Terminal) -> Self {
        let status = Arc::new(Mutex::new(Status::new("")));
        Self { terminal: terminal.clone(), status, ticker: None }
    }

    /// Shows `stage` and what comes after it.
    pub(crate) fn start(terminal: &Terminal, stage: &'static str) -> Self {
        if terminal.verbosity() == Verbosity::Quiet {
            return Self::silent(terminal);
        }
        let status = Arc::new(Mutex::new(Status::new(stage)));
        terminal.show(Arc::clone(&status));
        let (news, told) = channel();
        let (to, shown) = (terminal.clone(), Arc::clone(&status));
        let thread = std::thread::spawn(move || {
            if to.is_terminal() { draw_line(&to, &told) } else { write_lines(&to, &shown, &told) }
        });
        let ticker = Some(Ticker { news: Some(news), thread: Some(thread) });
        Self { terminal: terminal.clone(), status, ticker }
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
        if let Some(ticker) = self.ticker.as_ref().filter(|_| is_new) {
            ticker.tell();
        }
    }

    /// Takes the line of progress away, so that what follows starts on a line of its own.
    pub(crate) fn finish(&self) {
        if self.ticker.is_some() {
            // A stage without a name is not written.
            locked(&self.status).stage = "";
            self.terminal.clear();
        }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.finish();
        drop(self.ticker.take());
    }
}

impl Ticker {
    fn tell(&self) {
        if let Some(news) = &self.news {
            let _it_has_ended = news.send(());
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        drop(self.news.take());
        if let Some(thread) = self.thread.take() {
            let _it_has_ended = thread.join();
        }
    }
}

/// Draws the line of progress again and again.
fn draw_line(terminal: &Terminal, told: &Receiver<()>) {
    loop {
        terminal.draw();
        if told.recv_timeout(TICK) == Err(RecvTimeoutError::Disconnected) {
            return;
        }
    }
}

/// Writes a line for each stage, and others from time to time.
fn write_lines(terminal: &Terminal, status: &Mutex<Status>, told: &Receiver<()>) {
    let start = Instant::now();
    let mut last = (String::new(), "");
    loop {
        let (text, stage) = {
            let status = locked(status);
            (status.line(Instant::now()), status.stage)
        };
        if text != last.0 && !stage.is_empty() {
            terminal.line(&text);
        }
        last = (text, stage);
        let until = Instant::now() + line_interval(start.elapsed());
        loop {
            match told.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => break,
                Ok(()) if locked(status).stage != last.1 => break,
                Ok(()) => {}
            }
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
