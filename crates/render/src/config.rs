//! What a user may ask for, checked once: a JSON object in, [`Settings`] out, every refusal naming its field.

pub(crate) mod fields;
pub mod resolution;

use serde_json::{Map, Value};

use crate::config::fields::{Fields, refuse};
use crate::config::resolution::Resolution;
use crate::error::{Error, Result};
use crate::frame::{ChunkSizing, Fps};

/// The plan's size limit where the config does not set one: 2 GiB.
const DEFAULT_PLAN_LIMIT: u64 = 2 << 30;

/// How much care the encoder takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quality {
    Draft,
    Standard,
    High,
}

/// What decides the size of the encoded stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rate {
    /// The quality's own constant rate factor.
    Preset,
    Crf(u8),
    /// As FFmpeg reads it: a number with an optional `k` or `M`.
    Bitrate(String),
}

/// What the frames of opaque videos are kept as; those with transparency are PNG always.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameFormat {
    Auto,
    Jpg,
    Png,
}

/// Whether a page that reports errors may be rendered all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    Strict,
    BestEffort,
}

/// What becomes of a plan whose text would not be drawn in a font that is certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FontCare {
    /// It is refused.
    Refuse,
    /// It is made, with a warning.
    Warn,
}

impl FontCare {
    /// As the config says it; nothing said means care.
    fn of(refuses: Option<bool>) -> Self {
        if refuses.unwrap_or(true) { Self::Refuse } else { Self::Warn }
    }
}

/// A checked config. Holding one is the proof that every field is in range and the fields agree.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    pub fps: Fps,
    pub quality: Quality,
    pub rate: Rate,
    pub frame_format: FrameFormat,
    pub sizing: ChunkSizing,
    /// Path of the HTML file inside the project, with `/` between its parts.
    pub entry: String,
    pub strictness: Strictness,
    pub plan_limit: u64,
    pub variables: Option<Map<String, Value>>,
    /// Whether `variables` must be what the composition declares.
    pub strict_variables: bool,
    /// Frames larger than the page.
    pub resolution: Option<Resolution>,
    /// Whether assembling re-encodes to an exactly constant frame rate.
    pub cfr: bool,
    /// Of text that asks for whatever font a machine has.
    pub system_fonts: FontCare,
    /// Of families that cannot be had.
    pub missing_fonts: FontCare,
}

impl Quality {
    pub const ALL: [Self; 3] = [Self::Draft, Self::Standard, Self::High];

    pub fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Standard => "standard",
            Self::High => "high",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|quality| quality.name() == name)
    }
}

