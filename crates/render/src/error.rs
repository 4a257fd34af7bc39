//! Everything that can go wrong in planning, capturing, encoding and joining, each as something a reader can act on.

use std::io;
use std::path::{Path, PathBuf};

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {action} {}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },

    #[error(transparent)]
    Compose(#[from] compose::Error),

    // What the user sent.
    #[error("config field `{field}`: {reason}")]
    Config { field: String, reason: String },
    /// A moment or a stretch of a timeline that is not, or not all, among the frames from `first` to `last`.
    #[error(
        "config field `{field}`: {asked} is not within frames {first} to {last}, which are there"
    )]
    OutsideOfTimeline { field: &'static str, asked: String, first: u32, last: u32 },
    #[error("{what} cannot be rendered in chunks: {reason}")]
    Unsupported { what: String, reason: &'static str },
    #[error("the project has no {entry}")]
    EntryMissing { entry: String },
    #[error(
        "the composition lasts {seconds} s; a render needs more than 0 s and at most 86400 s: {hint}"
    )]
    Duration { seconds: f64, hint: String },

    // The plan.
    /// `parts` says which files make it so large.
    #[error("the plan has {bytes} bytes, the limit is {limit}: {parts}")]
    PlanTooLarge { bytes: u64, limit: u64, parts: String },
    #[error(
        "{element}: with its {frames} frames, the videos need at least {bytes} bytes; the plan's limit is {limit}"
    )]
    FramesTooLarge { element: String, frames: u32, bytes: u64, limit: u64 },
    #[error(
        "a {format} of {frames} frames of {width}x{height} needs about {bytes} bytes: {frame} for each frame in its chunk, and \
         again where they are joined; there is room for {room}. Give it more room, render a part of it with `frames`, choose \
         another format, or set outputSizeLimitBytes if it is smaller than that"
    )]
    OutputTooLarge {
        format: &'static str,
        frames: u32,
        width: u32,
        height: u32,
        frame: u64,
        bytes: u64,
        room: u64,
    },
    #[error(
        "each of {chunks} chunks would take about {seconds} s, and a worker should need at most {budget} s of its {limit} s: raise \
         workerTimeoutSeconds, render a part with `frames`, or say chunkSize or maxParallelChunks, which outweigh this estimate"
    )]
    ChunkTooSlow { chunks: u32, seconds: f64, budget: f64, limit: u32 },
    #[error("the plan has no {artifact}")]
    PlanArtifactMissing { artifact: String },
    #[error("{artifact} in the plan cannot be read as what it should be: {reason}")]
    PlanArtifactInvalid { artifact: String, reason: String },
    #[error("plan protocol {found} is not supported; this worker reads schema 1 (plan-dir-v1)")]
    PlanProtocol { found: String },
    #[error("the plan's files hash to {actual}, the plan was made as {expected}")]
    PlanHash { expected: String, actual: String },
    #[error("meta/videos.json: {reason}")]
    VideoMetadata { reason: String },
    #[error("chunk {index} does not exist: the plan has {count}")]
    ChunkIndex { index: u32, count: usize },
    #[error("meta/encoder.json has no runtimeEnv object: plan again with this version")]
    RuntimeEnvMissing,
    #[error("the plan was made with \"{planned}\", this worker has \"{actual}\"")]
    FfmpegVersion { planned: String, actual: String },

    // The tools.
    #[error("{tool} is not at {}: run scripts/setup.sh", path.display())]
    ToolMissing { tool: &'static str, path: PathBuf },
    #[error("{tool} has sha256 {actual}, pinned is {expected}: run scripts/setup.sh")]
    ToolDigest { tool: &'static str, expected: &'static str, actual: String },

    // The browser and the page.
    #[error("Chrome did not start: {reason}")]
    BrowserLaunch { reason: String },
    #[error("Chrome stopped answering {during}: {reason}")]
    BrowserLost { during: String, reason: String },
    #[error("Chrome gave no answer within 30 s {during}")]
    BrowserSilent { during: String },
    #[error("Chrome refused a command {during}: {message}")]
    Protocol { during: String, message: String },
    #[error("Chrome draws WebGL with \"{renderer}\" ({vendor}), not with SwiftShader")]
    GpuNotSoftware { vendor: String, renderer: String },
    #[error("the page was not ready within {seconds} s: {reason}")]
    PageNotReady { seconds: u64, reason: String },
    #[error("the page failed {during}: {message}")]
    PageScript { during: String, message: String },
    #[error("the page asks for {what}, which {reason}")]
    PageAsset { what: String, reason: &'static str },
    #[error(
        "{what} moves by a clock that is not the page's, and would differ from render to render; {remedy}"
    )]
    PageMotion { what: String, remedy: &'static str },
    #[error("frame {frame} was not drawn within {seconds} s; {page}")]
    CaptureStalled { frame: u32, seconds: u64, page: String },
    #[error("Chrome sent frame {frame} as something else than a {width}x{height} PNG: {reason}")]
    BadFrame { frame: u32, width: u32, height: u32, reason: String },
    #[error("frames cannot be read from Chrome's memory: {reason}")]
    FramebufferUnavailable { reason: &'static str },
    #[error("frame {frame} as read from Chrome's memory is not what a screenshot shows")]
    FramebufferMismatch { frame: u32 },

    // The encoder and what it made.
    #[error("{command} failed ({status}): {stderr}")]
    Command { command: String, status: String, exit_code: Option<i32>, stderr: String },
    #[error("the encoder stopped at frame {frame} ({status}): {stderr}")]
    Encoder { frame: u32, status: String, exit_code: Option<i32>, stderr: String },
    #[error("{what} {}: expected {expected}, found {found}", path.display())]
    Verify { what: &'static str, path: PathBuf, expected: String, found: String },

    // The joining.
    #[error("chunk list: {reason}")]
    ChunkList { reason: String },
    #[error("chunk {index} has sha256 {actual}, its worker answered {expected}")]
    ChunkDigest { index: usize, expected: String, actual: String },
}

/// Refuses a config field.
pub(crate) fn refuse_config<T>(field: &str, reason: impl Into<String>) -> Result<T> {
    Err(Error::Config { field: field.to_owned(), reason: reason.into() })
}

impl Error {
    /// For `map_err`: an I/O error with what was being done to which path.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// A media file that cannot play what its element is to play.
    pub(crate) fn media_unusable(element: &str, reason: impl Into<String>) -> Self {
        compose::Error::MediaUnusable { element: element.to_owned(), reason: reason.into() }.into()
    }

    /// Whether no space was left, as the operating system or FFmpeg's exit status said it.
    pub fn is_disk_full(&self) -> bool {
        /// FFmpeg exits with the low byte of −ENOSPC.
        const FFMPEG_ENOSPC: i32 = 256 - 28;
        match self {
            Self::Io { source, .. } => source.kind() == io::ErrorKind::StorageFull,
            Self::Compose(error) => error.is_disk_full(),
            Self::Command { exit_code, .. } | Self::Encoder { exit_code, .. } => {
                *exit_code == Some(FFMPEG_ENOSPC)
            }
            _ => false,
        }
    }
}
