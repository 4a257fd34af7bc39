//! The plan directory: the only place that knows its paths and the shape of its JSON files.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::frame::{Fps, FrameRange};

pub(crate) const PLAN_JSON: &str = "plan.json";
pub(crate) const COMPILED: &str = "compiled";
pub(crate) const INDEX_HTML: &str = "compiled/index.html";
pub(crate) const META: &str = "meta";
pub(crate) const COMPOSITION_JSON: &str = "meta/composition.json";
pub(crate) const ENCODER_JSON: &str = "meta/encoder.json";
pub(crate) const CHUNKS_JSON: &str = "meta/chunks.json";
pub(crate) const VIDEOS_JSON: &str = "meta/videos.json";
pub(crate) const VIDEO_FRAMES: &str = "video-frames";
/// The sound of the whole video, without loss.
pub(crate) const AUDIO: &str = "audio.flac";
/// What it may be called in plans of other makers, too; the first that is there counts.
pub(crate) const AUDIO_FILES: [&str; 3] = [AUDIO, "audio.m4a", "audio.aac"];
/// Where planning works; gone before the plan is hashed.
pub(crate) const SCRATCH: &str = ".plan-work";

pub(crate) const SCHEMA_VERSION: u64 = 1;
pub(crate) const ARTIFACT_LAYOUT: &str = "plan-dir-v1";
pub(crate) const HASH_SCHEMA: &str = "hyperframes-plan-hash-v1";

/// `plan.json`: what the plan is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    pub(crate) protocol: Option<Protocol>,
    pub(crate) plan_hash: String,
    pub(crate) producer_version: String,
    pub(crate) ffmpeg_version: String,
    pub(crate) font_snapshot_sha: String,
    pub(crate) dimensions: Dimensions,
    pub(crate) chunk_count: u32,
    pub(crate) total_frames: u32,
    pub(crate) duration: f64,
    pub(crate) has_audio: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Protocol {
    pub(crate) schema_version: u64,
    pub(crate) artifact_layout: String,
    pub(crate) hash_schema: String,
}

impl Protocol {
    pub(crate) fn v1() -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            artifact_layout: ARTIFACT_LAYOUT.to_owned(),
            hash_schema: HASH_SCHEMA.to_owned(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Dimensions {
    pub(crate) fps_num: u32,
    pub(crate) fps_den: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) format: String,
}

/// `meta/composition.json`: what the composition holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Composition {
    pub(crate) duration_seconds: f64,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) fps: Fps,
    pub(crate) video_count: u32,
    pub(crate) audio_count: u32,
    pub(crate) image_count: u32,
}

/// `meta/encoder.json`: how every chunk is captured and encoded.
///
/// Plans of other makers may leave out what they do not know of, and plans that are only joined the whole file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct EncoderPlan {
    pub(crate) capture_mode: String,
    pub(crate) force_screenshot: bool,
    pub(crate) device_scale_factor: Option<f64>,
    pub(crate) use_layered_hdr_composite: bool,
    pub(crate) browser_gpu_mode: String,
    pub(crate) warmup_ticks: u32,
    pub(crate) encoder: Option<String>,
    pub(crate) quality: Option<String>,
    pub(crate) ffmpeg_version: String,
    pub(crate) preset: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) crf: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bitrate: Option<String>,
    pub(crate) gop_size: u32,
    pub(crate) closed_gop: bool,
    pub(crate) force_keyframes: String,
    pub(crate) pixel_format: Option<String>,
    pub(crate) chunk_size: u32,
    pub(crate) chunk_count: u32,
    /// Settings of the planner's environment that the page may depend on. Absent in no valid plan.
    #[serde(deserialize_with = "object")]
    pub(crate) runtime_env: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) variables: Option<Map<String, Value>>,
    /// Whether page errors end the render; absent in plans of other makers, which do not let them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) strictness: Option<String>,
    /// Where frames are taken from, if that is not left to the chunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) capture: Option<String>,
    /// How often a GIF is played.
    #[serde(rename = "loop", skip_serializing_if = "Option::is_none")]
    pub(crate) plays: Option<u32>,
    /// Whether the joined stream is encoded once more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cfr: Option<bool>,
    /// The frame that is kept as a picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) poster: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) preview: Option<Preview>,
}

/// What is no object counts as absent.
fn object<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<BTreeMap<String, String>>, D::Error> {
    match Value::deserialize(deserializer)? {
        object @ Value::Object(_) => {
            serde_json::from_value(object).map(Some).map_err(serde::de::Error::custom)
        }
        _ => Ok(None),
    }
}

/// The size of the small video beside the video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Preview {
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// One entry of `meta/chunks.json`; the end is exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChunkEntry {
    pub(crate) index: u32,
    pub(crate) start_frame: u32,
    pub(crate) end_frame: u32,
}

impl ChunkEntry {
    pub(crate) fn range(self) -> FrameRange {
        FrameRange { start: self.start_frame, end: self.end_frame }
    }
}

/// `meta/videos.json`: the videos whose frames are in the plan. Each has one entry in either list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Videos {
    pub(crate) videos: Vec<VideoEntry>,
    pub(crate) extracted: Vec<Extracted>,
}

/// Where a video lies on the timeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VideoEntry {
    pub(crate) id: String,
    pub(crate) src: String,
    pub(crate) start: f64,
    pub(crate) end: f64,
    pub(crate) media_start: f64,
    #[serde(rename = "loop")]
    pub(crate) repeats: bool,
    pub(crate) has_audio: bool,
    /// Plans of other makers do not say it, and play every video as fast as it was recorded.
    #[serde(default = "as_recorded")]
    pub(crate) playback_rate: f64,
}

fn as_recorded() -> f64 {
    1.0
}

/// The frames of a video: `video-frames/<videoId>/` with `frame_00001` and so on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Extracted {
    pub(crate) video_id: String,
    /// Inside the project, so that the same project makes the same plan anywhere.
    pub(crate) src_path: String,
    pub(crate) frame_pattern: String,
    pub(crate) fps: f64,
    pub(crate) total_frames: u32,
    /// The directory below `video-frames/` where it is not the id: videos that show the same share one, and not every id
    /// can be a name. Absent in plans of other makers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) frames_dir: Option<String>,
    pub(crate) metadata: VideoMetadata,
}

/// What the source is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VideoMetadata {
    pub(crate) duration_seconds: f64,
    pub(crate) video_stream_duration_seconds: Option<f64>,
    /// 0 where it is not said.
    #[serde(default)]
    pub(crate) video_stream_start_seconds: f64,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) fps: f64,
    pub(crate) video_codec: String,
    pub(crate) has_audio: bool,
    #[serde(rename = "isVFR")]
    pub(crate) is_vfr: bool,
    pub(crate) has_alpha: bool,
    pub(crate) color_space: Option<ColorSpace>,
}

/// As the file says it; empty where it does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ColorSpace {
    #[serde(rename = "colorTransfer", default)]
    pub(crate) transfer: String,
    #[serde(rename = "colorPrimaries", default)]
    pub(crate) primaries: String,
    #[serde(rename = "colorSpace", default)]
    pub(crate) matrix: String,
}
