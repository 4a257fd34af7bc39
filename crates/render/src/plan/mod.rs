//! plan: a project becomes a directory that says everything a chunk needs, named by its digest.

pub(crate) mod canonical;
mod fonts;
pub(crate) mod hash;
pub(crate) mod layout;
mod media;
pub(crate) mod open;
pub mod size;
pub(crate) mod tree;
mod videos;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Serialize;

use crate::audio;
use crate::blocking::blocking;
use crate::browser::Viewport;
use crate::browser::session::{Opened, Patience, Session};
use crate::compose::{self, Check, Compiled, Given};
use crate::config::{Rate, Settings, Strictness};
use crate::error::{Error, Result};
use crate::ffmpeg;
use crate::ffmpeg::encode::preset;
use crate::frame::{FrameRange, slice_chunks};
use crate::page::{self, PageSource};
use crate::plan::canonical::canonical_json;
use crate::plan::fonts::font_snapshot;
use crate::plan::layout::{
    ChunkEntry, Composition, Dimensions, EncoderPlan, Manifest, Protocol, Videos,
};
use crate::plan::media::{Media, Played};
use crate::tools::Tools;

/// The maker's version, as it goes into the plan and its hash.
pub const PRODUCER_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Only these of the planner's environment reach the page.
const SNAPSHOT_PREFIXES: [&str; 2] = ["PRODUCER_RUNTIME_", "PRODUCER_RENDER_"];

/// A plan that was just made.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    pub plan_hash: String,
    pub chunks: Vec<FrameRange>,
    pub total_frames: u32,
    pub duration: f64,
    pub width: u32,
    pub height: u32,
    /// Pixels of a frame per pixel of the page, in both directions.
    pub scale: u32,
    pub ffmpeg_version: String,
    /// The name of the plan's file with the sound, if it has one.
    pub audio: Option<&'static str>,
    pub warnings: Vec<String>,
}

