//! Which part of a source a clip shows: from which moment on, and how many frames of it.

use compose::media::clip::{Clip, Repeat};

use crate::frame::{Fps, FrameRange};
use crate::video_track::position;

/// The part of a source that is shown, and where it lies on the timeline. Frame `n` of it is the picture of the source at
/// `media_start + n / fps`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Window {
    /// Seconds of the timeline. Before 0 only if the clip begins in the middle of its repetitions.
    pub(crate) start: f64,
    pub(crate) end: f64,
    /// The moment of the source that `start` shows.
    pub(crate) media_start: f64,
    pub(crate) rate: f64,
    /// Seconds of the source after which it begins again.
    pub(crate) cycle: Option<f64>,
    /// At least one. Where the source ends earlier than its file says, there are fewer.
    pub(crate) frames: u32,
}

/// Why a clip cannot be shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Unshowable {
    /// A source that does not say how long it lasts has no cycle.
    EndlessLoop,
    /// More frames than can be counted.
    TooLong,
}

/// The frames that `clip` needs of a source of `playable` seconds, if it is seen at all before the end of the timeline.
pub(crate) fn window(
    clip: &Clip,
    playable: Option<f64>,
    fps: Fps,
    total_frames: u32,
) -> Result<Option<Window>, Unshowable> {
    let end = clip.end.min(fps.seconds(total_frames));
    let Some(last) = last_frame_before(end, fps).filter(|last| fps.seconds(*last) >= clip.start)
    else {
        return Ok(None);
    };
    if clip.repeat == Repeat::Loop {
        let playable = playable.ok_or(Unshowable::EndlessLoop)?;
        let cycle = playable - clip.media_start;
        if cycle > 0.0 && (end - clip.start) * clip.rate > cycle {
            // Every frame of a cycle may be seen, and where a cycle begins depends on where the clip does.
            let frames = rounded(cycle * fps.as_f64())?;
            let Clip { start, media_start, rate, .. } = *clip;
            return Ok(Some(Window { start, end, media_start, rate, cycle: Some(cycle), frames }));
        }
    }
    // The first moment that is drawn, so that every frame shows what is due at its own moment.
    let start = fps.seconds(first_frame_at(clip.start.max(0.0), fps));
    let start = if start < clip.end { start } else { clip.start.max(0.0) };
    let media_start = clip.media_start + (start - clip.start) * clip.rate;
    let needed = position(last, start, clip.rate, fps).floor() + 1.0;
    let there = playable.map_or(f64::INFINITY, |playable| (playable - media_start) * fps.as_f64());
    let frames = rounded(needed.min(there.round()))?;
    Ok(Some(Window { start, end, media_start, rate: clip.rate, cycle: None, frames }))
}

impl Window {
    /// The part of it that `frames` of the timeline show, each of them as it is in the whole. At least one frame is left, so
    /// that a clip that is not on in these is no other kind of clip.
    pub(crate) fn within(self, frames: FrameRange, fps: Fps) -> Self {
        let Self { start, end, media_start, rate, cycle, frames: all } = self;
        if let Some(cycle) = cycle {
            let repetition = |index: u32| {
                (position(index, start, rate, fps).max(0.0) / (cycle * fps.as_f64())).floor()
            };
            let first = repetition(frames.start);
            // What lies in one repetition is shown as if it were the only one.
            if (first - repetition(frames.end - 1)).abs() < 0.5 {
                let alone = Self { start: start + first * cycle / rate, cycle: None, ..self };
                return alone.within(frames, fps);
            }
            return self;
        }
        let shown = |index: u32| {
            let position = position(index, start, rate, fps).floor();
            position.clamp(0.0, f64::from(all - 1))
        };
        let (first, last) = (shown(frames.start), shown(frames.end - 1));
        Self {
            start: start + first / (fps.as_f64() * rate),
            end,
            media_start: media_start + first / fps.as_f64(),
            rate,
            cycle,
            frames: rounded(last - first + 1.0).unwrap_or(all),
        }
    }
}

fn first_frame_at(start: f64, fps: Fps) -> u32 {
    let frames = (start * fps.as_f64() - 1e-6).ceil();
    if frames < 1.0 { 0 } else { rounded(frames).unwrap_or(u32::MAX) }
}

fn last_frame_before(end: f64, fps: Fps) -> Option<u32> {
    let frames = (end * fps.as_f64() - 1e-9).ceil();
    (frames >= 1.0).then(|| rounded(frames).map_or(u32::MAX, |frames| frames - 1))
}

