//! Timeouts and retries of the requests to S3, by who waits for them: the function under its deadline, or a person.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;

/// Who waits for the requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryProfile {
    /// The function, in the region of its bucket: what is slow is broken, and the deadline is near.
    Function,
    /// A person, over a connection of any quality: slow answers are usual, and a connection that is lost for a minute comes back.
    Interactive,
}

/// The slowest connection, in bytes a second and for each part, over which a person's upload succeeds.
const MIN_BYTES_PER_SECOND: u64 = 8 << 10;

/// Timeout for sending one body; one that stalls fails sooner.
const BODY_TIMEOUT: Duration = Duration::from_mins(5);

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
    pub(super) fn timeouts(self) -> TimeoutConfig {
        let (connect, answer) = match self {
            Self::Function => (Duration::from_secs(5), Duration::from_secs(30)),
            Self::Interactive => (Duration::from_secs(10), Duration::from_mins(1)),
        };
        TimeoutConfig::builder().connect_timeout(connect).read_timeout(answer).build()
    }

    /// A body without progress for this long fails. An upload progresses in steps: it fills the system's buffers, which a slow
    /// connection takes a minute to empty.
    pub(super) fn stall_protection(self) -> StalledStreamProtectionConfig {
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

    /// The timeout of an answer starts with its request, and this request has a body of `length` bytes.
    pub(super) fn body_timeout(self, length: u64) -> Duration {
        match self {
            Self::Function => BODY_TIMEOUT,
            Self::Interactive => BODY_TIMEOUT + Duration::from_secs(length / MIN_BYTES_PER_SECOND),
        }
    }
}
