//! Moments and stretches of a timeline as people write them.

use std::fmt;
use std::str::FromStr;

use crate::frame::FrameRange;

/// A place on the timeline, as people say it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Moment {
    Seconds(f64),
    Frame(u32),
}

/// Reads `1.5s`, `1.5`, `1500ms` and `45f`.
impl FromStr for Moment {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let text = text.trim();
        let number = |text: &str, unit: f64| match text.parse::<f64>() {
            Ok(value) if value >= 0.0 && value.is_finite() => Ok(Self::Seconds(value / unit)),
            _ => Err(()),
        };
        if let Some(frame) = text.strip_suffix('f') {
            return frame.parse().map(Self::Frame).map_err(|_| ());
        }
        match (text.strip_suffix("ms"), text.strip_suffix('s')) {
            (Some(text), _) => number(text, 1000.0),
            (None, Some(text)) => number(text, 1.0),
            (None, None) => number(text, 1.0),
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seconds(seconds) => write!(f, "{seconds}s"),
            Self::Frame(index) => write!(f, "{index}f"),
        }
    }
}

/// Frames by their numbers, the end excluded and perhaps left open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    start: u32,
    end: Option<u32>,
}

/// Reads `30..60`, `30..` and `..60`.
impl FromStr for Span {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (start, end) = text.trim().split_once("..").ok_or(())?;
        let bound = |text: &str| match text.trim() {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| ()),
        };
        let (start, end) = (bound(start)?, bound(end)?);
        let is_some = end.is_none_or(|end| start.unwrap_or(0) < end);
        if is_some && (start.is_some() || end.is_some()) {
            Ok(Self { start: start.unwrap_or(0), end })
        } else {
            Err(())
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..", self.start)?;
        self.end.map_or(Ok(()), |end| write!(f, "{end}"))
    }
}

impl Span {
    /// The first of them.
    pub fn start(self) -> u32 {
        self.start
    }

    /// These of `total` frames, unless there are fewer.
    pub fn of(self, total: u32) -> Option<FrameRange> {
        let end = self.end.unwrap_or(total);
        (self.start < end && end <= total).then_some(FrameRange { start: self.start, end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Fps;

    #[test]
    fn moments_and_spans_are_read_as_people_write_them() {
        let (fps, ntsc) = (Fps { num: 30, den: 1 }, Fps { num: 30_000, den: 1001 });
        for (text, fps, frame) in [
            ("1.5s", fps, Some(45)),
            ("1.5", fps, Some(45)),
            ("1500ms", fps, Some(45)),
            ("45f", fps, Some(45)),
            ("1.53", fps, Some(45)),
            // The third frame begins at 0.1, which no float is.
            ("0.1s", fps, Some(3)),
            ("3603.6s", ntsc, Some(108_000)),
            ("-1", fps, None),
            ("1.5f", fps, None),
            ("inf", fps, None),
            ("s", fps, None),
        ] {
            assert_eq!(text.parse().ok().map(|moment| fps.frame_at(moment)), frame, "{text}");
        }
        for (text, range) in [
            ("30..60", Some((30, 60))),
            ("30..", Some((30, 90))),
            ("..60", Some((0, 60))),
            ("0..90", Some((0, 90))),
            ("60..91", None),
            ("90..", None),
            ("60..30", None),
            ("60..60", None),
            ("..", None),
            ("60", None),
            ("a..b", None),
        ] {
            let span = text.parse::<Span>().ok();
            let range = range.map(|(start, end)| FrameRange { start, end });
            assert_eq!(span.and_then(|span| span.of(90)), range, "{text}");
        }
    }
}
