//! A page that is drawn by itself, without a plan and without an encoder: what that costs, and whether it works at all.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use compose::geometry::Viewport;
use compose::{Overrides, VariableCheck};
use futures::future::{join_all, try_join_all};

use crate::browser::Renderer;
use crate::browser::session::{Capture, Reuse, Timeouts, Want};
use crate::capture::buffers::Buffers;
use crate::capture::canvas::compare;
use crate::capture::frame_source::{PngReason, SourceChoice};
use crate::capture::picture::{FrameConversion, FrameHashes};
use crate::capture::{CaptureContext, Ready, open};
use crate::config::output::{Alpha, PixelFormat};
use crate::config::{CaptureMode, Strictness};
use crate::error::{Error, Result};
use crate::ffmpeg;
use crate::frame::Fps;
use crate::page::server::Server;
use crate::page::{self, PageSource};
use crate::tools::Tools;

const FPS: Fps = Fps { num: 30, den: 1 };

/// A page whose left half is drawn by the compositor and whose right half by WebGL, both in colours that name the frame.
const PROBE_PAGE: &str = include_str!("../page/probe.html");
const PROBE_SIZE: (u32, u32) = (320, 180);
const PROBE_FRAME: u32 = 15;
/// Where to look, what for, and what drew it.
const PROBE_PIXELS: [(u32, u32, [u8; 3], &str); 3] = [
    (40, 90, [18, 52, 86], "the page"),
    (280, 90, [200, 120, 40], "WebGL"),
    (160, 10, [0, 15, 255], "the script that seeks"),
];

/// What was seen in a place where rendering works.
#[derive(Debug)]
pub struct Proof {
    pub chrome: String,
    /// What draws WebGL; it is SwiftShader.
    pub renderer: String,
    pub ffmpeg: String,
    pub ffprobe: String,
    /// Width and height of the frame that was drawn.
    pub size: (u32, u32),
    pub png_bytes: usize,
    /// Why frames cannot be read from Chrome's memory here, if they cannot.
    pub png_reason: Option<PngReason>,
}

/// What drawing alone costs: `browsers` browsers draw the first `frames` frames of a page, and nobody looks at them. With
/// screenshots, they are made and dropped as they come. The least that any renderer around this Chrome can take; benchmarks
/// compare themselves with it.
pub async fn floor(
    tools: &Tools,
    page_dir: &Path,
    scratch: &Path,
    browsers: u32,
    frames: u32,
    mode: CaptureMode,
) -> Result<Duration> {
    let (server, viewport) = serve(tools, page_dir).await?;
    let context = context(tools, &server, scratch, viewport, mode);
    let mut sessions = Vec::new();
    for opened in join_all((0..browsers).map(|_| open(context))).await {
        sessions.push(opened?.session);
    }
    let start = Instant::now();
    let step = usize::try_from(browsers).expect("a count of browsers fits");
    let want = Want { reuse: context.reuse, png: false };
    try_join_all(sessions.iter_mut().zip(0..frames).map(|(session, first)| async move {
        for index in (first..frames).step_by(step) {
            session.frame(index, want).await?;
        }
        Ok::<_, Error>(())
    }))
    .await?;
    Ok(start.elapsed())
}

/// Draws a frame whose pixels are known, with the flags of every other render, and runs FFmpeg and ffprobe.
pub async fn probe(tools: &Tools, scratch: &Path, timeouts: Timeouts) -> Result<Proof> {
    let dir = tempfile::Builder::new().prefix("framewright-probe-").tempdir_in(scratch);
    let dir = dir.map_err(Error::io("make a directory in", scratch))?;
    let html = dir.path().join("index.html");
    std::fs::write(&html, PROBE_PAGE).map_err(Error::io("write", &html))?;
    let (ffmpeg, ffprobe) = (ffmpeg::version(tools).await?, ffmpeg::probe_version(tools).await?);
    let (server, viewport) = serve(tools, dir.path()).await?;
    let context = context(tools, &server, dir.path(), viewport, CaptureMode::Auto);
    let Ready { mut session, png_reason, .. } =
        open(CaptureContext { timeouts, ..context }).await?;
    let want = Want { reuse: Reuse::Never, png: true };
    let (png, png_reason) = match session.frame(PROBE_FRAME, want).await? {
        Capture::Png(png) => (png, png_reason),
        Capture::Memory(reading) => {
            let checked = reading.checked.expect("a frame that is wanted as a PNG has one");
            let compared = compare(&checked, PROBE_FRAME, context.conversion, &Buffers::default());
            (checked.png, compared.is_err().then_some(PngReason::Mismatch))
        }
        Capture::Unchanged => unreachable!("the first frame is drawn"),
    };
    let png_bytes = check(&png)?;
    let browser = session.into_browser();
    let Renderer { vendor: _, renderer } = browser.renderer().await?;
    let chrome = browser.version().await?;
    Ok(Proof { chrome, renderer, ffmpeg, ffprobe, size: PROBE_SIZE, png_bytes, png_reason })
}

