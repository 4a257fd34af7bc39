//! renderChunk: some frames of a plan become one video file that the others can be joined to.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use compose::geometry::Size;
use compose::hash::sha256_file;
use serde::Serialize;

use crate::blocking::blocking;
use crate::browser::Browser;
use crate::browser::framebuffer::ReadFault;
use crate::browser::session::{FrameSource, Reuse, Timeouts};
use crate::capture::frame_source::{PngReason, SourceChoice};
use crate::capture::picture::{FrameConversion, FrameHashes, Picture};
use crate::capture::{CaptureContext, Captured, capture};
use crate::config::CaptureMode;
use crate::config::output::Format;
use crate::error::{Error, Result};
use crate::ffmpeg;
use crate::ffmpeg::encode::{Encoder, Encoding, Targets};
use crate::page::{self, PageSource};
use crate::plan::PRODUCER_VERSION;
use crate::plan::content::{ChunkContent, content, inputs};
use crate::plan::open::{PlanSummary, PlannedChunk, label, open_chunk};
use crate::plan::output::SideOutputs;
use crate::side_output::SideOutput;
use crate::tools::Tools;
use crate::verify::{ExpectedVideo, verify_video};

/// How a chunk is rendered on this machine. None of it changes a byte of the result.
#[derive(Debug, Clone, Copy)]
pub struct ChunkOptions<'a> {
    pub workers: Workers,
    pub reuse: Reuse,
    pub hashes: FrameHashes,
    /// How strict to be is in the plan.
    pub timeouts: Timeouts,
    /// Where frames are taken from, instead of what the plan says.
    pub capture: Option<CaptureMode>,
    /// A fault to be noticed.
    pub fault: Option<ReadFault>,
    pub progress: &'a dyn Progress,
}

/// How many browsers draw at the same time; a short chunk uses fewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workers {
    Exactly(u32),
    /// As many as are good for so many processors.
    ForCores(u32),
}

impl Workers {
    /// For a chunk of so many frames.
    fn count(self, source: FrameSource, frames: u32) -> u32 {
        let wanted = match (self, source) {
            (Self::Exactly(count), _) | (Self::ForCores(count), FrameSource::Png) => count,
            // One browser whose frames are read from memory keeps two processors busy: its own and the encoder's.
            (Self::ForCores(cores), FrameSource::Framebuffer { .. }) => cores.div_ceil(2),
        };
        wanted.min(frames.div_ceil(FRAMES_WORTH_A_BROWSER)).max(1)
    }
}

/// Is told what happens while a chunk is rendered.
pub trait Progress: std::fmt::Debug + Send + Sync {
    /// A chunk of so many frames is about to be drawn.
    fn begin(&self, frames: u32);

    /// One more frame is with the encoder.
    fn frame_done(&self);
}

/// What was rendered and what it took; also the `.perf.json` beside the chunk.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChunkReport {
    pub plan_hash: String,
    pub chunk_index: u32,
    pub start_frame: u32,
    pub end_frame: u32,
    pub frames_encoded: u32,
    /// Pixels of a frame.
    pub width: u32,
    pub height: u32,
    pub duration_ms: u64,
    pub plan_hash_ms: u64,
    /// Until the slowest browser was ready.
    pub session_boot_ms: u64,
    /// From then until the last frame was with the encoder.
    pub capture_stage_ms: u64,
    /// From then until the file was complete.
    pub encode_stage_ms: u64,
    pub verify_stage_ms: u64,
    pub workers: u32,
    /// Frames that were proven to be the one before and not drawn again.
    pub reused_frames: u32,
    pub relaunches: u32,
    /// Requests of the page to other hosts, all of them refused.
    pub blocked_requests: u64,
    pub capture_mode: &'static str,
    /// Where the frames came from: `framebuffer` or `png`.
    pub frame_source: &'static str,
    /// Why that was `png`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame_source_reason: Option<&'static str>,
    pub output_kind: &'static str,
    pub sha256: String,
    pub producer_version: &'static str,
    pub ffmpeg_version: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// sha256 of each frame's pixels, if asked for. Not in the `.perf.json`.
    #[serde(skip)]
    pub frame_hashes: Vec<String>,
    /// What was made besides the video.
    pub side_outputs: Vec<SideOutput>,
    /// What the file says of itself.
    #[serde(skip)]
    pub label: String,
    /// What its bytes depend on beside its inputs, if it was drawn.
    #[serde(skip)]
    pub content: Option<ChunkContent>,
    /// The files that the page has asked for, with their digests, `None` for one that is not in the plan. Absent if they were too many to
    /// remember.
    #[serde(skip)]
    pub inputs: Option<BTreeMap<String, Option<String>>>,
}

/// A browser draws 15 frames in the time that starting it takes; fewer are not worth one.
const FRAMES_WORTH_A_BROWSER: u32 = 15;

