//! Videos: from the clips of a composition to picture files in the plan, and from a frame's number to the pictures it shows.

pub(crate) mod lookup;
mod sources;
mod stills;
pub(crate) mod window;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use compose::clip::Clip;
use futures::{StreamExt, TryStreamExt, stream};

use crate::config::FrameFormat;
use crate::error::{Error, Result};
use crate::ffmpeg::extract::{Still, has_alpha};
use crate::ffmpeg::source::{Picture, Source};
use crate::frame::{Fps, FrameRange};
use crate::plan::layout::{ColorSpace, Extracted, VideoEntry, VideoMetadata, Videos};
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

/// A clip that is seen, with what is known of its source.
struct Seen<'a> {
    clip: &'a Clip,
    source: &'a Source,
    picture: &'a Picture,
    window: Window,
    /// Its place in the list of reels.
    reel: usize,
}

/// Extracts the frames of every clip into `frames_dir` and takes the sources that nothing else needs out of the page.
pub(crate) async fn extract(
    tools: &Tools,
    request: Request<'_>,
    frames_dir: &Path,
) -> Result<Videos> {
    let (seen, reels) = select(&request)?;
    stills::refuse_too_many(&reels, request.plan_limit)?;
    let made: Vec<Made> = stream::iter(&reels)
        .map(|reel| stills::extract(tools, reel, frames_dir))
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    let shown: Vec<&Clip> = seen.iter().map(|seen| seen.clip).collect();
    sources::leave_out(&request, &shown)?;
    let entries = seen.iter().map(|seen| {
        let ExtractionJob { dir, .. } = &reels[seen.reel];
        entries(&request, seen, dir, &made[seen.reel])
    });
    let (videos, extracted) = entries.unzip();
    Ok(Videos { videos, extracted })
}

/// Decides what is extracted: one reel for all clips that show a source from the same moment on.
fn select<'a>(request: &Request<'a>) -> Result<(Vec<Seen<'a>>, Vec<ExtractionJob<'a>>)> {
    let (mut seen, mut reels) = (Vec::new(), Vec::<ExtractionJob<'a>>::new());
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
        let reel = ExtractionJob {
            clip,
            picture,
            // A container may last longer than its pictures; then nobody knows how many there should be.
            is_exact: picture.duration.is_some() || source.sound.is_none(),
            still,
            from: window.media_start,
            frames: window.frames,
            fps: request.fps,
            dir: free_name(request.clips, clip, reels.len()),
        };
        let same = reels.iter().position(|other| other.shows_the_same(&reel));
        if let Some(place) = same {
            reels[place].frames = reels[place].frames.max(reel.frames);
        } else {
            reels.push(reel);
        }
        let reel = same.unwrap_or(reels.len() - 1);
        seen.push(Seen { clip, source, picture, window, reel });
    }
    Ok((seen, reels))
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

fn entries(
    request: &Request<'_>,
    seen: &Seen<'_>,
    dir: &str,
    made: &Made,
) -> (VideoEntry, Extracted) {
    let Seen { clip, source, picture, window, reel: _ } = seen;
    let Window { start, end, media_start, rate, cycle, frames } = *window;
    let entry = VideoEntry {
        id: clip.id.clone(),
        src: clip.src.clone(),
        start,
        end,
        media_start,
        repeats: cycle.is_some(),
        has_audio: source.sound.is_some(),
        playback_rate: rate,
    };
    let Picture { transfer, primaries, matrix, .. } = picture;
    let (nominal, average) = (ratio(&picture.frame_rate), ratio(&picture.average_frame_rate));
    let seconds = picture.duration.or(source.duration).unwrap_or_default();
    let extracted = Extracted {
        video_id: clip.id.clone(),
        src_path: sources::path_in_project(request, clip),
        frame_pattern: format!("frame_%05d.{}", made.still.extension()),
        fps: request.fps.as_f64(),
        total_frames: frames.min(made.frames),
        frames_dir: (dir != clip.id).then(|| dir.to_owned()),
        metadata: VideoMetadata {
            duration_seconds: seconds,
            video_stream_duration_seconds: picture.duration,
            video_stream_start_seconds: picture.start,
            width: made.width,
            height: made.height,
            fps: average.or(nominal).unwrap_or_default(),
            video_codec: picture.codec.clone(),
            has_audio: source.sound.is_some(),
            is_vfr: nominal.zip(average).is_some_and(|(a, b)| (a - b).abs() / a.max(b) > 0.1),
            has_alpha: has_alpha(picture),
            color_space: [transfer, primaries, matrix].iter().any(|part| !part.is_empty()).then(
                || ColorSpace {
                    transfer: transfer.clone(),
                    primaries: primaries.clone(),
                    matrix: matrix.clone(),
                },
            ),
        },
    };
    (entry, extracted)
}

/// The value of `num/den`, if it is a rate.
fn ratio(text: &str) -> Option<f64> {
    let (num, den) = text.split_once('/')?;
    let value = num.parse::<f64>().ok()? / den.parse::<f64>().ok()?;
    (value.is_finite() && value > 0.0).then_some(value)
}
