//! What a video file really holds, as ffprobe reads it.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::process::{Cmd, run};
use crate::tools::Tools;

const LIMIT: Duration = Duration::from_mins(2);

/// The video stream of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Video {
    pub codec: String,
    pub width: u32,
    pub height: u32,
    /// As `num/den`.
    pub frame_rate: String,
    pub average_frame_rate: String,
    pub packets: u32,
    /// Whether decoding can start at the first packet.
    pub starts_with_key: bool,
    /// The container's comment, where a chunk says which one it is.
    pub comment: Option<String>,
}

fn command(tools: &Tools, file: &Path) -> Cmd {
    Cmd::new(&tools.ffprobe())
        .words("-v error -select_streams v:0 -of json -show_packets")
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
    format: Option<Format>,
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
struct Format {
    tags: Option<Tags>,
}

#[derive(Deserialize)]
struct Tags {
    comment: Option<String>,
}

/// Reads the first video stream of `file` and counts its packets.
pub async fn probe_video(tools: &Tools, file: &Path) -> Result<Video> {
    let unreadable = |found: String| Error::Verify {
        what: "the video",
        path: file.to_owned(),
        expected: "a file with one video stream".into(),
        found,
    };
    let printed = run(&command(tools, file), LIMIT).await?;
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
