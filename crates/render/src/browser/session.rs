//! A browser with the composition loaded and ready: it can be asked for any frame, in any order.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use compose::geometry::Viewport;
use serde_json::Value;

use crate::browser::framebuffer::{Checked, Framebuffer, ReadFault, Reading, Unreadable};
use crate::browser::requests::Requests;
use crate::browser::{Browser, Tick};
use crate::config::Strictness;
use crate::error::{Error, Result};
use crate::frame::Fps;
use crate::page::server::Server;
use crate::page::{self, SeekResult};
use crate::tools::Tools;

/// Most seeks are over in a few milliseconds; one that takes longer may be waiting for frames to be drawn.
const SEEK_WITHOUT_FRAMES: Duration = Duration::from_millis(250);

/// How long a page that is given up on may take to say what went wrong, and how much of it is told.
const PAGE_ERRORS_LIMIT: Duration = Duration::from_secs(2);
const LAST_ERRORS: usize = 3;

/// How long a page may take.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// Until the page must be ready for its first frame.
    pub ready: Duration,
    /// Until one frame must be drawn; less than the 30 s that the protocol's client allows.
    pub frame: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { ready: Duration::from_secs(45), frame: Duration::from_secs(25) }
    }
}

/// What opening a page told about it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Opened {
    pub(crate) duration: f64,
    /// Seconds of each registered timeline, by its composition's id.
    pub(crate) timelines: BTreeMap<String, f64>,
    pub(crate) warnings: Vec<String>,
    /// Why frames are not read from memory, if they should be.
    pub(crate) unreadable: Option<Unreadable>,
}

/// Where a session's frames come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameSource {
    /// The memory of Chrome's GPU process, if it can be read there.
    Framebuffer { fault: Option<ReadFault> },
    /// Screenshots.
    Png,
}

/// How a frame is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Want {
    pub(crate) reuse: Reuse,
    /// Whether there must be a screenshot of it, and of one that is read from memory as well.
    pub(crate) png: bool,
}

/// A picture, or the proof that it is the one before.
#[derive(Debug)]
pub(crate) enum Capture {
    /// A PNG in base64.
    Png(String),
    /// A frame that is still to be read.
    Memory(Reading),
    Unchanged,
}

/// So many frames of one browser are read from memory until one is compared with a screenshot again.
const FRAMES_BETWEEN_CHECKS: u32 = 120;

#[derive(Debug)]
pub(crate) struct Session<'a> {
    pub(super) browser: Browser,
    pub(super) server: &'a Server,
    pub(super) fps: Fps,
    pub(super) timeouts: Timeouts,
    pub(super) strictness: Strictness,
    pub(super) errors_seen: usize,
    pub(super) requests: Requests,
    /// When frame 0 is, in microseconds of the page's clock.
    pub(super) first_frame: u64,
    /// Why frames depend on the frames before them: with a reason, none is left out.
    pub(super) history: Vec<String>,
    pub(super) has_workers: bool,
    /// Whether the page may ask for something only after a frame has been drawn.
    pub(super) may_ask_late: bool,
    framebuffer: Option<Arc<Framebuffer>>,
    last_png: String,
    motion: Motion,
    /// Whether the last frame that was read from memory was proven to be the one before.
    is_still: bool,
    /// Frames that were asked for.
    asked: u32,
    /// The frame drawn last, and how far it was from the one before: most likely so far is the next one.
    drawn: Option<u32>,
    pub(super) stride: u32,
    /// Before which frame drawing ends.
    pub(super) end: u32,
}

/// What is known about the next frame of this browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Motion {
    /// Frames differ: take a screenshot at once.
    Moving,
    /// The last two screenshots were equal, or a frame was checked. The next tick reports damage that is not there.
    Held,
    /// That tick is behind us: damage can be believed.
    Watching,
}

impl<'a> Session<'a> {
    /// Starts a browser, loads the composition and waits until its first frame can be drawn.
    pub(crate) async fn open(
        tools: &Tools,
        scratch: &Path,
        server: &'a Server,
        viewport: Viewport,
        fps: Fps,
        (timeouts, strictness): (Timeouts, Strictness),
        source: FrameSource,
    ) -> Result<(Self, Opened)> {
        let mut browser = Browser::launch(tools, scratch, server, viewport).await?;
        let (framebuffer, unreadable) = match source {
            FrameSource::Png => (None, None),
            FrameSource::Framebuffer { fault } => {
                match Framebuffer::find(&mut browser, viewport, fault).await? {
                    Ok(framebuffer) => (Some(Arc::new(framebuffer)), None),
                    Err(unreadable) => (None, Some(unreadable)),
                }
            }
        };
        let requests = Requests::watch(browser.link());
        let mut session = Self {
            browser,
            requests,
            first_frame: 0,
            history: Vec::new(),
            has_workers: false,
            may_ask_late: false,
            server,
            fps,
            timeouts,
            strictness,
            errors_seen: 0,
            framebuffer,
            last_png: String::new(),
            motion: Motion::Moving,
            is_still: false,
            asked: 0,
            drawn: None,
            stride: 1,
            end: u32::MAX,
        };
        let opened = match tokio::time::timeout(
            timeouts.ready + Duration::from_secs(1),
            session.get_ready(),
        )
        .await
        {
            Ok(opened) => opened?,
            Err(_elapsed) => return Err(session.not_ready("its scripts do not come to an end")),
        };
        Ok((session, Opened { unreadable, ..opened }))
    }

