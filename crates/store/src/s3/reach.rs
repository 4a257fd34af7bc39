//! How a store is reached, and so how patient it is: next door, under a deadline, or from somebody's desk.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;

/// Who reaches for the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryProfile {
    /// The function, beside its bucket: what is slow is broken, and somebody waits behind a deadline.
    Function,
    /// A person, over whatever line they have: what is slow is usual, and what is lost for a minute comes back.
    Interactive,
}

/// The slowest line, in bytes a second and for each part, that a person's upload gets through.
const SLOWEST_LINE: u64 = 8 << 10;

/// For sending one body; one that stalls is given up sooner.
const BODY_LIMIT: Duration = Duration::from_mins(5);

impl RetryProfile {
    /// Tries for one request, and the waits between them; a person's add up to more than a minute.
    pub(super) fn retries(self) -> RetryConfig {
        let (tries, first, longest) = match self {
            Self::Function => (5, Duration::from_millis(200), Duration::from_secs(5)),
            Self::Interactive => (12, Duration::from_secs(1), Duration::from_secs(20)),
        };
        RetryConfig::standard()
            .with_max_attempts(tries)
            .with_initial_backoff(first)
            .with_max_backoff(longest)
    }

    /// Until there is a connection, and until an answer starts.
    pub(super) fn times(self) -> TimeoutConfig {
        let (connect, answer) = match self {
            Self::Function => (Duration::from_secs(5), Duration::from_secs(30)),
            Self::Interactive => (Duration::from_secs(10), Duration::from_mins(1)),
        };
        TimeoutConfig::builder().connect_timeout(connect).read_timeout(answer).build()
    }

    /// A body that has not moved for this long is given up. What is sent moves in leaps: it goes into the system's buffers,
    /// which hold what a slow line takes a minute for.
    pub(super) fn stalls(self) -> StalledStreamProtectionConfig {
        let grace = match self {
            Self::Function => Duration::from_secs(8),
            Self::Interactive => Duration::from_mins(2),
        };
        StalledStreamProtectionConfig::enabled().grace_period(grace).build()
    }

    /// Above this many bytes, an object goes up in parts.
    pub(super) fn multipart_from(self) -> u64 {
        match self {
            Self::Function => 64 << 20,
            Self::Interactive => 8 << 20,
        }
    }

    /// Bytes in a part: what is sent again when one is lost.
    pub(super) fn part(self) -> u64 {
        match self {
            Self::Function => 16 << 20,
            Self::Interactive => 8 << 20,
        }
    }

    /// The limit of an answer begins with its request, and this one has a body of `length` bytes.
    pub(super) fn body_limit(self, length: u64) -> Duration {
        match self {
            Self::Function => BODY_LIMIT,
            Self::Interactive => BODY_LIMIT + Duration::from_secs(length / SLOWEST_LINE),
        }
    }
}
