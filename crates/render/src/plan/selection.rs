//! Which frames of a composition are wanted, and what is made of them besides the video.

use compose::geometry::Size;

use crate::config::Settings;
use crate::error::{Error, Result};
use crate::frame::FrameRange;
use crate::plan::output::{self, SideOutputs};

#[derive(Debug, Clone, Copy)]
pub(super) struct FrameSelection {
    /// Of the composition.
    pub(super) total_frames: u32,
    /// Those that are wanted.
    pub(super) frames: FrameRange,
    pub(super) side_outputs: SideOutputs,
}

impl FrameSelection {
    /// What `settings` want of a composition of `duration` seconds whose frames have this size.
    pub(super) fn new(settings: &Settings, size: Size, duration: f64) -> Result<Self> {
        let total_frames = settings.fps.frames_in(duration).map_err(|range| Error::Duration {
            seconds: range.seconds,
            hint: "give the root element a data-duration in seconds".to_owned(),
        })?;
        let whole = FrameRange { start: 0, end: total_frames };
        let outside = |field, asked: String, there: FrameRange| Error::OutsideOfTimeline {
            field,
            asked,
            first: there.start,
            last: there.end - 1,
        };
        let frames = match settings.frames {
            None => whole,
            Some(span) => {
                span.of(total_frames).ok_or_else(|| outside("frames", span.to_string(), whole))?
            }
        };
        let poster = settings.poster.map(|moment| (moment, settings.fps.frame_at(moment)));
        if let Some((moment, frame)) = poster
            && !(frames.start..frames.end).contains(&frame)
        {
            return Err(outside("poster", format!("{moment}, frame {frame},"), frames));
        }
        let preview = settings.preview.map(|side| output::preview(side, size)).transpose()?;
        let side_outputs = SideOutputs { poster: poster.map(|(_, frame)| frame), preview };
        Ok(Self { total_frames, frames, side_outputs })
    }

    /// Seconds of what is wanted, of a composition of `duration` seconds.
    pub(super) fn seconds(&self, settings: &Settings, duration: f64) -> f64 {
        let is_whole = self.frames.len() == self.total_frames;
        if is_whole { duration } else { settings.fps.seconds(self.frames.len()) }
    }
}
