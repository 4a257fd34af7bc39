//! One headless Chrome with one page, driven over CDP: it draws when it is told to, and is gone when this is dropped.

mod advance;
mod clock;
mod console;
mod diagnosis;
mod flags;
pub(crate) mod framebuffer;
mod link;
mod pipe;
mod readiness;
mod requests;
pub(crate) mod session;

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use chromiumoxide_cdp::cdp::browser_protocol::browser::GetVersionParams;
use chromiumoxide_cdp::cdp::browser_protocol::dom::Rgba;
use chromiumoxide_cdp::cdp::browser_protocol::emulation::{
    SetDefaultBackgroundColorOverrideParams, SetDeviceMetricsOverrideParams,
};
use chromiumoxide_cdp::cdp::browser_protocol::headless_experimental::{
    BeginFrameParams, BeginFrameReturns, ScreenshotParams, ScreenshotParamsFormat,
};
use chromiumoxide_cdp::cdp::browser_protocol::page::{
    AddScriptToEvaluateOnNewDocumentParams, NavigateParams,
};
use chromiumoxide_cdp::cdp::browser_protocol::target::{AttachToTargetParams, CreateTargetParams};
use chromiumoxide_cdp::cdp::browser_protocol::{inspector, network, page};
use chromiumoxide_cdp::cdp::js_protocol::runtime::{EvaluateParams, TerminateExecutionParams};
use compose::geometry::Viewport;
use futures::future::{Either, select};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::browser::clock::VirtualClock;
use crate::browser::link::{Link, without_foreign_lines};
use crate::browser::pipe::Connection;
use crate::error::{Error, Result};
use crate::page::WEBGL_RENDERER;
use crate::page::server::Server;
use crate::process::{Child, Pipes};
use crate::tools::Tools;

/// How long Chrome may take until it has a page. One command may take 30 s.
const LAUNCH_LIMIT: Duration = Duration::from_mins(1);

/// How long a Chrome that hangs up may take to end and say why.
const LAST_LINES_LIMIT: Duration = Duration::from_secs(2);

/// Chrome hangs if its clock, which counts microseconds, repeats or goes back. Frames of one moment are as close as they can
/// be: what pages see of the clock is rounded to a tenth of a millisecond, up or down by chance.
const SMALLEST_STEP_MS: f64 = 0.001;
/// What Chrome is told of the time between frames that only keep the page going.
const WAITING_INTERVAL_MS: f64 = 16.0;
/// How far the page's clock goes on with each of them, in microseconds.
const WAITING_GRANT: u64 = 100;

/// What one tick brought.
#[derive(Debug)]
pub(crate) struct Drawn {
    /// Whether anything changed. Only to be believed of a tick without a screenshot, and not of the first after one.
    pub(crate) has_damage: bool,
    /// A PNG in base64, if one was asked for.
    pub(crate) png: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tick {
    Advance,
    Screenshot,
    /// Nothing is drawn.
    Unseen,
}

/// Fields are dropped in order: first the connection, then Chrome, then its files.
#[derive(Debug)]
pub(crate) struct Browser {
    link: Link,
    _connection: Connection,
    _console: Option<AbortOnDrop>,
    child: Child,
    _home: Home,
    /// Milliseconds of the last tick.
    clock: f64,
    /// The page's own time, once there is a page.
    time: Option<VirtualClock>,
    /// Says when the last frame has been read, before which there is no other.
    reading: Option<oneshot::Receiver<Result<()>>>,
}

#[derive(Debug)]
struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The directory of everything that Chrome writes.
#[derive(Debug)]
struct Home {
    path: PathBuf,
}

impl Home {
    fn make(scratch: &Path) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("chrome-").tempdir_in(scratch);
        Ok(Self { path: dir.map_err(Error::io("make a browser profile in", scratch))?.keep() })
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // Chrome's helpers die with it but not in the same instant, and may still add a file.
        for _ in 0..100 {
            if std::fs::remove_dir_all(&self.path).is_ok() || !self.path.exists() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        tracing::warn!(path = %self.path.display(), "a browser profile could not be removed");
    }
}

/// What draws WebGL.
#[derive(Debug, Deserialize)]
pub(crate) struct Renderer {
    pub(crate) vendor: String,
    pub(crate) renderer: String,
}

impl Browser {
    /// Starts Chrome with an empty page and checks that it draws WebGL in software. Its files are below `scratch`.
    pub(crate) async fn launch(
        tools: &Tools,
        scratch: &Path,
        server: &Server,
        viewport: Viewport,
    ) -> Result<Self> {
        let launched =
            tokio::time::timeout(LAUNCH_LIMIT, Self::start(tools, scratch, server, viewport)).await;
        let browser = launched.unwrap_or_else(|_elapsed| {
            Err(Error::BrowserLaunch {
                reason: format!("nothing after {} s", LAUNCH_LIMIT.as_secs()),
            })
        })?;
        let Renderer { vendor, renderer } = browser.renderer().await?;
        if vendor != "Google Inc. (Google)"
            || !renderer.to_ascii_lowercase().contains("swiftshader")
        {
            return Err(Error::GpuNotSoftware { vendor, renderer });
        }
        Ok(browser)
    }

