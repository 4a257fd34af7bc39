//! From a browser with an empty page to one whose first frame can be drawn, or a sentence on what keeps it.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::browser::Tick;
use crate::browser::diagnosis::{why_not_ready, zero_duration};
use crate::browser::session::{FIRST_FRAME_MS, Opened, Session};
use crate::config::Strictness;
use crate::config::output::Alpha;
use crate::error::{Error, Result};
use crate::page::server::Unserved;
use crate::page::{self, Status};

/// A page without a duration is given up on after this long, if nothing is loading any more.
const ZERO_DURATION_GRACE: Duration = Duration::from_secs(10);

impl Session<'_> {
    pub(super) fn not_ready(&self, reason: impl Into<String>) -> Error {
        Error::PageNotReady { seconds: self.timeouts.ready.as_secs(), reason: reason.into() }
    }

    pub(super) async fn get_ready(&mut self) -> Result<Opened> {
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
            let grace = ZERO_DURATION_GRACE.min(self.timeouts.ready);
            if status.loaded && nothing_to_render && waited > grace && self.server.is_quiet() {
                return Err(zero_duration(&status));
            }
            if waited > self.timeouts.ready {
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
        if self.server.alpha() == Alpha::Kept {
            self.browser.set_transparent().await?;
        }
        self.settle().await?;
        self.browser
            .tick(FIRST_FRAME_MS - self.fps.interval_ms(), self.fps.interval_ms(), Tick::Advance)
            .await?;
        let errors: Vec<String> = self.browser.evaluate(page::ERRORS).await?;
        self.errors_seen = errors.len();
        self.refuse_early(&Status { errors: errors.clone(), ..Status::default() })?;
        warnings.extend(errors);
        let timelines = self.browser.evaluate(page::TIMELINES).await?;
        let duration = status.duration.unwrap_or_default();
        Ok(Opened { duration, timelines, warnings, unreadable: None })
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
        if self.strictness == Strictness::BestEffort {
            return Ok(());
        }
        self.refuse_unserved()?;
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
                missing if missing.is_optional() => {}
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
}
