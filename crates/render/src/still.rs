//! One frame as a picture file.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::process::{Cmd, run};
use crate::tools::Tools;

const LIMIT: Duration = Duration::from_mins(1);

/// The kinds of picture files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// As Chrome drew it.
    Png,
    /// Without transparency.
    Jpeg,
    Webp,
}

impl Kind {
    /// The kind that a file's name says.
    pub fn of(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?.to_ascii_lowercase();
        match ending.as_str() {
            "png" => Some(Self::Png),
            "jpg" | "jpeg" => Some(Self::Jpeg),
            "webp" => Some(Self::Webp),
            _ => None,
        }
    }
}

/// Turns a PNG into a picture of `kind`.
pub async fn convert(tools: &Tools, kind: Kind, png: &Path, out: &Path) -> Result<()> {
    match command(tools, kind, png, out) {
        Some(cmd) => run(&cmd, LIMIT).await.map(drop),
        None => fs::copy(png, out).map(drop).map_err(Error::io("copy", png)),
    }
}

/// Nothing is to be done for a PNG.
fn command(tools: &Tools, kind: Kind, png: &Path, out: &Path) -> Option<Cmd> {
    let encoding = match kind {
        Kind::Png => return None,
        // JPEG has a matrix of its own, which FFmpeg knows.
        Kind::Jpeg => "-c:v mjpeg -pix_fmt yuvj444p -q:v 2 -f mjpeg",
        Kind::Webp => "-c:v libwebp -quality 90 -f webp",
    };
    let cmd = Cmd::new(tools.ffmpeg())
        .words("-v error -nostdin -f image2 -c:v png -protocol_whitelist file -i")
        .arg(png);
    let scale = "scale=flags=accurate_rnd+full_chroma_int+bitexact";
    let cmd = if kind == Kind::Jpeg { cmd.arg("-vf").arg(scale) } else { cmd };
    Some(
        cmd.words("-frames:v 1 -fflags +bitexact -flags:v +bitexact")
            .words(encoding)
            .words("-y")
            .arg(out),
    )
}
