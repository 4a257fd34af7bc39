//! From a browser with an empty page to one whose first frame can be drawn, or a sentence on what keeps it.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::browser::Tick;
use crate::browser::advance::{asks_without_end, endless_requests};
use crate::browser::clock::{FIRST_LEAD, first_frame_after};
use crate::browser::diagnosis::{waiting_for, why_not_ready, zero_duration};
use crate::browser::session::{Opened, Session};
use crate::config::Strictness;
use crate::config::output::Alpha;
use crate::error::{Error, Result};
use crate::page::server::Unserved;
use crate::page::{self, Begun, Status};
use crate::told;

/// A page without a duration is given up on after this long of its own time, if nothing is loading any more.
const ZERO_DURATION_GRACE: Duration = Duration::from_secs(10);

/// A page's own time passes faster than ours while it waits. What it waits for may not be a timer: it has this long at least.
const REAL_GRACE: Duration = Duration::from_secs(3);

/// Until which moment of its clock a page that is loading is given how much of it, in microseconds. Each step is a question
/// whether it is ready; most pages are after one or two.
const LOADING_STEPS: [(u64, u64); 4] =
    [(4_000, 100), (50_000, 1_000), (1_000_000, 10_000), (u64::MAX, 50_000)];
/// A page that is not ready by then may be waiting for frames to be drawn.
const DRAW_AFTER: u64 = 50_000;
const SETTLE_WITHOUT_FRAMES: Duration = Duration::from_millis(250);

/// What a page is waited for is told when it takes longer than this.
const TELL_AFTER: Duration = Duration::from_secs(4);
/// Who waits for a render is told sooner, and again when the reason is another one.
const SHOW_EVERY: Duration = Duration::from_millis(500);

const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// So many looks in vain until the clock goes on a little.
const GRANT_EVERY: u32 = 25;

/// Whether an address is that of the page, wherever a script has moved to in it.
fn is_page(href: &str, url: &str) -> bool {
    let origin = url.strip_suffix("/index.html").unwrap_or(url);
    href.strip_prefix(origin).is_some_and(|path| path.starts_with('/'))
}

