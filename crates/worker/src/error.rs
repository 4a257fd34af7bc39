//! The only list of error codes, and which error gets which.

use std::error::Error as _;
use std::fmt;

/// Writes the list of codes once, as variants and as the names they have outside.
macro_rules! codes {
    ($($variant:ident = $name:literal,)*) => {
        /// A stable name for a kind of failure: Lambda's `errorType`, and what the command line prints. Never renamed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Code { $($variant,)* }

        impl Code {
            #[cfg(test)]
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)*];

            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

codes! {
    IoFailed = "IO_FAILED",
    DiskFull = "DISK_FULL",
    ArgumentInvalid = "ARGUMENT_INVALID",
    EventInvalid = "EVENT_INVALID",
    ConfigInvalid = "CONFIG_INVALID",
    StoreUriInvalid = "STORE_URI_INVALID",
    StoreObjectMissing = "STORE_OBJECT_MISSING",
    Cancelled = "CANCELLED",
    FormatNotSupportedInDistributed = "FORMAT_NOT_SUPPORTED_IN_DISTRIBUTED",
    EntryMissing = "ENTRY_MISSING",
    CompositionInvalid = "COMPOSITION_INVALID",
    DistributedDurationOutOfRange = "DISTRIBUTED_DURATION_OUT_OF_RANGE",
    ProjectFileInvalid = "PROJECT_FILE_INVALID",
    PlanTooLarge = "PLAN_TOO_LARGE",
    MissingPlanArtifact = "MISSING_PLAN_ARTIFACT",
    PlanArtifactInvalid = "PLAN_ARTIFACT_INVALID",
    PlanProtocolUnsupported = "PLAN_PROTOCOL_UNSUPPORTED",
    PlanHashMismatch = "PLAN_HASH_MISMATCH",
    InvalidVideoMetadata = "INVALID_VIDEO_METADATA",
    ChunkIndexOutOfRange = "CHUNK_INDEX_OUT_OF_RANGE",
    MissingRuntimeEnvSnapshot = "MISSING_RUNTIME_ENV_SNAPSHOT",
    FfmpegVersionMismatch = "FFMPEG_VERSION_MISMATCH",
    ToolMissing = "TOOL_MISSING",
    ToolDigestMismatch = "TOOL_DIGEST_MISMATCH",
    BrowserLaunchFailed = "BROWSER_LAUNCH_FAILED",
    BrowserLost = "BROWSER_LOST",
    BrowserGpuNotSoftware = "BROWSER_GPU_NOT_SOFTWARE",
    PageNotReady = "PAGE_NOT_READY",
    PageScriptError = "PAGE_SCRIPT_ERROR",
    PageAssetMissing = "PAGE_ASSET_MISSING",
    CaptureStalled = "CAPTURE_STALLED",
    FrameInvalid = "FRAME_INVALID",
    FfmpegFailed = "FFMPEG_FAILED",
    EncodeFailed = "ENCODE_FAILED",
    VideoVerificationFailed = "VIDEO_VERIFICATION_FAILED",
    ChunkListInvalid = "CHUNK_LIST_INVALID",
    ChunkDigestMismatch = "CHUNK_DIGEST_MISMATCH",
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
    #[error("{argument}: {reason}")]
    Argument { argument: String, reason: String },
    #[error("cannot {action} {path}")]
    Io { action: &'static str, path: String, source: std::io::Error },
    #[error("stopped by {signal}")]
    Cancelled { signal: &'static str },
}

impl Error {
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Render(error) => render_code(error),
            Self::Store(store::Error::Uri { .. }) => Code::StoreUriInvalid,
            Self::Store(store::Error::Missing { .. }) => Code::StoreObjectMissing,
            Self::Store(store::Error::Io { source, .. }) | Self::Io { source, .. } => {
                io_code(source)
            }
            Self::Event { .. } => Code::EventInvalid,
            Self::Argument { .. } => Code::ArgumentInvalid,
            Self::Cancelled { .. } => Code::Cancelled,
        }
    }

    /// The message with those of its causes.
    pub(crate) fn chain(&self) -> String {
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
    if source.kind() == std::io::ErrorKind::StorageFull { Code::DiskFull } else { Code::IoFailed }
}

fn render_code(error: &render::Error) -> Code {
    use render::Error as E;
    if error.is_disk_full() {
        return Code::DiskFull;
    }
    match error {
        E::Io { .. } => Code::IoFailed,
        E::Config { .. } => Code::ConfigInvalid,
        E::Unsupported { .. } => Code::FormatNotSupportedInDistributed,
        E::EntryMissing { .. } => Code::EntryMissing,
        E::Composition { .. } => Code::CompositionInvalid,
        E::Duration { .. } => Code::DistributedDurationOutOfRange,
        E::SpecialFile { .. } => Code::ProjectFileInvalid,
        E::PlanTooLarge { .. } => Code::PlanTooLarge,
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
        E::BrowserLost { .. } | E::Protocol { .. } => Code::BrowserLost,
        E::GpuNotSoftware { .. } => Code::BrowserGpuNotSoftware,
        E::PageNotReady { .. } => Code::PageNotReady,
        E::PageScript { .. } => Code::PageScriptError,
        E::PageAsset { .. } => Code::PageAssetMissing,
        E::CaptureStalled { .. } => Code::CaptureStalled,
        E::BadFrame { .. } => Code::FrameInvalid,
        E::Command { .. } => Code::FfmpegFailed,
        E::Encoder { .. } => Code::EncodeFailed,
        E::Verify { .. } => Code::VideoVerificationFailed,
        E::ChunkList { .. } => Code::ChunkListInvalid,
        E::ChunkDigest { .. } => Code::ChunkDigestMismatch,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained_in_the_readme() {
        let readme = include_str!("../../../README.md");
        for code in Code::ALL {
            assert!(readme.contains(&format!("| `{code}` |")), "{code} is not in README.md");
        }
    }
}