    async fn start(
        tools: &Tools,
        scratch: &Path,
        server: &Server,
        viewport: Viewport,
    ) -> Result<Self> {
        let Viewport { width, height, scale } = viewport;
        let chrome = tools.chrome()?;
        let home = Home::make(scratch)?;
        let fonts = home.path.join("fonts.conf");
        std::fs::write(&fonts, flags::fonts_conf(&chrome.fonts, &home.path))
            .map_err(Error::io("write", &fonts))?;
        let cmd = flags::command(chrome, &home.path, server.address(), viewport);
        let mut child = Child::start(&cmd, Pipes::Protocol)?;
        let stream = child.protocol().expect("it was asked for");
        let connection = Connection::open(stream);
        let link = match open_page(&connection, viewport).await {
            Ok(link) => link,
            Err(error @ Error::BrowserLost { .. }) => {
                return Err(child_ended(&mut child, error).await);
            }
            Err(error) => return Err(error),
        };
        let console = console::listen(&link).await;
        let metrics = SetDeviceMetricsOverrideParams::new(
            i64::from(width),
            i64::from(height),
            f64::from(scale),
            false,
        );
        link.send(metrics, "while setting its size").await?;
        Ok(Self {
            link,
            _connection: connection,
            _console: console,
            child,
            _home: home,
            clock: 0.0,
            time: None,
            reading: None,
        })
    }

    pub(crate) async fn renderer(&self) -> Result<Renderer> {
        self.evaluate(WEBGL_RENDERER).await
    }

    /// Such as `HeadlessChrome/148.0.7778.0`.
    pub(crate) async fn version(&self) -> Result<String> {
        let version = self.link.send(GetVersionParams::default(), "while asking its version");
        Ok(version.await?.product)
    }

    fn link(&self) -> &Link {
        &self.link
    }

    /// The id of Chrome's main process.
    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Starts loading `url`; the returned task ends when it is loaded and stops waiting when dropped.
    fn navigate(&self, url: &str) -> AbortOnDrop {
        let link = self.link.clone();
        let navigate = NavigateParams::new(url);
        AbortOnDrop(tokio::spawn(async move {
            if let Err(error) = link.send(navigate, "while loading").await {
                tracing::debug!(%error, "navigation");
            }
        }))
    }

    /// Runs a script first in every document from now on, frames included.
    async fn run_in_every_document(&self, script: &str) -> Result<()> {
        let params = AddScriptToEvaluateOnNewDocumentParams::new(script);
        self.link.send(params, "while setting up its documents").await?;
        Ok(())
    }

    /// Takes the white from behind the page, which a page gets anew when it is loaded.
    async fn set_transparent(&self) -> Result<()> {
        let nothing = Rgba { r: 0, g: 0, b: 0, a: Some(0.0) };
        let backdrop = SetDefaultBackgroundColorOverrideParams { color: Some(nothing) };
        self.link.send(backdrop, "while making it transparent").await?;
        Ok(())
    }

    /// Evaluates an expression, waits if it is a promise, and returns its value. Does not keep the browser borrowed, so
    /// that frames can be drawn while a promise is pending.
    fn evaluate<T: DeserializeOwned>(
        &self,
        expression: &str,
    ) -> impl Future<Output = Result<T>> + Send + use<T> {
        let link = self.link.clone();
        let params = EvaluateParams::builder()
            .expression(expression)
            .await_promise(true)
            .return_by_value(true)
            .build()
            .expect("an expression is all that is required");
        async move {
            let during = "while running a script";
            let answer = link.send(params, during).await?;
            if let Some(exception) = answer.exception_details {
                let thrown = exception.exception.and_then(|object| object.description);
                let message = without_foreign_lines(&thrown.unwrap_or(exception.text));
                return Err(Error::PageScript { during: during.to_owned(), message });
            }
            serde_json::from_value(answer.result.value.unwrap_or_default()).map_err(|error| {
                Error::PageScript {
                    during: during.to_owned(),
                    message: format!("an answer of another shape: {error}"),
                }
            })
        }
    }

