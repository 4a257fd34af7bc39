//! A browser with the composition loaded and ready: it can be asked for any frame, in any order.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::browser::diagnosis::{why_not_ready, zero_duration};
use crate::browser::{Browser, Tick, Viewport};
use crate::config::Strictness;
use crate::error::{Error, Result};
use crate::frame::Fps;
use crate::page::server::{Server, Unserved};
use crate::page::{self, Sought, Status};
use crate::tools::Tools;

/// The tick of frame 0, in milliseconds: above every tick that getting ready can take.
const FIRST_FRAME_MS: f64 = 1_000_000.0;

/// A page without a duration is given up on after this long, if nothing is loading any more.
const ZERO_DURATION_GRACE: Duration = Duration::from_secs(10);

/// Most seeks are over in a few milliseconds; one that takes longer may be waiting for frames to be drawn.
const SEEK_WITHOUT_FRAMES: Duration = Duration::from_millis(250);

/// How long a page that is given up on may take to say what went wrong, and how much of it is told.
const LAST_WORDS: Duration = Duration::from_secs(2);
const LAST_ERRORS: usize = 3;

/// How patient and how strict a session is.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Until the page must be ready for its first frame.
    pub ready: Duration,
    /// Until one frame must be drawn; less than the 30 s that the protocol's client allows.
    pub frame: Duration,
    pub strictness: Strictness,
}

impl Patience {
    pub fn new(strictness: Strictness) -> Self {
        Self { ready: Duration::from_secs(45), frame: Duration::from_secs(25), strictness }
    }
}

/// What opening a page told about it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Opened {
    pub(crate) duration: f64,
    pub(crate) warnings: Vec<String>,
}

/// A picture, or the proof that it is the one before.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Shot {
    /// A PNG in base64.
    Png(String),
    Unchanged,
}

#[derive(Debug)]
pub(crate) struct Session<'a> {
    browser: Browser,
    server: &'a Server,
    fps: Fps,
    patience: Patience,
    errors_seen: usize,
    last_png: String,
    motion: Motion,
    captured: u32,
}