/// Plans the composition in `project` into `out`, which must be empty or absent. `env` is the planner's environment.
pub async fn plan(
    tools: &Tools,
    project: &Path,
    settings: &Settings,
    env: &BTreeMap<String, String>,
    patience: Patience,
    out: &Path,
) -> Result<Planned> {
    let entry = project.join(&settings.entry);
    if !entry.is_file() {
        return Err(Error::EntryMissing { entry: settings.entry.clone() });
    }
    let html = String::from_utf8(fs::read(&entry).map_err(Error::io("read", &entry))?);
    let html = html.map_err(|error| Error::Composition {
        file: settings.entry.clone(),
        element: "the document".to_owned(),
        reason: format!("is not UTF-8: {}", error.utf8_error()),
    })?;
    let check = if settings.strict_variables { Check::Strict } else { Check::Loose };
    let given = Given { variables: settings.variables.as_ref(), check };
    let compiled = compose::compile(&html, &settings.entry, project, given)?;
    let scale = match &settings.resolution {
        Some(resolution) => resolution.scale(compiled.viewport.width, compiled.viewport.height)?,
        None => 1,
    };
    let work = out.join(layout::SCRATCH);
    remove_if_there(&work)?;
    fs::create_dir_all(&work).map_err(Error::io("make", &work))?;

    let page_dir = work.join(layout::COMPILED);
    let index = page_dir.join("index.html");
    let (from, to) = (project.to_owned(), page_dir.clone());
    blocking(move || tree::copy_project(&from, &to)).await?;
    let mut media = Media::read(tools, &compiled.html, &page_dir, &settings.entry).await?;
    let html = media.write_durations(&compiled.html);
    fs::write(&index, &html).map_err(Error::io("write", &index))?;

    let in_snapshot = |name: &str| SNAPSHOT_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    let runtime_env: BTreeMap<_, _> = env
        .iter()
        .filter(|(name, _)| in_snapshot(name))
        .map(|(n, v)| (n.clone(), v.clone()))
        .collect();
    let mut warnings = compiled.warnings.clone();
    let mut duration = compiled.duration;
    if duration.is_none() || media.need_the_page(&html) {
        let source = PageSource {
            root: &page_dir,
            runtime: tools.runtime(),
            fps: settings.fps,
            variables: settings.variables.as_ref(),
            env: &runtime_env,
            shows: &media.unshown(),
        };
        let opened = ask_page(tools, &source, &work, compiled.viewport, patience).await?;
        warnings.extend(opened.warnings);
        duration = duration.or(Some(opened.duration));
        media.known.timelines = opened.timelines;
    }
    let duration = duration.unwrap_or_default();
    let total_frames = settings.fps.frames_in(duration).map_err(|range| Error::Duration {
        seconds: range.seconds,
        hint: "give the root element a data-duration in seconds".to_owned(),
    })?;
    let (chunk_size, chunks) = slice_chunks(total_frames, settings.sizing);
    let Played { videos, sounds } = media.play(&html, &settings.entry, duration)?;
    let audio = out.join(layout::AUDIO);
    let mixed = audio::mix(tools, &sounds, total_frames, settings.fps, &work, &audio).await?;
    let audio = mixed.as_ref().map(|_warnings| layout::AUDIO);
    warnings.extend(mixed.unwrap_or_default());
    // After the mix, since the files of videos are taken away here.
    let extent = (settings, total_frames);
    let videos = media.extract(tools, &videos, extent, &page_dir, out).await?;

    let promoted = out.join(layout::COMPILED);
    fs::rename(&page_dir, &promoted).map_err(Error::io("move", &page_dir))?;
    let ffmpeg_version = ffmpeg::version(tools).await?;
    let mut planned = Planned {
        plan_hash: String::new(),
        total_frames,
        duration,
        width: compiled.viewport.width,
        height: compiled.viewport.height,
        scale,
        ffmpeg_version,
        audio,
        warnings,
        chunks,
    };
    let played = (&videos, sounds.len());
    write_meta(out, settings, runtime_env, &compiled, played, &planned, chunk_size)?;
    let (dir, limit) = (out.to_owned(), settings.plan_limit);
    let manifest = manifest(tools, settings, &planned)?;
    planned.plan_hash = blocking(move || {
        let plan_hash = freeze(&dir, &manifest)?;
        size::check_size(&dir, limit)?;
        Ok(plan_hash)
    })
    .await?;
    Ok(planned)
}

/// Opens the page to see how long it lasts.
async fn ask_page(
    tools: &Tools,
    source: &PageSource<'_>,
    work: &Path,
    viewport: Viewport,
    patience: Patience,
) -> Result<Opened> {
    let server = page::serve(source).await?;
    let (_session, opened) =
        Session::open(tools, work, &server, viewport, source.fps, patience).await?;
    Ok(opened)
}

fn write_meta(
    out: &Path,
    settings: &Settings,
    runtime_env: BTreeMap<String, String>,
    compiled: &Compiled,
    (videos, sounds): (&Videos, usize),
    planned: &Planned,
    chunk_size: u32,
) -> Result<()> {
    let meta = out.join(layout::META);
    fs::create_dir_all(&meta).map_err(Error::io("make", &meta))?;
    let Viewport { width, height, scale: _ } = compiled.viewport;
    let composition = Composition {
        duration_seconds: planned.duration,
        width,
        height,
        fps: settings.fps,
        video_count: u32::try_from(videos.videos.len()).unwrap_or(u32::MAX),
        audio_count: u32::try_from(sounds).unwrap_or(u32::MAX),
        image_count: compiled.image_count,
    };
    let chunks: Vec<_> = (0..)
        .zip(&planned.chunks)
        .map(|(index, range)| ChunkEntry { index, start_frame: range.start, end_frame: range.end })
        .collect();
    let encoder = encoder_plan(settings, runtime_env, planned, chunk_size);
    write(out, layout::COMPOSITION_JSON, &pretty(&composition))?;
    write(out, layout::CHUNKS_JSON, &pretty(&chunks))?;
    write(out, layout::VIDEOS_JSON, &pretty(videos))?;
    let encoder =
        serde_json::to_value(encoder).expect("an encoder plan has nothing that JSON has not");
    write(out, layout::ENCODER_JSON, &canonical_json(&encoder))
}

