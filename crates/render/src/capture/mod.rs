//! The frame loop: several browsers draw interleaved frames, which arrive at one sink in order and are never all in memory.

pub(crate) mod alone;
pub(crate) mod picture;
pub(crate) mod planes;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::{join_all, try_join, try_join_all};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::browser::Browser;
use crate::browser::session::{Capture, Reuse, Session, Timeouts};
use crate::capture::picture::{Buffers, FrameConversion, Picture, picture};
use crate::config::Strictness;
use crate::error::{Error, Result};
use crate::frame::{Fps, FrameRange};
use crate::page::server::{Server, Unserved};
use crate::tools::Tools;

/// Pictures that may wait between one browser and the sink.
const WAITING_PER_BROWSER: usize = 3;

/// How often one browser may be started anew: a browser that dies may not the next time, a page that stalls mostly does.
const RELAUNCHES: u32 = 2;
const RELAUNCHES_AFTER_STALLS: u32 = 1;

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
}

/// What capturing took.
#[derive(Debug, Default)]
pub(crate) struct Captured {
    /// Until the slowest browser was ready.
    pub(crate) boot: Duration,
    /// Screenshots taken; the other frames were proven to be unchanged.
    pub(crate) screenshots: u32,
    pub(crate) relaunches: u32,
    pub(crate) warnings: Vec<String>,
    /// Requests to anything but the composition's own files, none of which got through.
    pub(crate) blocked_requests: u64,
    /// The browsers, which take a moment to end.
    pub(crate) browsers: Vec<Browser>,
}

/// What one browser hands over for one frame.
enum Slot {
    /// A picture that is being decoded.
    Drawn(JoinHandle<Result<Picture>>),
    /// The picture this browser handed over before.
    Unchanged,
}

/// Draws the frames of `range` with `browsers` browsers and hands them to `sink` in order.
pub(crate) async fn capture(
    context: CaptureContext<'_>,
    range: FrameRange,
    browsers: u32,
    mut sink: impl AsyncFnMut(u32, Arc<Picture>) -> Result<()>,
) -> Result<Captured> {
    let start = Instant::now();
    let opened = join_all((0..browsers).map(|_| open(context))).await;
    let mut sessions = Vec::new();
    let mut captured = Captured::default();
    for result in opened {
        let Ready { session, warnings, relaunches } = result?;
        sessions.push(session);
        captured.warnings = warnings;
        captured.relaunches += relaunches;
    }
    captured.boot = start.elapsed();
    let (senders, mut receivers): (Vec<_>, Vec<_>) =
        (0..browsers).map(|_| mpsc::channel::<Slot>(WAITING_PER_BROWSER)).unzip();
    let buffers = Arc::new(Buffers::default());
    let drawing =
        sessions.into_iter().zip(senders).zip(range.start..).map(|((session, sender), first)| {
            let step = usize::try_from(browsers).expect("a count of browsers fits");
            draw_every(context, session, (first..range.end).step_by(step), sender, &buffers)
        });
    let collecting = async {
        let mut last: Vec<Option<Arc<Picture>>> = vec![None; receivers.len()];
        for index in range.start..range.end {
            let browser = ((index - range.start) % browsers) as usize;
            match receivers[browser].recv().await {
                Some(Slot::Drawn(decoding)) => {
                    let picture = Arc::new(decoding.await.expect("decoding does not panic")?);
                    if let Some(shown) = last[browser].replace(picture) {
                        buffers.recycle(shown, context.conversion.pixels);
                    }
                }
                Some(Slot::Unchanged) => {}
                // A browser that failed drops its sender; its own error is the one that is reported.
                None => return Ok(()),
            }
            let picture = last[browser].as_ref().expect("a browser's first frame is always drawn");
            sink(index, Arc::clone(picture)).await?;
        }
        Ok(())
    };
    let (drawn, ()) = try_join(try_join_all(drawing), collecting).await?;
    captured.warnings.extend(context.server.unserved().into_iter().filter_map(|unserved| {
        match unserved {
            Unserved::Missing { path, wanted_as } if wanted_as == "empty" => {
                Some(format!("a script asked for {path}, which is not in the project"))
            }
            Unserved::Missing { .. } => None,
            Unserved::Outside { url } => Some(format!("the page was kept from {url}")),
        }
    }));
    captured.blocked_requests = context.server.blocked_requests();
    for BrowserStats { browser, screenshots, relaunches } in drawn {
        captured.screenshots += screenshots;
        captured.relaunches += relaunches;
        captured.browsers.push(browser);
    }
    Ok(captured)
}

/// A browser that can draw.
struct Ready<'a> {
    session: Session<'a>,
    warnings: Vec<String>,
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
    let CaptureContext { tools, server, scratch, fps, timeouts, strictness, reuse: _, conversion } =
        context;
    let viewport = conversion.viewport;
    let (session, opened) =
        Session::open(tools, scratch, server, viewport, fps, (timeouts, strictness)).await?;
    tracing::debug!(pid = session.process_id(), "browser ready");
    Ok(Ready { session, warnings: opened.warnings, relaunches: 0 })
}

/// What became of one browser.
struct BrowserStats {
    browser: Browser,
    screenshots: u32,
    relaunches: u32,
}

/// Draws the frames of one browser; a browser that dies is started anew and goes on where it was.
async fn draw_every<'a>(
    context: CaptureContext<'a>,
    mut session: Session<'a>,
    frames: impl Iterator<Item = u32>,
    sink: mpsc::Sender<Slot>,
    buffers: &Arc<Buffers>,
) -> Result<BrowserStats> {
    let (mut screenshots, mut relaunches, mut stalls) = (0, 0, 0);
    for index in frames {
        let capture = loop {
            match session.frame(index, context.reuse).await {
                Ok(capture) => break capture,
                Err(error) if relaunches < RELAUNCHES && may_pass(&error, stalls) => {
                    // What the page said stays with the page's owner; a log is read by others.
                    let stalled = matches!(error, Error::CaptureStalled { .. });
                    tracing::warn!(frame = index, stalled, "browser lost, starting another");
                    stalls += u32::from(stalled);
                    relaunches += 1;
                    screenshots += session.captured();
                    drop(session);
                    session = open(context).await?.session;
                }
                Err(error) => return Err(error),
            }
        };
        let handed = match capture {
            Capture::Png(png) => {
                let (conversion, buffers) = (context.conversion, Arc::clone(buffers));
                Slot::Drawn(tokio::task::spawn_blocking(move || {
                    picture(&png, index, conversion, &buffers)
                }))
            }
            Capture::Unchanged => Slot::Unchanged,
        };
        if sink.send(handed).await.is_err() {
            // The sink has failed and says so itself.
            break;
        }
    }
    session.check_end().await?;
    screenshots += session.captured();
    Ok(BrowserStats { browser: session.into_browser(), screenshots, relaunches })
}

/// Whether another browser may succeed where this one did not, after so many stalls before.
fn may_pass(error: &Error, stalls: u32) -> bool {
    match error {
        Error::CaptureStalled { .. } => stalls < RELAUNCHES_AFTER_STALLS,
        error => is_lost(error),
    }
}

/// Whether a browser is gone, or as good as gone.
fn is_lost(error: &Error) -> bool {
    matches!(
        error,
        Error::BrowserLost { .. } | Error::BrowserSilent { .. } | Error::Protocol { .. }
    )
}
