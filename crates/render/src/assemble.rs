//! assemble: the chunks of a plan become one video with its sound, without being encoded again.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::audio::sample::in_frames;
use crate::chunk::label;
use crate::error::{Error, Result};
use crate::ffmpeg::concat;
use crate::ffmpeg::probe::{Video, check_sound, probe_sounds, probe_video};
use crate::ffmpeg::source::{Source, probe_source};
use crate::hash::sha256_file;
use crate::plan::layout;
use crate::plan::open::{Outline, open_outline};
use crate::process::run;
use crate::tools::Tools;

/// Joining copies bytes; this is for the largest outputs on the slowest disks.
const LIMIT: Duration = Duration::from_mins(15);

/// One chunk's file, in the order of the timeline.
#[derive(Debug, Clone)]
pub struct ChunkFile {
    pub path: PathBuf,
    /// What its worker answered, where that is known.
    pub sha256: Option<String>,
}

/// What was joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assembled {
    pub frames: u32,
    pub bytes: u64,
    pub duration_ms: u64,
}

/// Joins `chunks` of the plan in `plan_dir` to `out`, which appears only when it is complete and verified. Its sound is `audio`,
/// or else what lies in the plan.
pub async fn assemble(
    tools: &Tools,
    plan_dir: &Path,
    chunks: &[ChunkFile],
    audio: Option<&Path>,
    out: &Path,
) -> Result<Assembled> {
    let start = Instant::now();
    let outline = open_outline(plan_dir)?;
    check_chunks(tools, &outline, chunks).await?;
    let folder =
        out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let work = tempfile::Builder::new()
        .prefix(".assemble-work-")
        .tempdir_in(folder)
        .map_err(Error::io("make a work directory in", folder))?;
    let list = work.path().join("chunks.txt");
    let paths = chunks
        .iter()
        .map(|chunk| fs::canonicalize(&chunk.path).map_err(Error::io("find", &chunk.path)));
    let paths = paths.collect::<Result<Vec<_>>>()?;
    fs::write(&list, concat::list(&paths)).map_err(Error::io("write", &list))?;
    let joined = work.path().join("joined.mp4");
    let frames = outline.manifest.total_frames;
    let samples = in_frames(frames, outline.fps);
    let audio = find_audio(plan_dir, &outline, audio)?;
    let source = match &audio {
        Some(file) => Some(open_audio(tools, file).await?),
        None => None,
    };
    let sound = audio.as_deref().zip(source.as_ref());
    let sound = sound.map(|(file, source)| concat::Sound { file, source, samples });
    run(&concat::command(tools, &list, outline.fps, sound, &joined), LIMIT).await?;
    check_video(&joined, &probe_video(tools, &joined).await?, &outline, frames)?;
    if sound.is_some() {
        check_sound(&joined, &probe_sounds(tools, &joined).await?, "aac", samples)?;
    }
    let bytes = fs::metadata(&joined).map_err(Error::io("look at", &joined))?.len();
    fs::rename(&joined, out).map_err(Error::io("move", &joined))?;
    Ok(Assembled {
        frames,
        bytes,
        duration_ms: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
    })
}

/// The file with the sound: the one that was `given`, or the plan's.
fn find_audio(plan_dir: &Path, outline: &Outline, given: Option<&Path>) -> Result<Option<PathBuf>> {
    match given {
        Some(file) => Ok(Some(file.to_owned())),
        None if outline.manifest.has_audio => {
            let mut names = layout::AUDIO_FILES.iter().map(|name| plan_dir.join(name));
            let missing = || Error::PlanArtifactMissing { artifact: layout::AUDIO.to_owned() };
            names.find(|file| file.is_file()).map(Some).ok_or_else(missing)
        }
        None => Ok(None),
    }
}

/// What the file with the sound holds, which another maker may have written.
async fn open_audio(tools: &Tools, file: &Path) -> Result<Source> {
    let invalid = |reason| Error::PlanArtifactInvalid { artifact: "the sound".to_owned(), reason };
    match probe_source(tools, file).await {
        Ok(source) if source.sound.is_some() => Ok(source),
        Ok(_silent) => Err(invalid("it has no audio stream".to_owned())),
        Err(Error::Command { exit_code: Some(_), stderr, .. }) => Err(invalid(stderr)),
        Err(error) => Err(error),
    }
}

/// Checks that the files are the plan's chunks: as many, each whole, each in its place.
async fn check_chunks(tools: &Tools, outline: &Outline, chunks: &[ChunkFile]) -> Result<()> {
    let planned = &outline.chunks;
    if chunks.len() != planned.len() {
        let reason = format!("{} chunks were given, the plan has {}", chunks.len(), planned.len());
        return Err(Error::ChunkList { reason });
    }
    for (index, (chunk, range)) in chunks.iter().zip(planned).enumerate() {
        let ChunkFile { path, sha256 } = chunk;
        if !path.is_file() {
            return Err(Error::ChunkList {
                reason: format!("chunk {index} is not at {}", path.display()),
            });
        }
        if let Some(expected) = sha256 {
            let hashed = path.clone();
            let actual = tokio::task::spawn_blocking(move || sha256_file(&hashed))
                .await
                .expect("hashing does not panic")?;
            if actual != *expected {
                return Err(Error::ChunkDigest { index, expected: expected.clone(), actual });
            }
        }
        let found = probe_video(tools, path).await?;
        check_video(path, &found, outline, range.len())?;
        let own = label(&outline.manifest.plan_hash, u32::try_from(index).unwrap_or(u32::MAX));
        // Chunks of other makers say nothing about themselves.
        match found.comment.filter(|comment| comment.starts_with("plan ")) {
            Some(comment) if comment != own => {
                let reason =
                    format!("{} says it is {comment}, in its place belongs {own}", path.display());
                return Err(Error::ChunkList { reason });
            }
            _ => {}
        }
    }
    Ok(())
}

fn check_video(path: &Path, found: &Video, outline: &Outline, frames: u32) -> Result<()> {
    let dimensions = &outline.manifest.dimensions;
    let wrong = |what, expected: String, found: String| {
        Err(Error::Verify { what, path: path.to_owned(), expected, found })
    };
    let Video {
        codec: _,
        width,
        height,
        frame_rate,
        average_frame_rate,
        packets,
        starts_with_key,
        comment: _,
    } = found;
    let rate = outline.fps.to_string();
    if *packets != frames {
        return wrong("frames of", frames.to_string(), packets.to_string());
    }
    if !starts_with_key {
        return wrong("the first frame of", "a key frame".into(), "none".into());
    }
    let planned = (dimensions.width * outline.scale, dimensions.height * outline.scale);
    if (*width, *height) != planned {
        return wrong(
            "size of",
            format!("{}x{}", planned.0, planned.1),
            format!("{width}x{height}"),
        );
    }
    if *frame_rate != rate || *average_frame_rate != rate {
        return wrong(
            "frame rate of",
            rate,
            format!("{frame_rate} (average {average_frame_rate})"),
        );
    }
    Ok(())
}
