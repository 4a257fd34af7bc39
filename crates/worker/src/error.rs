//! The only list of error codes, and which error gets which.

use std::error::Error as _;
use std::fmt;
use std::path::PathBuf;

use crate::action::Action;

/// Whether sending the same event again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retry {
    /// It ends the same way each time.
    Never,
    /// What went wrong may have passed.
    Transient,
}

/// Writes the list of codes once, as variants, as the names they have outside, and with what a retry does.
macro_rules! codes {
    ($($variant:ident = $name:literal $retry:ident,)*) => {
        /// A stable name for a kind of failure: Lambda's `errorType`, and what the command line prints. Never renamed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Code { $($variant,)* }

        impl Code {
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)*];

            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The code of another version's or machine's failure, if this one knows it.
            pub(crate) fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().find(|code| code.name() == name).copied()
            }

            pub(crate) fn retry(self) -> Retry {
                match self { $(Self::$variant => Retry::$retry,)* }
            }
        }
    };
}

codes! {
    ArgumentInvalid = "ARGUMENT_INVALID" Never,
    EventInvalid = "EVENT_INVALID" Never,
    ConfigInvalid = "CONFIG_INVALID" Never,
    FormatNotSupportedInDistributed = "FORMAT_NOT_SUPPORTED_IN_DISTRIBUTED" Never,
    EntryMissing = "ENTRY_MISSING" Never,
    CompositionInvalid = "COMPOSITION_INVALID" Never,
    DistributedDurationOutOfRange = "DISTRIBUTED_DURATION_OUT_OF_RANGE" Never,
    ProjectFileInvalid = "PROJECT_FILE_INVALID" Never,
    EmptyComposition = "EMPTY_COMPOSITION" Never,
    VideoSourceUnrenderable = "VIDEO_SOURCE_UNRENDERABLE" Never,
    NotMediaPayload = "NOT_MEDIA_PAYLOAD" Never,
    AssetMediaTypeMismatch = "ASSET_MEDIA_TYPE_MISMATCH" Never,
    RemoteAssetRefused = "REMOTE_ASSET_REFUSED" Never,
    RemoteAssetUnavailable = "REMOTE_ASSET_UNAVAILABLE" Transient,
    FontFetchFailed = "FONT_FETCH_FAILED" Never,
    FontFetchUnavailable = "FONT_FETCH_UNAVAILABLE" Transient,
    SystemFontUsed = "SYSTEM_FONT_USED" Never,
    VariableInvalid = "VARIABLE_INVALID" Never,
    PlanTooLarge = "PLAN_TOO_LARGE" Never,
    OutputTooLarge = "OUTPUT_TOO_LARGE" Never,
    ChunkExceedsWorkerTimeout = "CHUNK_EXCEEDS_WORKER_TIMEOUT" Never,
    MissingPlanArtifact = "MISSING_PLAN_ARTIFACT" Never,
    PlanArtifactInvalid = "PLAN_ARTIFACT_INVALID" Never,
    PlanProtocolUnsupported = "PLAN_PROTOCOL_UNSUPPORTED" Never,
    PlanHashMismatch = "PLAN_HASH_MISMATCH" Never,
    InvalidVideoMetadata = "INVALID_VIDEO_METADATA" Never,
    ChunkIndexOutOfRange = "CHUNK_INDEX_OUT_OF_RANGE" Never,
    MissingRuntimeEnvSnapshot = "MISSING_RUNTIME_ENV_SNAPSHOT" Never,
    FfmpegVersionMismatch = "FFMPEG_VERSION_MISMATCH" Never,
    ToolMissing = "TOOL_MISSING" Never,
    ToolDigestMismatch = "TOOL_DIGEST_MISMATCH" Never,
    ChromeUnpackFailed = "CHROME_UNPACK_FAILED" Transient,
    BrowserLaunchFailed = "BROWSER_LAUNCH_FAILED" Transient,
    BrowserLost = "BROWSER_LOST" Transient,
    BrowserGpuNotSoftware = "BROWSER_GPU_NOT_SOFTWARE" Never,
    PageNotReady = "PAGE_NOT_READY" Never,
    PageScriptError = "PAGE_SCRIPT_ERROR" Never,
    PageAssetMissing = "PAGE_ASSET_MISSING" Never,
    PageMotionUnreachable = "PAGE_MOTION_UNREACHABLE" Never,
    CaptureStalled = "CAPTURE_STALLED" Never,
    FrameInvalid = "FRAME_INVALID" Transient,
    FramebufferUnavailable = "FRAMEBUFFER_UNAVAILABLE" Never,
    FramebufferMismatch = "FRAMEBUFFER_MISMATCH" Never,
    FfmpegFailed = "FFMPEG_FAILED" Transient,
    EncodeFailed = "ENCODE_FAILED" Transient,
    VideoVerificationFailed = "VIDEO_VERIFICATION_FAILED" Transient,
    ChunkListInvalid = "CHUNK_LIST_INVALID" Never,
    ChunkDigestMismatch = "CHUNK_DIGEST_MISMATCH" Never,
    RenderCancelled = "RENDER_CANCELLED" Never,
    WebhookFailed = "WEBHOOK_FAILED" Transient,
    S3UriNotAllowed = "S3_URI_NOT_ALLOWED" Never,
    StoreObjectMissing = "STORE_OBJECT_MISSING" Never,
    StoreAccessDenied = "STORE_ACCESS_DENIED" Never,
    StoreRequestRefused = "STORE_REQUEST_REFUSED" Never,
    StoreUnavailable = "STORE_UNAVAILABLE" Transient,
    PlanArtifactDigestMismatch = "PLAN_ARTIFACT_DIGEST_MISMATCH" Never,
    ArchiveInvalid = "ARCHIVE_INVALID" Never,
    PlanDeadlineExceeded = "PLAN_DEADLINE_EXCEEDED" Never,
    ChunkDeadlineExceeded = "CHUNK_DEADLINE_EXCEEDED" Never,
    AssembleDeadlineExceeded = "ASSEMBLE_DEADLINE_EXCEEDED" Never,
    DiskFull = "DISK_FULL" Never,
    IoFailed = "IO_FAILED" Transient,
    InternalError = "INTERNAL_ERROR" Transient,
    Cancelled = "CANCELLED" Never,
    RenderFailed = "RENDER_FAILED" Never,
    CloudRequestRefused = "CLOUD_REQUEST_REFUSED" Never,
    CloudUnavailable = "CLOUD_UNAVAILABLE" Transient,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

pub(crate) type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Render(#[from] render::Error),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("event: {field} {reason}")]
    Event { field: String, reason: String },
    #[error(
        "{what} is not supported; this worker takes PlanS3Uri (v1), or the two PlanV2 locators (v2) of a plan that it made"
    )]
    Protocol { what: String },
    #[error("event: {field} {uri} is not allowed: {reason}")]
    NotAllowed { field: String, uri: String, reason: &'static str },
    #[error("{argument}: {reason}")]
    Argument { argument: String, reason: String },
    #[error(
        "Chrome, FFmpeg and fonts are not found: there is no tools directory beside {}, no .tools above it, none above {}, and \
         neither --tools nor FRAMEWRIGHT_TOOLS names one; run scripts/setup.sh, or unpack a release",
        program.display(),
        here.display()
    )]
    NoTools { program: PathBuf, here: PathBuf },
    /// An option of the command line whose value cannot be had with this composition or these other options.
    #[error("{option}: {reason}")]
    Option { option: String, reason: String, code: Code },
    /// Rows of a batch whose errors are printed.
    #[error("{failed} of {total} rows failed; run the same command again to render those")]
    Batch { failed: usize, total: usize },
    #[error("errors: {errors}, warnings: {warnings}")]
    Lint { errors: usize, warnings: usize },
    #[error("{pack} cannot be unpacked")]
    Pack { pack: String, source: std::io::Error },
    #[error("{environment}: {reason}")]
    Setting { environment: &'static str, reason: String },
    #[error("cannot {action} {path}")]
    Io { action: &'static str, path: String, source: std::io::Error },
    #[error("stopped {reserve_ms} ms before the time limit of {limit_ms} ms: {progress}")]
    Deadline { action: Action, reserve_ms: u64, limit_ms: u64, progress: String },
    #[error("a bug in the worker: {message}")]
    Panic { message: String },
    #[error(
        "{} links to {}, which is outside of the project: put a copy in its place",
        link.display(),
        target.display()
    )]
    LinkOutside { link: PathBuf, target: PathBuf },
    #[error("the render was cancelled while this chunk was being drawn")]
    RenderCancelled,
    #[error("the webhook did not take the message: {reason}")]
    Webhook { reason: String },
    #[error("stopped by {signal}")]
    Cancelled { signal: &'static str },
    #[error("{render} is stopped")]
    RenderStopped { render: String },
    #[error("{render} goes on; watch it with: {command}")]
    RenderLeft { render: String, command: String },
    /// A render elsewhere has failed, with a code of ours if the worker gave it one.
    #[error("{message}")]
    RenderFailed { code: Option<Code>, message: String },
    #[error("cannot {action}: {reason}")]
    CloudRefused { action: &'static str, reason: String },
    #[error("cannot {action} for now: {reason}")]
    CloudUnavailable { action: &'static str, reason: String },
    /// Something is wrong with an execution that was started, or may have been.
    #[error("{error}")]
    OfExecution { execution: String, error: Box<Self> },
}

impl Error {
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Render(error) => render_code(error),
            Self::Store(error) => store_code(error),
            Self::Io { source, .. } => io_code(source),
            Self::Event { .. } => Code::EventInvalid,
            Self::Protocol { .. } => Code::PlanProtocolUnsupported,
            Self::NotAllowed { .. } => Code::S3UriNotAllowed,
            Self::RenderCancelled => Code::RenderCancelled,
            Self::Webhook { .. } => Code::WebhookFailed,
            Self::Argument { .. } => Code::ArgumentInvalid,
            Self::NoTools { .. } => Code::ToolMissing,
            Self::Batch { .. } => Code::RenderFailed,
            Self::Option { code, .. } => *code,
            Self::Lint { .. } => Code::CompositionInvalid,
            Self::Setting { .. } => Code::ConfigInvalid,
            Self::Pack { source, .. } if is_full(source) => Code::DiskFull,
            Self::Pack { .. } => Code::ChromeUnpackFailed,
            Self::Deadline { action, .. } => match action {
                Action::Plan => Code::PlanDeadlineExceeded,
                // A probe draws, as a chunk does.
                Action::RenderChunk | Action::Probe | Action::Notify => Code::ChunkDeadlineExceeded,
                Action::Assemble => Code::AssembleDeadlineExceeded,
            },
            Self::Panic { .. } => Code::InternalError,
            Self::Cancelled { .. } | Self::RenderStopped { .. } | Self::RenderLeft { .. } => {
                Code::Cancelled
            }
            Self::RenderFailed { code, .. } => code.unwrap_or(Code::RenderFailed),
            Self::CloudRefused { .. } => Code::CloudRequestRefused,
            Self::CloudUnavailable { .. } => Code::CloudUnavailable,
            Self::LinkOutside { .. } => Code::ProjectFileInvalid,
            Self::OfExecution { error, .. } => error.code(),
        }
    }

    /// The same error, with the execution that it is about.
    pub(crate) fn of_execution(self, execution: &str) -> Self {
        Self::OfExecution { execution: execution.to_owned(), error: Box::new(self) }
    }

    /// The execution that it is about, if there is or may be one.
    pub(crate) fn execution(&self) -> Option<&str> {
        match self {
            Self::OfExecution { execution, .. } => Some(execution),
            _ => None,
        }
    }

    /// Whether the command line has to be written in another way.
    pub(crate) fn is_of_arguments(&self) -> bool {
        match self {
            Self::Argument { .. } | Self::Option { .. } => true,
            Self::OfExecution { error, .. } => error.is_of_arguments(),
            _ => false,
        }
    }

    /// The message with those of its causes.
    pub(crate) fn chain(&self) -> String {
        if let Self::OfExecution { error, .. } = self {
            return error.chain();
        }
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        text
    }
}

