//! Whether a video file is what it was made to be: as many frames, as large, and evenly spaced at the exact rate.

use std::path::Path;

use compose::geometry::Size;

use crate::config::output::Format;
use crate::error::{Error, Result};
use crate::ffmpeg::probe::{Video, is_rate, probe_video};
use crate::frame::Fps;
use crate::tools::Tools;

/// What a video file must be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ExpectedVideo {
    pub(crate) frames: u32,
    pub(crate) size: Size,
    pub(crate) fps: Fps,
    pub(crate) format: Format,
}

/// Reads `file` and checks it. Decoding can start at its first frame.
pub(crate) async fn verify_video(
    tools: &Tools,
    file: &Path,
    expected: ExpectedVideo,
) -> Result<Video> {
    let found = probe_video(tools, file).await?;
    check(file, &found, expected)?;
    Ok(found)
}

fn check(file: &Path, found: &Video, expected: ExpectedVideo) -> Result<()> {
    let ExpectedVideo { frames, size, fps, format } = expected;
    let Video {
        codec: _,
        width,
        height,
        frame_rate,
        average_frame_rate,
        packets,
        starts_with_key,
        comment: _,
    } = found;
    let wrong = |what, expected: String, found: String| {
        Err(Error::Verify { what, path: file.to_owned(), expected, found })
    };
    if *packets != frames {
        return wrong("frames of", frames.to_string(), packets.to_string());
    }
    if !starts_with_key {
        return wrong("the first frame of", "a key frame".into(), "none".into());
    }
    let found_size = Size { width: *width, height: *height };
    if found_size != size {
        return wrong("size of", size.to_string(), found_size.to_string());
    }
    if ![frame_rate, average_frame_rate].iter().all(|printed| is_rate(printed, fps, format)) {
        let found = format!("{frame_rate} (average {average_frame_rate})");
        return wrong("frame rate of", fps.to_string(), found);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_video_that_is_not_the_one_that_was_made_is_refused_with_what_is_wrong() {
        let expected = ExpectedVideo {
            frames: 30,
            size: Size { width: 640, height: 360 },
            fps: Fps { num: 30000, den: 1001 },
            format: Format::Mp4,
        };
        let right = Video {
            codec: "h264".into(),
            width: 640,
            height: 360,
            frame_rate: "30000/1001".into(),
            average_frame_rate: "30000/1001".into(),
            packets: 30,
            starts_with_key: true,
            comment: None,
        };
        let refused = |change: fn(&mut Video)| {
            let mut found = right.clone();
            change(&mut found);
            check(Path::new("/a.mp4"), &found, expected).unwrap_err().to_string()
        };
        check(Path::new("/a.mp4"), &right, expected).unwrap();
        for (change, says) in [
            ((|v| v.packets = 29) as fn(&mut Video), "frames of /a.mp4: expected 30, found 29"),
            (|v| v.starts_with_key = false, "expected a key frame"),
            (|v| v.height = 362, "expected 640x360, found 640x362"),
            (|v| v.frame_rate = "30/1".into(), "expected 30000/1001, found 30/1"),
            (|v| v.average_frame_rate = "29/1".into(), "(average 29/1)"),
        ] {
            let error = refused(change);
            assert!(error.contains(says), "{error} does not say: {says}");
        }
    }
}