impl Settings {
    /// Reads a config object. `width` and `height` are checked and otherwise unused: the composition has its own size.
    pub fn parse(config: &Map<String, Value>) -> Result<Self> {
        let mut fields = Fields::of(config);
        fields.ban_gpu()?;
        fields.choice("hdrMode", &["auto", "force-sdr", "force-hdr"]).and_then(
            |mode| match mode.as_deref() {
                Some("force-hdr") => Err(Error::Unsupported {
                    what: "hdrMode force-hdr".into(),
                    reason: "only SDR output can be joined",
                }),
                _ => Ok(()),
            },
        )?;
        let fps = fields.fps()?;
        for side in ["width", "height"] {
            if fields.int(side, 16, 7680)?.is_some_and(|value| value % 2 == 1) {
                return refuse(side, "must be even");
            }
        }
        fields.only("format", "mp4")?;
        fields.only("codec", "h264")?;
        let quality = fields.choice("quality", &Quality::ALL.map(Quality::name))?;
        let quality =
            quality.and_then(|name| Quality::from_name(&name)).unwrap_or(Quality::Standard);
        let rate = fields.rate()?;
        let format = fields.choice("videoFrameFormat", &["auto", "jpg", "png"])?;
        let frame_format = match format.as_deref() {
            Some("jpg") => FrameFormat::Jpg,
            Some("png") => FrameFormat::Png,
            _ => FrameFormat::Auto,
        };
        fields.choice("runtimeCap", &["lambda", "temporal", "cloud-run-job", "k8s-job", "none"])?;
        let sizing = ChunkSizing {
            size: fields.int("chunkSize", 1, 3600)?,
            max_parallel: fields.int("maxParallelChunks", 1, 256)?.unwrap_or(16),
            target_frames: fields.int("targetChunkFrames", 1, 3600)?,
        };
        let system_fonts = FontCare::of(fields.bool("rejectOnSystemFonts")?);
        let missing_fonts = FontCare::of(fields.bool("failClosedFontFetch")?);
        let resolution = fields.resolution()?;
        let strictness = match fields.choice("strictness", &["strict", "best-effort"])?.as_deref() {
            Some("best-effort") => Strictness::BestEffort,
            _ => Strictness::Strict,
        };
        let settings = Self {
            fps,
            quality,
            rate,
            frame_format,
            sizing,
            entry: fields.entry()?,
            strictness,
            plan_limit: fields.bytes("planDirSizeLimitBytes")?.unwrap_or(DEFAULT_PLAN_LIMIT),
            variables: fields.variables()?,
            resolution,
            strict_variables: fields.bool("strictVariables")?.unwrap_or(false),
            cfr: fields.bool("cfr")?.unwrap_or(false),
            system_fonts,
            missing_fonts,
        };
        if settings.cfr {
            return refuse(
                "cfr",
                "is not supported by this version; frames are already exactly spaced",
            );
        }
        fields.nothing_left()?;
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(config: Value) -> Result<Settings> {
        let Value::Object(config) = config else { panic!("a config is an object") };
        Settings::parse(&config)
    }

    #[test]
    fn a_config_with_only_a_frame_rate_gets_the_defaults() {
        let settings = parse(json!({"fps": 30})).unwrap();
        assert_eq!(settings.entry, "index.html");
        assert_eq!((settings.quality, settings.rate), (Quality::Standard, Rate::Preset));
        assert_eq!(
            settings.sizing,
            ChunkSizing { size: None, max_parallel: 16, target_frames: None }
        );
        assert_eq!(settings.strictness, Strictness::Strict);
        assert_eq!(
            (settings.system_fonts, settings.missing_fonts),
            (FontCare::Refuse, FontCare::Refuse)
        );
    }

    #[test]
    fn a_refused_config_names_its_field() {
        for (config, name) in [
            (json!({}), "fps"),
            (json!({"fps": 31}), "fps"),
            (json!({"fps": "fast"}), "fps"),
            (json!({"fps": 30, "width": 15}), "width"),
            (json!({"fps": 30, "height": 1081}), "height"),
            (json!({"fps": 30, "format": "avi"}), "format"),
            (json!({"fps": 30, "codec": "av1"}), "codec"),
            (json!({"fps": 30, "quality": "best"}), "quality"),
            (json!({"fps": 30, "crf": 52}), "crf"),
            (json!({"fps": 30, "crf": 1.5}), "crf"),
            (json!({"fps": 30, "bitrate": "fast"}), "bitrate"),
            (json!({"fps": 30, "bitrate": "8M", "crf": 18}), "bitrate"),
            (json!({"fps": 30, "chunkSize": 0}), "chunkSize"),
            (json!({"fps": 30, "chunkSize": 3601}), "chunkSize"),
            (json!({"fps": 30, "maxParallelChunks": 257}), "maxParallelChunks"),
            (json!({"fps": 30, "targetChunkFrames": -1}), "targetChunkFrames"),
            (json!({"fps": 30, "entryFile": "../index.html"}), "entryFile"),
            (json!({"fps": 30, "entryFile": "/etc/passwd"}), "entryFile"),
            (json!({"fps": 30, "strictness": "loose"}), "strictness"),
            (json!({"fps": 30, "variables": [1]}), "variables"),
            (json!({"fps": 30, "chunksize": 10}), "chunksize"),
        ] {
            match parse(config.clone()) {
                Err(Error::Config { field, .. }) => assert_eq!(field, name, "{config}"),
                other => panic!("{config} gave {other:?}"),
            }
        }
    }

    #[test]
    fn hdr_and_hardware_gpu_are_banned_before_anything_else_is_looked_at() {
        for config in [
            json!({"hdrMode": "force-hdr"}),
            json!({"engineConfig": {"browserGpuMode": "hardware"}}),
            json!({"engineConfig": {"useGpu": true}}),
        ] {
            assert!(matches!(parse(config.clone()), Err(Error::Unsupported { .. })), "{config}");
        }
    }
}
