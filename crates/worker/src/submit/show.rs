//! The progress of a render elsewhere, as a person reads it.

use std::time::{Duration, Instant};

use crate::cli::progress::Display;
use crate::cli::status::{Count, Status, Unit};
use crate::cli::terminal::Terminal;
use crate::submit::cost;
use crate::submit::history::Stage;

pub(super) use crate::cli::status::time;

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
    pub(super) fn silent(terminal: &Terminal) -> Self {
        Self(Display::silent(terminal))
    }

    pub(super) fn start(terminal: &Terminal) -> Self {
        Self(Display::start(terminal, "packing"))
    }

    /// Writes a line that stays.
    pub(super) fn say(&self, text: &str) {
        self.0.say(text);
    }

    pub(super) fn uploading(&self, sent: u64, bytes: u64) {
        self.0.update(|status| {
            let since = match status.count {
                Some(Count { unit: Unit::Bytes, since, .. }) => since,
                _ => Some(Instant::now()),
            };
            let count = Count { done: sent, total: bytes, unit: Unit::Bytes, since };
            *status = Status { count: Some(count), ..Status::new("uploading") };
        });
    }

    pub(super) fn update(&self, view: View) {
        self.0.update(|status| *status = view.status());
    }

    /// Takes the bar away, so that what follows starts on a line of its own.
    pub(super) fn finish(&self) {
        self.0.finish();
    }
}

impl View {
    fn status(&self) -> Status {
        let count = self.frames.map(|(done, total)| Count {
            done: done.into(),
            total: total.into(),
            unit: Unit::Frames,
            since: None,
        });
        Status { count, details: self.details(), ..Status::new(self.stage.name()) }
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
        assert_eq!(planning.status().line(Instant::now()), "planning: 3 s");
        let rendering = View {
            stage: Stage::Rendering,
            chunks: Some((2, 3)),
            frames: Some((480, 700)),
            retries: 1,
            elapsed: Duration::from_secs(75),
            dollars: Some(0.012_34),
        };
        assert_eq!(
            rendering.status().line(Instant::now()),
            "rendering: 480 of 700 frames, 2 of 3 chunks done, 1 retry, 1 min 15 s, about $0.0123"
        );
    }
}
