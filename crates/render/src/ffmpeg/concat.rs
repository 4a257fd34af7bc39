//! Joining chunks without decoding them.

use std::path::{Path, PathBuf};

use crate::frame::Fps;
use crate::process::Cmd;
use crate::tools::Tools;

/// Joins the files of `list` into an MP4 that plays while it is loading.
///
/// The concat demuxer adds up durations in microseconds, which drifts; so every packet gets its time from its number, which
/// it has since no frame is reordered.
pub(crate) fn command(tools: &Tools, list: &Path, fps: Fps, out: &Path) -> Cmd {
    let (clock, ticks) = fps.media_clock();
    Cmd::new(&tools.ffmpeg())
        .words(&format!("-v error -nostdin -r {fps} -f concat -safe 0 -i"))
        .arg(list)
        .words(&format!(
            "-map 0:v:0 -map_metadata -1 -c copy -r {fps} -video_track_timescale {clock}"
        ))
        .arg("-bsf:v")
        .arg(format!("setts=pts=N*{ticks}:dts=N*{ticks}:duration={ticks}:time_base=1/{clock}"))
        .words("-fflags +bitexact -movflags +faststart -f mp4 -y")
        .arg(out)
}

/// The list that the concat demuxer reads.
pub(crate) fn list(chunks: &[PathBuf]) -> String {
    let line =
        |path: &PathBuf| format!("file '{}'\n", path.display().to_string().replace('\'', "'\\''"));
    chunks.iter().map(line).collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_in_a_path_does_not_end_it() {
        assert_eq!(
            list(&["/a b/it's.mp4".into(), "/c.mp4".into()]),
            "file '/a b/it'\\''s.mp4'\nfile '/c.mp4'\n"
        );
    }
}
