//! One run of FFmpeg for each part of a source that is shown, and what came out of it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use compose::clip::Clip;

use crate::error::{Error, Result};
use crate::ffmpeg::extract::{Still, Wanted, command};
use crate::ffmpeg::source::{Picture, probe_source};
use crate::frame::Fps;
use crate::process::run;
use crate::tools::Tools;
use crate::video::{sources, unusable};

/// A part of a source to be extracted once, whoever shows it.
#[derive(Debug, Clone)]
pub(super) struct ExtractionJob<'a> {
    /// The first clip that shows it, for errors.
    pub(super) clip: &'a Clip,
    pub(super) picture: &'a Picture,
    /// Whether the file says how long its pictures last.
    pub(super) is_exact: bool,
    pub(super) still: Still,
    /// Seconds of the source.
    pub(super) from: f64,
    pub(super) frames: u32,
    pub(super) fps: Fps,
    /// The name of its directory.
    pub(super) dir: String,
}

impl ExtractionJob<'_> {
    /// Whether the longer of two jobs begins with the other.
    pub(super) fn shows_the_same(&self, other: &Self) -> bool {
        self.clip.file == other.clip.file
            && self.still == other.still
            && self.from.to_bits() == other.from.to_bits()
    }
}

/// What was extracted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) frames: u32,
    pub(super) still: Still,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// Every FFmpeg may take this long, and for each second of source so much more.
const LIMIT: Duration = Duration::from_mins(2);
const LIMIT_PER_SECOND: Duration = Duration::from_secs(20);

/// How much of the end of a source is read to find its last picture.
const END_SECONDS: f64 = 2.0;

/// A file may say that it lasts so much longer than its last picture.
const MISSING_SECONDS: f64 = 0.5;

/// Refuses what cannot fit into the plan, before anything is decoded. No picture is smaller than what is reckoned here.
pub(super) fn refuse_too_many(jobs: &[ExtractionJob<'_>], limit: u64) -> Result<()> {
    let bytes = |job: &ExtractionJob<'_>| u64::from(job.frames).saturating_mul(least_bytes(job));
    let total = jobs.iter().map(bytes).fold(0, u64::saturating_add);
    let largest = jobs.iter().max_by_key(|job| bytes(job));
    match largest.filter(|_| total > limit) {
        None => Ok(()),
        Some(job) => Err(Error::FramesTooLarge {
            element: job.clip.element.clone(),
            frames: job.frames,
            bytes: total,
            limit,
        }),
    }
}

/// What a picture takes at least: headers, and two bits for each of the six blocks of a macroblock of one colour; PNG packs
/// such a picture to a thousandth.
fn least_bytes(job: &ExtractionJob<'_>) -> u64 {
    let pixels = u64::from(job.picture.width) * u64::from(job.picture.height);
    match job.still {
        Still::Jpeg => 300 + pixels * 12 / 8 / 256,
        Still::Png => 60 + pixels * 3 / 1000,
    }
}

/// Extracts the frames of a job into a directory of its own below `frames_dir`.
pub(super) async fn extract(
    tools: &Tools,
    job: &ExtractionJob<'_>,
    frames_dir: &Path,
) -> Result<Made> {
    let dir = frames_dir.join(&job.dir);
    fs::create_dir_all(&dir).map_err(Error::io("make", &dir))?;
    let ExtractionJob { from, frames, fps, .. } = *job;
    let mut made = attempt(tools, job, Wanted::Window { from, frames, fps }, &dir).await?;
    if made == 0 && frames == 1 {
        // The moment is behind the last picture, which is held.
        let end = job.picture.duration.unwrap_or(from).min(from);
        for behind in [(end - END_SECONDS).max(0.0), 0.0] {
            if made == 0 {
                made = attempt(tools, job, Wanted::Last { behind }, &dir).await?;
            }
        }
    }
    if made == 0 {
        return Err(unusable(job.clip, &format!("no picture can be decoded from {from} s on")));
    }
    let seconds = |frames: u32| f64::from(frames) / fps.as_f64();
    if job.is_exact && seconds(frames.saturating_sub(made)) > MISSING_SECONDS {
        let (end, expected) = (from + seconds(made), from + seconds(frames));
        let reason =
            format!("it is cut short: its pictures end at {end:.2} s, not at {expected:.2} s");
        return Err(unusable(job.clip, &reason));
    }
    let first = dir.join(format!("frame_00001.{}", job.still.extension()));
    let size = probe_source(tools, &first).await?.picture;
    let size = size.ok_or_else(|| unusable(job.clip, "its first picture cannot be read back"))?;
    Ok(Made { frames: made, still: job.still, width: size.width, height: size.height })
}

/// Runs FFmpeg and counts the frames that are there afterwards.
async fn attempt(
    tools: &Tools,
    job: &ExtractionJob<'_>,
    wanted: Wanted,
    dir: &Path,
) -> Result<u32> {
    let ExtractionJob { clip, picture, still, frames, fps, .. } = job;
    let cmd = command(tools.ffmpeg(), &clip.file, picture, wanted, *still, dir);
    let limit = LIMIT + LIMIT_PER_SECOND.mul_f64(f64::from(*frames) / fps.as_f64());
    tracing::debug!(command = %cmd, "extracting frames");
    run(&cmd, limit).await.map_err(|error| sources::why_unreadable(clip, error))?;
    let mut count = 0;
    for entry in fs::read_dir(dir).map_err(Error::io("list", dir))? {
        entry.map_err(Error::io("list", dir))?;
        count += 1;
    }
    Ok(count)
}
