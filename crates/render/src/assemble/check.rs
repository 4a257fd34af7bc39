//! What is joined is what was planned: checked before and after.

use std::path::{Path, PathBuf};

use compose::hash::sha256_file;

use crate::assemble::ChunkFile;
use crate::chunk::label;
use crate::config::output::Format;
use crate::error::{Error, Result};
use crate::ffmpeg::probe::{Video, is_rate, probe_video};
use crate::plan::open::PlanSummary;
use crate::tools::Tools;

/// Width and height of a frame.
pub(super) fn frame_size(summary: &PlanSummary) -> (u32, u32) {
    let dimensions = &summary.manifest.dimensions;
    (dimensions.width * summary.scale, dimensions.height * summary.scale)
}

/// The container of a chunk.
fn chunk_format(format: Format) -> Format {
    if format == Format::Webm { Format::Webm } else { Format::Mp4 }
}

/// The small videos of all chunks.
pub(super) fn check_previews(chunks: &[ChunkFile]) -> Result<Vec<PathBuf>> {
    let previews = chunks.iter().enumerate().map(|(index, chunk)| {
        let missing = || Error::ChunkList { reason: format!("chunk {index} has no preview") };
        chunk.preview.clone().ok_or_else(missing)
    });
    previews.collect()
}

/// Checks that the files are the plan's chunks: as many, each whole, each in its place.
pub(super) async fn check_chunks(
    tools: &Tools,
    summary: &PlanSummary,
    chunks: &[ChunkFile],
) -> Result<()> {
    let planned = &summary.chunks;
    if chunks.len() != planned.len() {
        let reason = format!("{} chunks were given, the plan has {}", chunks.len(), planned.len());
        return Err(Error::ChunkList { reason });
    }
    for (index, (chunk, range)) in chunks.iter().zip(planned).enumerate() {
        let ChunkFile { path, sha256, preview: _ } = chunk;
        if !path.is_file() {
            return Err(Error::ChunkList {
                reason: format!("chunk {index} is not at {}", path.display()),
            });
        }
        if let Some(expected) = sha256 {
            let hashed = path.clone();
            let actual = tokio::task::spawn_blocking(move || sha256_file(&hashed))
                .await
                .expect("hashing does not panic")?;
            if actual != *expected {
                return Err(Error::ChunkDigest { index, expected: expected.clone(), actual });
            }
        }
        let found = probe_video(tools, path).await?;
        let kind = (frame_size(summary), chunk_format(summary.output.format));
        check_video(path, &found, summary, kind, range.len())?;
        let own = label(&summary.manifest.plan_hash, u32::try_from(index).unwrap_or(u32::MAX));
        // Chunks of other makers say nothing about themselves.
        match found.comment.filter(|comment| comment.starts_with("plan ")) {
            Some(comment) if comment != own => {
                let reason =
                    format!("{} says it is {comment}, in its place belongs {own}", path.display());
                return Err(Error::ChunkList { reason });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Checks that a video has exactly `frames` frames of `planned` width and height, evenly spaced.
pub(super) fn check_video(
    path: &Path,
    found: &Video,
    summary: &PlanSummary,
    (planned, format): ((u32, u32), Format),
    frames: u32,
) -> Result<()> {
    let wrong = |what, expected: String, found: String| {
        Err(Error::Verify { what, path: path.to_owned(), expected, found })
    };
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
    if *packets != frames {
        return wrong("frames of", frames.to_string(), packets.to_string());
    }
    if !starts_with_key {
        return wrong("the first frame of", "a key frame".into(), "none".into());
    }
    if (*width, *height) != planned {
        return wrong(
            "size of",
            format!("{}x{}", planned.0, planned.1),
            format!("{width}x{height}"),
        );
    }
    let is_rate = |printed: &str| is_rate(printed, summary.fps, format);
    if !is_rate(frame_rate) || !is_rate(average_frame_rate) {
        return wrong(
            "frame rate of",
            summary.fps.to_string(),
            format!("{frame_rate} (average {average_frame_rate})"),
        );
    }
    Ok(())
}
