//! Where the pixels of a chunk's frames come from, and why.

use crate::browser::framebuffer::{ReadFault, Unreadable};
use crate::browser::session::FrameSource;
use crate::config::CaptureMode;
use crate::config::output::{Alpha, Output, PixelFormat};
use crate::error::{Error, Result};

/// Why frames are screenshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PngReason {
    /// They are asked for.
    Requested,
    /// What can be seen through the page is in screenshots only.
    Transparent,
    /// PNG files are what is made.
    Format,
    /// The page is drawn larger than it is.
    Scale,
    /// No process is known to composite.
    GpuProcess,
    /// The system refuses to read another process's memory.
    Refused,
    /// The frame was not found in memory.
    NotFound,
    /// More than one place in memory may be the frame.
    Ambiguous,
    /// What was read from memory was not what a screenshot showed.
    Mismatch,
}

impl PngReason {
    /// As reports, logs and metrics say it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Transparent => "transparent",
            Self::Format => "format",
            Self::Scale => "scale",
            Self::GpuProcess => "gpu-process",
            Self::Refused => "refused",
            Self::NotFound => "not-found",
            Self::Ambiguous => "ambiguous",
            Self::Mismatch => "mismatch",
        }
    }
}

impl From<Unreadable> for PngReason {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::GpuProcess => Self::GpuProcess,
            Unreadable::Refused => Self::Refused,
            Unreadable::NotFound => Self::NotFound,
            Unreadable::Ambiguous => Self::Ambiguous,
        }
    }
}

/// What a chunk asks of its browsers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SourceChoice {
    pub(crate) mode: CaptureMode,
    pub(crate) source: FrameSource,
    /// Why the source is PNG before a browser was asked.
    pub(crate) reason: Option<PngReason>,
}

impl SourceChoice {
    /// For `output`, drawn `scale` times as large as the page.
    pub(crate) fn new(
        mode: CaptureMode,
        output: &Output,
        scale: u32,
        fault: Option<ReadFault>,
    ) -> Result<Self> {
        let reason = match mode {
            CaptureMode::Png => Some(PngReason::Requested),
            _ if output.alpha == Alpha::Kept => Some(PngReason::Transparent),
            _ if output.pixels() == PixelFormat::Png => Some(PngReason::Format),
            _ if scale != 1 => Some(PngReason::Scale),
            CaptureMode::Auto | CaptureMode::Framebuffer => None,
        };
        let source = match reason {
            Some(_) => FrameSource::Png,
            None => FrameSource::Framebuffer { fault },
        };
        let choice = Self { mode, source, reason };
        reason.map_or(Ok(()), |reason| choice.accept(reason))?;
        Ok(choice)
    }

    /// For opaque frames that are not encoded.
    pub(crate) fn without_plan(mode: CaptureMode) -> Self {
        let is_png = mode == CaptureMode::Png;
        let framebuffer = FrameSource::Framebuffer { fault: None };
        let source = if is_png { FrameSource::Png } else { framebuffer };
        Self { mode, source, reason: is_png.then_some(PngReason::Requested) }
    }

    /// Screenshots, since reading went wrong.
    pub(crate) fn after_mismatch(self) -> Self {
        Self { source: FrameSource::Png, reason: Some(PngReason::Mismatch), ..self }
    }

    /// Whether PNG will do for this reason.
    pub(crate) fn accept(self, reason: PngReason) -> Result<()> {
        match self.mode {
            CaptureMode::Framebuffer => {
                Err(Error::FramebufferUnavailable { reason: reason.name() })
            }
            CaptureMode::Auto | CaptureMode::Png => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    fn choose(mode: CaptureMode, config: &str, scale: u32) -> Result<SourceChoice> {
        let config = serde_json::from_str(config).unwrap();
        SourceChoice::new(mode, &Settings::parse(&config).unwrap().output, scale, None)
    }

    #[test]
    fn frames_are_screenshots_for_a_reason_only() {
        use CaptureMode::{Auto, Framebuffer, Png};
        for (mode, config, scale, reason) in [
            (Auto, r#"{"fps": 30}"#, 1, None),
            (Framebuffer, r#"{"fps": 30}"#, 1, None),
            (Png, r#"{"fps": 30}"#, 1, Some(PngReason::Requested)),
            (Auto, r#"{"fps": 30, "format": "mov"}"#, 1, Some(PngReason::Transparent)),
            (Auto, r#"{"fps": 30, "format": "mov", "alpha": false}"#, 1, None),
            (
                Auto,
                r#"{"fps": 30, "format": "png-sequence", "alpha": false}"#,
                1,
                Some(PngReason::Format),
            ),
            (Auto, r#"{"fps": 30}"#, 2, Some(PngReason::Scale)),
        ] {
            let choice = choose(mode, config, scale).unwrap();
            assert_eq!(choice.reason, reason, "{mode:?} {config} {scale}");
            assert_eq!(choice.source == FrameSource::Png, reason.is_some());
        }
    }

    #[test]
    fn a_framebuffer_that_is_demanded_and_impossible_is_refused() {
        let error = choose(CaptureMode::Framebuffer, r#"{"fps": 30}"#, 2).unwrap_err();
        assert!(matches!(error, Error::FramebufferUnavailable { reason: "scale" }), "{error}");
    }
}
