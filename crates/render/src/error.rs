//! Everything that can go wrong in planning, capturing, encoding and joining, each as something a reader can act on.

use std::io;
use std::path::{Path, PathBuf};

use crate::plan::size::Breakdown;

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {action} {}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },

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
    #[error("{file}: {element}: {reason}")]
    Composition { file: String, element: String, reason: String },
    #[error(
        "the composition lasts {seconds} s; a render needs more than 0 s and at most 86400 s: {hint}"
    )]
    Duration { seconds: f64, hint: String },
    #[error("{} in the project is neither a file nor a directory", path.display())]
    SpecialFile { path: PathBuf },
    /// A nested composition that cannot be put in its place; one line for each.
    #[error("{problems}")]
    Nested { problems: String },
    /// A source that is not there, cannot be read, or has nothing to show or to be heard where it is wanted.
    #[error("{element}: {reason}")]
    MediaUnusable { element: String, reason: String },
    /// What was downloaded, or lies in the project, is a web page or JSON under a media file's name.
    #[error("{element}: {reason}")]
    NotMedia { element: String, reason: String },
    /// A media file of another kind than its element plays.
    #[error("{element}: {reason}")]
    MediaKind { element: String, reason: String },
    /// A remote file that will not come, however often it is asked for.
    #[error("{what} cannot be fetched: {reason}")]
    RemoteRefused { what: String, reason: String },
    /// A remote file that may come the next time.
    #[error("{what} could not be fetched: {reason}")]
    RemoteUnavailable { what: String, reason: String },
    /// A font family that nobody offers.
    #[error("font family \"{family}\", wanted by {selector}: {reason}")]
    FontMissing { family: String, selector: String, reason: String },
    /// A font family that may be fetched the next time.
    #[error("font family \"{family}\", wanted by {selector}: {reason}")]
    FontUnavailable { family: String, selector: String, reason: String },
    /// Text that asks for whatever font a machine happens to have.
    #[error("{selector}: {reason}")]
    SystemFont { selector: String, reason: String },
    #[error("variable \"{name}\": {reason}")]
    Variable { name: String, reason: String },

    // The plan.
    #[error("the plan has {} bytes, the limit is {limit}: {breakdown}", breakdown.total_bytes)]
    PlanTooLarge { limit: u64, breakdown: Breakdown },
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
    #[error("the page was not ready after {seconds} s: {reason}")]
    PageNotReady { seconds: u64, reason: String },
    #[error("the page failed {during}: {message}")]
    PageScript { during: String, message: String },
    #[error("the page asks for {what}, which {reason}")]
    PageAsset { what: String, reason: &'static str },
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

impl Error {
    /// For `map_err`: an I/O error with what was being done to which path.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// Whether no space was left, as the operating system or FFmpeg's exit status said it.
    pub fn is_disk_full(&self) -> bool {
        /// FFmpeg exits with the low byte of −ENOSPC.
        const FFMPEG_ENOSPC: i32 = 256 - 28;
        match self {
            Self::Io { source, .. } => source.kind() == io::ErrorKind::StorageFull,
            Self::Command { exit_code, .. } | Self::Encoder { exit_code, .. } => {
                *exit_code == Some(FFMPEG_ENOSPC)
            }
            _ => false,
        }
    }
}
