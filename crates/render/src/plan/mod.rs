//! plan: a project becomes a directory that says everything a chunk needs, named by its digest.

mod ask;
pub(crate) mod content;
mod cut;
pub(crate) mod fonts;
pub(crate) mod hash;
pub(crate) mod layout;
mod media;
mod meta;
pub(crate) mod open;
pub(crate) mod output;
mod room;
mod selection;
mod size;
mod videos;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use compose::document::decode::{DecodedText, decode_document};
use compose::gather::{GatherOptions, Gathered, gather};
use compose::geometry::Viewport;
use compose::media::clip::Sound;
use compose::net::Net;
use compose::site::Site;
use compose::tree;
use compose::{Compiled, Overrides, VariableCheck};

use crate::audio;
use crate::blocking::blocking;
use crate::browser::session::Timeouts;
use crate::config::Settings;
use crate::config::output::{Alpha, Format};
use crate::error::{Error, Result};
use crate::ffmpeg;
use crate::frame::{Fps, FrameRange, slice_chunks};
use crate::page::PageSource;
use crate::plan::ask::{AskOptions, VolumeProbe, ask};
use crate::plan::hash::FileDigests;
use crate::plan::layout::{Composition, Manifest};
use crate::plan::media::{Media, Played, Timed};
use crate::plan::meta::{encoder_plan, manifest, pretty, write, write_meta};
use crate::plan::output::SideOutputs;
use crate::plan::selection::FrameSelection;
use crate::told;
use crate::tools::Tools;

pub use compose::tree::SKIPPED;
pub use content::{ChunkContent, chunk_contents};
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
    pub fps: Fps,
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
    pub(crate) files: FileDigests,
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
    let settings = &settings.with_stated_rate(compiled.frame_rate.as_deref())?;
    let Viewport { width, height, .. } = compiled.viewport;
    let scale = match &settings.resolution {
        Some(resolution) => resolution.scale(width, height)?,
        None => 1,
    };
    let page = settings.output.page(Viewport { scale, ..compiled.viewport });
    let (width, height, frame_size) = (page.width, page.height, page.frame());
    let compiled = Compiled { viewport: Viewport { scale: 1, ..page }, ..compiled };
    let work = make_scratch(out)?;
    let page_dir = work.join(layout::COMPILED);

    told::warnings(&compiled.warnings);
    tracing::debug!(target: told::ACTIVITY, "gathering files and fonts");
    let gathered = collect(tools, net, project, settings, &compiled, &work).await?;
    told::warnings(&gathered.warnings);
    let mut warnings = [compiled.warnings.clone(), gathered.warnings].concat();
    let mut media = Media::read(tools, gathered.media).await?;
    let site = Site { root: &page_dir, folder: &compiled.folder };
    let timed = media.write_times(gathered.html, site);
    let index = page_dir.join("index.html");
    fs::write(&index, &timed.html).map_err(Error::io("write", &index))?;
    let runtime_env = snapshot(env);
    let page = Page {
        tools,
        settings,
        root: &page_dir,
        work: &work,
        viewport: compiled.viewport,
        timeouts,
        env: &runtime_env,
    };
    let duration = page.duration(compiled.duration, &mut media, &timed, &mut warnings).await?;

    let selection = FrameSelection::new(settings, frame_size, duration)?;
    let frames = selection.frames;
    room::check(settings, frames.len(), frame_size, out)?;
    let sizing = cut::sizing(settings.cutting, frames.len(), frame_size)?;
    let (chunk_size, chunks) = slice_chunks(frames, sizing);
    let Played { videos, sounds } = media.play(&timed.html, &settings.entry, duration)?;
    let sounds = audible(settings, sounds, &mut warnings);
    if !sounds.is_empty() {
        tracing::debug!(target: told::ACTIVITY, "mixing {} sounds", sounds.len());
    }
    let audio = out.join(layout::AUDIO);
    let mixed = audio::mix(tools, &sounds, frames, settings.fps, &work, &audio).await?;
    let audio = mixed.as_ref().map(|_warnings| layout::AUDIO);
    warnings.extend(mixed.unwrap_or_default());
    // After the mix, since the files of videos are taken away here.
    let extracted = media.extract(tools, &videos, settings, &selection, &page_dir, out).await?;

    let promoted = out.join(layout::COMPILED);
    fs::rename(&page_dir, &promoted).map_err(Error::io("move", &page_dir))?;
    let planned = Planned {
        plan_hash: String::new(),
        total_frames: frames.len(),
        duration: selection.seconds(settings, duration),
        fps: settings.fps,
        width,
        height,
        scale,
        format: settings.output.format,
        side_outputs: selection.side_outputs,
        ffmpeg_version: ffmpeg::version(tools).await?,
        audio,
        warnings,
        chunks,
        files: FileDigests::new(),
    };
    let composition =
        composition(settings, &planned, (extracted.len(), sounds.len()), compiled.image_count);
    let videos = videos::entries(&extracted, settings.fps);
    let encoder = encoder_plan(settings, runtime_env, &planned, chunk_size);
    write_meta(out, &composition, &planned.chunks, &videos, &encoder)?;
    finish(tools, settings, planned, out).await
}

