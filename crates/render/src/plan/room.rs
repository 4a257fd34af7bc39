//! Whether what a render makes can lie on the disk it is made on, said before anything is drawn.

use std::path::Path;

use crate::config::output::{Codec, Output};
use crate::error::{Error, Result};

/// Bytes that a million pixels of a frame take, as measured for plain moving graphics; gradients and pictures take several
/// times as much.
fn bytes_of_a_megapixel(codec: Codec) -> Option<u64> {
    match codec {
        Codec::ProRes => Some(70_000),
        Codec::Png => Some(40_000),
        // What these make is small, or as small as its bit rate says.
        Codec::H264 | Codec::H265 | Codec::Vp9 | Codec::Gif => None,
    }
}

/// Refuses an output that has no room in the file system of `dir` beside the chunks that it is joined from.
pub(super) fn check(output: &Output, frames: u32, size: (u32, u32), dir: &Path) -> Result<()> {
    let Some(bytes) = bytes_of_a_megapixel(output.codec) else { return Ok(()) };
    let Ok(found) = rustix::fs::statvfs(dir) else { return Ok(()) };
    let room = found.f_bavail.saturating_mul(found.f_frsize);
    refuse_without_room(output, frames, size, bytes, room)
}

fn refuse_without_room(
    output: &Output,
    frames: u32,
    (width, height): (u32, u32),
    of_a_megapixel: u64,
    room: u64,
) -> Result<()> {
    let frame = u64::from(width) * u64::from(height) * of_a_megapixel / 1_000_000;
    let bytes = 2 * frame.saturating_mul(u64::from(frames));
    if bytes <= room {
        return Ok(());
    }
    let format = output.format.name();
    Err(Error::OutputTooLarge { format, frames, width, height, frame, bytes, room })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::output::{Alpha, Format, Quality, Rate};

    #[test]
    fn an_output_that_cannot_lie_beside_its_chunks_is_refused_with_the_arithmetic() {
        let output = Output {
            format: Format::Mov,
            codec: Codec::ProRes,
            alpha: Alpha::Kept,
            quality: Quality::Standard,
            rate: Rate::Preset,
            plays: 0,
            cfr: false,
        };
        let check = |frames, room| refuse_without_room(&output, frames, (1000, 1000), 100, room);
        check(500, 100_000).unwrap();
        let error = check(501, 100_000).unwrap_err().to_string();
        assert!(error.contains("501 frames of 1000x1000") && error.contains("100200"), "{error}");
    }
}
