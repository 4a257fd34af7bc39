//! The frame loop: several browsers draw interleaved frames, which arrive at one sink in order and are never all in memory.

pub(crate) mod alone;
mod buffers;
mod canvas;
pub(crate) mod frame_source;
mod one_browser;
pub(crate) mod picture;
pub(crate) mod planes;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::{join_all, try_join, try_join_all};
use tokio::sync::mpsc;

use crate::browser::Browser;
use crate::browser::session::{FrameSource, Reuse, Session, Timeouts};
use crate::capture::buffers::Buffers;
use crate::capture::canvas::Canvas;
use crate::capture::frame_source::{PngReason, SourceChoice};
use crate::capture::one_browser::{BrowserStats, OneBrowser, Slot};
use crate::capture::picture::{FrameConversion, Picture};
use crate::config::Strictness;
use crate::error::{Error, Result};
use crate::frame::{Fps, FrameRange};
use crate::page::server::{Server, Unserved};
use crate::told;
use crate::tools::Tools;

/// Pictures that may wait between one browser and the sink.
const WAITING_PER_BROWSER: usize = 3;

/// What all browsers of a chunk have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CaptureContext<'a> {
    pub(crate) tools: &'a Tools,
    pub(crate) server: &'a Server,
    pub(crate) scratch: &'a Path,
    pub(crate) fps: Fps,
    pub(crate) timeouts: Timeouts,
    pub(crate) strictness: Strictness,
    pub(crate) reuse: Reuse,
    pub(crate) conversion: FrameConversion,
    pub(crate) choice: SourceChoice,
    /// Before which frame drawing ends.
    pub(crate) end: u32,
}

/// What capturing took.
#[derive(Debug, Default)]
pub(crate) struct Captured {
    /// Until the slowest browser was ready.
    pub(crate) boot: Duration,
    /// Frames that differ from the one before.
    pub(crate) drawn: u32,
    /// Why frames were not read from memory.
    pub(crate) png_reason: Option<PngReason>,
    pub(crate) relaunches: u32,
    pub(crate) warnings: Vec<String>,
    /// Requests to anything but the composition's own files, none of which got through.
    pub(crate) blocked_requests: u64,
    /// The browsers, which take a moment to end.
    pub(crate) browsers: Vec<Browser>,
}

/// Draws the frames of `range` with `browsers` browsers and hands them to `sink` in order.
pub(crate) async fn capture(
    context: CaptureContext<'_>,
    range: FrameRange,
    browsers: u32,
    sink: impl AsyncFnMut(u32, Arc<Picture>) -> Result<()>,
) -> Result<Captured> {
    let start = Instant::now();
    let opened = join_all((0..browsers).map(|_| open(context))).await;
    let mut sessions = Vec::new();
    let mut captured = Captured { png_reason: context.choice.reason, ..Captured::default() };
    for result in opened {
        let Ready { session, warnings, png_reason, relaunches } = result?;
        sessions.push(session);
        captured.warnings = warnings;
        captured.png_reason = captured.png_reason.or(png_reason);
        captured.relaunches += relaunches;
    }
    captured.boot = start.elapsed();
    tracing::debug!(target: told::ACTIVITY, "drawing");
    let (senders, receivers): (Vec<_>, Vec<_>) =
        (0..browsers).map(|_| mpsc::channel(WAITING_PER_BROWSER)).unzip();
    let buffers = Arc::new(Buffers::default());
    let step = usize::try_from(browsers).expect("a count of browsers fits");
    let drawing = sessions.into_iter().zip(senders).zip(range.start..);
    let drawing = drawing.map(|((session, sink), first)| {
        let one = OneBrowser {
            context,
            session,
            sink,
            buffers: Arc::clone(&buffers),
            canvas: Canvas::default(),
            frames: (first..range.end).step_by(step).collect(),
            pending: None,
            relaunches: 0,
            stalls: 0,
        };
        one.draw_all()
    });
    let pixels = context.conversion.pixels;
    let collecting = collect(receivers, range, sink, |picture| picture.recycle(pixels, &buffers));
    let (stats, drawn) = try_join(try_join_all(drawing), collecting).await?;
    captured.drawn = drawn;
    captured.warnings.extend(context.server.unserved().into_iter().filter_map(warning));
    captured.blocked_requests = context.server.blocked_requests();
    for BrowserStats { browser, relaunches } in stats {
        captured.relaunches += relaunches;
        captured.browsers.push(browser);
    }
    Ok(captured)
}

