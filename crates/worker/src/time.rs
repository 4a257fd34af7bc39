//! Times as the wire and the log have them: whole milliseconds.

use std::time::{Duration, Instant};

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Since `start`.
pub(crate) fn millis_since(start: Instant) -> u64 {
    millis(start.elapsed())
}