/// Renders chunk `index` of the plan in `plan_dir`, which must be the one named `plan_hash`, to `out`, which appears only
/// when it is complete and verified.
pub async fn render_chunk(
    tools: &Tools,
    plan_dir: &Path,
    index: u32,
    plan_hash: &str,
    out: &Path,
    options: ChunkOptions<'_>,
) -> Result<ChunkReport> {
    let start = Instant::now();
    let ffmpeg_version = ffmpeg::version(tools).await?;
    let chunk = open(plan_dir, index, plan_hash, &ffmpeg_version).await?;
    let plan_hash_ms = ms(start);
    options.progress.begin(chunk.range.len());

    let folder = out.parent().unwrap_or(Path::new("."));
    let work = tempfile::Builder::new()
        .prefix(".chunk-work-")
        .tempdir_in(folder)
        .map_err(Error::io("make a work directory in", folder))?;
    let files = Files { video: work.path().join("chunk"), scratch: work.path() };
    let made = make(tools, &chunk, index, &files, options).await?;

    let verifying = Instant::now();
    let size = verify(tools, &chunk, &files).await?;
    let hashed = files.video.clone();
    let sha256 = blocking(move || Ok(sha256_file(&hashed)?)).await?;
    let Made { captured, workers, capture_ms, encode_ms, frame_hashes, side_outputs, inputs } =
        made;
    let PlannedChunk { summary, range, .. } = &chunk;
    let report = ChunkReport {
        plan_hash: summary.manifest.plan_hash.clone(),
        chunk_index: index,
        start_frame: range.start,
        end_frame: range.end,
        frames_encoded: range.len(),
        width: size.width,
        height: size.height,
        duration_ms: ms(start),
        plan_hash_ms,
        session_boot_ms: u64::try_from(captured.boot.as_millis()).unwrap_or(u64::MAX),
        capture_stage_ms: capture_ms,
        encode_stage_ms: encode_ms,
        verify_stage_ms: ms(verifying),
        workers,
        reused_frames: range.len().saturating_sub(captured.drawn),
        relaunches: captured.relaunches,
        blocked_requests: captured.blocked_requests,
        capture_mode: "beginframe",
        frame_source: if captured.png_reason.is_some() { "png" } else { "framebuffer" },
        frame_source_reason: captured.png_reason.map(PngReason::name),
        output_kind: "file",
        sha256,
        producer_version: PRODUCER_VERSION,
        ffmpeg_version,
        warnings: captured.warnings,
        frame_hashes,
        side_outputs,
        label: label(plan_hash, index),
        content: Some(content(&chunk, options.capture)),
        inputs,
    };
    publish(&report, &files, out)?;
    Ok(report)
}

/// Reads the plan, which must be the one named `plan_hash`.
async fn open(
    plan_dir: &Path,
    index: u32,
    plan_hash: &str,
    ffmpeg_version: &str,
) -> Result<PlannedChunk> {
    let (dir, version) = (plan_dir.to_owned(), ffmpeg_version.to_owned());
    let chunk = blocking(move || open_chunk(&dir, index, &version)).await?;
    let actual = &chunk.summary.manifest.plan_hash;
    if actual != plan_hash {
        return Err(Error::PlanHash { expected: plan_hash.to_owned(), actual: actual.clone() });
    }
    Ok(chunk)
}

/// Moves what was made to where it is wanted, the video last.
fn publish(report: &ChunkReport, files: &Files<'_>, out: &Path) -> Result<()> {
    for side_output in &report.side_outputs {
        let made = files.of(*side_output);
        fs::rename(&made, side_output.beside(out)).map_err(Error::io("move", &made))?;
    }
    let perf = files.scratch.join("perf.json");
    let text = serde_json::to_string_pretty(report)
        .expect("a report has nothing that JSON has not")
        + "\n";
    fs::write(&perf, text).map_err(Error::io("write", &perf))?;
    fs::rename(&perf, perf_path(out)).map_err(Error::io("move", &perf))?;
    fs::rename(&files.video, out).map_err(Error::io("move", &files.video))
}

/// Where the report beside a chunk is.
fn perf_path(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".perf.json");
    name.into()
}

struct Made {
    captured: Captured,
    workers: u32,
    capture_ms: u64,
    encode_ms: u64,
    frame_hashes: Vec<String>,
    side_outputs: Vec<SideOutput>,
    inputs: Option<BTreeMap<String, Option<String>>>,
}

/// What is written before it is whole and checked.
struct Files<'a> {
    video: PathBuf,
    scratch: &'a Path,
}

impl Files<'_> {
    fn of(&self, side_output: SideOutput) -> PathBuf {
        side_output.beside(&self.video)
    }
}

