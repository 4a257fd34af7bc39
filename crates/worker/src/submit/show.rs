//! What a person sees of a render elsewhere: a bar on a terminal, plain lines otherwise, and what happened in between.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::progress::line;
use crate::submit::cost;
use crate::submit::history::Stage;

/// Between two plain lines that say the same kind of thing.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// As long as nobody knows how many frames there are.
const PLANNING: &str = "{msg:10} {prefix}";
const UPLOADING: &str = "{msg:10} {bar:30} {bytes}/{total_bytes}  {bytes_per_sec}, {eta} left";
const RENDERING: &str = "{msg:10} {bar:30} {pos}/{len} frames  {prefix}";

#[derive(Debug)]
pub(super) enum Show {
    /// Only what happened.
    Silent,
    Bar(Mutex<Bar>),
    Lines(Mutex<Option<Said>>),
}

#[derive(Debug)]
pub(super) struct Bar {
    bar: ProgressBar,
    template: &'static str,
}

/// The last plain line.
#[derive(Debug)]
pub(super) struct Said {
    what: &'static str,
    at: Instant,
}

/// How far a render is.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    pub(super) stage: Stage,
    /// Done and all of them; nobody knows how many before planning has ended.
    pub(super) chunks: Option<(u32, u32)>,
    pub(super) frames: Option<(u32, u32)>,
    pub(super) retries: u32,
    pub(super) elapsed: Duration,
    pub(super) dollars: Option<f64>,
}

impl Show {
    /// What suits stderr.
    pub(super) fn for_stderr() -> Self {
        if std::io::stderr().is_terminal() {
            Self::Bar(Mutex::new(Bar { bar: ProgressBar::hidden(), template: "" }))
        } else {
            Self::Lines(Mutex::new(None))
        }
    }

    /// A line that stays.
    pub(super) fn say(&self, text: &str) {
        match self {
            Self::Silent | Self::Lines(_) => line(text),
            Self::Bar(bar) => locked(bar).bar.suspend(|| line(text)),
        }
    }

    pub(super) fn uploading(&self, sent: u64, bytes: u64) {
        match self {
            Self::Silent => {}
            Self::Bar(bar) => locked(bar).set(UPLOADING, "uploading", "", (sent, bytes)),
            Self::Lines(said) => {
                said_anew("uploading", said, || format!("uploading: {sent} of {bytes} bytes"));
            }
        }
    }

    pub(super) fn update(&self, view: View) {
        match self {
            Self::Silent => {}
            Self::Bar(bar) => {
                let template = if view.frames.is_some() { RENDERING } else { PLANNING };
                let (done, all) = view.frames.unwrap_or_default();
                let frames = (u64::from(done), u64::from(all));
                locked(bar).set(template, view.stage.name(), &view.details(), frames);
            }
            Self::Lines(said) => said_anew(view.stage.name(), said, || view.line()),
        }
    }

    /// Takes the bar away, so that what follows starts on a line of its own.
    pub(super) fn finish(&self) {
        if let Self::Bar(bar) = self {
            locked(bar).bar.finish_and_clear();
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while holding it")
}

/// Says a line if there is something new to say, or the last one is a while ago.
fn said_anew(what: &'static str, said: &Mutex<Option<Said>>, text: impl FnOnce() -> String) {
    let mut said = locked(said);
    let is_old = |last: &Said| last.what != what || last.at.elapsed() >= LINE_EVERY;
    if said.as_ref().is_none_or(is_old) {
        *said = Some(Said { what, at: Instant::now() });
        line(&text());
    }
}

impl Bar {
    fn set(&mut self, template: &'static str, what: &'static str, details: &str, of: (u64, u64)) {
        let (done, all) = of;
        if self.template != template {
            let style = ProgressStyle::with_template(template);
            self.bar.finish_and_clear();
            self.template = template;
            // It is drawn when something is set, and should have nothing of the one before it.
            self.bar = ProgressBar::with_draw_target(Some(all), ProgressDrawTarget::stderr())
                .with_style(style.expect("the template is well-formed"))
                .with_message(what)
                .with_prefix(details.to_owned());
        }
        self.bar.set_message(what);
        self.bar.set_prefix(details.to_owned());
        self.bar.set_length(all);
        self.bar.set_position(done);
        self.bar.tick();
    }
}

impl View {
    fn line(&self) -> String {
        let frames = self.frames.map(|(done, all)| format!("{done} of {all} frames, "));
        format!("{}: {}{}", self.stage.name(), frames.unwrap_or_default(), self.details())
    }

    fn details(&self) -> String {
        let chunks = self.chunks.map(|(done, all)| format!("{done} of {} done", chunks(all)));
        let retries = (self.retries > 0).then(|| retries(self.retries));
        let cost = self.dollars.map(cost::shown);
        let parts = [chunks, retries, Some(time(self.elapsed)), cost];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

pub(super) fn chunks(count: u32) -> String {
    if count == 1 { "1 chunk".to_owned() } else { format!("{count} chunks") }
}

pub(super) fn retries(count: u32) -> String {
    if count == 1 { "1 retry".to_owned() } else { format!("{count} retries") }
}

/// A span of time, to the second.
pub(super) fn time(span: Duration) -> String {
    match (span.as_secs() / 60, span.as_secs() % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_is_known() {
        let planning = View {
            stage: Stage::Planning,
            chunks: None,
            frames: None,
            retries: 0,
            elapsed: Duration::from_millis(3900),
            dollars: None,
        };
        assert_eq!(planning.line(), "planning: 3 s");
        let rendering = View {
            stage: Stage::Rendering,
            chunks: Some((2, 3)),
            frames: Some((480, 700)),
            retries: 1,
            elapsed: Duration::from_secs(75),
            dollars: Some(0.012_34),
        };
        assert_eq!(
            rendering.line(),
            "rendering: 480 of 700 frames, 2 of 3 chunks done, 1 retry, 1 min 15 s, about $0.0123"
        );
    }
}