async fn serve(tools: &Tools, page_dir: &Path) -> Result<(Server, Viewport)> {
    let html_path = page_dir.join("index.html");
    let html = std::fs::read_to_string(&html_path).map_err(Error::io("read", &html_path))?;
    let given = Overrides { variables: None, check: VariableCheck::Loose };
    let viewport = compose::compile(&html, "index.html", page_dir, given)?.viewport;
    let env = BTreeMap::new();
    let source = PageSource {
        root: page_dir,
        runtime: tools.runtime(),
        fps: FPS,
        variables: None,
        env: &env,
        tracks: &[],
        alpha: Alpha::None,
    };
    Ok((page::serve(&source).await?, viewport))
}

fn context<'a>(
    tools: &'a Tools,
    server: &'a Server,
    scratch: &'a Path,
    viewport: Viewport,
    mode: CaptureMode,
) -> CaptureContext<'a> {
    let (timeouts, strictness) = (Timeouts::default(), Strictness::Strict);
    let conversion = FrameConversion {
        viewport,
        pixels: PixelFormat::Yuv420,
        alpha: Alpha::None,
        hashes: FrameHashes::Skip,
        poster: None,
    };
    CaptureContext {
        tools,
        server,
        scratch,
        fps: FPS,
        timeouts,
        strictness,
        reuse: Reuse::Never,
        conversion,
        choice: SourceChoice::without_plan(mode),
        end: u32::MAX,
    }
}

/// The size of the PNG in bytes, if it shows what it must.
fn check(png: &str) -> Result<usize> {
    let (width, height) = PROBE_SIZE;
    let bad = |reason: String| Error::BadFrame { frame: PROBE_FRAME, width, height, reason };
    let bytes = STANDARD.decode(png).map_err(|error| bad(error.to_string()))?;
    let length = bytes.len();
    let mut reader = png::Decoder::new(Cursor::new(bytes))
        .read_info()
        .map_err(|error| bad(error.to_string()))?;
    let size = reader.output_buffer_size().ok_or_else(|| bad("it is too large".into()))?;
    let mut pixels = vec![0; size];
    let info = reader.next_frame(&mut pixels).map_err(|error| bad(error.to_string()))?;
    if (info.width, info.height) != (width, height) {
        return Err(bad(format!("it has {}x{} pixels", info.width, info.height)));
    }
    let samples = info.color_type.samples();
    for (x, y, wanted, who) in PROBE_PIXELS {
        let at = (y * width + x) as usize * samples;
        let found = pixels.get(at..at + wanted.len()).unwrap_or_default();
        if found != wanted {
            return Err(bad(format!("{who} drew {found:?} at {x},{y} instead of {wanted:?}")));
        }
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The probe's picture, with one pixel changed.
    fn picture(width: u32, changed: Option<(u32, u32)>) -> String {
        let height = PROBE_SIZE.1;
        let mut pixels = vec![0; (width * height * 3) as usize];
        for (x, y, colour, _) in PROBE_PIXELS {
            let at = ((y * width + x) * 3) as usize;
            pixels[at..at + 3].copy_from_slice(&colour);
            if changed == Some((x, y)) {
                pixels[at] ^= 1;
            }
        }
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
        STANDARD.encode(bytes)
    }

    #[test]
    fn a_probe_wants_every_pixel_and_the_size() {
        check(&picture(PROBE_SIZE.0, None)).unwrap();
        for (x, y, _, who) in PROBE_PIXELS {
            let error = check(&picture(PROBE_SIZE.0, Some((x, y)))).unwrap_err();
            assert!(error.to_string().contains(who), "{error}");
        }
        let error = check(&picture(300, None)).unwrap_err();
        assert!(error.to_string().contains("300x180"), "{error}");
    }
}
