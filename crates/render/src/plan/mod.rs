//! plan: a project becomes a directory that says everything a chunk needs, named by its digest.

mod ask;
pub(crate) mod fonts;
pub(crate) mod hash;
pub(crate) mod layout;
mod media;
mod meta;
pub(crate) mod open;
pub(crate) mod output;
mod room;
pub mod size;

mod videos;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use compose::gather::gather;
use compose::geometry::Viewport;
use compose::net::Net;
use compose::tree;
use compose::{Check, Compiled, Given};

use crate::audio;
use crate::blocking::blocking;
use crate::browser::session::Timeouts;
use crate::config::Settings;
use crate::config::output::{Alpha, Format};
use crate::error::{Error, Result};
use crate::ffmpeg;
use crate::frame::{FrameRange, slice_chunks};
use crate::page::PageSource;
use crate::plan::ask::{VolumeProbe, ask};
use crate::plan::layout::Manifest;
use crate::plan::media::{Media, Played};
use crate::plan::meta::{manifest, pretty, write, write_meta};
use crate::plan::output::SideOutputs;
use crate::tools::Tools;

pub use compose::tree::SKIPPED;
pub use open::planned_format;

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
    pub format: Format,
    pub(crate) side_outputs: SideOutputs,
    pub ffmpeg_version: String,
    /// The name of the plan's file with the sound, if it has one.
    pub audio: Option<&'static str>,
    pub warnings: Vec<String>,
}

