//! What is joined is what was planned.

use std::path::PathBuf;

use compose::hash::sha256_file;

use crate::assemble::ChunkFile;
use crate::config::output::Format;
use crate::error::{Error, Result};
use crate::plan::open::PlanSummary;
use crate::plan::open::label;
use crate::tools::Tools;
use crate::verify::{ExpectedVideo, verify_video};

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
        let ChunkFile { path, sha256, label: known, preview: _ } = chunk;
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
        let expected = ExpectedVideo {
            frames: range.len(),
            size: summary.frame_size(),
            fps: summary.fps,
            format: chunk_format(summary.output.format),
        };
        let found = verify_video(tools, path, expected).await?;
        let own = || label(&summary.manifest.plan_hash, u32::try_from(index).unwrap_or(u32::MAX));
        let own = known.clone().unwrap_or_else(own);
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