    /// Ends the script that is running, if one is.
    async fn interrupt(&self) -> Result<()> {
        self.link.send(TerminateExecutionParams::default(), "while stopping a script").await?;
        Ok(())
    }

    /// Draws frames until `pending` is done, for what only goes on while frames are drawn.
    async fn ticking<T>(&mut self, pending: impl Future<Output = T>) -> Result<T> {
        let mut pending = pin!(pending);
        loop {
            let tick = pin!(self.keep_going());
            match select(pending.as_mut(), tick).await {
                Either::Left((done, tick)) => {
                    // A second frame while one is pending would be refused.
                    tick.await?;
                    return Ok(done);
                }
                Either::Right((drawn, _)) => drawn?,
            }
        }
    }

    /// Draws a frame whose time does not matter, and lets what waits for a timer get there.
    async fn keep_going(&mut self) -> Result<()> {
        self.tick_soon().await?;
        if self.time.is_some() {
            self.grant(WAITING_GRANT).await?;
        }
        Ok(())
    }

    /// Draws a frame whose time does not matter.
    async fn tick_soon(&mut self) -> Result<Drawn> {
        let at = self.ticks_at(self.granted());
        self.tick(at, WAITING_INTERVAL_MS, Tick::Advance).await
    }

    /// Draws one frame at `at` milliseconds, or as soon after the last one as Chrome can tell apart. The one before has
    /// been read by then, or is not going to be.
    pub(crate) async fn tick(&mut self, at: f64, interval: f64, tick: Tick) -> Result<Drawn> {
        if let Some(reading) = &mut self.reading {
            let read = reading.await;
            self.reading = None;
            // Whoever drops a frame unread does not want it.
            read.unwrap_or(Ok(()))?;
        }
        self.clock = at.max(self.clock + SMALLEST_STEP_MS);
        let mut params =
            BeginFrameParams::builder().frame_time_ticks(self.clock).interval(interval);
        if tick == Tick::Screenshot {
            // Lossless; the slower compression costs more than its smaller size saves.
            let png = ScreenshotParams::builder()
                .format(ScreenshotParamsFormat::Png)
                .optimize_for_speed(true);
            params = params.screenshot(png.build());
        }
        if tick == Tick::Unseen {
            params = params.no_display_updates(true);
        }
        let BeginFrameReturns { has_damage, screenshot_data } =
            self.link.send(params.build(), "while drawing").await?;
        Ok(Drawn { has_damage, png: screenshot_data.map(String::from) })
    }
}

/// Opens an empty page whose frames are drawn on command, and listens to it.
async fn open_page(connection: &Connection, viewport: Viewport) -> Result<Link> {
    let during = "while opening a page";
    let browser = Link { page: connection.browser() };
    let target = CreateTargetParams::builder()
        .url("about:blank")
        .width(i64::from(viewport.width))
        .height(i64::from(viewport.height))
        .enable_begin_frame_control(true)
        .build()
        .expect("a url is all that is required");
    let target = browser.send(target, during).await?.target_id;
    let mut attach = AttachToTargetParams::new(target);
    attach.flatten = Some(true);
    let session = browser.send(attach, during).await?.session_id;
    let link = Link { page: connection.session(session.inner()) };
    // Only what is enabled runs scripts in new documents, tells of requests, and tells that a page has crashed.
    link.send(page::EnableParams::default(), during).await?;
    link.send(network::EnableParams::default(), during).await?;
    link.send(inspector::EnableParams::default(), during).await?;
    Ok(link)
}

/// What a Chrome that ended before it had a page said, or `error` if it has not ended.
async fn child_ended(child: &mut Child, error: Error) -> Error {
    match tokio::time::timeout(LAST_LINES_LIMIT, child.wait()).await {
        Ok(Ok(status)) => {
            Error::BrowserLaunch { reason: format!("it ended ({status}): {}", child.stderr_tail()) }
        }
        Ok(Err(_)) | Err(_) => error,
    }
}
