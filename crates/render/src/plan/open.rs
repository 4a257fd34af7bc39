//! Reading a plan back: every check that a chunk makes before it starts a browser, in the order of the plan format.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use compose::geometry::{Size, Viewport};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::config::output::{Format, Output};
use crate::config::resolution::MAX_SCALE;
use crate::config::{CaptureMode, Strictness};
use crate::error::{Error, Result};
use crate::frame::{Fps, FrameRange};
use crate::plan::hash::{FileDigests, Identity, plan_digest};
use crate::plan::layout::{self, ChunkEntry, Dimensions, EncoderPlan, Manifest, Protocol};
use crate::plan::output::{self, SideOutputs};
use crate::plan::videos;
use crate::video_track::VideoTrack;

impl<'a> From<&'a Manifest> for Identity<'a> {
    fn from(manifest: &'a Manifest) -> Self {
        Identity {
            font_snapshot_sha: &manifest.font_snapshot_sha,
            producer_version: &manifest.producer_version,
            ffmpeg_version: &manifest.ffmpeg_version,
            dimensions: &manifest.dimensions,
        }
    }
}

/// A frame is no larger than this, however much its page is enlarged.
const MAX_SIDE: u32 = 7680;

/// What joining needs of a plan.
#[derive(Debug)]
pub(crate) struct PlanSummary {
    pub(crate) manifest: Manifest,
    pub(crate) chunks: Vec<FrameRange>,
    pub(crate) fps: Fps,
    /// Pixels of a frame per pixel of the page, in both directions.
    pub(crate) scale: u32,
    pub(crate) output: Output,
    pub(crate) side_outputs: SideOutputs,
}

impl PlanSummary {
    pub(crate) fn viewport(&self) -> Viewport {
        let Dimensions { width, height, .. } = self.manifest.dimensions;
        Viewport { width, height, scale: self.scale }
    }

    /// The size of a frame.
    pub(crate) fn frame_size(&self) -> Size {
        self.viewport().frame()
    }
}

/// One chunk of a plan on disk. To hold one is to know that the plan is whole and hashes to what it says.
#[derive(Debug)]
pub(crate) struct PlannedChunk {
    pub(crate) summary: PlanSummary,
    pub(crate) variables: Option<Map<String, Value>>,
    pub(crate) runtime_env: BTreeMap<String, String>,
    pub(crate) range: FrameRange,
    pub(crate) strictness: Strictness,
    pub(crate) capture: CaptureMode,
    pub(crate) page_dir: PathBuf,
    /// The videos whose frames are put into the page.
    pub(crate) tracks: Vec<VideoTrack>,
    pub(crate) files: FileDigests,
}

/// Reads `plan.json` and `meta/chunks.json`.
pub(crate) fn open_summary(dir: &Path) -> Result<PlanSummary> {
    let manifest = open_manifest(dir)?;
    let chunks = open_chunks(dir)?;
    // Plans of other makers may come to be joined without it.
    let encoder = match read_json(dir, layout::ENCODER_JSON) {
        Err(Error::PlanArtifactMissing { .. }) => EncoderPlan::default(),
        read => read?,
    };
    summary(manifest, &chunks, &encoder)
}

fn summary(
    manifest: Manifest,
    chunks: &[ChunkEntry],
    encoder: &EncoderPlan,
) -> Result<PlanSummary> {
    let invalid = |reason: String| Error::PlanArtifactInvalid {
        artifact: layout::CHUNKS_JSON.into(),
        reason,
    };
    // A part of a timeline is planned with the numbers that its frames have in the whole.
    let first = chunks.first().map_or(0, |chunk| chunk.start_frame);
    let mut next = first;
    for (i, chunk) in chunks.iter().enumerate() {
        let ChunkEntry { index, start_frame, end_frame } = *chunk;
        if usize::try_from(index) != Ok(i) || start_frame != next || end_frame <= start_frame {
            return Err(invalid(format!("entry {i} does not continue at frame {next}")));
        }
        next = end_frame;
    }
    if next - first != manifest.total_frames {
        return Err(invalid(format!(
            "chunks have {} frames, the plan has {}",
            next - first,
            manifest.total_frames
        )));
    }
    let Dimensions { fps_num, fps_den, width, height, format } = manifest.dimensions.clone();
    let unfit = || {
        let reason = format!("dimensions {fps_num}/{fps_den} {width}x{height} cannot be rendered");
        Error::PlanArtifactInvalid { artifact: layout::PLAN_JSON.into(), reason }
    };
    let is_in_range = |side: &u32| (16..=MAX_SIDE).contains(side);
    let fps = Fps::exact(fps_num, fps_den).filter(|_| [width, height].iter().all(is_in_range));
    let fps = fps.ok_or_else(unfit)?;
    let factor = encoder.device_scale_factor.unwrap_or(1.0);
    let scale = (1..=MAX_SCALE).find(|scale| (f64::from(*scale) - factor).abs() < f64::EPSILON);
    let Some(scale) = scale.filter(|scale| width.max(height) * scale <= MAX_SIDE) else {
        let reason = format!("deviceScaleFactor is {factor}, which cannot be rendered");
        return Err(Error::PlanArtifactInvalid { artifact: layout::ENCODER_JSON.into(), reason });
    };
    let chunks: Vec<_> = chunks.iter().map(|chunk| chunk.range()).collect();
    let output = output::read(&format, encoder)?;
    if !output.holds(Viewport { width, height, scale }.frame()) {
        return Err(unfit());
    }
    let side_outputs =
        output::side_outputs(encoder, &chunks, Viewport { width, height, scale }.frame())?;
    Ok(PlanSummary { manifest, chunks, fps, scale, output, side_outputs })
}

