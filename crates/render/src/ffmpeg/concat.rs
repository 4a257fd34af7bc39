//! Joining chunks: without decoding them, but for what cannot be had otherwise.

use std::path::{Path, PathBuf};

use crate::config::output::{Alpha, Codec, Format, Output, Quality};
use crate::ffmpeg::encode::stream;
use crate::ffmpeg::sound::{input, to_stereo};
use crate::ffmpeg::source::Source;
use crate::frame::Fps;
use crate::frame::SAMPLE_RATE;
use crate::process::Cmd;
use crate::tools::Tools;

/// The sound of the whole video.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sound<'a> {
    pub(crate) file: &'a Path,
    pub(crate) source: &'a Source,
    /// How long the video is; a sound that is longer is cut, a shorter one followed by silence.
    pub(crate) samples: u64,
}

/// What is joined.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Joining<'a> {
    /// A file with the list of chunks.
    pub(crate) list: &'a Path,
    pub(crate) fps: Fps,
    pub(crate) output: &'a Output,
    pub(crate) sound: Option<Sound<'a>>,
}

/// Joins the chunks into a video that plays while it is loading, with the sound beside them.
///
/// The concat demuxer adds up durations in microseconds, which drifts; so every packet gets its time from its number, which
/// it has since no frame is reordered.
pub(crate) fn command(tools: &Tools, joining: Joining<'_>, out: &Path) -> Cmd {
    let Joining { list, fps, output, sound } = joining;
    let (clock, ticks) = fps.media_clock();
    let cmd = chunks(tools, list, fps);
    let cmd = match sound {
        None => cmd.words("-map 0:v:0 -map_metadata -1"),
        Some(sound) => with_sound(cmd, sound, output.format),
    };
    let cmd = cmd.words(&format!("-r {fps}"));
    let cmd = if output.cfr {
        let Fps { num, den } = fps;
        // As many frames as there are, each in its place: the chunks' own times do not count here either.
        let cmd = cmd.arg("-vf").arg(format!("settb={den}/{num},setpts=N"));
        stream(cmd.words("-fps_mode cfr"), output, gop(fps))
    } else {
        let times = format!("pts=N*{ticks}:dts=N*{ticks}:duration={ticks}:time_base=1/{clock}");
        let tag = if output.codec == Codec::H265 { "-tag:v hvc1" } else { "" };
        cmd.words("-c:v copy -bsf:v").arg(format!("setts={times}")).words(tag)
    };
    let container = match (output.format, output.alpha) {
        (Format::Webm, Alpha::Kept) => "-metadata:s:v:0 alpha_mode=1 -cues_to_front 1".to_owned(),
        (Format::Webm, Alpha::None) => "-cues_to_front 1".to_owned(),
        _ => format!("-video_track_timescale {clock} -movflags +faststart"),
    };
    cmd.words(&container)
        .words(&format!("-fflags +bitexact -f {} -y", output.format.name()))
        .arg(out)
}

/// Reads the chunks of `list` as one stream.
fn chunks(tools: &Tools, list: &Path, fps: Fps) -> Cmd {
    Cmd::new(tools.ffmpeg())
        .words(&format!("-v error -nostdin -r {fps} -f concat -safe 0 -protocol_whitelist file -i"))
        .arg(list)
}

/// Frames between two places where a player can start, in a stream that is encoded as a whole: two seconds.
fn gop(fps: Fps) -> u32 {
    (2 * fps.num).div_ceil(fps.den)
}

/// Encodes the sound while the video is copied. The encoder's run-in stays in front of 0, where the edit list skips it: moving
/// everything so that nothing is before 0 would shift the picture. The list counts in the movie's time scale, which is that
/// of the samples, so that the sound ends where it should.
fn with_sound(cmd: Cmd, Sound { file, source, samples }: Sound<'_>, format: Format) -> Cmd {
    // At these bit rates nobody tells it from the original, for music in stereo. Whoever cuts a ProRes cuts samples.
    let codec = match format {
        Format::Mov => format!("pcm_s24le -movie_timescale {SAMPLE_RATE}"),
        Format::Webm => "libopus -b:a 160k".to_owned(),
        Format::Mp4 | Format::PngSequence | Format::Gif => {
            format!("aac -b:a 192k -movie_timescale {SAMPLE_RATE}")
        }
    };
    input(cmd, file, source)
        .words("-map 0:v:0 -map 1:a:0 -map_metadata -1 -af")
        .arg(format!("{},{}", to_stereo(source.sound.as_ref()), cut(samples)))
        .words(&format!("-c:a {codec} -flags:a +bitexact"))
}