/// Draws and encodes a chunk; if what is read from memory is not what screenshots show, once more from screenshots.
async fn make(
    tools: &Tools,
    chunk: &PlannedChunk,
    index: u32,
    files: &Files<'_>,
    options: ChunkOptions<'_>,
) -> Result<Made> {
    let PlannedChunk { summary, capture, .. } = chunk;
    let mode = options.capture.unwrap_or(*capture);
    let choice = SourceChoice::new(mode, &summary.output, summary.scale, options.fault)?;
    let drawn = draw_and_encode(tools, chunk, (index, choice), files, options).await;
    let frame = match drawn {
        Err(Error::FramebufferMismatch { frame }) if mode == CaptureMode::Auto => frame,
        drawn => return drawn,
    };
    tracing::warn!(frame, "memory differs from a screenshot, drawing the chunk again");
    let again = (index, choice.after_mismatch());
    let mut drawn = draw_and_encode(tools, chunk, again, files, options).await?;
    let error = Error::FramebufferMismatch { frame };
    drawn.captured.warnings.push(format!("{error}; the chunk is made of screenshots"));
    Ok(drawn)
}

async fn draw_and_encode(
    tools: &Tools,
    chunk: &PlannedChunk,
    (index, choice): (u32, SourceChoice),
    files: &Files<'_>,
    options: ChunkOptions<'_>,
) -> Result<Made> {
    let PlannedChunk { summary, range, .. } = chunk;
    let PlanSummary { output, side_outputs: SideOutputs { poster, preview }, .. } = summary;
    let poster = poster.filter(|poster| (range.start..range.end).contains(poster));
    let server = page::serve(&page_source(tools, chunk)).await?;
    let encoding = Encoding {
        viewport: summary.viewport(),
        fps: summary.fps,
        frames: range.len(),
        output: output.clone(),
        preview: *preview,
        label: label(&summary.manifest.plan_hash, index),
    };
    let small = files.of(SideOutput::Preview);
    let mut running =
        Encoder::start(tools, &encoding, Targets { video: &files.video, preview: &small })?;
    tracing::debug!(pid = running.process_id(), "encoder started");
    let workers = options.workers.count(choice.source, range.len());
    let context = CaptureContext {
        tools,
        server: &server,
        scratch: files.scratch,
        fps: summary.fps,
        timeouts: options.timeouts,
        strictness: chunk.strictness,
        reuse: options.reuse,
        conversion: FrameConversion {
            viewport: encoding.viewport,
            pixels: output.pixels(),
            alpha: output.alpha,
            hashes: options.hashes,
            poster,
        },
        choice,
        end: range.end,
    };
    let start = Instant::now();
    let (mut frame_hashes, mut side_outputs) = (Vec::new(), Vec::new());
    side_outputs.extend(preview.map(|_size| SideOutput::Preview));
    let mut captured = capture(context, *range, workers, async |index, picture: Arc<Picture>| {
        running.write(&picture.data).await?;
        if poster == Some(index)
            && let Some(png) = &picture.png
        {
            let path = files.of(SideOutput::Poster);
            fs::write(&path, png).map_err(Error::io("write", &path))?;
            side_outputs.push(SideOutput::Poster);
        }
        frame_hashes.extend(picture.sha256.clone());
        options.progress.frame_done();
        Ok(())
    })
    .await?;
    let capture_ms = ms(start) - u64::try_from(captured.boot.as_millis()).unwrap_or(0);
    let encode_ms = finish(running, std::mem::take(&mut captured.browsers)).await?;
    let inputs = server.asked().map(|asked| inputs(&chunk.files, &asked));
    Ok(Made { captured, workers, capture_ms, encode_ms, frame_hashes, side_outputs, inputs })
}

/// Ends the encoder, and the browsers beside it. Returns how many milliseconds the encoder took.
async fn finish(running: Encoder, browsers: Vec<Browser>) -> Result<u64> {
    let start = Instant::now();
    let ending = tokio::task::spawn_blocking(move || drop(browsers));
    let finished = running.finish().await;
    let encode_ms = ms(start);
    ending.await.expect("ending a browser does not panic");
    finished.map(|()| encode_ms)
}

/// The page of a chunk, with what is put into it.
pub(crate) fn page_source<'a>(tools: &'a Tools, chunk: &'a PlannedChunk) -> PageSource<'a> {
    let PlannedChunk { summary, variables, runtime_env, page_dir, tracks, .. } = chunk;
    PageSource {
        root: page_dir,
        runtime: tools.runtime(),
        fps: summary.fps,
        variables: variables.as_ref(),
        env: runtime_env,
        tracks,
        alpha: summary.output.alpha,
    }
}

/// Checks what was made of a chunk. Returns the size of its frames.
async fn verify(tools: &Tools, chunk: &PlannedChunk, files: &Files<'_>) -> Result<Size> {
    let PlannedChunk { summary, range, .. } = chunk;
    let expected = ExpectedVideo {
        frames: range.len(),
        size: summary.frame_size(),
        fps: summary.fps,
        format: summary.output.format,
    };
    verify_video(tools, &files.video, expected).await?;
    if let Some(size) = summary.side_outputs.preview {
        let expected = ExpectedVideo { size, format: Format::Mp4, ..expected };
        verify_video(tools, &files.of(SideOutput::Preview), expected).await?;
    }
    Ok(expected.size)
}

fn ms(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}