/// Opens chunk `index` of the plan in `dir` for a worker whose FFmpeg is `ffmpeg_version`.
pub(crate) fn open_chunk(dir: &Path, index: u32, ffmpeg_version: &str) -> Result<PlannedChunk> {
    open_chunk_as(dir, index, ffmpeg_version, |manifest| plan_digest(dir, manifest.into()))
}

/// The same with the digest of the plan and its files' own as `digest` answers them.
pub(super) fn open_chunk_as(
    dir: &Path,
    index: u32,
    ffmpeg_version: &str,
    digest: impl FnOnce(&Manifest) -> Result<(String, FileDigests)>,
) -> Result<PlannedChunk> {
    let manifest = open_manifest(dir)?;
    let encoder: EncoderPlan = read_json(dir, layout::ENCODER_JSON)?;
    let chunks = open_chunks(dir)?;
    let tracks = videos::open_videos(dir, &manifest)?;
    let entry = usize::try_from(index)
        .ok()
        .and_then(|i| chunks.get(i))
        .filter(|c| c.end_frame > c.start_frame);
    let Some(entry) = entry else { return Err(Error::ChunkIndex { index, count: chunks.len() }) };
    let page_dir = dir.join(layout::COMPILED);
    if !page_dir.join("index.html").is_file() {
        return Err(Error::PlanArtifactMissing { artifact: layout::INDEX_HTML.into() });
    }
    if manifest.ffmpeg_version != ffmpeg_version {
        let (planned, actual) = (manifest.ffmpeg_version, ffmpeg_version.to_owned());
        return Err(Error::FfmpegVersion { planned, actual });
    }
    if encoder.browser_gpu_mode != "software" {
        let renderer = encoder.browser_gpu_mode;
        return Err(Error::GpuNotSoftware { vendor: "as the plan asks".into(), renderer });
    }
    let runtime_env = encoder.runtime_env.clone().ok_or(Error::RuntimeEnvMissing)?;
    let (actual, files) = digest(&manifest)?;
    if actual != manifest.plan_hash {
        return Err(Error::PlanHash { expected: manifest.plan_hash, actual });
    }
    let strictness = match encoder.strictness.as_deref() {
        Some("strict") => Strictness::Strict,
        _ => Strictness::BestEffort,
    };
    let capture = match encoder.capture.as_deref() {
        None => CaptureMode::Auto,
        Some(name) => CaptureMode::from_name(name)
            .ok_or_else(|| output::invalid(format!("capture is \"{name}\"")))?,
    };
    let range = entry.range();
    Ok(PlannedChunk {
        summary: summary(manifest, &chunks, &encoder)?,
        variables: encoder.variables,
        runtime_env,
        range,
        strictness,
        capture,
        page_dir,
        tracks,
        files,
    })
}

/// What a chunk's file says about itself, so that one of another plan or in another place is noticed when joining.
pub(crate) fn label(plan_hash: &str, index: u32) -> String {
    format!("plan {plan_hash} chunk {index}")
}

/// What the plan in `dir` says it makes, unless it cannot be read, which whoever opens it will say.
pub fn planned_format(dir: &Path) -> Option<Format> {
    open_manifest(dir).ok().and_then(|manifest| Format::from_name(&manifest.dimensions.format))
}

fn open_manifest(dir: &Path) -> Result<Manifest> {
    let value: Value = read_json(dir, layout::PLAN_JSON)?;
    // A plan without a descriptor is from before there was one.
    if let Some(protocol) = value.get("protocol").filter(|protocol| !protocol.is_null()) {
        let read = serde_json::from_value::<Protocol>(protocol.clone());
        if !matches!(&read, Ok(protocol) if *protocol == Protocol::v1()) {
            return Err(Error::PlanProtocol { found: protocol.to_string() });
        }
    }
    serde_json::from_value(value).map_err(|error| Error::PlanArtifactInvalid {
        artifact: layout::PLAN_JSON.into(),
        reason: error.to_string(),
    })
}

fn open_chunks(dir: &Path) -> Result<Vec<ChunkEntry>> {
    read_json(dir, layout::CHUNKS_JSON)
}

fn read_json<T: DeserializeOwned>(dir: &Path, artifact: &str) -> Result<T> {
    let path = dir.join(artifact);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::PlanArtifactMissing { artifact: artifact.to_owned() });
        }
        Err(error) => return Err(Error::io("read", &path)(error)),
    };
    serde_json::from_slice(&text).map_err(|error| Error::PlanArtifactInvalid {
        artifact: artifact.to_owned(),
        reason: error.to_string(),
    })
}