fn cut(samples: u64) -> String {
    format!("apad,atrim=end_sample={samples}")
}

/// The sound alone, without loss, for what has no place for it.
pub(crate) fn wave(tools: &Tools, Sound { file, source, samples }: Sound<'_>, out: &Path) -> Cmd {
    input(Cmd::new(tools.ffmpeg()).words("-v error -nostdin"), file, source)
        .words("-map 0:a:0 -map_metadata -1 -af")
        .arg(format!("{},{}", to_stereo(source.sound.as_ref()), cut(samples)))
        .words("-c:a pcm_s24le -fflags +bitexact -flags:a +bitexact -rf64 auto -f wav -y")
        .arg(out)
}

/// The number of the first picture of a sequence, and the pattern of their names.
pub(crate) const PICTURES: (u32, &str) = (1, "frame_%06d.png");

/// The pictures of all chunks as files in the directory `out`, byte by byte as they were drawn.
pub(crate) fn pictures(tools: &Tools, list: &Path, fps: Fps, out: &Path) -> Cmd {
    let (first, pattern) = PICTURES;
    chunks(tools, list, fps)
        .words(&format!("-map 0:v:0 -c copy -f image2 -start_number {first} -y"))
        .arg(out.join(pattern))
}

/// The 256 colours that do best for all frames.
pub(crate) fn palette(tools: &Tools, list: &Path, fps: Fps, out: &Path) -> Cmd {
    chunks(tools, list, fps)
        .words("-map 0:v:0 -vf palettegen=stats_mode=full:reserve_transparent=0")
        .words("-frames:v 1 -f image2 -c:v png -y")
        .arg(out)
}