/// Does of planning what says whether `project` can be planned and asks no page, and answers the warnings. `out` must be empty.
pub async fn preflight(
    tools: &Tools,
    net: &Net,
    project: &Path,
    settings: &Settings,
    out: &Path,
) -> Result<Vec<String>> {
    let compiled = compile(project, settings).await?;
    settings.with_stated_rate(compiled.frame_rate.as_deref())?;
    let Viewport { width, height, .. } = compiled.viewport;
    if let Some(resolution) = &settings.resolution {
        resolution.scale(width, height)?;
    }
    let work = make_scratch(out)?;
    let gathered = collect(tools, net, project, settings, &compiled, &work).await?;
    let media = Media::read(tools, gathered.media).await?;
    let site = Site { root: &work.join(layout::COMPILED), folder: &compiled.folder };
    let timed = media.write_times(gathered.html, site);
    if let Some(seconds) = compiled.duration {
        media.play(&timed.html, &settings.entry, seconds)?;
    }
    Ok([compiled.warnings, gathered.warnings].concat())
}

fn make_scratch(out: &Path) -> Result<PathBuf> {
    let work = out.join(layout::SCRATCH);
    remove_if_there(&work)?;
    fs::create_dir_all(&work).map_err(Error::io("make", &work))?;
    Ok(work)
}

fn composition(
    settings: &Settings,
    planned: &Planned,
    (videos, sounds): (usize, usize),
    image_count: u32,
) -> Composition {
    Composition {
        duration_seconds: planned.duration,
        width: planned.width,
        height: planned.height,
        fps: settings.fps,
        video_count: u32::try_from(videos).unwrap_or(u32::MAX),
        audio_count: u32::try_from(sounds).unwrap_or(u32::MAX),
        image_count,
    }
}

/// What of the planner's environment reaches the page.
fn snapshot(env: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let is_kept = |name: &str| SNAPSHOT_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    let kept = env.iter().filter(|(name, _)| is_kept(name));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The page as it can be opened while planning.
#[derive(Clone, Copy)]
struct Page<'a> {
    tools: &'a Tools,
    settings: &'a Settings,
    /// The directory of its files.
    root: &'a Path,
    work: &'a Path,
    viewport: Viewport,
    timeouts: Timeouts,
    env: &'a BTreeMap<String, String>,
}

impl Page<'_> {
    /// Seconds of the composition: those that it `said`, or else those of its timelines. The page is only opened where it must
    /// be asked for that, for the times of its media, or for volumes that a script changes.
    async fn duration(
        self,
        said: Option<f64>,
        media: &mut Media,
        timed: &Timed,
        warnings: &mut Vec<String>,
    ) -> Result<f64> {
        let Timed { html, needs_page, heard } = timed;
        if let (Some(said), false, true) = (said, *needs_page, heard.is_empty()) {
            return Ok(said);
        }
        let Self { tools, settings, root, work, viewport, timeouts, env } = self;
        let source = PageSource {
            root,
            runtime: tools.runtime(),
            fps: settings.fps,
            variables: settings.variables.as_ref(),
            env,
            tracks: &media.unshown(),
            alpha: Alpha::None,
        };
        let places = |timelines: &BTreeMap<String, f64>| media.places(html, timelines);
        let probe = VolumeProbe { ids: heard, places: &places, seconds: said };
        let options = AskOptions { work, viewport, timeouts, strictness: settings.strictness };
        tracing::debug!(target: told::ACTIVITY, "asking the page about its timelines");
        let facts = ask(tools, &source, options, probe).await?;
        told::warnings(&facts.opened.warnings);
        warnings.extend(facts.opened.warnings);
        media.known.timelines = facts.opened.timelines;
        media.volumes = facts.volumes;
        Ok(said.unwrap_or(facts.opened.duration))
    }
}