/// Takes the frames of `range` from their browsers and hands them to `sink` in order. Returns how many there were that are
/// not the one before.
async fn collect(
    mut receivers: Vec<mpsc::Receiver<Slot>>,
    range: FrameRange,
    mut sink: impl AsyncFnMut(u32, Arc<Picture>) -> Result<()>,
    recycle: impl Fn(Arc<Picture>),
) -> Result<u32> {
    let mut last: Vec<Option<Arc<Picture>>> = vec![None; receivers.len()];
    let mut drawn = 0;
    for index in range.start..range.end {
        let browser = (index - range.start) as usize % receivers.len();
        match receivers[browser].recv().await {
            Some(Slot::Drawn(making)) => {
                if let Some(picture) = making.await.expect("making a picture does not panic")? {
                    drawn += 1;
                    if let Some(shown) = last[browser].replace(Arc::new(picture)) {
                        recycle(shown);
                    }
                }
            }
            Some(Slot::Unchanged) => {}
            // A browser that failed drops its sender; its own error is the one that is reported.
            None => return Ok(drawn),
        }
        let picture = last[browser].as_ref().expect("a browser's first frame is always drawn");
        sink(index, Arc::clone(picture)).await?;
    }
    Ok(drawn)
}

/// What to say of a file that was not served.
fn warning(unserved: Unserved) -> Option<String> {
    match unserved {
        Unserved::Missing { path, wanted_as } if wanted_as == "empty" => {
            Some(format!("a script asked for {path}, which is not in the project"))
        }
        Unserved::Missing { .. } => None,
        Unserved::Outside { url } => Some(format!("the page was kept from {url}")),
        Unserved::Moving { path } => {
            Some(format!("the image {path} moves by a clock of its own: its frames are not exact"))
        }
    }
}

/// A browser that can draw.
struct Ready<'a> {
    session: Session<'a>,
    warnings: Vec<String>,
    /// Why its frames are screenshots although they should be read from memory.
    png_reason: Option<PngReason>,
    relaunches: u32,
}

/// Starts a browser; one that dies before it is ready gets a second chance, as it does afterwards.
async fn open(context: CaptureContext<'_>) -> Result<Ready<'_>> {
    match open_once(context).await {
        Err(error) if is_lost(&error) || matches!(error, Error::BrowserLaunch { .. }) => {
            tracing::warn!(%error, "browser lost while it was getting ready, starting another");
            Ok(Ready { relaunches: 1, ..open_once(context).await? })
        }
        opened => opened,
    }
}

async fn open_once(context: CaptureContext<'_>) -> Result<Ready<'_>> {
    let CaptureContext {
        tools,
        server,
        scratch,
        fps,
        timeouts,
        strictness,
        reuse: _,
        conversion,
        choice,
        end,
    } = context;
    let viewport = conversion.viewport;
    let timeouts = (timeouts, strictness);
    let opening = Session::open(tools, scratch, server, viewport, fps, timeouts, choice.source);
    let (mut session, opened) = opening.await?;
    session.end_before(end);
    let png_reason = opened.unreadable.map(PngReason::from);
    if let Some(reason) = png_reason {
        choice.accept(reason)?;
    }
    tracing::debug!(
        pid = session.process_id(),
        framebuffer = choice.source != FrameSource::Png && png_reason.is_none(),
        "browser ready"
    );
    Ok(Ready { session, warnings: opened.warnings, png_reason, relaunches: 0 })
}

/// Whether a browser is gone, or as good as gone.
fn is_lost(error: &Error) -> bool {
    matches!(
        error,
        Error::BrowserLost { .. } | Error::BrowserSilent { .. } | Error::Protocol { .. }
    )
}