    /// Whether a frame depends on the frames before it, so that the page can only go forward.
    pub(crate) fn has_history(&self) -> bool {
        !self.history.is_empty()
    }

    /// Says before which frame drawing ends, so that nothing is fetched ahead that no frame shows.
    pub(crate) fn end_before(&mut self, end: u32) {
        self.end = end;
    }

    /// The id of the browser's main process.
    pub(crate) fn process_id(&self) -> u32 {
        self.browser.process_id()
    }

    /// Draws frame `index`. Where reuse is allowed, a frame that Chrome proves to be the last one drawn here is not drawn again.
    pub(crate) async fn frame(&mut self, index: u32, want: Want) -> Result<Capture> {
        if !self.history.is_empty() {
            for skipped in self.drawn.map_or(0, |drawn| drawn + 1)..index {
                let limited = tokio::time::timeout(self.timeouts.frame, self.skip(skipped)).await;
                match limited {
                    Ok(done) => done?,
                    Err(_elapsed) => return Err(self.stalled(skipped).await),
                }
                self.drawn = Some(skipped);
                // What has changed is not drawn yet, so that the next frame proves nothing.
                self.motion = Motion::Moving;
                self.is_still = false;
            }
        }
        match tokio::time::timeout(self.timeouts.frame, self.draw(index, want)).await {
            Ok(capture) => capture,
            Err(_elapsed) => Err(self.stalled(index).await),
        }
    }

    async fn stalled(&mut self, frame: u32) -> Error {
        let open = self.requests.open().next().map(str::to_owned);
        let page = match open {
            Some(url) => format!("{url} is still on its way"),
            None => self.collect_page_errors().await,
        };
        Error::CaptureStalled { frame, seconds: self.timeouts.frame.as_secs(), page }
    }

    /// What the page reported, asked of a page that may be stuck in a script.
    async fn collect_page_errors(&mut self) -> String {
        let asked = tokio::time::timeout(PAGE_ERRORS_LIMIT, async {
            self.browser.interrupt().await?;
            self.browser.evaluate::<Vec<String>>(page::ERRORS).await
        });
        match asked.await {
            Ok(Ok(errors)) if errors.is_empty() => "the page reported no error".to_owned(),
            Ok(Ok(errors)) => {
                let last = errors.iter().rev().take(LAST_ERRORS).rev();
                format!("the page reported: {}", last.cloned().collect::<Vec<_>>().join("; "))
            }
            Ok(Err(_)) | Err(_) => "the page does not answer".to_owned(),
        }
    }

    async fn draw(&mut self, index: u32, want: Want) -> Result<Capture> {
        self.stride = self.drawn.and_then(|drawn| index.checked_sub(drawn)).unwrap_or(1);
        self.drawn = Some(index);
        self.asked += 1;
        match self.framebuffer.clone() {
            Some(framebuffer) => self.draw_in_memory(index, want, framebuffer).await,
            None => self.draw_png(index, want).await,
        }
    }

    async fn draw_in_memory(
        &mut self,
        index: u32,
        want: Want,
        framebuffer: Arc<Framebuffer>,
    ) -> Result<Capture> {
        let interval = self.fps.interval_ms();
        let (ticks, at) = (self.browser.clock, self.go_to(index).await?);
        let sought = self.seek(index).await?;
        // A tick that kept a slow seek going may have shown the change already: then the next one proves nothing.
        let is_provable = self.motion == Motion::Watching && self.browser.clock <= ticks;
        let is_check = want.png || self.asked % FRAMES_BETWEEN_CHECKS == 1;
        let (at, was_damaged) = self.draw_ahead(index, at, sought).await?;
        let mut png = None;
        if framebuffer.has_fault(ReadFault::Stale) {
            // The frame before is read once more.
        } else if is_check {
            // The screenshot is of the very frame that is in memory.
            png = Some(self.screenshot(index, at).await?);
            if self.complete(at).await? {
                png = Some(self.screenshot(index, at).await?);
            }
            self.is_still = false;
        } else {
            let has_damage = was_damaged
                | self.browser.tick(at, interval, Tick::Advance).await?.has_damage
                | self.complete(at).await?;
            let was_still = std::mem::replace(&mut self.is_still, is_provable && !has_damage);
            if self.is_still && want.reuse == Reuse::Proven {
                return Ok(Capture::Unchanged);
            }
            // The first change after a rest makes observers change the page, which screenshots, taken one tick later, show.
            if was_still && has_damage {
                self.browser.tick(at, interval, Tick::Advance).await?;
            }
        }
        self.motion = if is_check { Motion::Held } else { Motion::Watching };
        let checked = match png {
            None if !is_check => None,
            png => {
                let pixels = tokio::task::spawn_blocking({
                    let framebuffer = Arc::clone(&framebuffer);
                    move || framebuffer.whole()
                });
                let pixels = pixels.await.expect("reading does not panic")?;
                let png = match png {
                    Some(png) => png,
                    None => self.screenshot(index, at).await?,
                };
                Some(Checked { pixels, png })
            }
        };
        let (reading, read) = Reading::start(framebuffer, checked);
        self.browser.reading = Some(read);
        Ok(Capture::Memory(reading))
    }