fn encoder_plan(
    settings: &Settings,
    runtime_env: BTreeMap<String, String>,
    planned: &Planned,
    chunk_size: u32,
) -> EncoderPlan {
    let (preset, preset_crf) = preset(settings.quality);
    let (crf, bitrate) = match &settings.rate {
        Rate::Preset => (Some(preset_crf), None),
        Rate::Crf(crf) => (Some(*crf), None),
        Rate::Bitrate(bitrate) => (None, Some(bitrate.clone())),
    };
    EncoderPlan {
        capture_mode: "beginframe".to_owned(),
        force_screenshot: false,
        device_scale_factor: f64::from(planned.scale),
        use_layered_hdr_composite: false,
        browser_gpu_mode: "software".to_owned(),
        warmup_ticks: 60,
        encoder: "libx264-software".to_owned(),
        quality: settings.quality.name().to_owned(),
        ffmpeg_version: planned.ffmpeg_version.clone(),
        preset: preset.to_owned(),
        crf,
        bitrate,
        gop_size: chunk_size,
        closed_gop: true,
        force_keyframes: "n=0".to_owned(),
        pixel_format: "yuv420p".to_owned(),
        chunk_size,
        chunk_count: u32::try_from(planned.chunks.len()).expect("at most 256 chunks"),
        runtime_env,
        variables: settings.variables.clone(),
        strictness: Some(match settings.strictness {
            Strictness::Strict => "strict".to_owned(),
            Strictness::BestEffort => "best-effort".to_owned(),
        }),
    }
}

fn manifest(tools: &Tools, settings: &Settings, planned: &Planned) -> Result<Manifest> {
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
            format: "mp4".to_owned(),
        },
        chunk_count: u32::try_from(planned.chunks.len()).expect("at most 256 chunks"),
        total_frames: planned.total_frames,
        duration: planned.duration,
        has_audio: planned.audio.is_some(),
    })
}

/// Ends planning: scratch goes first, so that the digest covers exactly what a chunk will find, then `plan.json` is written.
fn freeze(out: &Path, manifest: &Manifest) -> Result<String> {
    remove_if_there(&out.join(layout::SCRATCH))?;
    let plan_hash = hash::plan_digest(out, manifest.into())?;
    let manifest = Manifest { plan_hash: plan_hash.clone(), ..manifest.clone() };
    write(out, layout::PLAN_JSON, &pretty(&manifest))?;
    Ok(plan_hash)
}

fn remove_if_there(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("remove", dir)(error))
        }
        _ => Ok(()),
    }
}

/// JSON with two blanks a level and a newline at the end.
fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("plan files have nothing that JSON has not") + "\n"
}

fn write(out: &Path, artifact: &str, text: &str) -> Result<()> {
    let path = out.join(artifact);
    fs::write(&path, text).map_err(Error::io("write", &path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            protocol: Some(Protocol::v1()),
            plan_hash: String::new(),
            producer_version: "0".into(),
            ffmpeg_version: "ffmpeg version 0".into(),
            font_snapshot_sha: "f".repeat(64),
            dimensions: Dimensions {
                fps_num: 30,
                fps_den: 1,
                width: 16,
                height: 16,
                format: "mp4".into(),
            },
            chunk_count: 1,
            total_frames: 1,
            duration: 1.0,
            has_audio: false,
        }
    }

    #[test]
    fn scratch_is_gone_before_the_hash_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["compiled/index.html", "meta/encoder.json", ".plan-work/downloads/music.mp3"] {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        let frozen = freeze(dir.path(), &manifest()).unwrap();
        // What a chunk worker recomputes: it never sees the scratch.
        remove_if_there(&dir.path().join(layout::SCRATCH)).unwrap();
        let recomputed = hash::plan_digest(dir.path(), (&manifest()).into()).unwrap();
        assert_eq!(frozen, recomputed);
        assert!(
            !tree::files(dir.path()).unwrap().iter().any(|path| path.starts_with(layout::SCRATCH))
        );
    }
}
