//! Videos: from the clips of a composition to picture files in the plan, and from a frame's number to the pictures it shows.

mod sources;
mod stills;
pub(crate) mod window;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use compose::media::clip::Clip;
use futures::{StreamExt, TryStreamExt, stream};

use crate::config::FrameFormat;
use crate::error::{Error, Result};
use crate::ffmpeg::extract::{Still, has_alpha};
use crate::ffmpeg::source::{Picture, Source};
use crate::frame::{Fps, FrameRange};
use crate::told;
use crate::tools::Tools;
use crate::video::stills::{ExtractionJob, Made};
use crate::video::window::{Unshowable, Window, window};

/// As many sources are read at once; each FFmpeg uses what cores there are anyway.
const AT_ONCE: usize = 2;

/// What a plan wants of its videos.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) clips: &'a [Clip],
    /// What is known of each clip's file.
    pub(crate) sources: &'a BTreeMap<PathBuf, Source>,
    /// The copy of the project that chunks are served.
    pub(crate) page_dir: &'a Path,
    pub(crate) fps: Fps,
    pub(crate) total_frames: u32,
    /// Those of them that are drawn.
    pub(crate) frames: FrameRange,
    pub(crate) format: FrameFormat,
    pub(crate) plan_limit: u64,
}

/// A clip whose frames are in `video-frames`.
#[derive(Debug)]
pub(crate) struct ExtractedVideo {
    pub(crate) clip: Clip,
    /// Of its source, inside the project.
    pub(crate) path: String,
    pub(crate) picture: Picture,
    /// How long the source lasts; 0 where it is not known.
    pub(crate) seconds: f64,
    pub(crate) has_sound: bool,
    pub(crate) has_alpha: bool,
    pub(crate) window: Window,
    /// The directory with the frames, and what their names end with.
    pub(crate) dir: String,
    pub(crate) extension: &'static str,
    pub(crate) frames: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// A clip that is seen, with what is known of its source.
struct Seen<'a> {
    clip: &'a Clip,
    source: &'a Source,
    picture: &'a Picture,
    window: Window,
    /// Its place in the list of jobs.
    job: usize,
}

/// Extracts the frames of every clip into `frames_dir` and takes the sources that nothing else needs out of the page.
pub(crate) async fn extract(
    tools: &Tools,
    request: Request<'_>,
    frames_dir: &Path,
) -> Result<Vec<ExtractedVideo>> {
    let (seen, jobs) = select(&request)?;
    stills::refuse_too_many(&jobs, request.plan_limit)?;
    let made: Vec<Made> = stream::iter(&jobs)
        .map(|job| {
            tracing::debug!(target: told::ACTIVITY, "extracting {}", job.clip.src);
            stills::extract(tools, job, frames_dir)
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    let shown: Vec<&Clip> = seen.iter().map(|seen| seen.clip).collect();
    sources::leave_out(&request, &shown)?;
    let made = seen.into_iter().map(|seen| {
        let Seen { clip, source, picture, window, job } = seen;
        let Made { frames, still, width, height } = made[job];
        ExtractedVideo {
            clip: clip.clone(),
            path: sources::path_in_project(&request, clip),
            picture: picture.clone(),
            seconds: picture.duration.or(source.duration).unwrap_or_default(),
            has_sound: source.sound.is_some(),
            has_alpha: has_alpha(picture),
            window,
            dir: jobs[job].dir.clone(),
            extension: still.extension(),
            frames: window.frames.min(frames),
            width,
            height,
        }
    });
    Ok(made.collect())
}

/// Decides what is extracted: one job for all clips that show a source from the same moment on.
fn select<'a>(request: &Request<'a>) -> Result<(Vec<Seen<'a>>, Vec<ExtractionJob<'a>>)> {
    let (mut seen, mut jobs) = (Vec::new(), Vec::<ExtractionJob<'a>>::new());
    for clip in request.clips {
        let source = request.sources.get(&clip.file);
        let with_picture = source.and_then(|source| Some((source, source.picture.as_ref()?)));
        let (source, picture) = with_picture
            .filter(|(_, picture)| picture.width > 0 && picture.height > 0)
            .ok_or_else(|| unusable(clip, "it has no pictures"))?;
        let playable = picture.duration.or(source.duration);
        let window = window(clip, playable, request.fps, request.total_frames)
            .map_err(|unshowable| refused(clip, unshowable))?;
        let Some(window) = window else { continue };
        let window = match request.frames {
            FrameRange { start: 0, end } if end == request.total_frames => window,
            part => window.within(part, request.fps),
        };
        let still = match request.format {
            FrameFormat::Png => Still::Png,
            FrameFormat::Auto | FrameFormat::Jpg if has_alpha(picture) => Still::Png,
            FrameFormat::Auto | FrameFormat::Jpg => Still::Jpeg,
        };
        let job = ExtractionJob {
            clip,
            picture,
            // A container may last longer than its pictures; then nobody knows how many there should be.
            is_exact: picture.duration.is_some() || source.sound.is_none(),
            still,
            from: window.media_start,
            frames: window.frames,
            fps: request.fps,
            dir: free_name(request.clips, clip, jobs.len()),
        };
        let same = jobs.iter().position(|other| other.shows_the_same(&job));
        if let Some(place) = same {
            jobs[place].frames = jobs[place].frames.max(job.frames);
        } else {
            jobs.push(job);
        }
        let job = same.unwrap_or(jobs.len() - 1);
        seen.push(Seen { clip, source, picture, window, job });
    }
    Ok((seen, jobs))
}

/// The name of a directory: the clip's id where that can be one.
fn free_name(clips: &[Clip], clip: &Clip, number: usize) -> String {
    if is_name(&clip.id) {
        return clip.id.clone();
    }
    let taken = |name: &String| clips.iter().any(|other| other.id == *name);
    let names = (number..).map(|number| format!("video-{number}"));
    names.into_iter().find(|name| !taken(name)).expect("there is always another number")
}

/// Whether `text` is the name of a file on every system, and the same one on all of them.
pub(crate) fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    (1..=100).contains(&text.len()) && !text.starts_with('.') && text.chars().all(plain)
}

fn refused(clip: &Clip, unshowable: Unshowable) -> Error {
    match unshowable {
        Unshowable::EndlessLoop => {
            unusable(clip, "loops, but its source does not say how long it lasts")
        }
        Unshowable::TooLong => unusable(clip, "has more frames than can be counted"),
    }
}

fn unusable(clip: &Clip, reason: &str) -> Error {
    let reason = format!("{}: {reason}", clip.src);
    Error::media_unusable(&clip.element, reason)
}
