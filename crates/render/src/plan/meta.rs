//! The JSON files of a plan, written from what planning found out.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use compose::geometry::Size;
use serde::Serialize;

use crate::config::output::Format;
use crate::config::{CaptureMode, Settings, Strictness};
use crate::error::{Error, Result};
use crate::ffmpeg::encode::{Profile, profile};
use crate::frame::FrameRange;
use crate::plan::fonts::font_snapshot;
use crate::plan::hash::canonical_json;
use crate::plan::layout::{
    self, ChunkEntry, Composition, Dimensions, EncoderPlan, Manifest, Preview, Protocol, Videos,
};
use crate::plan::output::{self, SideOutputs};
use crate::plan::{PRODUCER_VERSION, Planned};
use crate::tools::Tools;

/// Writes what says how the plan is to be captured, cut and encoded.
pub(super) fn write_meta(
    out: &Path,
    composition: &Composition,
    chunks: &[FrameRange],
    videos: &Videos,
    encoder: &EncoderPlan,
) -> Result<()> {
    let meta = out.join(layout::META);
    fs::create_dir_all(&meta).map_err(Error::io("make", &meta))?;
    let chunks: Vec<_> = (0..)
        .zip(chunks)
        .map(|(index, range)| ChunkEntry { index, start_frame: range.start, end_frame: range.end })
        .collect();
    write(out, layout::COMPOSITION_JSON, &pretty(composition))?;
    write(out, layout::CHUNKS_JSON, &pretty(&chunks))?;
    write(out, layout::VIDEOS_JSON, &pretty(videos))?;
    write(out, layout::ENCODER_JSON, &canonical_json(encoder))
}

pub(super) fn encoder_plan(
    settings: &Settings,
    runtime_env: BTreeMap<String, String>,
    planned: &Planned,
    chunk_size: u32,
) -> EncoderPlan {
    let Profile { encoder, preset, crf: _, pixel_format } = profile(&settings.output);
    let (crf, bitrate) = output::rate(&settings.output);
    let SideOutputs { poster, preview } = planned.side_outputs;
    let is_gif = settings.output.format == Format::Gif;
    EncoderPlan {
        capture_mode: "beginframe".to_owned(),
        force_screenshot: false,
        device_scale_factor: Some(f64::from(planned.scale)),
        use_layered_hdr_composite: false,
        browser_gpu_mode: "software".to_owned(),
        warmup_ticks: 60,
        encoder: Some(encoder.to_owned()),
        quality: Some(settings.output.quality.name().to_owned()),
        ffmpeg_version: planned.ffmpeg_version.clone(),
        preset: preset.to_owned(),
        crf,
        bitrate,
        gop_size: chunk_size,
        closed_gop: true,
        force_keyframes: "n=0".to_owned(),
        pixel_format: Some(pixel_format.to_owned()),
        chunk_size,
        chunk_count: u32::try_from(planned.chunks.len()).expect("at most 256 chunks"),
        runtime_env: Some(runtime_env),
        variables: settings.variables.clone(),
        strictness: Some(match settings.strictness {
            Strictness::Strict => "strict".to_owned(),
            Strictness::BestEffort => "best-effort".to_owned(),
        }),
        capture: (settings.capture != CaptureMode::Auto)
            .then(|| settings.capture.name().to_owned()),
        plays: is_gif.then_some(settings.output.plays),
        cfr: settings.output.cfr.then_some(true),
        poster,
        preview: preview.map(|Size { width, height }| Preview { width, height }),
    }
}

/// `plan.json` without its digest.
pub(super) fn manifest(tools: &Tools, settings: &Settings, planned: &Planned) -> Result<Manifest> {
    Ok(Manifest {
        protocol: Some(Protocol::v1()),
        plan_hash: String::new(),
        producer_version: PRODUCER_VERSION.to_owned(),
        ffmpeg_version: planned.ffmpeg_version.clone(),
        font_snapshot_sha: font_snapshot(&tools.fonts())?,
        dimensions: Dimensions {
            fps_num: settings.fps.num,
            fps_den: settings.fps.den,
            width: planned.width,
            height: planned.height,
            format: settings.output.format.name().to_owned(),
        },
        chunk_count: u32::try_from(planned.chunks.len()).expect("at most 256 chunks"),
        total_frames: planned.total_frames,
        duration: planned.duration,
        has_audio: planned.audio.is_some(),
    })
}

/// JSON with two blanks a level and a newline at the end.
pub(super) fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("plan files have nothing that JSON has not") + "\n"
}

pub(super) fn write(out: &Path, artifact: &str, text: &str) -> Result<()> {
    let path = out.join(artifact);
    fs::write(&path, text).map_err(Error::io("write", &path))
}
