//! What of a plan the bytes of one chunk depend on, as digests: two chunks of any plans that agree in them are the same.
//!
//! What says how the page is opened, drawn and encoded is known before anything is drawn and is one digest. Which files the page reads,
//! and which frames of videos it shows, is known when it has been drawn: a page that gets the same answers asks the same questions, so
//! that a chunk whose files are equal in another plan is equal there. A page that depends on the frames before its chunk asks for
//! whatever they need, and so it is among its files.

use std::collections::BTreeMap;
use std::path::Path;

use compose::geometry::Size;
use compose::hash::sha256_hex;
use serde_json::{Value, json};

use crate::blocking::blocking;
use crate::config::output::Output;
use crate::config::{CaptureMode, Strictness};
use crate::error::Result;
use crate::frame::{Fps, FrameRange};
use crate::page::server::AskedFor;
use crate::plan::Planned;
use crate::plan::hash::{FileDigests, canonical_json};
use crate::plan::layout::{self, Dimensions, Manifest};
use crate::plan::open::{PlanSummary, PlannedChunk, open_chunk_as};
use crate::plan::output::SideOutputs;
use crate::video_track::VideoTrack;

/// What the bytes of a chunk depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkContent {
    /// How many frames it has.
    pub frames: u32,
    /// Whether it makes the poster, and whether it makes a preview.
    pub has_poster: bool,
    pub has_preview: bool,
    /// The digest of all that is known before the page is opened.
    pub settings: String,
}

/// What the chunks of a plan depend on that was just made in `dir`, if their frames are taken from where `capture` says.
pub async fn chunk_contents(
    dir: &Path,
    planned: &Planned,
    capture: Option<CaptureMode>,
) -> Result<Vec<ChunkContent>> {
    let (dir, planned) = (dir.to_owned(), planned.clone());
    blocking(move || {
        let Planned { plan_hash, files, chunks, ffmpeg_version, .. } = planned;
        let mut chunk = open_chunk_as(&dir, 0, &ffmpeg_version, |_| Ok((plan_hash, files)))?;
        let of = |range: FrameRange| {
            chunk.range = range;
            content(&chunk, capture)
        };
        Ok(chunks.into_iter().map(of).collect())
    })
    .await
}

impl Planned {
    /// The digests of files by their paths in the plan; `None` for one that it does not have.
    pub fn digests(&self, paths: &[String]) -> BTreeMap<String, Option<String>> {
        paths.iter().map(|path| (path.clone(), self.files.get(path).cloned())).collect()
    }
}

/// The digests of the files that a page has asked for.
pub(crate) fn inputs(files: &FileDigests, asked: &[AskedFor]) -> BTreeMap<String, Option<String>> {
    let input = |file: &AskedFor| {
        let path = match file {
            AskedFor::File(path) => format!("{}/{path}", layout::COMPILED),
            AskedFor::VideoFrame(dir, file) => format!("{}/{dir}/{file}", layout::VIDEO_FRAMES),
        };
        let digest = files.get(&path).cloned();
        (path, digest)
    };
    asked.iter().map(input).collect()
}

/// What a chunk depends on.
pub(crate) fn content(chunk: &PlannedChunk, capture: Option<CaptureMode>) -> ChunkContent {
    let PlannedChunk {
        summary,
        variables,
        runtime_env,
        range,
        strictness,
        capture: planned_capture,
        page_dir: _,
        tracks,
        files,
    } = chunk;
    let PlanSummary { manifest, chunks: _, fps, scale, output, side_outputs } = summary;
    // The producer's and FFmpeg's versions are those of the program and the tools that draw.
    let Manifest {
        protocol: _,
        plan_hash: _,
        producer_version: _,
        ffmpeg_version: _,
        font_snapshot_sha: _,
        dimensions: Dimensions { fps_num: _, fps_den: _, width, height, format: _ },
        chunk_count: _,
        total_frames: _,
        duration: _,
        has_audio: _,
    } = manifest;
    let Fps { num, den } = fps;
    let FrameRange { start, end } = *range;
    let SideOutputs { poster, preview } = side_outputs;
    let poster = poster.filter(|poster| (start..end).contains(poster));
    let value = json!({
        // Every page reads it, and of two pages the lists of files are rarely the same.
        "page": files.get(layout::INDEX_HTML),
        "width": width,
        "height": height,
        "scale": scale,
        "fps": [num, den],
        "frames": [start, end],
        "output": encoding(output),
        "poster": poster,
        "preview": preview.map(|Size { width, height }| [width, height]),
        "variables": variables,
        "environment": runtime_env,
        "strict": *strictness == Strictness::Strict,
        "capture": capture.unwrap_or(*planned_capture).name(),
        "videos": tracks.iter().map(video).collect::<Vec<_>>(),
    });
    ChunkContent {
        frames: range.len(),
        has_poster: poster.is_some(),
        has_preview: preview.is_some(),
        settings: sha256_hex(canonical_json(&value).as_bytes()),
    }
}

/// What a chunk is encoded to. How often a GIF is played and whether the video is encoded once more is for joining.
fn encoding(output: &Output) -> Value {
    let Output { format, codec, alpha, quality, rate, plays: _, cfr: _ } = output;
    json!([
        format.name(),
        format!("{codec:?}"),
        format!("{alpha:?}"),
        format!("{quality:?}"),
        format!("{rate:?}")
    ])
}

/// What the page is told of a video, and what says which of its frames is due when. The frames themselves are files.
fn video(track: &VideoTrack) -> Value {
    let VideoTrack {
        id,
        src,
        start,
        end,
        media_start,
        rate,
        cycle,
        frames,
        dir: _,
        extension,
        width,
        height,
        duration,
    } = track;
    json!({
        "id": id,
        "src": src,
        "start": start,
        "end": end,
        "mediaStart": media_start,
        "rate": rate,
        "cycle": cycle,
        "frames": frames,
        "extension": extension,
        "width": width,
        "height": height,
        "duration": duration,
    })
}