/// What is known about the next frame of this browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Motion {
    /// Frames differ: take a screenshot at once.
    Moving,
    /// The last two screenshots were equal. The next tick reports damage that is not there.
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
        patience: Patience,
    ) -> Result<(Self, Opened)> {
        let browser = Browser::launch(tools, scratch, server, viewport).await?;
        let mut session = Self {
            browser,
            server,
            fps,
            patience,
            errors_seen: 0,
            last_png: String::new(),
            motion: Motion::Moving,
            captured: 0,
        };
        let opened = match tokio::time::timeout(
            patience.ready + Duration::from_secs(1),
            session.get_ready(),
        )
        .await
        {
            Ok(opened) => opened?,
            Err(_elapsed) => return Err(session.not_ready("its scripts do not come to an end")),
        };
        Ok((session, opened))
    }

    /// The id of the browser's main process.
    pub(crate) fn process_id(&self) -> u32 {
        self.browser.process_id()
    }

    /// How many screenshots were taken.
    pub(crate) fn captured(&self) -> u32 {
        self.captured
    }

    fn not_ready(&self, reason: impl Into<String>) -> Error {
        Error::PageNotReady { seconds: self.patience.ready.as_secs(), reason: reason.into() }
    }

    async fn get_ready(&mut self) -> Result<Opened> {
        let start = Instant::now();
        let url = self.server.index_url();
        let loading = self.browser.navigate(&url);
        let status = loop {
            let status = match self.look().await {
                Ok(Some(status)) if status.href == url => status,
                // The document is just being replaced, or a script keeps it busy.
                Ok(_) | Err(Error::Protocol { .. } | Error::BrowserSilent { .. }) => {
                    Status::default()
                }
                Err(error) => return Err(error),
            };
            self.refuse_early(&status)?;
            if self.is_ready(&status) {
                break status;
            }
            let waited = start.elapsed();
            let nothing_to_render =
                status.render_ready && status.duration.is_some_and(|seconds| seconds <= 0.0);
            let grace = ZERO_DURATION_GRACE.min(self.patience.ready);
            if status.loaded && nothing_to_render && waited > grace && self.server.is_quiet() {
                return Err(zero_duration(&status));
            }
            if waited > self.patience.ready {
                if status.driver.is_some()
                    && status.render_ready
                    && status.duration.is_some_and(|d| d > 0.0)
                {
                    break status;
                }
                return Err(self.not_ready(why_not_ready(&status)));
            }
        };
        drop(loading);
        let mut warnings: Vec<_> = status
            .missing
            .iter()
            .map(|id| format!("composition \"{id}\" registered no timeline in window.__timelines"))
            .collect();
        self.settle().await?;
        self.browser
            .tick(FIRST_FRAME_MS - self.fps.interval_ms(), self.fps.interval_ms(), Tick::Advance)
            .await?;
        let errors: Vec<String> = self.browser.evaluate(page::ERRORS).await?;
        self.errors_seen = errors.len();
        self.refuse_early(&Status { errors: errors.clone(), ..Status::default() })?;
        warnings.extend(errors);
        Ok(Opened { duration: status.duration.unwrap_or_default(), warnings })
    }

    async fn look(&mut self) -> Result<Option<Status>> {
        self.browser.tick_soon().await?;
        self.browser.evaluate(page::STATUS).await
    }

    /// Waits for every pixel that has to be loaded.
    async fn settle(&mut self) -> Result<()> {
        self.browser.evaluate::<Option<()>>(page::SETTLE).await?;
        loop {
            let settled = self.browser.evaluate::<Value>(page::SETTLED);
            match self.browser.ticking(settled).await?? {
                Value::Bool(true) => return Ok(()),
                Value::String(message) => {
                    let during = "while it was loading".to_owned();
                    return Err(Error::PageScript { during, message });
                }
                _ => {}
            }
        }
    }

    fn is_ready(&self, status: &Status) -> bool {
        let timelines = status.missing.is_empty() || !self.server.may_register_timelines();
        status.loaded
            && status.driver.is_some()
            && status.render_ready
            && status.duration.is_some_and(|seconds| seconds > 0.0)
            && timelines
    }

    /// What no waiting will mend.
    fn refuse_early(&self, status: &Status) -> Result<()> {
        let during = || "while it was loading".to_owned();
        if let Some(message) = &status.startup_error {
            return Err(Error::PageScript { during: during(), message: message.clone() });
        }
        if status.infinite {
            let hint = "its timeline repeats without end; give the root element a data-duration"
                .to_owned();
            return Err(Error::Duration { seconds: f64::INFINITY, hint });
        }
        if self.patience.strictness == Strictness::BestEffort {
            return Ok(());
        }
        self.refuse_unserved()?;
        match status.errors.first() {
            Some(message) => Err(Error::PageScript { during: during(), message: message.clone() }),
            None => Ok(()),
        }
    }

    /// A page without one of its parts is not the page its author meant.
    fn refuse_unserved(&self) -> Result<()> {
        for unserved in self.server.unserved() {
            match unserved {
                Unserved::Outside { url } => {
                    let reason = "is not part of the project: put the file beside the HTML and refer to it there";
                    return Err(Error::PageAsset { what: url, reason });
                }
                // What a script fetches may be optional; what an element asks for is not.
                Unserved::Missing { wanted_as, .. } if wanted_as == "empty" => {}
                Unserved::Missing { path, wanted_as } => {
                    let reason = "is not in the project";
                    return Err(Error::PageAsset {
                        what: format!("the {wanted_as} {path}"),
                        reason,
                    });
                }
            }
        }
        Ok(())
    }

    /// Draws frame `index`. With `reuse`, a frame that Chrome proves to be the last one drawn here is not drawn again.
    pub(crate) async fn frame(&mut self, index: u32, reuse: Reuse) -> Result<Shot> {
        let limit = self.patience.frame;
        match tokio::time::timeout(limit, self.draw(index, reuse)).await {
            Ok(shot) => shot,
            Err(_elapsed) => {
                let page = self.last_words().await;
                Err(Error::CaptureStalled { frame: index, seconds: limit.as_secs(), page })
            }
        }
    }

    /// What the page reported, asked of a page that may be stuck in a script.
    async fn last_words(&mut self) -> String {
        let asked = tokio::time::timeout(LAST_WORDS, async {
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

    async fn draw(&mut self, index: u32, reuse: Reuse) -> Result<Shot> {
        let interval = self.fps.interval_ms();
        let at = FIRST_FRAME_MS + f64::from(index) * interval;
        if self.motion == Motion::Held {
            self.browser.tick(0.0, interval, Tick::Advance).await?;
            self.motion = Motion::Watching;
        }
        let animated = self.seek(index).await?;
        // A part of the page that is still on its way belongs into this frame.
        while !self.server.is_quiet() {
            self.browser.tick_soon().await?;
        }
        if self.motion == Motion::Watching || animated {
            let has_damage = self.browser.tick(at, interval, Tick::Advance).await?.has_damage;
            if self.motion == Motion::Watching && !has_damage {
                return Ok(Shot::Unchanged);
            }
        }
        if animated {
            // A layer that the browser animates is first shifted by a fraction of a pixel and drawn anew only when it is
            // touched again: without this, its edges would depend on the frame before.
            self.seek(index).await?;
        }
        let png = self.screenshot(index, at).await?;
        self.captured += 1;
        if reuse == Reuse::Never {
            return Ok(Shot::Png(png));
        }
        if png == self.last_png {
            self.motion = Motion::Held;
            return Ok(Shot::Unchanged);
        }
        self.motion = Motion::Moving;
        self.last_png.clone_from(&png);
        Ok(Shot::Png(png))
    }

    /// Returns whether the browser itself animates anything on the page.
    async fn seek(&mut self, index: u32) -> Result<bool> {
        let during = || format!("at frame {index}");
        let seek = self.browser.evaluate::<Sought>(&page::seek(self.fps.seconds(index)));
        let mut seek = std::pin::pin!(seek);
        let sought = match tokio::time::timeout(SEEK_WITHOUT_FRAMES, seek.as_mut()).await {
            Ok(done) => done,
            Err(_elapsed) => self.browser.ticking(seek).await?,
        };
        let sought = sought.map_err(|error| match error {
            Error::PageScript { message, .. } => Error::PageScript { during: during(), message },
            other => other,
        })?;
        if sought.errors > self.errors_seen && self.patience.strictness == Strictness::Strict {
            let all: Vec<String> = self.browser.evaluate(page::ERRORS).await?;
            let message = all.into_iter().nth(self.errors_seen).unwrap_or_default();
            return Err(Error::PageScript { during: during(), message });
        }
        self.errors_seen = sought.errors;
        Ok(sought.animated)
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
        if self.patience.strictness == Strictness::BestEffort {
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
