//! The joining itself, as each format needs it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use compose::geometry::Size;

use crate::config::output::{Alpha, Codec, Format, Output, Quality, RateControl};
use crate::error::{Error, Result};
use crate::ffmpeg::concat::{self, Joining, Sound};
use crate::ffmpeg::probe::{check_sound, probe_sounds, probe_video};
use crate::plan::open::PlanSummary;
use crate::process::run;
use crate::tools::Tools;
use crate::verify::{ExpectedVideo, verify_video};

/// Joining takes as long as the disk, and encoding as long as the processor; whoever has less time says so.
const LIMIT: Duration = Duration::from_hours(24);

/// What every joining of a plan has in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct JoinContext<'a> {
    pub(super) tools: &'a Tools,
    pub(super) summary: &'a PlanSummary,
    pub(super) sound: Option<Sound<'a>>,
    /// Where it is made.
    pub(super) work: &'a Path,
}

/// Joins the plan's chunks to a file or a directory in the work directory.
pub(super) async fn join(context: JoinContext<'_>, chunks: &[PathBuf]) -> Result<PathBuf> {
    let output = &context.summary.output;
    let list = write_list(context.work, "chunks.txt", chunks)?;
    match output.format {
        Format::Mp4 | Format::Mov | Format::Webm => {
            video(context, output, &list, context.summary.frame_size(), "joined").await
        }
        Format::PngSequence => pictures(context, &list).await,
        Format::Gif => gif(context, &list).await,
    }
}

/// Joins the chunks' small videos.
pub(super) async fn preview(
    context: JoinContext<'_>,
    chunks: &[PathBuf],
    size: Size,
) -> Result<PathBuf> {
    let output = Output {
        format: Format::Mp4,
        codec: Codec::H264,
        alpha: Alpha::None,
        quality: Quality::Standard,
        rate: RateControl::Preset,
        plays: 0,
        cfr: false,
    };
    let list = write_list(context.work, "previews.txt", chunks)?;
    video(context, &output, &list, size, "preview").await
}

fn write_list(work: &Path, name: &str, files: &[PathBuf]) -> Result<PathBuf> {
    let list = work.join(name);
    let paths = files.iter().map(|file| fs::canonicalize(file).map_err(Error::io("find", file)));
    let paths = paths.collect::<Result<Vec<_>>>()?;
    fs::write(&list, concat::list(&paths)).map_err(Error::io("write", &list))?;
    Ok(list)
}

async fn video(
    JoinContext { tools, summary, sound, work }: JoinContext<'_>,
    output: &Output,
    list: &Path,
    size: Size,
    name: &str,
) -> Result<PathBuf> {
    let joined = work.join(name);
    let joining = Joining { list, fps: summary.fps, output, sound };
    run(&concat::command(tools, joining, &joined), LIMIT).await?;
    let frames = summary.manifest.total_frames;
    let expected = ExpectedVideo { frames, size, fps: summary.fps, format: output.format };
    verify_video(tools, &joined, expected).await?;
    if let Some(sound) = sound {
        check_sound(&joined, &probe_sounds(tools, &joined).await?, output.format, sound.samples)?;
    }
    Ok(joined)
}

async fn pictures(
    JoinContext { tools, summary, sound, work }: JoinContext<'_>,
    list: &Path,
) -> Result<PathBuf> {
    let dir = work.join("pictures");
    fs::create_dir(&dir).map_err(Error::io("make", &dir))?;
    run(&concat::pictures(tools, list, summary.fps, &dir), LIMIT).await?;
    let found = fs::read_dir(&dir).map_err(Error::io("read", &dir))?.count();
    let frames = summary.manifest.total_frames;
    if u32::try_from(found) != Ok(frames) {
        return Err(Error::Verify {
            what: "pictures in",
            path: dir,
            expected: frames.to_string(),
            found: found.to_string(),
        });
    }
    if let Some(sound) = sound {
        run(&concat::wave(tools, sound, &dir.join("audio.wav")), LIMIT).await?;
    }
    Ok(dir)
}

async fn gif(
    JoinContext { tools, summary, work, .. }: JoinContext<'_>,
    list: &Path,
) -> Result<PathBuf> {
    let (palette, joined) = (work.join("palette.png"), work.join("joined"));
    let fps = summary.fps;
    run(&concat::palette(tools, list, fps, &palette), LIMIT).await?;
    let joining = Joining { list, fps, output: &summary.output, sound: None };
    let frames = summary.manifest.total_frames;
    run(&concat::gif(tools, joining, &palette, frames, &joined), LIMIT).await?;
    let found = probe_video(tools, &joined).await?;
    let size = Size { width: found.width, height: found.height };
    if found.packets != frames || size != summary.frame_size() {
        return Err(Error::Verify {
            what: "frames of",
            path: joined,
            expected: frames.to_string(),
            found: format!("{} of {size}", found.packets),
        });
    }
    Ok(joined)
}