    async fn draw_png(&mut self, index: u32, want: Want) -> Result<Capture> {
        let interval = self.fps.interval_ms();
        if self.motion == Motion::Held {
            self.browser.tick(0.0, interval, Tick::Advance).await?;
            self.motion = Motion::Watching;
        }
        let (ticks, at) = (self.browser.clock, self.go_to(index).await?);
        let sought = self.seek(index).await?;
        // A tick that kept a slow seek going may have shown the change already: then the next one proves nothing.
        let is_provable = self.motion == Motion::Watching && self.browser.clock <= ticks;
        let (at, was_damaged) = self.draw_ahead(index, at, sought).await?;
        if is_provable || self.requests.has_new() {
            let has_damage = was_damaged
                | self.browser.tick(at, interval, Tick::Advance).await?.has_damage
                | self.complete(at).await?;
            if is_provable && !has_damage && !want.png {
                return Ok(Capture::Unchanged);
            }
        }
        let mut png = self.screenshot(index, at).await?;
        if self.complete(at).await? {
            png = self.screenshot(index, at).await?;
        }
        if want.reuse == Reuse::Never {
            return Ok(Capture::Png(png));
        }
        let is_held = png == self.last_png;
        self.motion = if is_held { Motion::Held } else { Motion::Moving };
        if is_held && !want.png {
            return Ok(Capture::Unchanged);
        }
        self.last_png.clone_from(&png);
        Ok(Capture::Png(png))
    }

    pub(super) async fn evaluate_seek(&mut self, index: u32, script: &str) -> Result<SeekResult> {
        let during = || format!("at frame {index}");
        let seek = self.browser.evaluate::<SeekResult>(script);
        let mut seek = std::pin::pin!(seek);
        let result = match tokio::time::timeout(SEEK_WITHOUT_FRAMES, seek.as_mut()).await {
            Ok(done) => done,
            Err(_elapsed) => self.browser.ticking(seek).await?,
        };
        let result = result.map_err(|error| match error {
            Error::PageScript { message, .. } => Error::PageScript { during: during(), message },
            other => other,
        })?;
        if result.errors > self.errors_seen && self.strictness == Strictness::Strict {
            let all: Vec<String> = self.browser.evaluate(page::ERRORS).await?;
            let message = all.into_iter().nth(self.errors_seen).unwrap_or_default();
            return Err(Error::PageScript { during: during(), message });
        }
        self.errors_seen = result.errors;
        self.has_workers = result.workers;
        self.may_ask_late = result.lazy || !self.history.is_empty();
        if result.jumped {
            // The next browser leaves out no frame.
            self.server.note_history();
            let reason =
                "the page turned out to depend on the frames that were left out".to_owned();
            return Err(Error::BrowserLost { during: during(), reason });
        }
        Ok(result)
    }

    /// The volumes of media at `count` moments, `step` seconds apart from the one numbered `first` on.
    pub(crate) async fn volumes(
        &self,
        ids: &[String],
        places: &Value,
        first: u32,
        count: u32,
        step: f64,
    ) -> Result<Vec<Vec<f64>>> {
        self.browser.evaluate(&page::volumes(ids, places, first, count, step)).await
    }

    async fn screenshot(&mut self, index: u32, at: f64) -> Result<String> {
        // The reply comes without a picture while the renderer is being set up; the next tick has one.
        for _ in 0..5 {
            if let Some(png) =
                self.browser.tick(at, self.fps.interval_ms(), Tick::Screenshot).await?.png
            {
                return Ok(png);
            }
        }
        Err(Error::BrowserLost {
            during: format!("at frame {index}"),
            reason: "it draws no picture".into(),
        })
    }

    /// The browser alone, for who ends it.
    pub(crate) fn into_browser(self) -> Browser {
        self.browser
    }

    /// Whether anything failed that no frame has reported: a part that did not load, a promise rejected after a seek.
    pub(crate) async fn check_end(&self) -> Result<()> {
        if self.strictness == Strictness::BestEffort {
            return Ok(());
        }
        self.refuse_unserved()?;
        let all: Vec<String> = self.browser.evaluate(page::ERRORS).await?;
        match all.into_iter().nth(self.errors_seen) {
            Some(message) => {
                Err(Error::PageScript { during: "after its last frame".to_owned(), message })
            }
            None => Ok(()),
        }
    }
}

/// Whether frames proven to be unchanged are drawn again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    Proven,
    Never,
}
