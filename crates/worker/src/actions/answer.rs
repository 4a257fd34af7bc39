//! What an invocation answers: small, since Step Functions keeps every answer to the end.

use render::chunk::ChunkReport;
use serde::Serialize;

#[derive(Debug, Serialize)]
#[serde(tag = "Action")]
pub(crate) enum Answer {
    #[serde(rename = "plan", rename_all = "PascalCase")]
    Plan {
        #[serde(rename = "PlanS3Uri")]
        plan_uri: String,
        plan_hash: String,
        chunk_count: usize,
        total_frames: u32,
        fps: f64,
        width: u32,
        height: u32,
        format: &'static str,
        has_audio: bool,
        #[serde(rename = "AudioS3Uri")]
        audio_uri: Option<String>,
        ffmpeg_version: String,
        producer_version: &'static str,
        duration_ms: u64,
        #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "bounded")]
        warnings: Vec<String>,
        /// For the caller on this machine; no part of the answer.
        #[serde(skip)]
        seconds: f64,
    },
    #[serde(rename = "renderChunk", rename_all = "PascalCase")]
    RenderChunk {
        #[serde(rename = "ChunkS3Uri")]
        chunk_uri: String,
        chunk_index: u32,
        sha256: String,
        frames_encoded: u32,
        capture_mode: &'static str,
        duration_ms: u64,
        #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "bounded")]
        warnings: Vec<String>,
        /// `None` for a chunk that an earlier try had left complete.
        #[serde(skip)]
        report: Option<Box<ChunkReport>>,
    },
    #[serde(rename = "assemble", rename_all = "PascalCase")]
    Assemble {
        #[serde(rename = "OutputS3Uri")]
        output_uri: String,
        /// Beside it.
        #[serde(rename = "PosterS3Uri")]
        poster_uri: Option<String>,
        #[serde(rename = "PreviewS3Uri")]
        preview_uri: Option<String>,
        frames_encoded: u32,
        file_size: u64,
        duration_ms: u64,
    },
}

impl Answer {
    /// The same with each warning as `edit` makes it.
    pub(crate) fn edit_warnings(&mut self, edit: impl Fn(&str) -> String) {
        if let Self::Plan { warnings, .. } | Self::RenderChunk { warnings, .. } = self {
            for warning in warnings {
                *warning = edit(warning);
            }
        }
    }

    pub(crate) fn warnings(&self) -> &[String] {
        match self {
            Self::Plan { warnings, .. } | Self::RenderChunk { warnings, .. } => warnings,
            Self::Assemble { .. } => &[],
        }
    }
}

/// A few warnings and how many more there are: all of them are in the log.
fn bounded<S: serde::Serializer>(warnings: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    const MAX_WARNINGS: usize = 3;
    const MAX_WARNING_BYTES: usize = 100;
    let mut told: Vec<String> = warnings
        .iter()
        .take(MAX_WARNINGS)
        .map(|warning| warning[..warning.floor_char_boundary(MAX_WARNING_BYTES)].to_owned())
        .collect();
    if warnings.len() > MAX_WARNINGS {
        told.push(format!("and {} more", warnings.len() - MAX_WARNINGS));
    }
    told.serialize(serializer)
}
