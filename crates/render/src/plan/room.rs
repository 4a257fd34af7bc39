//! Whether what a render makes can lie on the disk it is made on, said before anything is drawn.

use std::path::Path;

use compose::geometry::Size;

use crate::config::Settings;
use crate::config::output::{Codec, Output, RateControl};
use crate::error::{Error, Result};
use crate::frame::Fps;

/// Bytes that a million pixels of a frame take in its chunk, as measured for plain moving graphics; gradients and pictures
/// take several times as much.
fn bytes_of_a_megapixel(codec: Codec) -> Option<u64> {
    match codec {
        Codec::ProRes => Some(70_000),
        Codec::Png => Some(40_000),
        Codec::Gif => Some(9_000),
        // As large as its bit rate, or small.
        Codec::H264 | Codec::H265 | Codec::Vp9 => None,
    }
}

/// Refuses an output that has no room beside the chunks that it is joined from: that which `settings` say there is, or else
/// that in the file system of `dir`.
pub(super) fn check(settings: &Settings, frames: u32, size: Size, dir: &Path) -> Result<()> {
    let output = &settings.output;
    let Some(frame) = bytes_of_a_frame(output, size, settings.fps) else { return Ok(()) };
    let room = match (settings.output_limit, rustix::fs::statvfs(dir)) {
        (Some(limit), _) => limit,
        (None, Ok(found)) => found.f_bavail.saturating_mul(found.f_frsize),
        (None, Err(errno)) => {
            tracing::debug!(%errno, "the free space is not known");
            return Ok(());
        }
    };
    let bytes = 2 * frame.saturating_mul(u64::from(frames));
    if bytes <= room {
        return Ok(());
    }
    let (format, Size { width, height }) = (output.format.name(), size);
    Err(Error::OutputTooLarge { format, frames, width, height, frame, bytes, room })
}

fn bytes_of_a_frame(output: &Output, Size { width, height }: Size, fps: Fps) -> Option<u64> {
    if let RateControl::Bitrate(bits) = output.rate {
        let (num, den) = (u64::from(fps.num), u64::from(fps.den));
        return Some((u64::from(bits) * den).div_ceil(8 * num));
    }
    let pixels = u64::from(width) * u64::from(height);
    bytes_of_a_megapixel(output.codec).map(|bytes| pixels * bytes / 1_000_000)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checked(config: &serde_json::Value, frames: u32) -> Result<()> {
        let settings = Settings::parse(config.as_object().unwrap()).unwrap();
        check(&settings, frames, Size { width: 1000, height: 1000 }, Path::new("/"))
    }

    #[test]
    fn an_output_that_cannot_lie_beside_its_chunks_is_refused_with_the_arithmetic() {
        let mov = json!({"fps": 30, "format": "mov", "outputSizeLimitBytes": 14_000_000});
        checked(&mov, 100).unwrap();
        let error = checked(&mov, 101).unwrap_err().to_string();
        for part in ["a mov of 101 frames of 1000x1000", "about 14140000 bytes", "70000 for each"] {
            assert!(error.contains(part), "{part} is not in {error}");
        }
        // Eight megabits are a megabyte, and 30 frames.
        let fixed = json!({"fps": 30, "bitrate": "8M", "outputSizeLimitBytes": 2_000_040});
        checked(&fixed, 30).unwrap();
        assert!(matches!(checked(&fixed, 31), Err(Error::OutputTooLarge { .. })));
        // How large it becomes is not known.
        checked(&json!({"fps": 30, "outputSizeLimitBytes": 1}), 100_000).unwrap();
    }
}
