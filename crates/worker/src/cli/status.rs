//! What a command is doing, as one line: a pure function of what is known and how wide the line may be.

use std::time::{Duration, Instant};

/// A waited-for activity is named when it takes longer than this, and a rate once it has been measured for so long.
const WORTH_TELLING: Duration = Duration::from_secs(1);

const MAX_BAR: usize = 40;
const MIN_BAR: usize = 8;

/// What is being done.
#[derive(Debug, Clone)]
pub(crate) struct Status {
    pub(crate) stage: &'static str,
    pub(crate) since: Instant,
    /// What of the stage is being done.
    pub(crate) activity: Option<Activity>,
    pub(crate) count: Option<Count>,
    /// What else is known.
    pub(crate) details: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Activity {
    pub(crate) text: String,
    pub(crate) since: Instant,
    /// When it is given up.
    pub(crate) limit: Option<Duration>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Count {
    pub(crate) done: u64,
    pub(crate) total: u64,
    pub(crate) unit: Unit,
    /// Since when it is counted, if a rate can be told from it.
    pub(crate) since: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Frames,
    Bytes,
}

impl Status {
    pub(crate) fn new(stage: &'static str) -> Self {
        Self { stage, since: Instant::now(), activity: None, count: None, details: String::new() }
    }

    /// One line of at most `width` characters.
    pub(crate) fn bar(&self, now: Instant, width: usize) -> String {
        let count = self.count.filter(|count| count.done > 0 || !self.details.is_empty());
        let Some(count) = count else { return cut(&self.waiting(now), width) };
        let mut parts = vec![count.shown()];
        parts.extend(count.left(now).map(|left| format!("{} left", time(left))));
        if !self.details.is_empty() {
            parts.push(self.details.clone());
        }
        parts.extend(count.rate(now).map(|rate| count.unit.rate(rate)));
        let head = format!("{} ", self.stage);
        let length = |parts: &[String]| {
            head.chars().count() + parts.iter().map(|part| part.chars().count() + 2).sum::<usize>()
        };
        // What is said last can be done without first.
        while parts.len() > 1 && length(&parts) > width {
            parts.pop();
        }
        let room = width.saturating_sub(length(&parts) + 2).min(MAX_BAR);
        let bar = if room >= MIN_BAR { count.drawn(room) } else { String::new() };
        cut(&format!("{head}{bar} {}", parts.join("  ")), width)
    }

    /// One line for a place that keeps lines.
    pub(crate) fn line(&self, now: Instant) -> String {
        let count = self.count.filter(|count| count.done > 0 || !self.details.is_empty());
        let Some(count) = count else { return self.waiting(now) };
        let mut parts = vec![format!("{}: {}", self.stage, count.in_words())];
        if !self.details.is_empty() {
            parts.push(self.details.clone());
        }
        parts.extend(count.rate(now).map(|rate| count.unit.rate(rate)));
        parts.extend(count.left(now).map(|left| format!("{} left", time(left))));
        parts.join(", ")
    }

    /// Before anything is counted: what is being done, and for how long.
    fn waiting(&self, now: Instant) -> String {
        let (text, since, limit) = match &self.activity {
            Some(Activity { text, since, limit }) => {
                (format!("{}: {text}", self.stage), *since, *limit)
            }
            None => (self.stage.to_owned(), self.since, None),
        };
        if !self.details.is_empty() {
            return format!("{text}: {}", self.details);
        }
        let passed = now.saturating_duration_since(since);
        match limit {
            Some(limit) => format!("{text}, {} of {} s", passed.as_secs(), limit.as_secs()),
            None if passed >= WORTH_TELLING => format!("{text}, {}", time(passed)),
            None => text,
        }
    }
}

impl Count {
    fn shown(self) -> String {
        match self.unit {
            Unit::Frames => format!("{}/{} frames", self.done, self.total),
            Unit::Bytes => format!("{} of {}", bytes(self.done), bytes(self.total)),
        }
    }

    fn in_words(self) -> String {
        match self.unit {
            Unit::Frames => format!("{} of {} frames", self.done, self.total),
            Unit::Bytes => self.shown(),
        }
    }

    /// Units a second, once that has been measured long enough.
    fn rate(self, now: Instant) -> Option<f64> {
        let passed = now.saturating_duration_since(self.since?);
        (passed >= WORTH_TELLING && self.done > 0).then(|| float(self.done) / passed.as_secs_f64())
    }

    /// The time that is left, if it goes on as it went.
    fn left(self, now: Instant) -> Option<Duration> {
        let passed = now.saturating_duration_since(self.since?);
        if self.done == 0 || self.done >= self.total {
            return None;
        }
        let left = passed.as_secs_f64() * float(self.total - self.done) / float(self.done);
        Duration::try_from_secs_f64(left.ceil()).ok()
    }

    fn drawn(self, room: usize) -> String {
        let total = usize::try_from(self.total).unwrap_or(usize::MAX).max(1);
        let done = usize::try_from(self.done).unwrap_or(usize::MAX).min(total);
        let filled = room.saturating_mul(done) / total;
        format!("[{}{}]", "=".repeat(filled), " ".repeat(room - filled))
    }
}

impl Unit {
    fn rate(self, rate: f64) -> String {
        match self {
            Self::Bytes => format!("{}/s", bytes(whole(rate))),
            Self::Frames if rate < 0.95 => format!("{:.1} s per frame", 1.0 / rate.max(1e-6)),
            Self::Frames if rate < 9.95 => format!("{rate:.1} frames/s"),
            Self::Frames => format!("{rate:.0} frames/s"),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "what is shown has three digits")]
fn float(count: u64) -> f64 {
    count as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is positive, and a cast stops at the largest number"
)]
fn whole(rate: f64) -> u64 {
    rate as u64
}

/// A span of time, to the second.
pub(crate) fn time(span: Duration) -> String {
    match (span.as_secs() / 60, span.as_secs() % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, seconds) if minutes < 60 => format!("{minutes} min {seconds} s"),
        (minutes, _) => format!("{} h {} min", minutes / 60, minutes % 60),
    }
}

/// A number of bytes, to three digits.
pub(crate) fn bytes(count: u64) -> String {
    let mut value = float(count);
    for unit in ["B", "kB", "MB"] {
        if value < 1000.0 {
            let digits = usize::from(unit != "B" && value < 10.0);
            return format!("{value:.digits$} {unit}");
        }
        value /= 1000.0;
    }
    format!("{value:.1} GB")
}

/// The first `width` characters, the last of them dots where there are more.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(3)).collect();
    let dots = ".".repeat(width.min(3));
    format!("{kept}{dots}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seconds: f64, status: &Status) -> Instant {
        status.since + Duration::from_secs_f64(seconds)
    }

