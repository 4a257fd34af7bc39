//! assemble: the chunks of a plan become one video with its sound, without being encoded again where that can be had.

mod check;
mod join;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::assemble::check::{check_chunks, check_previews};
use crate::assemble::join::{JoinContext, join};
use crate::audio::sample::in_frames;
use crate::error::{Error, Result};
use crate::ffmpeg::concat::Sound;
use crate::ffmpeg::source::{Source, probe_source};
use crate::plan::layout;
use crate::plan::open::{PlanSummary, open_summary};
use crate::plan::output::SideOutputs;
use crate::side_output::SideOutput;
use crate::tools::Tools;

/// One chunk's file, in the order of the timeline.
#[derive(Debug, Clone)]
pub struct ChunkFile {
    pub path: PathBuf,
    /// What its worker answered, where that is known.
    pub sha256: Option<String>,
    /// What it says of itself, if it was made for another plan in which this chunk is the same.
    pub label: Option<String>,
    /// The small video beside it, if the plan has one.
    pub preview: Option<PathBuf>,
}

/// What is joined, and how.
#[derive(Debug, Clone)]
pub struct Parts {
    pub chunks: Vec<ChunkFile>,
    /// The sound, instead of the one in the plan.
    pub audio: Option<PathBuf>,
    /// The poster, which one of the chunks has made, if the plan has one.
    pub poster: Option<PathBuf>,
    /// Whether an MP4 is encoded once more, as a whole.
    pub cfr: bool,
}

/// What was joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assembled {
    pub frames: u32,
    pub bytes: u64,
    pub duration_ms: u64,
    pub side_outputs: Vec<SideOutput>,
}

/// What a plan says about joining, before anything but the plan is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssemblySpec {
    pub plan_hash: String,
    /// The chunk that makes the poster.
    pub poster: Option<usize>,
    pub has_previews: bool,
}

/// Reads what joining the plan in `plan_dir` takes and makes.
pub fn spec(plan_dir: &Path) -> Result<AssemblySpec> {
    let summary = open_summary(plan_dir)?;
    let SideOutputs { poster, preview } = summary.side_outputs;
    let has = |poster: u32| {
        let mut chunks = summary.chunks.iter();
        chunks.position(|range| (range.start..range.end).contains(&poster))
    };
    Ok(AssemblySpec {
        poster: poster.and_then(has),
        has_previews: preview.is_some(),
        plan_hash: summary.manifest.plan_hash,
    })
}

/// Joins `parts` of the plan in `plan_dir` to `out`, which appears only when it is complete and verified, as do the side outputs
/// beside it.
pub async fn assemble(
    tools: &Tools,
    plan_dir: &Path,
    parts: &Parts,
    out: &Path,
) -> Result<Assembled> {
    let start = Instant::now();
    let mut summary = open_summary(plan_dir)?;
    let Parts { chunks, audio, poster: _, cfr } = parts;
    summary.output.cfr |= cfr;
    if let Some(reason) = summary.output.refuses_cfr() {
        return Err(Error::Config { field: "cfr".to_owned(), reason });
    }
    check_chunks(tools, &summary, chunks).await?;
    let folder =
        out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let work = tempfile::Builder::new()
        .prefix(".assemble-work-")
        .tempdir_in(folder)
        .map_err(Error::io("make a work directory in", folder))?;
    let audio = open_audio(tools, plan_dir, &summary, audio.as_deref()).await?;
    let samples = in_frames(summary.manifest.total_frames, summary.fps);
    let sound = audio.as_ref().map(|(file, source)| Sound { file, source, samples });
    let context = JoinContext { tools, summary: &summary, sound, work: work.path() };
    let paths: Vec<_> = chunks.iter().map(|chunk| chunk.path.clone()).collect();
    let joined = join(context, &paths).await?;
    let bytes = bytes_of(&joined)?;
    let side_outputs = make_side_outputs(context, parts).await?;
    for (side_output, made) in &side_outputs {
        let to = side_output.beside(out);
        fs::rename(made, &to).map_err(Error::io("write", &to))?;
    }
    fs::rename(&joined, out).map_err(Error::io("move", &joined))?;
    Ok(Assembled {
        frames: summary.manifest.total_frames,
        bytes,
        duration_ms: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
        side_outputs: side_outputs.into_iter().map(|(side_output, _)| side_output).collect(),
    })
}

/// Makes what the plan wants beside the video, in the work directory.
async fn make_side_outputs(
    context: JoinContext<'_>,
    parts: &Parts,
) -> Result<Vec<(SideOutput, PathBuf)>> {
    let SideOutputs { poster, preview } = context.summary.side_outputs;
    let mut made = Vec::new();
    if let Some(size) = preview {
        let chunks = check_previews(&parts.chunks)?;
        made.push((SideOutput::Preview, join::preview(context, &chunks, size).await?));
    }
    if poster.is_some() {
        let missing = || Error::ChunkList { reason: "the poster is missing".to_owned() };
        let poster = parts.poster.as_ref().ok_or_else(missing)?;
        let copy = context.work.join("poster.png");
        fs::copy(poster, &copy).map_err(Error::io("copy", poster))?;
        made.push((SideOutput::Poster, copy));
    }
    Ok(made)
}

/// Bytes of a file, or of the files in a directory.
fn bytes_of(path: &Path) -> Result<u64> {
    let look = |path: &Path| fs::metadata(path).map_err(Error::io("look at", path));
    if !look(path)?.is_dir() {
        return Ok(look(path)?.len());
    }
    let mut bytes = 0;
    for entry in fs::read_dir(path).map_err(Error::io("read", path))? {
        bytes += look(&entry.map_err(Error::io("read", path))?.path())?.len();
    }
    Ok(bytes)
}

/// The file with the sound: the one that was `given`, or the plan's.
fn find_audio(
    plan_dir: &Path,
    summary: &PlanSummary,
    given: Option<&Path>,
) -> Result<Option<PathBuf>> {
    match given {
        Some(file) => Ok(Some(file.to_owned())),
        None if summary.manifest.has_audio => {
            let mut names = layout::AUDIO_FILES.iter().map(|name| plan_dir.join(name));
            let missing = || Error::PlanArtifactMissing { artifact: layout::AUDIO.to_owned() };
            names.find(|file| file.is_file()).map(Some).ok_or_else(missing)
        }
        None => Ok(None),
    }
}

/// The file with the sound, which another maker may have written, and what it holds; none where the format has no sound.
async fn open_audio(
    tools: &Tools,
    plan_dir: &Path,
    summary: &PlanSummary,
    given: Option<&Path>,
) -> Result<Option<(PathBuf, Source)>> {
    if !summary.output.format.has_sound() {
        return Ok(None);
    }
    let Some(file) = find_audio(plan_dir, summary, given)? else { return Ok(None) };
    let invalid = |reason| Error::PlanArtifactInvalid { artifact: "the sound".to_owned(), reason };
    match probe_source(tools, &file).await {
        Ok(source) if source.sound.is_some() => Ok(Some((file, source))),
        Ok(_silent) => Err(invalid("it has no audio stream".to_owned())),
        Err(Error::Command { exit_code: Some(_), stderr, .. }) => Err(invalid(stderr)),
        Err(error) => Err(error),
    }
}
