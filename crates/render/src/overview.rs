//! A finished video at a glance: some of its frames in one picture, and how loud it is when.

use std::path::Path;
use std::time::Duration;

use crate::error::Result;
use crate::process::{Cmd, run};
use crate::tools::Tools;

const LIMIT: Duration = Duration::from_mins(5);

const SAMPLES_PER_SECOND: u32 = 8000;

/// Frames in rows and columns.
#[derive(Debug, Clone, Copy)]
pub struct Grid {
    pub columns: u32,
    pub rows: u32,
    /// Pixels across one of them.
    pub width: u32,
}

/// Puts evenly spaced ones of the `frames` frames of `video`, a file or a directory of pictures, into one JPEG.
pub async fn contact_sheet(
    tools: &Tools,
    video: &Path,
    frames: u32,
    grid: Grid,
    out: &Path,
) -> Result<()> {
    run(&sheet(tools, video, frames, grid, out), LIMIT).await.map(drop)
}

fn sheet(tools: &Tools, video: &Path, frames: u32, grid: Grid, out: &Path) -> Cmd {
    let Grid { columns, rows, width } = grid;
    let step = frames.div_ceil(columns * rows).max(1);
    let rows = rows.min(frames.div_ceil(step).div_ceil(columns)).max(1);
    let filter = format!(
        "select=not(mod(n\\,{step})),scale={width}:-2:flags=area,tile={columns}x{rows}:padding=4:color=0x202428"
    );
    let cmd = Cmd::new(tools.ffmpeg()).words("-v error -nostdin");
    let cmd = if video.is_dir() {
        cmd.words("-f image2 -i").arg(video.join("frame_%06d.png"))
    } else {
        cmd.arg("-i").arg(video)
    };
    cmd.arg("-vf")
        .arg(filter)
        .words("-fps_mode passthrough -frames:v 1 -q:v 4 -f mjpeg -y")
        .arg(out)
}

/// The loudest sample of each of `parts` equal parts of a file's sound, from 0 to 1.
pub async fn peaks(tools: &Tools, file: &Path, parts: usize) -> Result<Vec<f32>> {
    let cmd = Cmd::new(tools.ffmpeg())
        .words("-v error -nostdin -i")
        .arg(file)
        .words(&format!("-map 0:a:0 -ac 1 -ar {SAMPLES_PER_SECOND} -f s16le -"));
    let bytes = run(&cmd, LIMIT).await?;
    let samples: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]).unsigned_abs())
        .collect();
    Ok(loudest(&samples, parts))
}

fn loudest(samples: &[u16], parts: usize) -> Vec<f32> {
    let bound = |part: usize| samples.len() * part / parts.max(1);
    let part = |index: usize| &samples[bound(index)..bound(index + 1)];
    let peak = |part: &[u16]| f32::from(part.iter().copied().max().unwrap_or(0)) / 32768.0;
    (0..parts).map(|index| peak(part(index))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_has_no_more_rows_than_its_frames_fill() {
        let tools = Tools::untested(Path::new("/t"));
        let grid = Grid { columns: 4, rows: 3, width: 320 };
        let sheet = |frames| {
            sheet(&tools, Path::new("v.mp4"), frames, grid, Path::new("s.jpg")).to_string()
        };
        for (frames, step, tile) in [(1, 1, "4x1"), (12, 1, "4x3"), (90, 8, "4x3"), (5, 1, "4x2")] {
            let command = sheet(frames);
            assert!(command.contains(&format!("{step})")), "{command}");
            assert!(command.contains(&format!("tile={tile}")), "{frames}: {command}");
        }
    }

    #[test]
    fn peaks_cover_every_sample_once() {
        assert_eq!(loudest(&[0, 8192, 16384, 0, 32768, 1], 3), [0.25, 0.5, 1.0]);
        assert_eq!(loudest(&[], 2), [0.0, 0.0]);
        assert_eq!(loudest(&[32768], 2), [0.0, 1.0]);
    }
}
