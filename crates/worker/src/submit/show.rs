//! The progress of a render elsewhere, as a person reads it.

use std::time::Duration;

use crate::cli::progress::{BarState, Display};
use crate::submit::cost;
use crate::submit::history::Stage;

/// Between two plain lines that say the same kind of thing.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// As long as the number of frames is unknown.
const PLANNING: &str = "{msg:10} {prefix}";
const UPLOADING: &str = "{msg:10} {bar:30} {bytes}/{total_bytes}  {bytes_per_sec}, {eta} left";
const RENDERING: &str = "{msg:10} {bar:30} {pos}/{len} frames  {prefix}";

/// The display of a render elsewhere.
#[derive(Debug)]
pub(super) struct Show(Display);

/// How far a render is.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    pub(super) stage: Stage,
    /// Done and all of them; unknown before planning has ended.
    pub(super) chunks: Option<(u32, u32)>,
    pub(super) frames: Option<(u32, u32)>,
    pub(super) retries: u32,
    pub(super) elapsed: Duration,
    pub(super) dollars: Option<f64>,
}

impl Show {
    pub(super) fn silent() -> Self {
        Self(Display::Silent)
    }

    pub(super) fn for_stderr() -> Self {
        Self(Display::for_stderr())
    }

    /// Writes a line that stays.
    pub(super) fn say(&self, text: &str) {
        self.0.say(text);
    }

    pub(super) fn uploading(&self, sent: u64, bytes: u64) {
        let stage = "uploading";
        let bar_state = || BarState {
            template: UPLOADING,
            stage,
            details: String::new(),
            done: sent,
            total: bytes,
        };
        self.0.update(bar_state, stage, LINE_EVERY, || format!("{stage}: {sent} of {bytes} bytes"));
    }

    pub(super) fn update(&self, view: View) {
        let stage = view.stage.name();
        self.0.update(|| view.bar_state(), stage, LINE_EVERY, || view.line());
    }

    /// Takes the bar away, so that what follows starts on a line of its own.
    pub(super) fn finish(&self) {
        self.0.finish();
    }
}

impl View {
    fn bar_state(&self) -> BarState {
        let (done, total) = self.frames.unwrap_or_default();
        BarState {
            template: if self.frames.is_some() { RENDERING } else { PLANNING },
            stage: self.stage.name(),
            details: self.details(),
            done: u64::from(done),
            total: u64::from(total),
        }
    }

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
