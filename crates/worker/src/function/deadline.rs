//! The time limit of an invocation: work ends before Lambda ends the whole sandbox, and says how far it came.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use render::chunk::Progress;

use crate::action::Action;
use crate::error::Error;
use crate::time::millis;

/// What is kept back to end children, remove scratch and answer: a twentieth of the time, within these bounds.
const MIN_RESERVE: Duration = Duration::from_millis(500);
const MAX_RESERVE: Duration = Duration::from_secs(5);

/// The chunk size that is recommended takes this share of the time.
const SAFE_SHARE: f64 = 0.8;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    start: Instant,
    limit: Duration,
}

impl Deadline {
    /// From the epoch's milliseconds at which Lambda will end the sandbox.
    pub(crate) fn at(epoch_ms: u64) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let limit = Duration::from_millis(epoch_ms).saturating_sub(now);
        Self { start: Instant::now(), limit }
    }

    fn reserve(&self) -> Duration {
        (self.limit / 20).clamp(MIN_RESERVE, MAX_RESERVE)
    }

    /// When work must stop.
    pub(crate) fn stop(&self) -> Instant {
        self.start + self.limit.saturating_sub(self.reserve())
    }

    /// What is left of the time.
    pub(crate) fn remaining(&self) -> Duration {
        self.limit.saturating_sub(self.start.elapsed())
    }

    pub(crate) fn exceeded(&self, action: Action, tally: &Tally) -> Error {
        Error::Deadline {
            action,
            reserve_ms: millis(self.reserve()),
            limit_ms: millis(self.limit),
            progress: tally.summary(self.start, self.limit.saturating_sub(self.reserve())),
        }
    }
}

/// How far a chunk has come.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    frames: OnceLock<u32>,
    first: OnceLock<Instant>,
    done: AtomicU32,
}

impl Progress for Tally {
    fn begin(&self, frames: u32) {
        let _only_once = self.frames.set(frames);
    }

    fn frame_done(&self) {
        self.first.get_or_init(Instant::now);
        self.done.fetch_add(1, Ordering::Relaxed);
    }
}

impl Tally {
    /// When the first frame was with the encoder.
    pub(crate) fn first_frame(&self) -> Option<Instant> {
        self.first.get().copied()
    }

    fn summary(&self, start: Instant, budget: Duration) -> String {
        let done = self.done.load(Ordering::Relaxed);
        match (self.frames.get(), self.first.get()) {
            (None, _) => "nothing was drawn yet".to_owned(),
            (Some(frames), None) => format!("none of {frames} frames was drawn"),
            (Some(frames), Some(first)) => {
                let overhead = first.duration_since(start);
                let rate = f64::from(done) / first.elapsed().as_secs_f64().max(1e-3);
                let fitting = fitting(budget.saturating_sub(overhead), rate);
                format!(
                    "{done} of {frames} frames were done, {rate:.1} per second; a chunkSize of {fitting} would have fitted"
                )
            }
        }
    }
}

fn fitting(time: Duration, rate: f64) -> u64 {
    // A float that is too large for the type becomes the largest there is.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "neither can happen to what is at least 1"
    )]
    let frames = (time.as_secs_f64() * rate * SAFE_SHARE).floor().max(1.0) as u64;
    frames
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_is_a_part_of_the_time_within_bounds() {
        for (limit_s, reserve_ms) in [(3, 500), (60, 3000), (900, 5000)] {
            let deadline = Deadline { start: Instant::now(), limit: Duration::from_secs(limit_s) };
            assert_eq!(millis(deadline.reserve()), reserve_ms);
        }
    }

    #[test]
    fn the_time_limit_is_read_from_the_clock_of_the_epoch() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let remaining = Deadline::at(millis(now) + 60_000).remaining();
        assert!(remaining <= Duration::from_mins(1) && remaining > Duration::from_secs(55));
        assert_eq!(Deadline::at(millis(now) - 1).remaining(), Duration::ZERO);
    }

    #[test]
    fn what_was_done_says_what_would_have_fitted() {
        let budget = Duration::from_secs(100);
        let start = Instant::now();
        let tally = Tally::default();
        assert_eq!(tally.summary(start, budget), "nothing was drawn yet");
        tally.begin(3000);
        assert_eq!(tally.summary(start, budget), "none of 3000 frames was drawn");
        tally.frame_done();
        let said = tally.summary(start, budget);
        assert!(said.starts_with("1 of 3000 frames were done"), "{said}");
        assert_eq!(fitting(Duration::from_secs(100), 10.0), 800);
        assert_eq!(fitting(Duration::ZERO, 10.0), 1);
    }
}
