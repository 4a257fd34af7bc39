//! The encoder of one chunk: pictures in on stdin, one closed GOP out, and beside it a small one if that is wanted.

mod codec;

use std::path::Path;
use std::time::Duration;

use compose::geometry::{Size, Viewport};
use tokio::io::AsyncWriteExt;
use tokio::process::ChildStdin;

use crate::config::output::{Format, Output, PixelFormat};
use crate::error::{Error, Result};
use crate::frame::Fps;
use crate::process::{Child, Cmd, Pipes};
use crate::tools::Tools;

pub(crate) use codec::{Profile, profile, stream};

/// Room for a third of a 1080p picture, instead of the kernel's 64 KiB.
const PIPE_BYTES: usize = 1 << 20;

/// How long the encoder may take for one picture, and for what it still holds at the end.
const WRITE_LIMIT: Duration = Duration::from_mins(1);
const FINISH_LIMIT: Duration = Duration::from_mins(2);

/// What the stream has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Encoding {
    pub(crate) viewport: Viewport,
    pub(crate) fps: Fps,
    pub(crate) frames: u32,
    pub(crate) output: Output,
    /// The size of the small video.
    pub(crate) preview: Option<Size>,
    /// Says which chunk of which plan this is, so that joining can tell.
    pub(crate) label: String,
}

/// Where the files of a chunk go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Targets<'a> {
    pub(crate) video: &'a Path,
    pub(crate) preview: &'a Path,
}

/// One closed GOP without B-frames, so that chunks can be joined packet by packet.
pub(crate) fn command(tools: &Tools, encoding: &Encoding, to: Targets<'_>) -> Cmd {
    let Encoding { viewport, fps, frames, output, preview, label } = encoding;
    let cmd = Cmd::new(tools.ffmpeg()).words("-v error -nostdin");
    let cmd = input(cmd, output.pixels(), *viewport, *fps).words(&format!("-map 0:v:0 -r {fps}"));
    let cmd = container(stream(cmd, output, *frames), output.format, *fps, label).arg(to.video);
    match preview {
        None => cmd,
        Some(size) => {
            let cmd = cmd.words("-map 0:v:0 -vf").arg(shrink(output.pixels(), *size));
            let cmd = cmd.words(&format!("-r {fps} {}", codec::small(*frames)));
            container(cmd, Format::Mp4, *fps, label).arg(to.preview)
        }
    }
}

fn input(cmd: Cmd, pixels: PixelFormat, viewport: Viewport, fps: Fps) -> Cmd {
    let size = viewport.frame();
    let name = match pixels {
        PixelFormat::Yuv420 => "yuv420p",
        PixelFormat::Yuva420 => "yuva420p",
        PixelFormat::Yuv444p10 => "yuv444p10le",
        PixelFormat::Yuva444p10 => "yuva444p10le",
        PixelFormat::Rgb => "rgb24",
        PixelFormat::Png => {
            return cmd.words(&format!(
                "-f image2pipe -c:v png -framerate {fps} -protocol_whitelist pipe -i pipe:0"
            ));
        }
    };
    let colours = match pixels {
        PixelFormat::Rgb | PixelFormat::Png => "",
        _ => "-color_range tv -colorspace bt709",
    };
    cmd.words(&format!("-f rawvideo -pix_fmt {name} {colours}"))
        .words(&format!("-s {size} -framerate {fps} -protocol_whitelist pipe -i pipe:0"))
}

/// The file around the stream, with nothing in it that changes from one time to the next.
fn container(cmd: Cmd, format: Format, fps: Fps, label: &str) -> Cmd {
    let cmd = match format {
        Format::Webm => cmd,
        _ => cmd.words(&format!("-video_track_timescale {}", fps.media_clock().0)),
    };
    cmd.words("-avoid_negative_ts make_zero -fflags +bitexact -flags:v +bitexact -metadata")
        .arg(format!("comment={label}"))
        .words(&format!("-f {} -y", format.chunk_extension()))
}

/// The filter from a picture to a smaller one of 4:2:0; what can be seen through stands on black.
fn shrink(pixels: PixelFormat, Size { width, height }: Size) -> String {
    const EXACT: &str = "flags=bicubic+accurate_rnd+full_chroma_int+bitexact";
    const FROM_YUV: &str = "in_color_matrix=bt709:in_range=tv";
    const TO_YUV: &str = "out_color_matrix=bt709:out_range=tv";
    let onto_black = match pixels {
        PixelFormat::Yuv420 | PixelFormat::Yuv444p10 | PixelFormat::Rgb => String::new(),
        PixelFormat::Yuva420 | PixelFormat::Yuva444p10 => {
            format!("scale={FROM_YUV}:out_range=pc:{EXACT},format=gbrap,premultiply=inplace=1,")
        }
        PixelFormat::Png => "format=gbrap,premultiply=inplace=1,".to_owned(),
    };
    let from = match pixels {
        PixelFormat::Yuv420 | PixelFormat::Yuv444p10 => FROM_YUV,
        _ => "in_range=pc",
    };
    format!("{onto_black}scale={width}:{height}:{from}:{TO_YUV}:{EXACT},format=yuv420p")
}

/// A running encoder. Dropping it without [`Encoder::finish`] kills it.
#[derive(Debug)]
pub(crate) struct Encoder {
    child: Child,
    /// Gone once the stream has ended.
    stdin: Option<ChildStdin>,
    written: u32,
}

impl Encoder {
    pub(crate) fn start(tools: &Tools, encoding: &Encoding, to: Targets<'_>) -> Result<Self> {
        let mut child = Child::start(&command(tools, encoding, to), Pipes::Stdin)?;
        let stdin = child.stdin().expect("stdin is piped");
        if let Err(errno) = rustix::pipe::fcntl_setpipe_size(&stdin, PIPE_BYTES) {
            tracing::debug!(%errno, "the pipe to the encoder stays small");
        }
        Ok(Self { child, stdin: Some(stdin), written: 0 })
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Hands over the next picture.
    pub(crate) async fn write(&mut self, picture: &[u8]) -> Result<()> {
        let stdin = self.stdin.as_mut().expect("nothing is written after the end");
        match tokio::time::timeout(WRITE_LIMIT, stdin.write_all(picture)).await {
            Ok(Ok(())) => {
                self.written += 1;
                Ok(())
            }
            // A broken pipe: why it broke is in the exit status.
            Ok(Err(_)) => match self.end().await {
                Ok(()) => Err(self.failed("it ended early", None)),
                Err(error) => Err(error),
            },
            Err(_elapsed) => Err(self.failed("it takes no more pictures", None)),
        }
    }

    /// Ends the stream and waits until the file is complete.
    pub(crate) async fn finish(mut self) -> Result<()> {
        // Every picture is with the encoder, or on its way through the pipe.
        self.end().await
    }

    async fn end(&mut self) -> Result<()> {
        self.stdin = None;
        match tokio::time::timeout(FINISH_LIMIT, self.child.wait()).await {
            Ok(status) => match status? {
                status if status.success() => Ok(()),
                status => Err(self.failed(&status.to_string(), status.code())),
            },
            Err(_elapsed) => Err(self.failed("it does not come to an end", None)),
        }
    }

    fn failed(&self, status: &str, exit_code: Option<i32>) -> Error {
        Error::Encoder {
            frame: self.written,
            status: status.to_owned(),
            exit_code,
            stderr: self.child.stderr_tail(),
        }
    }
}

#[cfg(test)]
mod tests;
