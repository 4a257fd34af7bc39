//! Time as frames and ratios: frame rates, frame ranges, and how a timeline is cut into chunks.

mod asked;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use asked::{Moment, Span};

/// The slowest and the fastest rate of a render, in frames a second.
const SLOWEST: u32 = 1;
const FASTEST: u32 = 240;

/// A rate is written with no larger number: clocks of media files count in 32 bits.
const MAX_TERM: u32 = 1 << 30;

/// Samples a second in the mix and in the video's sound.
pub(crate) const SAMPLE_RATE: u32 = 48_000;

/// The longest timeline: one day.
const MAX_SECONDS: f64 = 86_400.0;

/// An exact frame rate, in frames per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fps {
    pub num: u32,
    pub den: u32,
}

impl Fps {
    /// What a user may write.
    pub const SUPPORTED: &'static str = "a rate from 1 to 240 such as 30, 29.97 or 30000/1001";

    /// The rate of a composition for which nobody says one.
    pub const DEFAULT: Self = Self { num: 30, den: 1 };

    /// Seconds from the start of the timeline to frame `index`.
    pub fn seconds(self, index: u32) -> f64 {
        f64::from(index) * f64::from(self.den) / f64::from(self.num)
    }

    pub fn as_f64(self) -> f64 {
        f64::from(self.num) / f64::from(self.den)
    }

    /// Ticks a second of a media clock in which every frame lasts a whole number of ticks, and how many that is.
    pub(crate) fn media_clock(self) -> (u32, u32) {
        if self.den == 1 { (self.num * 1000, 1000) } else { (self.num, self.den) }
    }

    /// As people write it: 30 or 29.97, and as a ratio what no decimal number names.
    pub fn named(self) -> String {
        let rounded = (self.as_f64() * 1000.0).round() / 1000.0;
        match Self::from_number(rounded) {
            Some(read) if read == self => rounded.to_string(),
            _ => self.to_string(),
        }
    }

    /// Milliseconds between two frames.
    pub(crate) fn interval_ms(self) -> f64 {
        1000.0 * f64::from(self.den) / f64::from(self.num)
    }

    /// How many frames a timeline of `seconds` has, or why it cannot be rendered.
    ///
    /// A product within a thousandth of a whole number is that number; anything else counts the begun frame.
    pub(crate) fn frames_in(self, seconds: f64) -> Result<u32, DurationOutOfRange> {
        if !seconds.is_finite() || seconds <= 0.0 || seconds > MAX_SECONDS {
            return Err(DurationOutOfRange { seconds });
        }
        let exact = seconds * self.as_f64();
        let near = exact.round();
        let frames = if (exact - near).abs() <= 1e-3 { near.max(1.0) } else { exact.ceil() };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 1 and 86400 s × 240 frames/s, which a u32 holds"
        )]
        Ok(frames as u32)
    }

    /// The frame that is on at `moment`. A moment within a thousandth of a frame before the next one is that one's.
    pub fn frame_at(self, moment: Moment) -> u32 {
        match moment {
            Moment::Frame(index) => index,
            Moment::Seconds(seconds) => {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a moment is not negative, and a cast stops at what a u32 holds"
                )]
                let frame = (seconds * self.as_f64() + 1e-3).floor() as u32;
                frame
            }
        }
    }
}

/// A timeline that has no frames, or too many.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct DurationOutOfRange {
    pub seconds: f64,
}

impl fmt::Display for Fps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.num, self.den)
    }
}

/// Reads `30`, `29.97`, `30000/1001`.
impl FromStr for Fps {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let text = text.trim();
        if let Some((num, den)) = text.split_once('/') {
            let (num, den) =
                (num.trim().parse().map_err(|_| ())?, den.trim().parse().map_err(|_| ())?);
            return Self::exact(num, den).ok_or(());
        }
        Self::from_number(text.parse().map_err(|_| ())?).ok_or(())
    }
}

