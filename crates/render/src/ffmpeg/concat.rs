//! Joining chunks without decoding them.

use std::path::{Path, PathBuf};

use crate::audio::sample::RATE;
use crate::ffmpeg::sound::{input, to_stereo};
use crate::ffmpeg::source::Source;
use crate::frame::Fps;
use crate::process::Cmd;
use crate::tools::Tools;

/// What nobody tells from the original, for music in stereo.
const BITRATE: &str = "192k";

/// The sound of the whole video.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sound<'a> {
    pub(crate) file: &'a Path,
    pub(crate) source: &'a Source,
    /// How long the video is; a sound that is longer is cut, a shorter one followed by silence.
    pub(crate) samples: u64,
}

/// Joins the files of `list` into an MP4 that plays while it is loading, with `sound` beside them.
///
/// The concat demuxer adds up durations in microseconds, which drifts; so every packet gets its time from its number, which
/// it has since no frame is reordered.
pub(crate) fn command(
    tools: &Tools,
    list: &Path,
    fps: Fps,
    sound: Option<Sound<'_>>,
    out: &Path,
) -> Cmd {
    let (clock, ticks) = fps.media_clock();
    let cmd = Cmd::new(tools.ffmpeg())
        .words(&format!("-v error -nostdin -r {fps} -f concat -safe 0 -i"))
        .arg(list);
    let cmd = match sound {
        None => cmd.words("-map 0:v:0 -map_metadata -1 -c copy"),
        Some(sound) => with_sound(cmd, sound),
    };
    cmd.words(&format!("-r {fps} -video_track_timescale {clock}"))
        .arg("-bsf:v")
        .arg(format!("setts=pts=N*{ticks}:dts=N*{ticks}:duration={ticks}:time_base=1/{clock}"))
        .words("-fflags +bitexact -movflags +faststart -f mp4 -y")
        .arg(out)
}

/// Encodes the sound while the video is copied. The encoder's run-in stays in front of 0, where the edit list skips it: moving
/// everything so that nothing is before 0 would shift the picture. The list counts in the movie's time scale, which is that
/// of the samples, so that the sound ends where it should.
fn with_sound(cmd: Cmd, Sound { file, source, samples }: Sound<'_>) -> Cmd {
    input(cmd, file, source)
        .words("-map 0:v:0 -map 1:a:0 -map_metadata -1 -c:v copy -af")
        .arg(format!("{},apad,atrim=end_sample={samples}", to_stereo(source.sound.as_ref())))
        .words(&format!("-c:a aac -b:a {BITRATE} -flags:a +bitexact -movie_timescale {RATE}"))
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

    #[test]
    fn the_sound_is_encoded_beside_the_copied_video_to_its_exact_length() {
        let tools = Tools::untested(Path::new("/t"));
        let (list, out, fps) =
            (Path::new("/list.txt"), Path::new("/out.mp4"), Fps { num: 30_000, den: 1001 });
        let tail = "-r 30000/1001 -video_track_timescale 30000 \
                    -bsf:v setts=pts=N*1001:dts=N*1001:duration=1001:time_base=1/30000 \
                    -fflags +bitexact -movflags +faststart -f mp4 -y /out.mp4";
        assert_eq!(
            command(&tools, list, fps, None, out).to_string(),
            format!(
                "ffmpeg -v error -nostdin -r 30000/1001 -f concat -safe 0 -i /list.txt \
                 -map 0:v:0 -map_metadata -1 -c copy {tail}"
            )
        );
        let source = Source { duration: None, start: 0.0, picture: None, sound: None };
        let sound = Sound { file: Path::new("/a.flac"), source: &source, samples: 144_144 };
        assert_eq!(
            command(&tools, list, fps, Some(sound), out).to_string(),
            format!(
                "ffmpeg -v error -nostdin -r 30000/1001 -f concat -safe 0 -i /list.txt \
                 -protocol_whitelist file -i /a.flac -map 0:v:0 -map 1:a:0 -map_metadata -1 -c:v copy \
                 -af aresample=48000:async=1:first_pts=0:rematrix_maxval=1,\
                 aformat=sample_fmts=flt:channel_layouts=stereo,apad,atrim=end_sample=144144 \
                 -c:a aac -b:a 192k -flags:a +bitexact -movie_timescale 48000 {tail}"
            )
        );
    }
}
