//! What a user may ask for, checked once: a JSON object in, [`Settings`] out, every refusal naming its field.

pub(crate) mod fields;
pub mod output;
pub mod resolution;

use compose::fonts::FontPolicy;
use serde_json::{Map, Value};

use crate::config::fields::Fields;
use crate::config::output::Output;
use crate::config::resolution::Resolution;
use crate::error::{Result, refuse_config as refuse};
use crate::frame::{Fps, Moment, Span};

/// The most chunks of a plan.
pub const MAX_CHUNKS: u32 = 256;

/// The plan's size limit where the config does not set one: 2 GiB.
const DEFAULT_PLAN_LIMIT: u64 = 2 << 30;

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

/// Where the pixels of frames are taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaptureMode {
    /// Chrome's memory where that is possible, and screenshots otherwise.
    Auto,
    /// Chrome's memory, or it is an error.
    Framebuffer,
    /// Screenshots.
    Png,
}

impl CaptureMode {
    pub const ALL: [Self; 3] = [Self::Auto, Self::Framebuffer, Self::Png];

    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Framebuffer => "framebuffer",
            Self::Png => "png",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

/// What a caller asks for about the size and number of chunks, before the frames are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cutting {
    /// Frames in a chunk; wins over `target_frames`.
    pub size: Option<u32>,
    /// The most chunks there may be.
    pub max_parallel: Option<u32>,
    /// No chunk is longer than this when the size is chosen automatically.
    pub target_frames: Option<u32>,
    /// How many workers draw at once: as many chunks, if nothing else is said.
    pub workers: Option<u32>,
    /// Seconds that a worker has for a chunk.
    pub worker_seconds: Option<u32>,
}

/// Who says the frame rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameRateSource {
    Config,
    /// The root element: what `Settings::fps` holds until it is read is no more than a place for it.
    Composition,
}

/// A checked config. Holding one is the proof that every field is in range and the fields agree.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    pub fps: Fps,
    pub fps_source: FrameRateSource,
    pub output: Output,
    /// The frames that are wanted; `None` for all of them.
    pub frames: Option<Span>,
    /// The moment whose frame is kept as a picture beside the video.
    pub poster: Option<Moment>,
    /// The shorter side of a small video beside the video.
    pub preview: Option<u32>,
    /// Whether the sound is left out.
    pub mute: bool,
    pub frame_format: FrameFormat,
    pub cutting: Cutting,
    /// Path of the HTML file inside the project, with `/` between its parts.
    pub entry: String,
    pub strictness: Strictness,
    pub capture: CaptureMode,
    pub plan_limit: u64,
    /// The room there is for the output and its chunks; `None` for what is found where planning works.
    pub output_limit: Option<u64>,
    pub variables: Option<Map<String, Value>>,
    /// Whether `variables` must be what the composition declares.
    pub strict_variables: bool,
    /// Frames larger than the page.
    pub resolution: Option<Resolution>,
    /// Of text that asks for whatever font a machine has.
    pub system_fonts: FontPolicy,
    /// Of families that cannot be had.
    pub missing_fonts: FontPolicy,
}

