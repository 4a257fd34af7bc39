//! What a user may ask for, checked once: a JSON object in, [`Settings`] out, every refusal naming its field.

use std::path::{Component, Path};

use serde_json::{Map, Value};

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

/// Whether a page that reports errors may be rendered all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    Strict,
    BestEffort,
}

/// A checked config. Holding one is the proof that every field is in range and the fields agree.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    pub fps: Fps,
    pub quality: Quality,
    pub rate: Rate,
    pub sizing: ChunkSizing,
    /// Path of the HTML file inside the project, with `/` between its parts.
    pub entry: String,
    pub strictness: Strictness,
    pub plan_limit: u64,
    pub variables: Option<Map<String, Value>>,
    /// Whether assembling re-encodes to an exactly constant frame rate.
    pub cfr: bool,
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
        let mut fields = Fields { rest: config.clone() };
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
        fields.choice("videoFrameFormat", &["auto", "jpg", "png"])?;
        fields.choice("runtimeCap", &["lambda", "temporal", "cloud-run-job", "k8s-job", "none"])?;
        let sizing = ChunkSizing {
            size: fields.int("chunkSize", 1, 3600)?,
            max_parallel: fields.int("maxParallelChunks", 1, 256)?.unwrap_or(16),
            target_frames: fields.int("targetChunkFrames", 1, 3600)?,
        };
        for name in ["rejectOnSystemFonts", "failClosedFontFetch"] {
            fields.bool(name)?;
        }
        for name in ["outputResolution", "outputResolutionAspectAgnostic"] {
            if fields.take(name).is_some_and(|value| value != Value::Bool(false)) {
                return refuse(
                    name,
                    "scaling the output is not supported by this version; size the composition itself",
                );
            }
        }
        let strictness = match fields.choice("strictness", &["strict", "best-effort"])?.as_deref() {
            Some("best-effort") => Strictness::BestEffort,
            _ => Strictness::Strict,
        };
        let settings = Self {
            fps,
            quality,
            rate,
            sizing,
            entry: fields.entry()?,
            strictness,
            plan_limit: fields.bytes("planDirSizeLimitBytes")?.unwrap_or(DEFAULT_PLAN_LIMIT),
            variables: fields.variables()?,
            cfr: fields.bool("cfr")?.unwrap_or(false),
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

fn refuse<T>(field: &str, reason: impl Into<String>) -> Result<T> {
    Err(Error::Config { field: field.to_owned(), reason: reason.into() })
}

/// The fields of a config that nobody has read yet.
struct Fields {
    rest: Map<String, Value>,
}

const KNOWN: [&str; 24] = [
    "fps",
    "width",
    "height",
    "format",
    "codec",
    "quality",
    "crf",
    "bitrate",
    "videoFrameFormat",
    "outputResolution",
    "outputResolutionAspectAgnostic",
    "chunkSize",
    "maxParallelChunks",
    "targetChunkFrames",
    "runtimeCap",
    "rejectOnSystemFonts",
    "failClosedFontFetch",
    "hdrMode",
    "cfr",
    "engineConfig",
    "entryFile",
    "strictness",
    "planDirSizeLimitBytes",
    "variables",
];

impl Fields {
    /// A field that is there and not `null`.
    fn take(&mut self, name: &str) -> Option<Value> {
        debug_assert!(KNOWN.contains(&name), "{name} is missing from KNOWN");
        self.rest.remove(name).filter(|value| !value.is_null())
    }

    fn text(&mut self, name: &str) -> Result<Option<String>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => refuse(name, format!("must be a string, not {other}")),
        }
    }

    fn bool(&mut self, name: &str) -> Result<Option<bool>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(value)),
            Some(other) => refuse(name, format!("must be true or false, not {other}")),
        }
    }

    fn int(&mut self, name: &str, min: u32, max: u32) -> Result<Option<u32>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let whole = value.as_u64().or_else(|| value.as_f64().and_then(whole));
        match whole.and_then(|n| u32::try_from(n).ok()).filter(|n| (min..=max).contains(n)) {
            Some(n) => Ok(Some(n)),
            None => {
                refuse(name, format!("must be a whole number from {min} to {max}, not {value}"))
            }
        }
    }

    fn bytes(&mut self, name: &str) -> Result<Option<u64>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        match value.as_u64().filter(|n| *n > 0) {
            Some(n) => Ok(Some(n)),
            None => refuse(name, format!("must be a number of bytes above 0, not {value}")),
        }
    }

    fn choice(&mut self, name: &str, allowed: &[&str]) -> Result<Option<String>> {
        match self.text(name)? {
            Some(text) if !allowed.contains(&text.as_str()) => {
                refuse(name, format!("must be one of {}, not \"{text}\"", allowed.join(", ")))
            }
            other => Ok(other),
        }
    }

    /// A field of which this version knows one value only.
    fn only(&mut self, name: &str, value: &str) -> Result<()> {
        match self.text(name)? {
            Some(text) if text != value => {
                refuse(name, format!("this version makes {value} only, not \"{text}\""))
            }
            _ => Ok(()),
        }
    }

    fn ban_gpu(&mut self) -> Result<()> {
        let Some(engine) = self.take("engineConfig") else { return Ok(()) };
        let Value::Object(engine) = engine else {
            return refuse("engineConfig", "must be an object");
        };
        let hardware = engine.get("browserGpuMode").is_some_and(|mode| mode == "hardware")
            || engine.get("useGpu").is_some_and(|gpu| gpu == true);
        if hardware {
            let reason = "a GPU draws other pixels than the workers, which have none";
            return Err(Error::Unsupported { what: "a hardware GPU".into(), reason });
        }
        Ok(())
    }

    fn fps(&mut self) -> Result<Fps> {
        let value = self.take("fps");
        let fps = match &value {
            Some(Value::Number(number)) => number.as_f64().and_then(Fps::from_number),
            Some(Value::String(text)) => text.parse().ok(),
            Some(Value::Object(ratio)) => {
                let part = |name| {
                    ratio.get(name).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok())
                };
                part("num").zip(part("den")).and_then(|(num, den)| Fps::exact(num, den))
            }
            _ => None,
        };
        match (fps, value) {
            (Some(fps), _) => Ok(fps),
            (None, None) => refuse("fps", format!("is required: one of {}", Fps::SUPPORTED)),
            (None, Some(value)) => {
                refuse("fps", format!("must be one of {}, not {value}", Fps::SUPPORTED))
            }
        }
    }

    fn rate(&mut self) -> Result<Rate> {
        let crf = self.int("crf", 0, 51)?;
        match (crf, self.text("bitrate")?) {
            (None, None) => Ok(Rate::Preset),
            (Some(crf), None) => Ok(Rate::Crf(u8::try_from(crf).expect("at most 51"))),
            (None, Some(bitrate)) if is_bitrate(&bitrate) => Ok(Rate::Bitrate(bitrate)),
            (None, Some(text)) => {
                refuse("bitrate", format!("must look like 8M, 2500k or 1.5M, not \"{text}\""))
            }
            (Some(_), Some(_)) => refuse("bitrate", "cannot be given together with crf"),
        }
    }

    fn entry(&mut self) -> Result<String> {
        let entry = self.text("entryFile")?.unwrap_or_else(|| "index.html".to_owned());
        let inside =
            Path::new(&entry).components().all(|part| matches!(part, Component::Normal(_)));
        if entry.is_empty() || !inside || entry.contains('\\') {
            return refuse(
                "entryFile",
                format!("must be a path inside the project, not \"{entry}\""),
            );
        }
        Ok(entry)
    }

    fn variables(&mut self) -> Result<Option<Map<String, Value>>> {
        match self.take("variables") {
            None => Ok(None),
            Some(Value::Object(variables)) => Ok(Some(variables)),
            Some(other) => refuse("variables", format!("must be an object, not {other}")),
        }
    }

    fn nothing_left(self) -> Result<()> {
        match self.rest.keys().next() {
            None => Ok(()),
            Some(key) => refuse(key, format!("is unknown; known are {}", KNOWN.join(", "))),
        }
    }
}

/// The whole number that a float of a JSON text stands for, as in `240.0`.
fn whole(value: f64) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be whole and in range"
    )]
    (value.fract() == 0.0 && (0.0..9e15).contains(&value)).then_some(value as u64)
}

fn is_bitrate(text: &str) -> bool {
    let number = text.strip_suffix(['k', 'K', 'm', 'M']).unwrap_or(text);
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    match number.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(number),
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