impl Fps {
    /// The rate that `value` names: that of NTSC where its decimals are meant, else what it says to six decimals.
    pub(crate) fn from_number(value: f64) -> Option<Self> {
        const DECIMALS: u32 = 1_000_000;
        if !(f64::from(SLOWEST) - 0.01..=f64::from(FASTEST)).contains(&value) {
            return None;
        }
        let ntsc = Self { num: whole(value * 1.001) * 1000, den: 1001 };
        if value.fract() != 0.0 && (ntsc.as_f64() - value).abs() < 0.005 {
            return Self::exact(ntsc.num, ntsc.den);
        }
        Self::exact(whole(value * f64::from(DECIMALS)), DECIMALS)
    }

    /// The rate `num/den` in its reduced form, if a render may have it.
    pub fn exact(num: u32, den: u32) -> Option<Self> {
        let divisor = greatest_common_divisor(num, den);
        if divisor == 0 || den == 0 {
            return None;
        }
        let rate = Self { num: num / divisor, den: den / divisor };
        let is_held = rate.num <= MAX_TERM
            && u64::from(rate.num) >= u64::from(rate.den) * u64::from(SLOWEST)
            && u64::from(rate.num) <= u64::from(rate.den) * u64::from(FASTEST);
        is_held.then_some(rate)
    }
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not negative, and at most 240 million"
)]
fn whole(value: f64) -> u32 {
    value.round() as u32
}

/// The frames from `start` up to but not including `end`. Never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameRange {
    pub start: u32,
    pub end: u32,
}

impl FrameRange {
    #[expect(clippy::len_without_is_empty, reason = "a range is never empty")]
    pub fn len(self) -> u32 {
        self.end - self.start
    }
}

/// How a timeline is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChunkSizing {
    /// Frames in a chunk; wins over `target_frames`.
    pub(crate) size: Option<u32>,
    /// The most chunks.
    pub(crate) max_parallel: u32,
    /// No chunk is longer than this when the size is chosen automatically.
    pub(crate) target_frames: Option<u32>,
}

