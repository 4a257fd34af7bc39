//! What a video file really holds, as ffprobe reads it.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use crate::config::output::Format;
use crate::error::{Error, Result};
use crate::frame::Fps;
use crate::frame::SAMPLE_RATE;
use crate::process::{Cmd, run};
use crate::tools::Tools;

const LIMIT: Duration = Duration::from_mins(2);

/// What the slowest disk reads in a second: to count packets is to read the whole file.
const BYTES_A_SECOND: u64 = 20 << 20;

/// How long reading a file may take.
fn limit(file: &Path) -> Duration {
    let bytes = std::fs::metadata(file).map_or(0, |file| file.len());
    LIMIT + Duration::from_secs(bytes / BYTES_A_SECOND)
}

/// The video stream of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Video {
    pub(crate) codec: String,
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// As `num/den`.
    pub(crate) frame_rate: String,
    pub(crate) average_frame_rate: String,
    pub(crate) packets: u32,
    /// Whether decoding can start at the first packet.
    pub(crate) starts_with_key: bool,
    /// The container's comment, where a chunk says which one it is.
    pub(crate) comment: Option<String>,
}

/// Whether a rate, as ffprobe prints it, is `fps` in a file of `format`. Matroska keeps how long a frame lasts in nanoseconds,
/// of which FFmpeg makes a fraction of small numbers: 59.94 comes back as 19001/317.
pub(crate) fn is_rate(printed: &str, fps: Fps, format: Format) -> bool {
    const TELLS_APART: f64 = 1e-6;
    if format != Format::Webm {
        return printed == fps.to_string();
    }
    let ratio = printed
        .split_once('/')
        .and_then(|(num, den)| Some(num.parse::<f64>().ok()? / den.parse::<f64>().ok()?));
    ratio.is_some_and(|ratio| (ratio / fps.as_f64() - 1.0).abs() < TELLS_APART)
}

fn command(tools: &Tools, file: &Path) -> Cmd {
    Cmd::new(tools.ffprobe())
        .words("-v error -protocol_whitelist file -select_streams v:0 -of json -show_packets")
        .words("-show_entries format_tags=comment:packet=flags")
        .words("-show_entries stream=codec_name,width,height,r_frame_rate,avg_frame_rate")
        .arg("--")
        .arg(file)
}

#[derive(Deserialize)]
struct Printed {
    #[serde(default, rename = "streams")]
    videos: Vec<Stream>,
    #[serde(default)]
    packets: Vec<Packet>,
    format: Option<Container>,
}

#[derive(Deserialize)]
struct Stream {
    codec_name: String,
    width: u32,
    height: u32,
    r_frame_rate: String,
    avg_frame_rate: String,
}

#[derive(Deserialize)]
struct Packet {
    flags: String,
}

#[derive(Deserialize)]
struct Container {
    tags: Option<Tags>,
}

#[derive(Deserialize)]
struct Tags {
    comment: Option<String>,
}

/// Reads the first video stream of `file` and counts its packets.
pub(crate) async fn probe_video(tools: &Tools, file: &Path) -> Result<Video> {
    let unreadable = |found: String| Error::Verify {
        what: "the video",
        path: file.to_owned(),
        expected: "a file with one video stream".into(),
        found,
    };
    let printed = run(&command(tools, file), limit(file)).await?;
    let printed: Printed =
        serde_json::from_slice(&printed).map_err(|error| unreadable(error.to_string()))?;
    let Some(stream) = printed.videos.into_iter().next() else {
        return Err(unreadable("no video stream".into()));
    };
    let Stream { codec_name, width, height, r_frame_rate, avg_frame_rate } = stream;
    Ok(Video {
        codec: codec_name,
        width,
        height,
        frame_rate: r_frame_rate,
        average_frame_rate: avg_frame_rate,
        packets: u32::try_from(printed.packets.len()).unwrap_or(u32::MAX),
        starts_with_key: printed
            .packets
            .first()
            .is_some_and(|packet| packet.flags.starts_with('K')),
        comment: printed.format.and_then(|format| format.tags).and_then(|tags| tags.comment),
    })
}

/// An audio stream of a file that was made here. Times are samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SoundStream {
    pub(crate) codec: String,
    pub(crate) channels: u32,
    /// As `num/den`: seconds that one step of `start` and `end` takes.
    pub(crate) time_base: String,
    /// Where playing begins, which is after what the encoder put in front.
    pub(crate) start: i64,
    pub(crate) end: i64,
}