impl Settings {
    /// Reads a config object. `width` and `height` are checked and otherwise unused: the composition has its own size.
    pub fn parse(config: &Map<String, Value>) -> Result<Self> {
        let mut fields = Fields::of(config);
        fields.ban_gpu()?;
        fields.ban_hdr()?;
        let stated = fields.fps()?;
        for side in ["width", "height"] {
            fields.int(side, 16, 7680)?;
        }
        let output = Output::read(&mut fields)?;
        let format = fields.choice("videoFrameFormat", &["auto", "jpg", "png"])?;
        let frame_format = match format.as_deref() {
            Some("jpg") => FrameFormat::Jpg,
            Some("png") => FrameFormat::Png,
            _ => FrameFormat::Auto,
        };
        fields.choice("runtimeCap", &["lambda", "temporal", "cloud-run-job", "k8s-job", "none"])?;
        let cutting = Cutting {
            size: fields.int("chunkSize", 1, 3600)?,
            max_parallel: fields.int("maxParallelChunks", 1, MAX_CHUNKS)?,
            target_frames: fields.int("targetChunkFrames", 1, 3600)?,
            workers: fields.int("workerConcurrency", 1, u32::MAX)?,
            worker_seconds: fields.int("workerTimeoutSeconds", 1, u32::MAX)?,
        };
        let system_fonts = font_policy(fields.bool("rejectOnSystemFonts")?);
        let missing_fonts = font_policy(fields.bool("failClosedFontFetch")?);
        let resolution = fields.resolution()?;
        let strictness = match fields.choice("strictness", &["strict", "best-effort"])?.as_deref() {
            Some("best-effort") => Strictness::BestEffort,
            _ => Strictness::Strict,
        };
        let capture = fields.choice("capture", &CaptureMode::ALL.map(CaptureMode::name))?;
        let capture = capture.and_then(|name| CaptureMode::from_name(&name));
        let settings = Self {
            fps: Fps::DEFAULT,
            fps_source: FrameRateSource::Composition,
            output,
            frames: fields.parsed("frames", "frames such as 30..60, 30.. or ..60")?,
            poster: fields.parsed("poster", "a moment such as 1.5s, 1500ms or 45f")?,
            preview: fields.preview()?,
            mute: fields.bool("mute")?.unwrap_or(false),
            frame_format,
            cutting,
            entry: fields.entry()?,
            strictness,
            capture: capture.unwrap_or(CaptureMode::Auto),
            plan_limit: fields.bytes("planDirSizeLimitBytes")?.unwrap_or(DEFAULT_PLAN_LIMIT),
            output_limit: fields.bytes("outputSizeLimitBytes")?,
            variables: fields.variables()?,
            resolution,
            strict_variables: fields.bool("strictVariables")?.unwrap_or(false),
            system_fonts,
            missing_fonts,
        };
        fields.nothing_left()?;
        match stated {
            Some(fps) => settings.at(fps, FrameRateSource::Config),
            None => Ok(settings),
        }
    }

    /// The same with the frame rate that the composition states, where the config states none.
    pub(crate) fn with_stated_rate(&self, stated: Option<&str>) -> Result<Self> {
        match (self.fps_source, stated) {
            (FrameRateSource::Config, _) => Ok(self.clone()),
            (FrameRateSource::Composition, Some(text)) => match text.parse() {
                Ok(fps) => self.clone().at(fps, FrameRateSource::Composition),
                Err(()) => {
                    refuse("fps", format!("data-fps must be {}, not \"{text}\"", Fps::SUPPORTED))
                }
            },
            (FrameRateSource::Composition, None) => refuse(
                "fps",
                format!("is required, here or as data-fps of the root: {}", Fps::SUPPORTED),
            ),
        }
    }

    fn at(self, fps: Fps, fps_source: FrameRateSource) -> Result<Self> {
        match self.output.unfit(fps) {
            Some(reason) => refuse("fps", reason),
            None => Ok(Self { fps, fps_source, ..self }),
        }
    }
}