/// All frames in those colours. Their times are hundredths of a second, each the nearest one.
pub(crate) fn gif(
    tools: &Tools,
    joining: Joining<'_>,
    palette: &Path,
    frames: u32,
    out: &Path,
) -> Cmd {
    let Joining { list, fps, output, sound: _ } = joining;
    let Fps { num, den } = fps;
    let dither = match output.quality {
        Quality::Draft => "bayer:bayer_scale=4",
        Quality::Standard | Quality::High => "sierra2_4a",
    };
    // FFmpeg counts repetitions, and -1 is none.
    let repeats = match output.plays {
        0 => 0,
        1 => -1,
        plays => i64::from(plays) - 1,
    };
    // Nothing after it says how long the last frame is shown.
    let at = |frame: u32| {
        (u64::from(frame) * u64::from(den) * 100 + u64::from(num) / 2) / u64::from(num)
    };
    let last = at(frames) - at(frames - 1);
    chunks(tools, list, fps)
        .words("-protocol_whitelist file -i")
        .arg(palette)
        .arg("-filter_complex")
        .arg(format!(
            "[0:v]settb={den}/{num},setpts=N[frames];[frames][1:v]paletteuse=dither={dither}:diff_mode=rectangle"
        ))
        .words(&format!("-fps_mode passthrough -loop {repeats} -final_delay {last} -fflags +bitexact -f gif -y"))
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
    use crate::config::output::RateControl;

    #[test]
    fn a_quote_in_a_path_does_not_end_it() {
        assert_eq!(
            list(&["/a b/it's.mp4".into(), "/c.mp4".into()]),
            "file '/a b/it'\\''s.mp4'\nfile '/c.mp4'\n"
        );
    }

    fn output(format: Format, codec: Codec, alpha: Alpha) -> Output {
        let (quality, rate) = (Quality::Standard, RateControl::Preset);
        Output { format, codec, alpha, quality, rate, plays: 3, cfr: false }
    }

    const FPS: Fps = Fps { num: 30_000, den: 1001 };
    const READ: &str = "ffmpeg -v error -nostdin -r 30000/1001 -f concat -safe 0 -protocol_whitelist file -i /list.txt";
    const TIMES: &str =
        "-c:v copy -bsf:v setts=pts=N*1001:dts=N*1001:duration=1001:time_base=1/30000";

    fn joined(output: &Output, samples: Option<u64>) -> String {
        let source = Source { duration: None, start: 0.0, picture: None, sound: None };
        let file = Path::new("/a.flac");
        let sound = samples.map(|samples| Sound { file, source: &source, samples });
        let joining = Joining { list: Path::new("/list.txt"), fps: FPS, output, sound };
        command(&Tools::untested(Path::new("/t")), joining, Path::new("/out")).to_string()
    }

    #[test]
    fn every_packet_is_copied_to_the_place_that_its_number_says() {
        let clock = "-video_track_timescale 30000 -movflags +faststart -fflags +bitexact -f";
        for (output, tail) in [
            (output(Format::Mp4, Codec::H264, Alpha::None), format!("{clock} mp4 -y /out")),
            (
                output(Format::Mp4, Codec::H265, Alpha::None),
                format!("-tag:v hvc1 {clock} mp4 -y /out"),
            ),
            (output(Format::Mov, Codec::ProRes, Alpha::Kept), format!("{clock} mov -y /out")),
            (
                output(Format::Webm, Codec::Vp9, Alpha::Kept),
                "-metadata:s:v:0 alpha_mode=1 -cues_to_front 1 -fflags +bitexact -f webm -y /out"
                    .to_owned(),
            ),
        ] {
            let expected =
                format!("{READ} -map 0:v:0 -map_metadata -1 -r 30000/1001 {TIMES} {tail}");
            assert_eq!(joined(&output, None), expected);
        }
    }

    #[test]
    fn the_sound_is_encoded_beside_the_copied_video_to_its_exact_length() {
        for (format, codec, sound) in [
            (Format::Mp4, Codec::H264, "aac -b:a 192k -movie_timescale 48000"),
            (Format::Mov, Codec::ProRes, "pcm_s24le -movie_timescale 48000"),
            (Format::Webm, Codec::Vp9, "libopus -b:a 160k"),
        ] {
            let expected = format!(
                "{READ} -protocol_whitelist file -i /a.flac -map 0:v:0 -map 1:a:0 -map_metadata -1 \
                 -af aresample=48000:async=1:first_pts=0:rematrix_maxval=1,\
                 aformat=sample_fmts=flt:channel_layouts=stereo,apad,atrim=end_sample=144144 \
                 -c:a {sound} -flags:a +bitexact -r 30000/1001 {TIMES}"
            );
            let cmd = joined(&output(format, codec, Alpha::None), Some(144_144));
            assert!(cmd.starts_with(&expected), "{cmd}");
        }
    }

    #[test]
    fn a_constant_frame_rate_numbers_the_frames_and_encodes_them_as_one() {
        let mut output = output(Format::Mp4, Codec::H264, Alpha::None);
        output.cfr = true;
        let cmd = joined(&output, None);
        let numbered = "-r 30000/1001 -vf settb=1001/30000,setpts=N -fps_mode cfr -c:v libx264";
        assert!(cmd.contains(numbered) && cmd.contains("-g 60 "), "{cmd}");
        assert!(!cmd.contains("copy"), "{cmd}");
    }

    #[test]
    fn a_gif_is_played_as_often_as_is_wanted() {
        for (plays, loops) in [(0, "-loop 0 "), (1, "-loop -1 "), (3, "-loop 2 ")] {
            let output = Output { plays, ..output(Format::Gif, Codec::Gif, Alpha::None) };
            let list = Path::new("/list.txt");
            let joining = Joining { list, fps: FPS, output: &output, sound: None };
            let tools = Tools::untested(Path::new("/t"));
            let cmd = gif(&tools, joining, Path::new("/p.png"), 4, Path::new("/out")).to_string();
            assert!(cmd.contains(loops) && cmd.contains("-final_delay 3 "), "{cmd}");
        }
    }
}