/// Plans the composition in `project` into `out`, which must be empty or absent. `env` is the planner's environment, and
/// `net` what it reaches of other hosts.
pub async fn plan(
    tools: &Tools,
    net: &Net,
    project: &Path,
    settings: &Settings,
    env: &BTreeMap<String, String>,
    timeouts: Timeouts,
    out: &Path,
) -> Result<Planned> {
    let compiled = compile(project, settings).await?;
    let scale = match &settings.resolution {
        Some(resolution) => resolution.scale(compiled.viewport.width, compiled.viewport.height)?,
        None => 1,
    };
    let work = out.join(layout::SCRATCH);
    remove_if_there(&work)?;
    fs::create_dir_all(&work).map_err(Error::io("make", &work))?;

    let page_dir = work.join(layout::COMPILED);
    let index = page_dir.join("index.html");
    let (html, gathering) = collect(tools, net, project, settings, &compiled, &work).await?;
    let place = (page_dir.as_path(), compiled.folder.as_str());
    let mut media = Media::read(tools, &html, place, &settings.entry).await?;
    let html = media.write_times(&html);
    fs::write(&index, &html).map_err(Error::io("write", &index))?;

    let in_snapshot = |name: &str| SNAPSHOT_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    let runtime_env: BTreeMap<_, _> = env
        .iter()
        .filter(|(name, _)| in_snapshot(name))
        .map(|(n, v)| (n.clone(), v.clone()))
        .collect();
    let mut warnings = [compiled.warnings.clone(), gathering].concat();
    let mut duration = compiled.duration;
    let heard = media.changing_volumes(&html, (&page_dir, &compiled.folder));
    if duration.is_none() || media.need_the_page(&html) || !heard.is_empty() {
        let source = PageSource {
            root: &page_dir,
            runtime: tools.runtime(),
            fps: settings.fps,
            variables: settings.variables.as_ref(),
            env: &runtime_env,
            tracks: &media.unshown(),
            alpha: Alpha::None,
        };
        let place = (work.as_path(), compiled.viewport);
        let places = |timelines: &BTreeMap<String, f64>| media.places(&html, timelines);
        let heard = VolumeProbe { ids: &heard, places: &places };
        let told =
            ask(tools, &source, place, (timeouts, settings.strictness), heard, duration).await?;
        warnings.extend(told.opened.warnings);
        duration = duration.or(Some(told.opened.duration));
        media.known.timelines = told.opened.timelines;
        media.volumes = told.volumes;
    }
    let duration = duration.unwrap_or_default();
    let extent = extent(settings, &compiled, scale, duration)?;
    let FrameSelection { total_frames, frames, side_outputs } = extent;
    room::check(settings, frames.len(), pixels(&compiled, scale), out)?;
    let (chunk_size, chunks) = slice_chunks(frames, settings.sizing);
    let Played { videos, mut sounds } = media.play(&html, &settings.entry, duration)?;
    if !settings.output.format.has_sound() && !sounds.is_empty() && !settings.mute {
        warnings.push(format!("a {} has no sound", settings.output.format.name()));
    }
    if settings.mute || !settings.output.format.has_sound() {
        sounds.clear();
    }
    let audio = out.join(layout::AUDIO);
    let mixed = audio::mix(tools, &sounds, frames, settings.fps, &work, &audio).await?;
    let audio = mixed.as_ref().map(|_warnings| layout::AUDIO);
    warnings.extend(mixed.unwrap_or_default());
    // After the mix, since the files of videos are taken away here.
    let wanted = (settings, total_frames, frames);
    let extracted = media.extract(tools, &videos, wanted, &page_dir, out).await?;
    let videos = videos::entries(&extracted, settings.fps);

    let promoted = out.join(layout::COMPILED);
    fs::rename(&page_dir, &promoted).map_err(Error::io("move", &page_dir))?;
    let ffmpeg_version = ffmpeg::version(tools).await?;
    let mut planned = Planned {
        plan_hash: String::new(),
        total_frames: frames.len(),
        duration: if frames.len() == total_frames {
            duration
        } else {
            settings.fps.seconds(frames.len())
        },
        width: compiled.viewport.width,
        height: compiled.viewport.height,
        scale,
        format: settings.output.format,
        side_outputs,
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

/// Which frames there are, and what is made of them besides the video.
#[derive(Debug, Clone, Copy)]
struct FrameSelection {
    /// Of the composition.
    total_frames: u32,
    /// Those that are wanted.
    frames: FrameRange,
    side_outputs: SideOutputs,
}

fn extent(
    settings: &Settings,
    compiled: &Compiled,
    scale: u32,
    duration: f64,
) -> Result<FrameSelection> {
    let total_frames = settings.fps.frames_in(duration).map_err(|range| Error::Duration {
        seconds: range.seconds,
        hint: "give the root element a data-duration in seconds".to_owned(),
    })?;
    let whole = FrameRange { start: 0, end: total_frames };
    let outside = |field, asked: String, there: FrameRange| Error::OutsideOfTimeline {
        field,
        asked,
        first: there.start,
        last: there.end - 1,
    };
    let frames = match settings.frames {
        None => whole,
        Some(span) => {
            span.of(total_frames).ok_or_else(|| outside("frames", span.to_string(), whole))?
        }
    };
    let poster = settings.poster.map(|moment| (moment, settings.fps.frame_at(moment)));
    if let Some((moment, frame)) = poster
        && !(frames.start..frames.end).contains(&frame)
    {
        return Err(outside("poster", format!("{moment}, frame {frame},"), frames));
    }
    let size = pixels(compiled, scale);
    let preview = settings.preview.map(|side| output::preview(side, size)).transpose()?;
    let side_outputs = SideOutputs { poster: poster.map(|(_, frame)| frame), preview };
    Ok(FrameSelection { total_frames, frames, side_outputs })
}

/// Width and height of a frame.
fn pixels(compiled: &Compiled, scale: u32) -> (u32, u32) {
    Viewport { scale, ..compiled.viewport }.pixels()
}

/// Reads the entry and compiles it.
async fn compile(project: &Path, settings: &Settings) -> Result<Compiled> {
    let entry = project.join(&settings.entry);
    if !entry.is_file() {
        return Err(Error::EntryMissing { entry: settings.entry.clone() });
    }
    let html = String::from_utf8(fs::read(&entry).map_err(Error::io("read", &entry))?);
    let html = html.map_err(|error| compose::Error::Composition {
        file: settings.entry.clone(),
        element: "the document".to_owned(),
        reason: format!("is not UTF-8: {}", error.utf8_error()),
    })?;
    let (from, set) = (project.to_owned(), settings.clone());
    blocking(move || {
        let check = if set.strict_variables { Check::Strict } else { Check::Loose };
        let given = Given { variables: set.variables.as_ref(), check };
        Ok(compose::compile(&html, &set.entry, &from, given)?)
    })
    .await
}

/// Copies the project to where the page is served from, with what it needs of other hosts, and answers its HTML with warnings.
async fn collect(
    tools: &Tools,
    net: &Net,
    project: &Path,
    settings: &Settings,
    compiled: &Compiled,
    work: &Path,
) -> Result<(String, Vec<String>)> {
    let page_dir = work.join(layout::COMPILED);
    let (from, net, bundle, given) =
        (project.to_owned(), net.clone(), tools.fonts(), settings.clone());
    let (page, within, html) = (page_dir.clone(), work.to_owned(), compiled.html.clone());
    let folder = compiled.folder.clone();
    let (gathered, gathering) = blocking(move || {
        tree::copy_project(&from, &page)?;
        let policies = (given.system_fonts, given.missing_fonts);
        let (variables, scratch) = (given.variables.as_ref(), within.join("arrivals"));
        Ok(gather(&html, (&page, &folder), variables, policies, &bundle, &net, &scratch)?)
    })
    .await?;
    Ok((gathered.unwrap_or_else(|| compiled.html.clone()), gathering))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::layout::{Dimensions, Protocol};

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