/// As the config says it; nothing said means care.
fn font_policy(refuses: Option<bool>) -> FontPolicy {
    if refuses.unwrap_or(true) { FontPolicy::Refuse } else { FontPolicy::Warn }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::output::{Alpha, Codec, Format, Quality, RateControl};
    use crate::error::Error;

    fn parse(config: Value) -> Result<Settings> {
        let Value::Object(config) = config else { panic!("a config is an object") };
        Settings::parse(&config)
    }

    #[test]
    fn a_config_with_only_a_frame_rate_gets_the_defaults() {
        let settings = parse(json!({"fps": 30})).unwrap();
        assert_eq!(settings.entry, "index.html");
        let Output { format, codec, alpha, quality, rate, plays, cfr } = settings.output;
        assert_eq!((format, codec, alpha), (Format::Mp4, Codec::H264, Alpha::None));
        assert_eq!((quality, rate, plays, cfr), (Quality::Standard, RateControl::Preset, 0, false));
        let nothing = Cutting {
            size: None,
            max_parallel: None,
            target_frames: None,
            workers: None,
            worker_seconds: None,
        };
        assert_eq!(settings.cutting, nothing);
        assert_eq!(settings.strictness, Strictness::Strict);
        assert_eq!(
            (settings.system_fonts, settings.missing_fonts),
            (FontPolicy::Refuse, FontPolicy::Refuse)
        );
    }

    #[test]
    fn a_refused_config_names_its_field() {
        for (config, name) in [
            (json!({"fps": 241}), "fps"),
            (json!({"fps": 0.5}), "fps"),
            (json!({"fps": "fast"}), "fps"),
            (json!({"fps": 30, "width": 15}), "width"),
            (json!({"fps": 30, "height": 7681}), "height"),
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
            (json!({"fps": 30, "workerConcurrency": 0}), "workerConcurrency"),
            (json!({"fps": 30, "workerTimeoutSeconds": 0.5}), "workerTimeoutSeconds"),
            (json!({"fps": 30, "entryFile": "../index.html"}), "entryFile"),
            (json!({"fps": 30, "entryFile": "/etc/passwd"}), "entryFile"),
            (json!({"fps": 30, "strictness": "loose"}), "strictness"),
            (json!({"fps": 30, "capture": "gpu"}), "capture"),
            (json!({"fps": 30, "variables": [1]}), "variables"),
            (json!({"fps": 30, "chunksize": 10}), "chunksize"),
            (json!({"fps": 30, "bitrate": "0k"}), "bitrate"),
            (json!({"fps": 30, "frames": "60..30"}), "frames"),
            (json!({"fps": 30, "frames": 30}), "frames"),
            (json!({"fps": 30, "poster": "later"}), "poster"),
            (json!({"fps": 30, "preview": "540"}), "preview"),
            (json!({"fps": 30, "preview": "541p"}), "preview"),
            (json!({"fps": 30, "mute": "yes"}), "mute"),
        ] {
            match parse(config.clone()) {
                Err(Error::Config { field, .. }) => assert_eq!(field, name, "{config}"),
                other => panic!("{config} gave {other:?}"),
            }
        }
    }

    /// The rows of the table of config fields for those who come from HyperFrames: name, example, what is done.
    fn documented_fields() -> Vec<(&'static str, Value, &'static str)> {
        let docs = include_str!("../../../docs/hyperframes.md");
        let (_, table) = docs.split_once("| Field | Example |").unwrap();
        let (table, _) = table.split_once("\n\n").unwrap();
        let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | `"));
        rows.map(|(name, rest)| {
            let (example, effect) = rest.split_once("` | ").unwrap();
            (name, serde_json::from_str(example).unwrap(), effect.trim_end_matches(" |"))
        })
        .collect()
    }

    #[test]
    fn every_field_that_hyperframes_can_send_does_what_its_documentation_says() {
        let fields = documented_fields();
        assert!(fields.len() > 25, "{fields:?}");
        for (name, example, effect) in fields {
            let with = |value: &Value| {
                let mut config = json!({"fps": 30});
                config[name] = value.clone();
                parse(config)
            };
            if effect.starts_with("refused") {
                let error = with(&example).unwrap_err();
                assert!(matches!(&error, Error::Config { field, .. } if field == name), "{error}");
                continue;
            }
            let settings = with(&example).unwrap_or_else(|error| panic!("{name}: {error}"));
            let is_used = settings != parse(json!({"fps": 30})).unwrap();
            // The first needs another field to show; the examples of the others say what is so anyway.
            let shows = !["outputResolutionAspectAgnostic", "hdrMode", "entryFile"].contains(&name);
            if shows {
                assert_eq!(is_used, effect.starts_with("used"), "{name}: {effect}");
            }
            let wrong = with(&json!([["wrong"]])).unwrap_err().to_string();
            assert!(wrong.contains(name), "{name}: {wrong}");
        }
        let turned = |turns| {
            let config = json!({"fps": 30, "outputResolution": "landscape-4k", "outputResolutionAspectAgnostic": turns});
            parse(config).unwrap()
        };
        assert_ne!(turned(true), turned(false));
        assert_ne!(parse(json!({"fps": 30, "entryFile": "a.html"})).unwrap().entry, "index.html");
    }

    #[test]
    fn what_does_not_go_together_is_refused_by_name_with_what_does() {
        for (config, says) in [
            (
                json!({"format": "webm", "codec": "h265"}),
                "codec`: h265 goes into mp4; a webm holds vp9",
            ),
            (
                json!({"format": "mp4", "codec": "vp9"}),
                "codec`: vp9 goes into webm; a mp4 holds h264 or h265",
            ),
            (json!({"format": "mov", "codec": "h264"}), "a mov holds prores"),
            (
                json!({"format": "gif", "codec": "png"}),
                "png goes into png-sequence; a gif holds gif",
            ),
            (
                json!({"alpha": true}),
                "alpha`: a mp4 holds no half-transparent pixels; mov, webm and png-sequence do",
            ),
            (json!({"format": "gif", "alpha": true}), "alpha`: a gif"),
            (json!({"format": "mov", "crf": 18}), "crf`: is for mp4 and webm"),
            (json!({"format": "png-sequence", "bitrate": "8M"}), "bitrate`: is for mp4 and webm"),
            (json!({"format": "gif", "crf": 64}), "crf`: is for mp4 and webm"),
            (json!({"codec": "h265", "crf": 52}), "from 0 to 51"),
            (json!({"format": "webm", "crf": 64}), "from 0 to 63"),
            (json!({"format": "webm", "crf": 20, "bitrate": "8M"}), "together with crf"),
            (json!({"format": "webm", "cfr": true}), "cfr`: is for mp4"),
            (json!({"loop": 3}), "loop`: is for gif"),
            (
                json!({"format": "gif", "fps": 59.94}),
                "fps`: a gif has at most 50 frames a second, not 59.94",
            ),
        ] {
            let mut config = config;
            if config.get("fps").is_none() {
                config["fps"] = 30.into();
            }
            let error = parse(config.clone()).unwrap_err().to_string();
            assert!(error.contains(says), "{config}: {error}");
        }
    }

    #[test]
    fn formats_that_can_be_looked_through_are_unless_they_should_not() {
        for (config, alpha) in [
            (json!({"fps": 30, "format": "mov"}), Alpha::Kept),
            (json!({"fps": 60, "format": "webm", "codec": "vp9", "crf": 63}), Alpha::Kept),
            (json!({"fps": 30, "format": "png-sequence", "alpha": true}), Alpha::Kept),
            (json!({"fps": 30, "format": "webm", "alpha": false}), Alpha::None),
            (json!({"fps": 30, "alpha": false}), Alpha::None),
            (json!({"fps": 15, "format": "gif", "loop": 3}), Alpha::None),
        ] {
            assert_eq!(parse(config.clone()).unwrap().output.alpha, alpha, "{config}");
        }
    }

    #[test]
    fn the_composition_says_the_frame_rate_where_the_config_does_not() {
        let open = parse(json!({"format": "gif"})).unwrap();
        let stated = |settings: &Settings, text| {
            settings.with_stated_rate(text).map(|settings| settings.fps.to_string())
        };
        assert_eq!(stated(&open, Some("12.5")).unwrap(), "25/2");
        let given = parse(json!({"fps": 25})).unwrap();
        assert_eq!(stated(&given, Some("12.5")).unwrap(), "25/1");
        for (text, says) in [
            (None, "is required, here or as data-fps"),
            (Some("fast"), "data-fps must be a rate from 1 to 240"),
            (Some("60"), "a gif has at most 50"),
        ] {
            let error = stated(&open, text).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
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