/// The sounds that the output has; that it has none where the composition does is a warning.
fn audible(settings: &Settings, sounds: Vec<Sound>, warnings: &mut Vec<String>) -> Vec<Sound> {
    if settings.mute {
        return Vec::new();
    }
    if !settings.output.format.has_sound() {
        if !sounds.is_empty() {
            warnings.push(format!("a {} has no sound", settings.output.format.name()));
        }
        return Vec::new();
    }
    sounds
}

/// Writes `plan.json` with the plan's hash and checks the plan's size.
async fn finish(
    tools: &Tools,
    settings: &Settings,
    planned: Planned,
    out: &Path,
) -> Result<Planned> {
    tracing::debug!(target: told::ACTIVITY, "hashing the plan");
    let (dir, limit) = (out.to_owned(), settings.plan_limit);
    let manifest = manifest(tools, settings, &planned)?;
    let (plan_hash, files) = blocking(move || {
        let frozen = freeze(&dir, &manifest)?;
        size::check_size(&dir, limit)?;
        Ok(frozen)
    })
    .await?;
    Ok(Planned { plan_hash, files, ..planned })
}

/// Reads the entry and compiles it.
async fn compile(project: &Path, settings: &Settings) -> Result<Compiled> {
    let entry = project.join(&settings.entry);
    if !entry.is_file() {
        return Err(Error::EntryMissing { entry: settings.entry.clone() });
    }
    let bytes = fs::read(&entry).map_err(Error::io("read", &entry))?;
    let DecodedText { text: html, warning } = decode_document(&bytes, &settings.entry);
    let (from, set) = (project.to_owned(), settings.clone());
    blocking(move || {
        let check = if set.strict_variables { VariableCheck::Strict } else { VariableCheck::Loose };
        let given = Overrides { variables: set.variables.as_ref(), check };
        let mut compiled = compose::compile(&html, &set.entry, &from, given)?;
        compiled.warnings.extend(warning);
        Ok(compiled)
    })
    .await
}

/// Copies the project to where the page is served from, with what it needs of other hosts.
async fn collect(
    tools: &Tools,
    net: &Net,
    project: &Path,
    settings: &Settings,
    compiled: &Compiled,
    work: &Path,
) -> Result<Gathered> {
    let (project, net, bundle, settings) =
        (project.to_owned(), net.clone(), tools.fonts(), settings.clone());
    let (page_dir, scratch) = (work.join(layout::COMPILED), work.join("arrivals"));
    let machine_fonts = tools.chrome()?.fonts.clone();
    let (html, folder, viewport) =
        (compiled.html.clone(), compiled.folder.clone(), compiled.viewport);
    blocking(move || {
        tree::copy_project(&project, &page_dir)?;
        let site = Site { root: &page_dir, folder: &folder };
        let options = GatherOptions {
            bundle: &bundle,
            machine_fonts: &machine_fonts,
            viewport,
            net: &net,
            system_fonts: settings.system_fonts,
            missing_fonts: settings.missing_fonts,
        };
        let variables = settings.variables.as_ref();
        Ok(gather(html, site, &settings.entry, variables, options, &scratch)?)
    })
    .await
}

/// Ends planning: scratch goes first, so that the digest covers exactly what a chunk will find, then `plan.json` is written.
fn freeze(out: &Path, manifest: &Manifest) -> Result<(String, FileDigests)> {
    remove_if_there(&out.join(layout::SCRATCH))?;
    let (plan_hash, files) = hash::plan_digest(out, manifest.into())?;
    let manifest = Manifest { plan_hash: plan_hash.clone(), ..manifest.clone() };
    write(out, layout::PLAN_JSON, &pretty(&manifest))?;
    Ok((plan_hash, files))
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