fn io_code(source: &std::io::Error) -> Code {
    if is_full(source) { Code::DiskFull } else { Code::IoFailed }
}

fn is_full(source: &std::io::Error) -> bool {
    source.kind() == std::io::ErrorKind::StorageFull
}

fn store_code(error: &store::Error) -> Code {
    use store::Error as E;
    match error {
        E::Uri { .. } => Code::EventInvalid,
        E::Elsewhere { .. } => Code::S3UriNotAllowed,
        E::Missing { .. } => Code::StoreObjectMissing,
        E::Denied { .. } => Code::StoreAccessDenied,
        E::Unavailable { .. } => Code::StoreUnavailable,
        E::Refused { .. } => Code::StoreRequestRefused,
        E::Digest { .. } | E::Length { .. } => Code::PlanArtifactDigestMismatch,
        E::Archive { .. } => Code::ArchiveInvalid,
        E::Io { source, .. } | E::Scratch { source, .. } => io_code(source),
    }
}

fn render_code(error: &render::Error) -> Code {
    use render::Error as E;
    if error.is_disk_full() {
        return Code::DiskFull;
    }
    match error {
        E::Compose(error) => compose_code(error),
        E::Io { .. } => Code::IoFailed,
        E::Config { .. } | E::OutsideOfTimeline { .. } => Code::ConfigInvalid,
        E::Unsupported { .. } => Code::FormatNotSupportedInDistributed,
        E::EntryMissing { .. } => Code::EntryMissing,
        E::Duration { .. } => Code::DistributedDurationOutOfRange,
        E::PlanTooLarge { .. } | E::FramesTooLarge { .. } => Code::PlanTooLarge,
        E::OutputTooLarge { .. } => Code::OutputTooLarge,
        E::ChunkTooSlow { .. } => Code::ChunkExceedsWorkerTimeout,
        E::PlanArtifactMissing { .. } => Code::MissingPlanArtifact,
        E::PlanArtifactInvalid { .. } => Code::PlanArtifactInvalid,
        E::PlanProtocol { .. } => Code::PlanProtocolUnsupported,
        E::PlanHash { .. } => Code::PlanHashMismatch,
        E::VideoMetadata { .. } => Code::InvalidVideoMetadata,
        E::ChunkIndex { .. } => Code::ChunkIndexOutOfRange,
        E::RuntimeEnvMissing => Code::MissingRuntimeEnvSnapshot,
        E::FfmpegVersion { .. } => Code::FfmpegVersionMismatch,
        E::ToolMissing { .. } => Code::ToolMissing,
        E::ToolDigest { .. } => Code::ToolDigestMismatch,
        E::BrowserLaunch { .. } => Code::BrowserLaunchFailed,
        E::BrowserLost { .. } | E::BrowserSilent { .. } | E::Protocol { .. } => Code::BrowserLost,
        E::GpuNotSoftware { .. } => Code::BrowserGpuNotSoftware,
        E::PageNotReady { .. } => Code::PageNotReady,
        E::PageScript { .. } => Code::PageScriptError,
        E::PageAsset { .. } => Code::PageAssetMissing,
        E::PageMotion { .. } => Code::PageMotionUnreachable,
        E::CaptureStalled { .. } => Code::CaptureStalled,
        E::BadFrame { .. } => Code::FrameInvalid,
        E::FramebufferUnavailable { .. } => Code::FramebufferUnavailable,
        E::FramebufferMismatch { .. } => Code::FramebufferMismatch,
        E::Command { .. } => Code::FfmpegFailed,
        E::Encoder { .. } => Code::EncodeFailed,
        E::Verify { .. } => Code::VideoVerificationFailed,
        E::ChunkList { .. } => Code::ChunkListInvalid,
        E::ChunkDigest { .. } => Code::ChunkDigestMismatch,
    }
}

