//! Joining chunks without decoding them.

use std::path::{Path, PathBuf};

use crate::frame::Fps;
use crate::process::Cmd;
use crate::tools::Tools;

/// Joins the files of `list` into an MP4 that plays while it is loading.
pub(crate) fn command(tools: &Tools, list: &Path, fps: Fps, out: &Path) -> Cmd {
    Cmd::new(&tools.ffmpeg())
        .words("-v error -nostdin")
        // Both rates are needed for the container to carry exactly this one.
        .words(&format!("-r {fps} -f concat -safe 0 -i"))
        .arg(list)
        .words(&format!("-map 0:v:0 -map_metadata -1 -c copy -r {fps} -video_track_timescale 90000"))
        .words("-fflags +bitexact -movflags +faststart -f mp4 -y")
        .arg(out)
}

/// The list that the concat demuxer reads.
pub(crate) fn list(chunks: &[PathBuf]) -> String {
    chunks.iter().map(|path| format!("file '{}'\n", path.display().to_string().replace('\'', "'\\''"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_in_a_path_does_not_end_it() {
        assert_eq!(list(&["/a b/it's.mp4".into(), "/c.mp4".into()]), "file '/a b/it'\\''s.mp4'\nfile '/c.mp4'\n");
    }
}
