//! The encoder of one chunk: raw pictures in on stdin, one closed GOP out.

use std::path::Path;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::ChildStdin;

use crate::browser::Viewport;
use crate::config::{Quality, Rate};
use crate::error::{Error, Result};
use crate::frame::Fps;
use crate::process::{Child, Cmd, Pipes};
use crate::tools::Tools;

/// As many frames are encoded at once on every machine, because x264's output depends on it.
const THREADS: u32 = 4;

/// Room for a third of a 1080p picture, instead of the kernel's 64 KiB.
const PIPE_BYTES: usize = 1 << 20;

/// How long the encoder may take for one picture, and for what it still holds at the end.
const WRITE_LIMIT: Duration = Duration::from_mins(1);
const FINISH_LIMIT: Duration = Duration::from_mins(2);

/// The x264 preset and constant rate factor of a quality.
pub(crate) fn preset(quality: Quality) -> (&'static str, u8) {
    match quality {
        Quality::Draft => ("ultrafast", 28),
        Quality::Standard => ("veryfast", 18),
        Quality::High => ("slow", 15),
    }
}

/// What the stream has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Encoding {
    pub(crate) viewport: Viewport,
    pub(crate) fps: Fps,
    pub(crate) frames: u32,
    pub(crate) quality: Quality,
    pub(crate) rate: Rate,
    /// Says which chunk of which plan this is, so that joining can tell.
    pub(crate) label: String,
}

/// H.264 in MP4: one closed GOP without B-frames, so that chunks can be joined packet by packet.
pub(crate) fn command(tools: &Tools, encoding: &Encoding, out: &Path) -> Cmd {
    let Encoding { viewport, fps, frames, quality, rate, label } = encoding;
    let (width, height) = viewport.pixels();
    let (preset, preset_crf) = preset(*quality);
    let cmd = Cmd::new(tools.ffmpeg())
        .words("-v error -nostdin -f rawvideo -pix_fmt yuv420p -color_range tv -colorspace bt709")
        .words(&format!("-s {width}x{height} -framerate {fps} -i pipe:0 -r {fps}"))
        .words(&format!("-c:v libx264 -preset {preset} -threads {THREADS}"));
    let cmd = match rate {
        Rate::Preset => cmd.words(&format!("-crf {preset_crf}")),
        Rate::Crf(crf) => cmd.words(&format!("-crf {crf}")),
        Rate::Bitrate(bitrate) => cmd.words(&format!("-b:v {bitrate}")),
    };
    let tuning = if *quality == Quality::Draft {
        "aq-mode=3"
    } else {
        "aq-mode=3:aq-strength=0.8:deblock=1,1"
    };
    cmd.words(&format!("-g {frames} -keyint_min {frames} -sc_threshold 0 -bf 0"))
        .arg("-x264-params")
        .arg(format!(
            "{tuning}:colorprim=bt709:transfer=bt709:colormatrix=bt709:range=tv:chromaloc=1\
             :scenecut=0:open-gop=0:repeat-headers=1:rc-lookahead={LOOKAHEAD}"
        ))
        .words("-colorspace:v bt709 -color_primaries:v bt709 -color_trc:v bt709 -color_range tv")
        .words("-chroma_sample_location center -pix_fmt yuv420p")
        .words(&format!(
            "-video_track_timescale {} -avoid_negative_ts make_zero",
            fps.media_clock().0
        ))
        .words("-fflags +bitexact -flags:v +bitexact")
        .arg("-metadata")
        .arg(format!("comment={label}"))
        .words("-f mp4 -y")
        .arg(out)
}

/// Frames the encoder looks ahead, which are also what is left to do after the last frame was drawn.
const LOOKAHEAD: u32 = 10;

/// A running encoder. Dropping it without [`Encoder::finish`] kills it.
#[derive(Debug)]
pub(crate) struct Encoder {
    child: Child,
    /// Gone once the stream has ended.
    stdin: Option<ChildStdin>,
    written: u32,
}

impl Encoder {
    pub(crate) fn start(tools: &Tools, encoding: &Encoding, out: &Path) -> Result<Self> {
        let mut child = Child::start(&command(tools, encoding, out), Pipes::Stdin, |_| false)?;
        let stdin = child.stdin().expect("stdin is piped");
        if let Err(errno) = rustix::pipe::fcntl_setpipe_size(&stdin, PIPE_BYTES) {
            tracing::debug!(%errno, "the pipe to the encoder stays small");
        }
        Ok(Self { child, stdin: Some(stdin), written: 0 })
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Hands over the planes of the next picture.
    pub(crate) async fn write(&mut self, planes: &[u8]) -> Result<()> {
        let stdin = self.stdin.as_mut().expect("nothing is written after the end");
        match tokio::time::timeout(WRITE_LIMIT, stdin.write_all(planes)).await {
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