/// Cuts `frames` into chunks of one size, the last one shorter, and returns that size with them.
pub(crate) fn slice_chunks(frames: FrameRange, sizing: ChunkSizing) -> (u32, Vec<FrameRange>) {
    let total = frames.len();
    let ChunkSizing { size, max_parallel, target_frames } = sizing;
    let auto = target_frames
        .map_or(max_parallel, |target| max_parallel.min(total.div_ceil(target).max(1)));
    let wanted = size.unwrap_or_else(|| total.div_ceil(auto).max(10));
    let count = max_parallel.min(total.div_ceil(wanted).max(1));
    let size = wanted.max(total.div_ceil(count));
    let count = count.min(total.div_ceil(size));
    let ranges = (0..count).map(|i| FrameRange {
        start: frames.start + i * size,
        end: frames.start + total.min((i + 1) * size),
    });
    (size, ranges.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizing(size: Option<u32>, max_parallel: u32, target_frames: Option<u32>) -> ChunkSizing {
        ChunkSizing { size, max_parallel, target_frames }
    }

    fn whole(end: u32) -> FrameRange {
        FrameRange { start: 0, end }
    }

    #[test]
    fn a_part_of_a_timeline_is_cut_like_a_whole_one() {
        let part = FrameRange { start: 100, end: 121 };
        let (size, ranges) = slice_chunks(part, sizing(Some(10), 12, None));
        let starts: Vec<_> = ranges.iter().map(|range| (range.start, range.end)).collect();
        assert_eq!((size, starts), (10, vec![(100, 110), (110, 120), (120, 121)]));
    }

    #[test]
    fn a_timeline_is_cut_as_the_plan_format_says() {
        for (total, ask, count, size) in [
            (900, sizing(None, 16, None), 16, 57),
            (180, sizing(None, 16, None), 15, 12),
            (161, sizing(None, 16, None), 15, 11),
            (300, sizing(Some(240), 16, None), 2, 240),
            (5, sizing(None, 16, None), 1, 10),
            (10_000, sizing(Some(240), 16, None), 16, 625),
            (900, sizing(None, 16, Some(300)), 3, 300),
            (121, sizing(Some(10), 12, None), 11, 11),
        ] {
            let (got, ranges) = slice_chunks(whole(total), ask);
            assert_eq!((ranges.len(), got), (count, size), "{total} frames, {ask:?}");
        }
    }

    #[test]
    fn chunks_cover_every_frame_once_and_none_is_empty() {
        for total in 1..700 {
            for max_parallel in [1, 2, 7, 16, 256] {
                for size in [None, Some(1), Some(9), Some(10), Some(240), Some(3600)] {
                    let (_, ranges) = slice_chunks(whole(total), sizing(size, max_parallel, None));
                    let mut next = 0;
                    for range in ranges {
                        assert!(
                            range.start == next && range.start < range.end,
                            "{total} {max_parallel} {size:?}"
                        );
                        next = range.end;
                    }
                    assert_eq!(next, total);
                }
            }
        }
    }

    /// Rates that people use, and some that they do not.
    const RATES: [(u32, u32); 18] = [
        (1, 1),
        (10, 1),
        (25, 2),
        (15000, 1001),
        (15, 1),
        (20, 1),
        (24000, 1001),
        (24, 1),
        (25, 1),
        (30000, 1001),
        (30, 1),
        (100, 3),
        (48, 1),
        (50, 1),
        (60000, 1001),
        (60, 1),
        (120, 1),
        (240, 1),
    ];

    #[test]
    fn every_rate_has_a_name_by_which_it_is_read() {
        for (num, den) in RATES {
            let rate = Fps { num, den };
            assert_eq!(rate.named().parse(), Ok(rate), "{rate}");
        }
    }

    #[test]
    fn a_frame_rate_is_read_as_people_write_it() {
        for (text, expected) in [
            ("30", Some((30, 1))),
            ("29.97", Some((30000, 1001))),
            ("23.98", Some((24000, 1001))),
            ("60000/1001", Some((60000, 1001))),
            ("60/2", Some((30, 1))),
            ("31", Some((31, 1))),
            ("12.5", Some((25, 2))),
            ("14.985", Some((15000, 1001))),
            ("119.88", Some((120_000, 1001))),
            ("33.333", Some((33333, 1000))),
            ("100/3", Some((100, 3))),
            ("1", Some((1, 1))),
            ("240", Some((240, 1))),
            ("241", None),
            ("0.5", None),
            ("1/2", None),
            ("4294967295/4294967294", None),
            ("0", None),
            ("30/0", None),
            ("-30", None),
            ("inf", None),
            ("NaN", None),
            ("thirty", None),
        ] {
            assert_eq!(text.parse().ok(), expected.map(|(num, den)| Fps { num, den }), "{text}");
        }
    }

    #[test]
    fn an_hour_has_as_many_frames_at_every_rate_as_its_duration_says() {
        for (num, den) in RATES {
            let fps = Fps { num, den };
            let frames = fps.frames_in(3600.0).unwrap();
            let exact = 3600 * u64::from(num);
            assert_eq!(u64::from(frames), exact.div_ceil(u64::from(den)), "{fps}");
            for size in [7, 30, 600, 3600] {
                let ask = sizing(Some(size), 256, None);
                let (_, chunks) = slice_chunks(whole(frames), ask);
                assert_eq!(chunks.iter().map(|chunk| chunk.len()).sum::<u32>(), frames, "{fps}");
            }
            // Every frame has a whole number of ticks, so that the last one ends where the video does.
            let (clock, ticks) = fps.media_clock();
            assert_eq!(
                u64::from(ticks) * u64::from(num),
                u64::from(clock) * u64::from(den),
                "{fps}"
            );
            let last = fps.seconds(frames - 1);
            assert_eq!(fps.frame_at(Moment::Seconds(last)), frames - 1, "{fps}");
            assert!(last < 3600.0 && fps.seconds(frames) >= 3600.0 - 1e-6, "{fps}");
        }
    }

    #[test]
    fn a_begun_frame_counts_and_a_rounding_error_does_not() {
        let fps = Fps { num: 30, den: 1 };
        let ntsc = Fps { num: 30000, den: 1001 };
        for (fps, seconds, frames) in [
            (fps, 2.0, 60),
            (fps, 0.1 + 0.2, 9),
            (fps, 1.01, 31),
            (ntsc, 3600.0, 107_893),
            (fps, 1e-5, 1),
        ] {
            assert_eq!(fps.frames_in(seconds), Ok(frames), "{seconds} s at {fps}");
        }
        for seconds in [0.0, -1.0, f64::NAN, f64::INFINITY, 86_401.0] {
            assert!(fps.frames_in(seconds).is_err(), "{seconds}");
        }
    }
}