/// A count of frames: the nearest whole number, and never none.
fn rounded(frames: f64) -> Result<u32, Unshowable> {
    let frames = frames.round().max(1.0);
    if frames > f64::from(u32::MAX) {
        return Err(Unshowable::TooLong);
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number between 1 and what a u32 holds"
    )]
    Ok(frames as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FPS: Fps = Fps { num: 30, den: 1 };

    fn clip(start: f64, end: f64, media_start: f64, rate: f64, repeat: Repeat) -> Clip {
        Clip {
            id: "v".into(),
            element: "<video id=\"v\">".into(),
            src: "v.mp4".into(),
            file: "/v.mp4".into(),
            start,
            from: 0.0,
            end,
            media_start,
            rate,
            repeat,
        }
    }

    #[test]
    fn only_what_is_seen_of_a_source_is_asked_for() {
        use Repeat::{Loop, Once};
        // Start, end, in-point, rate, repeat; then start, in-point, cycle, frames of a source of ten seconds.
        for (asked, expected) in [
            ((0.0, 3.0, 0.0, 1.0, Once), (0.0, 0.0, None, 90)),
            ((1.0, 4.0, 2.5, 1.0, Once), (1.0, 2.5, None, 90)),
            // Twice as fast: frames 0, 2, … 178.
            ((0.0, 3.0, 0.0, 2.0, Once), (0.0, 0.0, None, 179)),
            ((0.0, 3.0, 0.0, 0.5, Once), (0.0, 0.0, None, 45)),
            ((0.0, 3.0, 0.0, 1.37, Once), (0.0, 0.0, None, 122)),
            // The first two seconds are before the timeline.
            ((-2.0, 3.0, 1.0, 1.5, Once), (0.0, 4.0, None, 134)),
            // The timeline has twenty seconds.
            ((19.0, 30.0, 0.0, 1.0, Once), (19.0, 0.0, None, 30)),
            // A slot longer than the source ends with its last frame.
            ((0.0, 15.0, 0.0, 1.0, Once), (0.0, 0.0, None, 300)),
            ((0.0, 15.0, 9.0, 1.0, Once), (0.0, 9.0, None, 30)),
            // What would be seen is behind the end: its last frame.
            ((-12.0, 3.0, 0.0, 1.0, Once), (0.0, 12.0, None, 1)),
            ((0.0, 15.0, 4.0, 1.0, Loop), (0.0, 4.0, Some(6.0), 180)),
            ((-5.0, 15.0, 0.0, 2.0, Loop), (-5.0, 0.0, Some(10.0), 300)),
            // A loop that does not come to its end is none.
            ((0.0, 3.0, 0.0, 1.0, Loop), (0.0, 0.0, None, 90)),
            // Off the grid: frames 31 to 59 are seen, and the first of them shows its own moment.
            ((1.01, 2.0, 0.0, 1.0, Once), (31.0 / 30.0, 31.0 / 30.0 - 1.01, None, 29)),
            // A single frame.
            ((0.0, 0.02, 0.0, 1.0, Once), (0.0, 0.0, None, 1)),
        ] {
            let (start, end, media_start, rate, repeat) = asked;
            let found = window(&clip(start, end, media_start, rate, repeat), Some(10.0), FPS, 600);
            let found = found.unwrap().unwrap();
            assert_eq!(
                (found.start, found.media_start, found.cycle, found.frames),
                expected,
                "{asked:?}"
            );
            assert_eq!((found.rate, found.end), (rate, end.min(20.0)), "{asked:?}");
        }
    }

    #[test]
    fn a_part_of_the_timeline_shows_what_the_whole_shows() {
        for rate in [0.5, 1.0, 1.37, 2.0] {
            let whole = window(&clip(1.01, 9.0, 0.4, rate, Repeat::Once), Some(10.0), FPS, 600);
            let whole = whole.unwrap().unwrap();
            for (first, last) in [(0, 10), (0, 40), (31, 32), (100, 130), (200, 600), (400, 401)] {
                let part = whole.within(FrameRange { start: first, end: last }, FPS);
                assert!(part.frames <= whole.frames);
                let moment = |window: &Window, index: u32| {
                    let frame = position(index, window.start, window.rate, FPS).floor();
                    let frame = frame.clamp(0.0, f64::from(window.frames - 1));
                    window.media_start + frame / 30.0
                };
                for index in (first..last).filter(|i| FPS.seconds(*i) >= whole.start) {
                    let (found, meant) = (moment(&part, index), moment(&whole, index));
                    assert!((found - meant).abs() < 1e-9, "frame {index}: {found}, not {meant}");
                }
            }
        }
        let whole = window(&clip(0.0, 9.0, 0.0, 1.0, Repeat::Once), Some(10.0), FPS, 600);
        let part = whole.unwrap().unwrap().within(FrameRange { start: 60, end: 61 }, FPS);
        assert_eq!((part.start, part.media_start, part.frames), (2.0, 2.0, 1));
    }

    #[test]
    fn a_part_of_one_repetition_of_a_loop_needs_no_other() {
        for rate in [0.5, 1.0, 2.0] {
            let whole = window(&clip(0.5, 19.0, 0.0, rate, Repeat::Loop), Some(1.0), FPS, 600);
            let whole = whole.unwrap().unwrap();
            let cycle = whole.cycle.unwrap() * 30.0;
            for index in 15..570 {
                let part = whole.within(FrameRange { start: index, end: index + 1 }, FPS);
                assert_eq!((part.frames, part.cycle), (1, None), "frame {index}");
                let shown = position(index, whole.start, rate, FPS) % cycle;
                let found = part.media_start * 30.0;
                assert!(
                    (found - shown.floor()).abs() < 1e-6,
                    "frame {index}: {found}, not {shown}"
                );
            }
            let over = whole.within(FrameRange { start: 15, end: 570 }, FPS);
            assert_eq!(over, whole, "all repetitions");
        }
    }

    #[test]
    fn a_clip_that_is_in_no_frame_needs_none() {
        for (start, end) in [(3.0, 3.0), (20.0, 25.0), (-5.0, 0.0), (1.01, 1.02)] {
            let found = window(&clip(start, end, 0.0, 1.0, Repeat::Once), Some(10.0), FPS, 600);
            assert_eq!(found, Ok(None), "{start} to {end}");
        }
    }

    #[test]
    fn a_loop_over_a_source_without_an_end_is_refused() {
        let endless = clip(0.0, 3.0, 0.0, 1.0, Repeat::Loop);
        assert_eq!(window(&endless, None, FPS, 600), Err(Unshowable::EndlessLoop));
        let once = clip(0.0, 3.0, 20.0, 1.0, Repeat::Once);
        assert_eq!(window(&once, None, FPS, 600).unwrap().unwrap().frames, 90);
    }
}