impl Session<'_> {
    pub(super) fn not_ready(&self, reason: impl Into<String>) -> Error {
        Error::PageNotReady { seconds: self.timeouts.ready.as_secs(), reason: reason.into() }
    }

    pub(super) async fn get_ready(&mut self) -> Result<Opened> {
        let url = self.server.index_url();
        self.browser.run_in_every_document(self.server.head_start()).await?;
        self.browser.start_clock().await?;
        let loading = self.browser.navigate(&url);
        let status = self.wait_until_ready(&url).await?;
        drop(loading);
        // A page that never speaks of timelines moves by other means.
        let missing = status.missing.iter().filter(|_| self.server.may_register_timelines());
        let mut warnings: Vec<_> = missing
            .map(|id| format!("composition \"{id}\" registered no timeline in window.__timelines"))
            .collect();
        if self.server.alpha() == Alpha::Kept {
            self.browser.set_transparent().await?;
        }
        let server = self.server;
        tokio::select! {
            settled = self.settle() => settled?,
            path = asks_without_end(server) => return Err(endless_requests(&path)),
        }
        let Begun { history, warnings: said } = self.begin().await?;
        tracing::debug!(?history, "what frames depend on beside their time");
        self.history = history;
        if self.server.has_history() {
            self.history
                .push("a picture that is animated, or what an earlier frame showed".to_owned());
        }
        warnings.extend(said);
        let errors: Vec<String> = self.browser.evaluate(page::ERRORS).await?;
        self.errors_seen = errors.len();
        self.refuse_early(&Status { errors: errors.clone(), ..Status::default() })?;
        warnings.extend(errors);
        let timelines = self.browser.evaluate(page::TIMELINES).await?;
        let duration = status.duration.unwrap_or_default();
        Ok(Opened { duration, timelines, warnings, unreadable: None })
    }

    async fn wait_until_ready(&mut self, url: &str) -> Result<Status> {
        let start = Instant::now();
        let mut looks_in_vain = 0_u32;
        let mut is_told = false;
        let mut shown = (Duration::ZERO, String::new());
        loop {
            let status = match self.browser.evaluate::<Option<Status>>(page::STATUS).await {
                Ok(Some(status)) if is_page(&status.href, url) => status,
                // The document is just being replaced, or a script keeps it busy.
                Ok(_) | Err(Error::Protocol { .. } | Error::BrowserSilent { .. }) => {
                    Status::default()
                }
                Err(error) => return Err(error),
            };
            self.refuse_early(&status)?;
            if self.is_ready(&status) {
                return Ok(status);
            }
            if start.elapsed() > TELL_AFTER && !is_told {
                is_told = true;
                let reason = why_not_ready(&status);
                let limit = self.timeouts.ready.as_secs();
                tracing::warn!(reason, limit_seconds = limit, "still waiting for the page");
            }
            let passed = Duration::from_micros(self.browser.granted());
            let waited = start.elapsed();
            if waited > shown.0 + SHOW_EVERY {
                let reason = waiting_for(&status);
                if reason != shown.1 {
                    let limit_seconds = self.timeouts.ready.as_secs();
                    tracing::debug!(target: told::ACTIVITY, limit_seconds, "{reason}");
                }
                shown = (waited, reason);
            }
            let nothing_to_render =
                status.render_ready && status.duration.is_some_and(|seconds| seconds <= 0.0);
            let grace = ZERO_DURATION_GRACE.min(self.timeouts.ready);
            if status.loaded && nothing_to_render && passed > grace && self.server.is_quiet() {
                return Err(zero_duration(&status));
            }
            let ready = self.timeouts.ready;
            let is_over = passed > ready && waited > REAL_GRACE.min(ready) && !status.busy;
            if waited > ready || is_over {
                if status.driver.is_some()
                    && status.render_ready
                    && status.duration.is_some_and(|d| d > 0.0)
                {
                    return Ok(status);
                }
                return Err(self.not_ready(why_not_ready(&status)));
            }
            if status.href.is_empty() || status.working {
                // Chrome is still setting up the document, or works for it: its clock needs to go on only now and then.
                looks_in_vain += 1;
                if looks_in_vain % GRANT_EVERY == 1 {
                    self.grant(LOADING_STEPS[0].1).await?;
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            } else {
                self.go_on_loading().await?;
                if !status.loaded {
                    // Its clock has only a few steps until frame 0.
                    tokio::time::sleep(2 * LOOK_AGAIN).await;
                }
            }
        }
    }

    async fn grant(&mut self, micros: u64) -> Result<()> {
        self.grant_until(self.browser.granted() + micros).await
    }

    /// Lets the page's clock go on by a step that is the larger, the longer the page takes.
    async fn go_on_loading(&mut self) -> Result<()> {
        let passed = self.browser.granted();
        let step = LOADING_STEPS.iter().find(|(until, _)| passed < *until);
        self.grant(step.unwrap_or(&LOADING_STEPS[LOADING_STEPS.len() - 1]).1).await?;
        if passed >= DRAW_AFTER {
            // What runs once a frame may be what the page is waiting for.
            self.browser.evaluate::<Option<()>>(page::RELEASE).await?;
            self.browser.tick_soon().await?;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
        Ok(())
    }

    /// Waits for every pixel that has to be loaded.
    async fn settle(&mut self) -> Result<()> {
        self.browser.evaluate::<Option<()>>(page::SETTLE).await?;
        let start = Instant::now();
        for look in 1_u32.. {
            match self.browser.evaluate::<Value>(page::SETTLED).await? {
                Value::Bool(true) => break,
                Value::String(message) => {
                    let during = "while it was loading".to_owned();
                    return Err(Error::PageScript { during, message });
                }
                _ => {}
            }
            if look % GRANT_EVERY == 0 {
                self.grant(LOADING_STEPS[0].1).await?;
            }
            // Some things only go on while frames are drawn.
            if start.elapsed() > SETTLE_WITHOUT_FRAMES {
                self.browser.tick_soon().await?;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }

    /// Draws the page as it is before frame 0. All that moves by itself begins with that.
    async fn begin(&mut self) -> Result<Begun> {
        let interval = self.fps.interval_ms();
        self.first_frame = first_frame_after(self.browser.granted());
        let moment = self.first_frame - FIRST_LEAD;
        self.grant_until(moment).await?;
        let at = self.browser.ticks_at(moment);
        self.browser.tick(at, interval, Tick::Advance).await?;
        // Rarely, animations do not begin with the first frame.
        for _ in 0..3 {
            if self.browser.evaluate::<bool>(page::HAS_BEGUN).await? {
                break;
            }
            self.browser.tick(at, interval, Tick::Advance).await?;
        }
        let can_leave_out = !self.server.has_history();
        #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
        let lead = FIRST_LEAD as f64 / 1000.0;
        let begun = self.browser.evaluate(&page::begin(lead, can_leave_out)).await?;
        self.complete(at).await?;
        Ok(begun)
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
        if self.strictness == Strictness::BestEffort {
            return Ok(());
        }
        self.refuse_unserved()?;
        if let Some(what) = status.undriven.first() {
            let remedy = "do its work in a Worker or in the page";
            return Err(Error::PageMotion { what: what.clone(), remedy });
        }
        match status.errors.first() {
            Some(message) => Err(Error::PageScript { during: during(), message: message.clone() }),
            None => Ok(()),
        }
    }

    /// A page without one of its parts is not the page its author meant.
    pub(super) fn refuse_unserved(&self) -> Result<()> {
        for unserved in self.server.unserved() {
            match unserved {
                Unserved::Outside { url } => {
                    let reason = "is not part of the project: put the file beside the HTML and refer to it there";
                    return Err(Error::PageAsset { what: url, reason });
                }
                Unserved::Moving { path } => {
                    return Err(Error::PageMotion {
                        what: format!("the image {path}"),
                        remedy: "put the SVG into the HTML, or refer to it by an <object>",
                    });
                }
                missing if missing.is_optional() => {}
                Unserved::Missing { path, wanted_as } => {
                    let reason = why_missing(&path);
                    return Err(Error::PageAsset {
                        what: format!("the {wanted_as} {path}"),
                        reason,
                    });
                }
            }
        }
        Ok(())
    }
}

/// Why a file of the project may not be there.
fn why_missing(path: &str) -> &'static str {
    let left_out = |part: &str| compose::tree::SKIPPED.contains(&part);
    let mut parts = path.trim_start_matches('/').split('/');
    if parts.clone().any(|part| part == "node_modules") {
        "lies in node_modules, which is left out of a render: copy the file beside the HTML, and refer to it there"
    } else if parts.next().is_some_and(left_out) {
        "lies in a directory of build products, which is left out of a render: copy the file beside the HTML, and refer \
         to it there"
    } else {
        "is not in the project"
    }
}