fn sounds_command(tools: &Tools, file: &Path) -> Cmd {
    Cmd::new(tools.ffprobe())
        .words("-v error -protocol_whitelist file -select_streams a -of json -show_packets")
        .words("-show_entries stream=index,codec_name,channels,time_base,start_pts")
        .words("-show_entries packet=stream_index,pts,duration")
        .arg("--")
        .arg(file)
}

#[derive(Deserialize)]
struct PrintedSounds {
    #[serde(default)]
    streams: Vec<PrintedSound>,
    #[serde(default)]
    packets: Vec<SoundPacket>,
}

#[derive(Deserialize)]
struct PrintedSound {
    index: u32,
    codec_name: String,
    channels: u32,
    time_base: String,
    /// Not said of a stream that has a single packet, which then begins at 0.
    #[serde(default)]
    start_pts: i64,
}

#[derive(Deserialize)]
struct SoundPacket {
    stream_index: u32,
    pts: i64,
    duration: i64,
}

/// Reads the audio streams of `file`, packet by packet.
pub(crate) async fn probe_sounds(tools: &Tools, file: &Path) -> Result<Vec<SoundStream>> {
    let printed = run(&sounds_command(tools, file), limit(file)).await?;
    let PrintedSounds { streams, packets } =
        serde_json::from_slice(&printed).map_err(|error| Error::Verify {
            what: "the sound of",
            path: file.to_owned(),
            expected: "streams and packets that ffprobe can describe".into(),
            found: error.to_string(),
        })?;
    let sound = |stream: PrintedSound| {
        let PrintedSound { index, codec_name: codec, channels, time_base, start_pts: start } =
            stream;
        let last = packets.iter().rfind(|packet| packet.stream_index == index);
        let end = last.map_or(start, |packet| packet.pts + packet.duration);
        SoundStream { codec, channels, time_base, start, end }
    };
    Ok(streams.into_iter().map(sound).collect())
}

/// What the encoder of a lossy sound may add or leave out at either end, in samples: one of its packets.
const OPUS_PACKET: u64 = 960;

/// Checks that `found`, the audio streams of a file of `format`, is one stereo stream that plays `samples` samples from 0 on.
pub(crate) fn check_sound(
    path: &Path,
    found: &[SoundStream],
    format: Format,
    samples: u64,
) -> Result<()> {
    match format {
        // Matroska counts milliseconds.
        Format::Webm => check_stream(path, found, ("opus", 1000), samples, OPUS_PACKET),
        Format::Mov => check_stream(path, found, ("pcm_s24le", SAMPLE_RATE), samples, 0),
        Format::Mp4 | Format::PngSequence | Format::Gif => {
            check_stream(path, found, ("aac", SAMPLE_RATE), samples, 0)
        }
    }
}

/// Checks the sound of a plan in the same way.
pub(crate) fn check_mix(path: &Path, found: &[SoundStream], samples: u64) -> Result<()> {
    check_stream(path, found, ("flac", SAMPLE_RATE), samples, 0)
}

fn check_stream(
    path: &Path,
    found: &[SoundStream],
    (codec, clock): (&str, u32),
    samples: u64,
    tolerance: u64,
) -> Result<()> {
    let steps = |samples: u64| i64::try_from(samples * u64::from(clock) / u64::from(SAMPLE_RATE));
    let (end, off) = (steps(samples).unwrap_or(i64::MAX), steps(tolerance).unwrap_or(0));
    let expected = SoundStream {
        codec: codec.to_owned(),
        channels: 2,
        time_base: format!("1/{clock}"),
        start: 0,
        end,
    };
    let near = |stream: &SoundStream| {
        let SoundStream { codec, channels, time_base, start, end } = stream;
        (codec, channels, time_base) == (&expected.codec, &expected.channels, &expected.time_base)
            && start.abs() <= off
            && (end - expected.end).abs() <= off
    };
    if matches!(found, [stream] if near(stream)) {
        return Ok(());
    }
    let list = |streams: &[SoundStream]| match streams {
        [] => "none".to_owned(),
        streams => streams.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    Err(Error::Verify {
        what: "the sound of",
        path: path.to_owned(),
        expected: list(&[expected]),
        found: list(found),
    })
}

impl fmt::Display for SoundStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { codec, channels, time_base, start, end } = self;
        write!(f, "{codec} in {channels} channels from {start} to {end} in steps of {time_base} s")
    }
}
