//! How far a render is: a bar on a terminal, plain lines otherwise.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use render::chunk::Progress;

use crate::cli::host::line;

/// Progress of something that has stages, on stderr.
#[derive(Debug)]
pub(crate) enum Display {
    /// Only the lines of [`Display::say`].
    Silent,
    Bar(Mutex<Bar>),
    Lines(Mutex<Option<LastLine>>),
}

#[derive(Debug)]
pub(crate) struct Bar {
    bar: ProgressBar,
    template: &'static str,
}

/// The plain line that was written last.
#[derive(Debug)]
pub(crate) struct LastLine {
    stage: &'static str,
    at: Instant,
}

/// What a bar shows.
#[derive(Debug, Clone)]
pub(crate) struct BarState {
    pub(crate) template: &'static str,
    pub(crate) stage: &'static str,
    pub(crate) details: String,
    pub(crate) done: u64,
    pub(crate) total: u64,
}

impl Display {
    pub(crate) fn for_stderr() -> Self {
        if std::io::stderr().is_terminal() {
            Self::Bar(Mutex::new(Bar { bar: ProgressBar::hidden(), template: "" }))
        } else {
            Self::Lines(Mutex::new(None))
        }
    }

    /// Writes a line that stays.
    pub(crate) fn say(&self, text: &str) {
        match self {
            Self::Silent | Self::Lines(_) => line(text),
            Self::Bar(bar) => locked(bar).bar.suspend(|| line(text)),
        }
    }

    /// Shows `bar_state` in a bar, or writes `text` in a line if the stage is another one or the last line is older than `every`.
    pub(crate) fn update(
        &self,
        bar_state: impl FnOnce() -> BarState,
        stage: &'static str,
        every: Duration,
        text: impl FnOnce() -> String,
    ) {
        match self {
            Self::Silent => {}
            Self::Bar(bar) => locked(bar).set(bar_state()),
            Self::Lines(last) => {
                let mut last = locked(last);
                let is_due = |last: &LastLine| last.stage != stage || last.at.elapsed() >= every;
                if last.as_ref().is_none_or(is_due) {
                    *last = Some(LastLine { stage, at: Instant::now() });
                    line(&text());
                }
            }
        }
    }

    /// Takes the bar away, so that what follows starts on a line of its own.
    pub(crate) fn finish(&self) {
        if let Self::Bar(bar) = self {
            locked(bar).bar.finish_and_clear();
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while holding it")
}

impl Bar {
    fn set(&mut self, state: BarState) {
        let BarState { template, stage, details, done, total } = state;
        if self.template != template {
            let style = ProgressStyle::with_template(template);
            self.bar.finish_and_clear();
            self.template = template;
            // It is drawn when something is set, and must show nothing of the bar before it.
            self.bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr())
                .with_style(style.expect("the template is well-formed"))
                .with_message(stage)
                .with_prefix(details.clone());
        }
        self.bar.set_message(stage);
        self.bar.set_prefix(details);
        self.bar.set_length(total);
        self.bar.set_position(done);
        self.bar.tick();
    }
}

/// As long as the number of frames is unknown.
const PLANNING: &str = "{msg:10}";
const RENDERING: &str =
    "{msg:10} {bar:40} {pos}/{len} frames  {per_sec}  {elapsed} elapsed, {eta} left";

/// Between two plain lines about frames.
const LINE_EVERY: Duration = Duration::from_secs(2);

/// The progress of a render on this machine.
#[derive(Debug)]
pub(crate) struct Meter {
    display: Display,
    stage: Mutex<&'static str>,
    done: AtomicU32,
    total: AtomicU32,
    first_frame: Mutex<Option<Instant>>,
}

impl Meter {
    pub(crate) fn silent() -> Self {
        Self::on(Display::Silent)
    }

    pub(crate) fn for_stderr() -> Self {
        Self::on(Display::for_stderr())
    }

    fn on(display: Display) -> Self {
        Self {
            display,
            stage: Mutex::new(""),
            done: AtomicU32::new(0),
            total: AtomicU32::new(0),
            first_frame: Mutex::new(None),
        }
    }

    /// Shows what is being done.
    pub(crate) fn stage(&self, name: &'static str, detail: &str) {
        *locked(&self.stage) = name;
        let text = || format!("{name} {detail}");
        self.display.update(|| self.state(), name, Duration::ZERO, text);
    }

    /// Shows how many frames there will be.
    pub(crate) fn frames(&self, total: u32) {
        self.total.store(total, Ordering::Relaxed);
    }

    pub(crate) fn finish(&self) {
        self.display.finish();
    }

    fn state(&self) -> BarState {
        let total = self.total.load(Ordering::Relaxed);
        BarState {
            template: if total == 0 { PLANNING } else { RENDERING },
            stage: *locked(&self.stage),
            details: String::new(),
            done: u64::from(self.done.load(Ordering::Relaxed)),
            total: u64::from(total),
        }
    }
}

impl Progress for Meter {
    fn begin(&self, _frames_of_one_chunk: u32) {}

    fn frame_done(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        let total = self.total.load(Ordering::Relaxed);
        let first = *locked(&self.first_frame).get_or_insert_with(Instant::now);
        let every = if done == total { Duration::ZERO } else { LINE_EVERY };
        let stage = *locked(&self.stage);
        self.display.update(
            || self.state(),
            stage,
            every,
            || {
                let rate = f64::from(done) / first.elapsed().as_secs_f64().max(1e-3);
                let left = f64::from(total.saturating_sub(done)) / rate.max(1e-3);
                format!("{done}/{total} frames, {rate:.1} per second, {left:.0} s left")
            },
        );
    }
}
