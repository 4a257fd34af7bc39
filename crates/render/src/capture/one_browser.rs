//! The frames of one browser, one after the other; a browser that dies is started anew and goes on where it was.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::browser::Browser;
use crate::browser::session::{Capture, Session, Want};
use crate::capture::buffers::Buffers;
use crate::capture::canvas::Canvas;
use crate::capture::picture::{Picture, picture};
use crate::capture::{CaptureContext, Ready, is_lost, open};
use crate::error::{Error, Result};

/// How often one browser may be started anew: a browser that dies may not the next time, a page that stalls mostly does.
const RELAUNCHES: u32 = 2;
const RELAUNCHES_AFTER_STALLS: u32 = 1;

/// What one browser hands over for one frame.
#[derive(Debug)]
pub(super) enum Slot {
    /// A picture that is being made; `None` if it is the one before.
    Drawn(JoinHandle<Result<Option<Picture>>>),
    /// The picture this browser handed over before.
    Unchanged,
}

/// What became of one browser.
#[derive(Debug)]
pub(super) struct BrowserStats {
    pub(super) browser: Browser,
    pub(super) relaunches: u32,
}

/// One browser and what it has drawn.
#[derive(Debug)]
pub(super) struct OneBrowser<'a> {
    pub(super) context: CaptureContext<'a>,
    pub(super) session: Session<'a>,
    pub(super) sink: mpsc::Sender<Slot>,
    pub(super) buffers: Arc<Buffers>,
    pub(super) canvas: Canvas,
    /// Frames that are still to be drawn.
    pub(super) frames: VecDeque<u32>,
    /// The frame drawn last, which may turn out not to have been read before its browser died.
    pub(super) pending: Option<(u32, Slot)>,
    pub(super) relaunches: u32,
    pub(super) stalls: u32,
}

/// Whether anybody wants more frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sink {
    Open,
    /// It has failed and says so itself.
    Closed,
}

impl OneBrowser<'_> {
    /// Draws all its frames.
    pub(super) async fn draw_all(mut self) -> Result<BrowserStats> {
        loop {
            while let Some(index) = self.frames.pop_front() {
                let is_last = self.frames.is_empty();
                if self.draw(index, is_last).await? == Sink::Closed {
                    return Ok(self.stats());
                }
            }
            // The last frame may have to be drawn again.
            match self.pending.take() {
                Some(pending) => {
                    if self.finish(pending).await? == Sink::Closed {
                        return Ok(self.stats());
                    }
                }
                None => break,
            }
        }
        self.session.check_end().await?;
        Ok(self.stats())
    }

    fn stats(self) -> BrowserStats {
        BrowserStats { browser: self.session.into_browser(), relaunches: self.relaunches }
    }

    /// Draws one frame and hands over the one before.
    async fn draw(&mut self, index: u32, is_last: bool) -> Result<Sink> {
        let png = is_last || self.context.conversion.poster == Some(index);
        let want = Want { reuse: self.context.reuse, png };
        match self.session.frame(index, want).await {
            Ok(capture) => {
                // The frame before was read whole, or this one would not have been drawn.
                let before = self.pending.take();
                self.pending = Some((index, self.slot(index, capture)));
                match before {
                    Some((_, slot)) => Ok(self.send(slot).await),
                    None => Ok(Sink::Open),
                }
            }
            Err(error) => {
                self.frames.push_front(index);
                let sink = match self.pending.take() {
                    Some(pending) => self.settle(pending).await?,
                    None => Sink::Open,
                };
                self.relaunch(index, error).await?;
                Ok(sink)
            }
        }
    }

    /// Hands over the last frame, or draws it again with another browser.
    async fn finish(&mut self, pending: (u32, Slot)) -> Result<Sink> {
        let sink = self.settle(pending).await?;
        if let Some(index) = self.frames.front().copied() {
            let lost = Error::BrowserLost {
                during: format!("at frame {index}"),
                reason: "its frame could not be read".to_owned(),
            };
            self.relaunch(index, lost).await?;
        }
        Ok(sink)
    }

    /// Hands over a frame if it was read, and puts it back among those to be drawn if not.
    async fn settle(&mut self, (index, slot): (u32, Slot)) -> Result<Sink> {
        let slot = match slot {
            Slot::Unchanged => Slot::Unchanged,
            Slot::Drawn(task) => match task.await.expect("making a picture does not panic") {
                Ok(picture) => Slot::Drawn(tokio::spawn(async { Ok(picture) })),
                Err(error) if is_lost(&error) => {
                    self.frames.push_front(index);
                    return Ok(Sink::Open);
                }
                Err(error) => return Err(error),
            },
        };
        Ok(self.send(slot).await)
    }

    async fn send(&self, slot: Slot) -> Sink {
        if self.sink.send(slot).await.is_ok() { Sink::Open } else { Sink::Closed }
    }

    fn slot(&self, index: u32, capture: Capture) -> Slot {
        let CaptureContext { conversion, reuse, .. } = self.context;
        let (buffers, canvas) = (Arc::clone(&self.buffers), self.canvas.clone());
        match capture {
            Capture::Png(png) => Slot::Drawn(tokio::task::spawn_blocking(move || {
                picture(&png, index, conversion, &buffers).map(Some)
            })),
            Capture::Memory(reading) => Slot::Drawn(tokio::task::spawn_blocking(move || {
                canvas.picture(reading, index, reuse, conversion, &buffers)
            })),
            Capture::Unchanged => Slot::Unchanged,
        }
    }

    /// Replaces a browser that failed at frame `index`, if another one may succeed.
    async fn relaunch(&mut self, index: u32, error: Error) -> Result<()> {
        let stalled = matches!(error, Error::CaptureStalled { .. });
        let may_pass =
            if stalled { self.stalls < RELAUNCHES_AFTER_STALLS } else { is_lost(&error) };
        if self.relaunches >= RELAUNCHES || !may_pass {
            return Err(error);
        }
        // What the page said stays with the page's owner; a log is read by others.
        tracing::warn!(frame = index, stalled, "browser lost, starting another");
        self.stalls += u32::from(stalled);
        self.relaunches += 1;
        let Ready { session, .. } = open(self.context).await?;
        self.session = session;
        Ok(())
    }
}