fn compose_code(error: &compose::Error) -> Code {
    use compose::Error as E;
    match error {
        E::Io { source, .. } => io_code(source),
        E::Composition { .. } => Code::CompositionInvalid,
        E::SpecialFile { .. } => Code::ProjectFileInvalid,
        E::Nested { .. } => Code::EmptyComposition,
        E::MediaUnusable { .. } => Code::VideoSourceUnrenderable,
        E::NotMedia { .. } => Code::NotMediaPayload,
        E::MediaKind { .. } => Code::AssetMediaTypeMismatch,
        E::RemoteRefused { .. } => Code::RemoteAssetRefused,
        E::RemoteUnavailable { .. } => Code::RemoteAssetUnavailable,
        E::FontMissing { .. } => Code::FontFetchFailed,
        E::FontUnavailable { .. } => Code::FontFetchUnavailable,
        E::SystemFont { .. } => Code::SystemFontUsed,
        E::Variable { .. } => Code::VariableInvalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_host_did_not_send_may_come_the_next_time() {
        let (what, reason) = (String::new(), String::new());
        let remote = compose::Error::RemoteUnavailable { what, reason };
        let (family, selector, reason) = (String::new(), String::new(), String::new());
        let font = compose::Error::FontUnavailable { family, selector, reason };
        for (error, name) in
            [(remote, "REMOTE_ASSET_UNAVAILABLE"), (font, "FONT_FETCH_UNAVAILABLE")]
        {
            let code = Error::from(render::Error::from(error)).code();
            assert_eq!((code.name(), code.retry()), (name, Retry::Transient));
        }
    }

    #[test]
    fn every_code_is_explained_in_docs_errors_md_with_what_a_retry_does() {
        let table = include_str!("../../../docs/errors.md");
        for code in Code::ALL {
            let row = table.lines().find(|line| line.starts_with(&format!("| `{code}` |")));
            let row = row.unwrap_or_else(|| panic!("{code} is not in docs/errors.md"));
            let retry = match code.retry() {
                Retry::Never => "| no |",
                Retry::Transient => "| yes |",
            };
            assert!(row.ends_with(retry), "{row}");
        }
    }
}
