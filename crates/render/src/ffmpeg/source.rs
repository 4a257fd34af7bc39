//! What a source file of an author holds, as ffprobe reads it.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::process::{Cmd, run};
use crate::tools::Tools;

const LIMIT: Duration = Duration::from_mins(1);

/// A readable media file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Source {
    /// Seconds, as the container says.
    pub(crate) duration: Option<f64>,
    /// Seconds, where its first stream begins.
    pub(crate) start: f64,
    pub(crate) picture: Option<Picture>,
    pub(crate) sound: Option<Sound>,
}

/// The first video stream that is not a cover picture.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Picture {
    pub(crate) codec: String,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) pixel_format: String,
    /// How much wider than high its pixels are, as `num:den`; empty where the file does not say.
    pub(crate) sample_aspect: String,
    /// As `num/den`; `0/0` where it is not known.
    pub(crate) frame_rate: String,
    pub(crate) average_frame_rate: String,
    pub(crate) duration: Option<f64>,
    pub(crate) start: f64,
    /// Empty where the file does not say.
    pub(crate) transfer: String,
    pub(crate) primaries: String,
    pub(crate) matrix: String,
    pub(crate) range: String,
    /// Whether the file says that it has transparency beside its picture, as `WebM` does.
    pub(crate) alpha_mode: bool,
}

/// The first audio stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sound {
    pub(crate) codec: String,
    pub(crate) channels: u32,
    pub(crate) sample_rate: u32,
    pub(crate) duration: Option<f64>,
}

fn command(tools: &Tools, file: &Path) -> Cmd {
    Cmd::new(tools.ffprobe())
        .words("-v error -protocol_whitelist file -of json -show_format -show_streams")
        .arg("--")
        .arg(file)
}

#[derive(Deserialize)]
struct Printed {
    #[serde(default)]
    streams: Vec<Stream>,
    #[serde(default)]
    format: Format,
}

#[derive(Deserialize, Default)]
struct Format {
    duration: Option<String>,
    start_time: Option<String>,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Stream {
    codec_type: String,
    codec_name: String,
    width: u32,
    height: u32,
    pix_fmt: String,
    sample_aspect_ratio: String,
    r_frame_rate: String,
    avg_frame_rate: String,
    duration: Option<String>,
    start_time: Option<String>,
    color_transfer: String,
    color_primaries: String,
    color_space: String,
    color_range: String,
    channels: u32,
    sample_rate: Option<String>,
    tags: serde_json::Map<String, serde_json::Value>,
    disposition: Disposition,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Disposition {
    attached_pic: u8,
}

/// Reads `file`; one that FFmpeg cannot read is an [`Error::Command`] with what it said.
pub(crate) async fn probe_source(tools: &Tools, file: &Path) -> Result<Source> {
    let printed = run(&command(tools, file), LIMIT).await?;
    let Printed { streams, format } =
        serde_json::from_slice(&printed).map_err(|error| Error::Verify {
            what: "the media file",
            path: file.to_owned(),
            expected: "what ffprobe can describe".into(),
            found: error.to_string(),
        })?;
    let of = |kind: &str| {
        streams.iter().find(|s| s.codec_type == kind && s.disposition.attached_pic == 0)
    };
    Ok(Source {
        duration: seconds(format.duration.as_ref()),
        start: seconds(format.start_time.as_ref()).unwrap_or(0.0),
        picture: of("video").map(picture),
        sound: of("audio").map(|stream| Sound {
            codec: stream.codec_name.clone(),
            channels: stream.channels,
            sample_rate: stream.sample_rate.as_ref().and_then(|r| r.parse().ok()).unwrap_or(0),
            duration: seconds(stream.duration.as_ref()),
        }),
    })
}

/// Whether a file begins as HTML, XML and JSON do.
pub(crate) fn is_text(file: &Path) -> Result<bool> {
    const BEGIN_BYTES: u64 = 1024;
    let mut begin = Vec::new();
    std::fs::File::open(file)
        .and_then(|opened| opened.take(BEGIN_BYTES).read_to_end(&mut begin))
        .map_err(Error::io("read", file))?;
    let blank = |byte: &u8| byte.is_ascii_whitespace() || [0, 0xef, 0xbb, 0xbf].contains(byte);
    Ok(begin.into_iter().find(|byte| !blank(byte)).is_some_and(|byte| b"<{[".contains(&byte)))
}

fn picture(stream: &Stream) -> Picture {
    let alpha_mode = stream.tags.iter().any(|(name, value)| {
        name.eq_ignore_ascii_case("alpha_mode") && matches!(value.as_str(), Some("1"))
    });
    Picture {
        codec: stream.codec_name.clone(),
        width: stream.width,
        height: stream.height,
        pixel_format: stream.pix_fmt.clone(),
        sample_aspect: stream.sample_aspect_ratio.clone(),
        frame_rate: stream.r_frame_rate.clone(),
        average_frame_rate: stream.avg_frame_rate.clone(),
        duration: seconds(stream.duration.as_ref()).or_else(|| tagged_duration(&stream.tags)),
        start: seconds(stream.start_time.as_ref()).unwrap_or(0.0),
        transfer: stream.color_transfer.clone(),
        primaries: stream.color_primaries.clone(),
        matrix: stream.color_space.clone(),
        range: stream.color_range.clone(),
        alpha_mode,
    }
}

/// Matroska keeps the length of a stream in a tag, as `00:00:10.500000000`.
fn tagged_duration(tags: &serde_json::Map<String, serde_json::Value>) -> Option<f64> {
    let (_, value) = tags.iter().find(|(name, _)| name.eq_ignore_ascii_case("duration"))?;
    value.as_str()?.split(':').try_fold(0.0, |sum, part| {
        part.parse::<f64>().ok().filter(|part| part.is_finite()).map(|part| sum * 60.0 + part)
    })
}

fn seconds(text: Option<&String>) -> Option<f64> {
    text.and_then(|text| text.parse::<f64>().ok()).filter(|value| value.is_finite())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_web_page_is_known_by_how_it_begins() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("clip.mp4");
        for (begin, expected) in [
            (&b"<!doctype html>"[..], true),
            (b"\xef\xbb\xbf\n  {\"error\": 404}", true),
            (b"[1]", true),
            (b"\0\0\0 ftypisom", false),
            (b"", false),
        ] {
            std::fs::write(&file, begin).unwrap();
            assert_eq!(is_text(&file).unwrap(), expected, "{}", String::from_utf8_lossy(begin));
        }
    }

    #[test]
    fn a_length_that_is_a_tag_is_read() {
        for (tags, expected) in [
            (json!({"DURATION": "00:01:10.500000000"}), Some(70.5)),
            (json!({"duration": "02:00:00"}), Some(7200.0)),
            (json!({"DURATION": "soon"}), None),
            (json!({"DURATION": 3}), None),
            (json!({}), None),
        ] {
            assert_eq!(tagged_duration(tags.as_object().unwrap()), expected, "{tags}");
        }
    }
}
