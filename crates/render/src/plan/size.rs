//! How large a plan is, and which of its parts make it so.

use std::fmt;
use std::fs;
use std::path::Path;

use crate::error::{Error, Result};
use crate::plan::layout;
use compose::tree;

/// Bytes of a plan by what they are for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Breakdown {
    total_bytes: u64,
    file_count: u64,
    compiled_bytes: u64,
    video_frames_bytes: u64,
    audio_bytes: u64,
    metadata_bytes: u64,
    other_bytes: u64,
}

impl fmt::Display for Breakdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            total_bytes: _,
            file_count,
            compiled_bytes,
            video_frames_bytes,
            audio_bytes,
            metadata_bytes,
            other_bytes,
        } = self;
        write!(
            f,
            "{file_count} files, compiled {compiled_bytes}, video frames {video_frames_bytes}, "
        )?;
        write!(f, "audio {audio_bytes}, metadata {metadata_bytes}, other {other_bytes} bytes")
    }
}

/// Adds up the plan in `dir` and refuses it above `limit` bytes.
pub(crate) fn check_size(dir: &Path, limit: u64) -> Result<()> {
    let breakdown = measure(dir)?;
    if breakdown.total_bytes > limit {
        let (bytes, parts) = (breakdown.total_bytes, breakdown.to_string());
        Err(Error::PlanTooLarge { bytes, limit, parts })
    } else {
        Ok(())
    }
}

fn measure(dir: &Path) -> Result<Breakdown> {
    let mut sum = Breakdown::default();
    for name in tree::files(dir)? {
        let path = dir.join(&name);
        let bytes = fs::metadata(&path).map_err(Error::io("look at", &path))?.len();
        sum.total_bytes += bytes;
        sum.file_count += 1;
        let part = match name.split('/').next().unwrap_or_default() {
            layout::COMPILED => &mut sum.compiled_bytes,
            layout::VIDEO_FRAMES => &mut sum.video_frames_bytes,
            layout::META | layout::PLAN_JSON => &mut sum.metadata_bytes,
            name if name.starts_with("audio.") => &mut sum.audio_bytes,
            _ => &mut sum.other_bytes,
        };
        *part += bytes;
    }
    Ok(sum)
}
