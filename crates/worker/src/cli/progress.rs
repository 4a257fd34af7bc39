//! How far a render is: a bar on a terminal, plain lines otherwise.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use render::chunk::Progress;

/// Between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) enum Meter {
    Silent,
    Bar(ProgressBar),
    Lines(Lines),
}

#[derive(Debug)]
pub(crate) struct Lines {
    done: AtomicU32,
    total: AtomicU32,
    times: Mutex<Times>,
}

#[derive(Debug)]
struct Times {
    start: Instant,
    last: Instant,
}

impl Meter {
    /// What suits stderr.
    pub(crate) fn for_stderr() -> Self {
        if std::io::stderr().is_terminal() {
            let style = ProgressStyle::with_template(
                "{msg:10} {bar:40} {pos}/{len} frames  {per_sec}  {elapsed} elapsed, {eta} left",
            );
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            Self::Bar(bar.with_style(style.expect("the template is well-formed")))
        } else {
            let now = Instant::now();
            let times = Mutex::new(Times { start: now, last: now });
            Self::Lines(Lines { done: AtomicU32::new(0), total: AtomicU32::new(0), times })
        }
    }

    /// Says what is being done.
    pub(crate) fn stage(&self, name: &'static str, detail: &str) {
        match self {
            Self::Silent => {}
            Self::Bar(bar) => bar.set_message(name),
            Self::Lines(_) => line(&format!("{name} {detail}")),
        }
    }

    /// Says how many frames there will be.
    pub(crate) fn frames(&self, total: u32) {
        match self {
            Self::Silent => {}
            Self::Bar(bar) => {
                bar.set_length(u64::from(total));
                bar.reset_elapsed();
                bar.reset_eta();
            }
            Self::Lines(lines) => lines.total.store(total, Ordering::Relaxed),
        }
    }

    /// Takes the bar away, so that what follows starts on a line of its own.
    pub(crate) fn finish(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

impl Progress for Meter {
    fn begin(&self, _frames_of_one_chunk: u32) {}

    fn frame_done(&self) {
        match self {
            Self::Silent => {}
            Self::Bar(bar) => bar.inc(1),
            Self::Lines(lines) => lines.frame_done(),
        }
    }
}

impl Lines {
    fn frame_done(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        let total = self.total.load(Ordering::Relaxed);
        let mut times = self.times.lock().expect("nothing panics while holding the times");
        if done == 1 {
            times.start = Instant::now();
        }
        if times.last.elapsed() < LINE_EVERY && done != total {
            return;
        }
        times.last = Instant::now();
        let rate = f64::from(done) / times.start.elapsed().as_secs_f64().max(1e-3);
        let left = f64::from(total.saturating_sub(done)) / rate.max(1e-3);
        line(&format!("{done}/{total} frames, {rate:.1} per second, {left:.0} s left"));
    }
}

/// A line on stderr; where nobody can read it any more, there is nobody to tell.
pub(crate) fn line(text: &str) {
    let _nobody_reads = writeln!(std::io::stderr(), "{text}");
}
