//! Which extracted frame of which video a frame of the composition shows.

use std::path::PathBuf;

use serde::Serialize;

use crate::frame::Fps;

/// A video whose frames are in a plan.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct VideoTrack {
    /// The element's render id.
    pub(crate) id: String,
    /// Its source as the document names it.
    pub(crate) src: String,
    /// Seconds of the timeline, both included: whether the last moment is seen is for the element's visibility to say.
    pub(crate) start: f64,
    pub(crate) end: f64,
    pub(crate) media_start: f64,
    pub(crate) rate: f64,
    /// Seconds of the source after which it begins again.
    pub(crate) cycle: Option<f64>,
    /// How many frames there are; the last is held.
    pub(crate) frames: u32,
    /// The directory of the frames and what their names end with.
    pub(crate) dir: PathBuf,
    pub(crate) extension: &'static str,
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Seconds of the source.
    pub(crate) duration: f64,
}

/// What the page is told to show: the number of a video in the plan, and of its frame, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct VideoFrameRef(pub(crate) usize, pub(crate) u32);

/// A start that was added up in another order may differ by this much from the page's own.
const SAME_MOMENT: f64 = 1e-6;

/// How many frames of the source frame `index` of the timeline is behind `start`, with what floats lose put back.
pub(crate) fn position(index: u32, start: f64, rate: f64, fps: Fps) -> f64 {
    const LOST_BY_FLOATS: f64 = 1e-9;
    (f64::from(index) - start * fps.as_f64()) * rate + LOST_BY_FLOATS
}

impl VideoTrack {
    /// The extracted frame that frame `index` of the composition shows, if the video is there at all.
    fn frame_at(&self, index: u32, fps: Fps) -> Option<u32> {
        let time = fps.seconds(index);
        if time < self.start - SAME_MOMENT || time > self.end + SAME_MOMENT {
            return None;
        }
        let behind = position(index, self.start, self.rate, fps).max(0.0);
        let in_cycle = self.cycle.map_or(behind, |cycle| behind % (cycle * fps.as_f64()));
        let last = self.frames.saturating_sub(1);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, and below the number of the last frame"
        )]
        Some(if in_cycle >= f64::from(last) { last } else { in_cycle as u32 })
    }

    /// Where frame `number`, from 0, is on disk, where they are counted from 1.
    pub(crate) fn file(&self, number: u32) -> PathBuf {
        self.dir.join(format!("frame_{:05}.{}", u64::from(number) + 1, self.extension))
    }
}

/// What each video shows at frame `index`.
pub(crate) fn frames_at(tracks: &[VideoTrack], index: u32, fps: Fps) -> Vec<VideoFrameRef> {
    let due = |(number, track): (usize, &VideoTrack)| {
        Some(VideoFrameRef(number, track.frame_at(index, fps)?))
    };
    tracks.iter().enumerate().filter_map(due).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FPS: Fps = Fps { num: 30, den: 1 };

    fn track(start: f64, end: f64, rate: f64, cycle: Option<f64>, frames: u32) -> VideoTrack {
        VideoTrack {
            id: "v".into(),
            src: "v.mp4".into(),
            start,
            end,
            media_start: 0.0,
            rate,
            cycle,
            frames,
            dir: "/plan/video-frames/v".into(),
            extension: "jpg",
            width: 16,
            height: 16,
            duration: 10.0,
        }
    }

    #[test]
    fn a_frame_of_the_composition_names_one_of_the_video() {
        let trim = track(1.0, 4.0, 1.0, None, 90);
        let fast = track(0.0, 3.0, 2.0, None, 179);
        let slow = track(0.0, 3.0, 0.5, None, 45);
        let odd = track(0.0, 3.0, 1.37, None, 122);
        let held = track(0.0, 15.0, 1.0, None, 300);
        let looped = track(0.0, 15.0, 1.0, Some(6.0), 180);
        let begun = track(-5.0, 15.0, 2.0, Some(10.0), 300);
        let off_grid = track(1.01, 2.0, 1.0, None, 30);
        for (what, track, index, expected) in [
            ("before", &trim, 29, None),
            ("first", &trim, 30, Some(0)),
            ("last", &trim, 119, Some(89)),
            ("at the end, which its visibility hides", &trim, 120, Some(89)),
            ("behind", &trim, 121, None),
            ("twice as fast", &fast, 45, Some(90)),
            ("half as fast", &slow, 45, Some(22)),
            ("1.37 times as fast", &odd, 50, Some(68)),
            ("1.37 times as fast, the last", &odd, 89, Some(121)),
            ("held", &held, 440, Some(299)),
            ("end of a cycle", &looped, 179, Some(179)),
            ("begin of a cycle", &looped, 180, Some(0)),
            ("begin of the next", &looped, 360, Some(0)),
            ("in the middle of a cycle", &begun, 0, Some(0)),
            ("later in it", &begun, 10, Some(20)),
            ("before an odd start", &off_grid, 30, None),
            ("behind an odd start", &off_grid, 31, Some(0)),
            ("a frame later", &off_grid, 32, Some(1)),
        ] {
            assert_eq!(track.frame_at(index, FPS), expected, "{what}");
        }
    }

    #[test]
    fn floats_lose_no_frame() {
        // 0.28 × 25 is 7.000000000000001 or 6.999999999999999, as the compiler likes.
        let fps = Fps { num: 25, den: 1 };
        for start in [0.0, 0.04, 0.28, 1.16, 33.32] {
            let track = track(start, 1000.0, 1.0, None, 30_000);
            let first = (start * 25.0).round();
            for index in 0..2000_u32 {
                if f64::from(index) >= first {
                    let expected = f64::from(index) - first;
                    assert_eq!(
                        track.frame_at(index, fps).map(f64::from),
                        Some(expected),
                        "{start} {index}"
                    );
                }
            }
        }
        let ntsc = Fps { num: 30000, den: 1001 };
        let track = track(0.0, 10_000.0, 1.0, None, 300_000);
        for index in 0..200_000 {
            assert_eq!(track.frame_at(index, ntsc), Some(index));
        }
    }

    #[test]
    fn a_frame_is_a_file_counted_from_one() {
        let track = track(0.0, 1.0, 1.0, None, 30);
        assert_eq!(track.file(0), PathBuf::from("/plan/video-frames/v/frame_00001.jpg"));
        assert_eq!(track.file(99_999), PathBuf::from("/plan/video-frames/v/frame_100000.jpg"));
    }
}