    fn drawing(done: u64) -> Status {
        let mut status = Status::new("rendering");
        let since = Some(status.since);
        status.count = Some(Count { done, total: 600, unit: Unit::Frames, since });
        status
    }

    #[test]
    fn what_is_waited_for_is_named_with_its_time_and_limit() {
        let mut status = Status::new("planning");
        assert_eq!(status.line(after(0.5, &status)), "planning");
        assert_eq!(status.line(after(61.0, &status)), "planning: 1 min 1 s".replace(": 1", ", 1"));
        let text = "waiting for timelines: intro".to_owned();
        let limit = Some(Duration::from_secs(45));
        status.activity = Some(Activity { text, since: status.since, limit });
        let now = after(12.3, &status);
        let expected = "planning: waiting for timelines: intro, 12 of 45 s";
        assert_eq!(status.line(now), expected);
        assert_eq!(status.bar(now, 80), expected);
        assert_eq!(status.bar(now, 30), "planning: waiting for timel...");
    }

    #[test]
    fn nothing_is_said_of_frames_before_the_first_and_the_time_left_from_it_on() {
        assert_eq!(drawing(0).line(after(3.0, &drawing(0))), "rendering, 3 s");
        let first = drawing(1);
        assert_eq!(first.line(after(0.1, &first)), "rendering: 1 of 600 frames, 1 min 0 s left");
        let some = drawing(120);
        assert_eq!(
            some.line(after(2.4, &some)),
            "rendering: 120 of 600 frames, 50 frames/s, 10 s left"
        );
        let all = drawing(600);
        assert_eq!(all.line(after(12.0, &all)), "rendering: 600 of 600 frames, 50 frames/s");
        let slow = drawing(2);
        assert_eq!(
            slow.line(after(8.0, &slow)),
            "rendering: 2 of 600 frames, 4.0 s per frame, 39 min 52 s left"
        );
    }

    #[test]
    fn a_bar_fits_any_width_and_gives_up_what_matters_least() {
        let status = drawing(300);
        let now = after(6.0, &status);
        for width in 0..200 {
            assert!(status.bar(now, width).chars().count() <= width, "{width}");
        }
        assert_eq!(
            status.bar(now, 79),
            "rendering [==============              ] 300/600 frames  6 s left  50 frames/s"
        );
        assert_eq!(status.bar(now, 46), "rendering [====    ] 300/600 frames  6 s left");
        assert_eq!(status.bar(now, 30), "rendering  300/600 frames");
    }

    #[test]
    fn bytes_have_two_or_three_digits() {
        for (count, text) in
            [(999, "999 B"), (1_500, "1.5 kB"), (25_000_000, "25 MB"), (3_100_000_000, "3.1 GB")]
        {
            assert_eq!(bytes(count), text);
        }
    }
}
