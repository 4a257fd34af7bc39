//! From frame to frame: the page's clock goes on, frames that nobody sees are gone through, and a frame waits for everything
//! that it shows.

use std::time::Duration;

use crate::browser::Tick;
use crate::browser::clock::{LEAD_MS, offset_of};
use crate::browser::session::Session;
use crate::error::{Error, Result};
use crate::page::server::Server;
use crate::page::{self, MAY_MOVE, SeekResult};
use crate::video_track::frames_at;

/// What one frame shows may ask for more, and that again; so often.
const MAX_ROUNDS: u32 = 50;

/// While the page's clock stands, one file may be asked for so often, by all browsers together. How often that is looked at.
const MAX_REQUESTS_OF_A_FILE: u64 = 400;
const LOOK_FOR_REQUESTS: Duration = Duration::from_millis(100);
/// So long after the server's last answer, Chrome has told of it.
const QUIET_AFTER: Duration = Duration::from_millis(200);

/// What must be known of a frame to draw it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sought {
    /// Whether the browser itself animates anything on the page.
    animated: bool,
    /// Whether something is drawn at another scale than in the frame before.
    twice: bool,
}

impl Session<'_> {
    /// Lets the page go through a frame that nobody sees, as it would through one that is drawn.
    pub(super) async fn skip(&mut self, index: u32) -> Result<()> {
        let at = self.go_to(index).await?;
        let seek = page::seek_unseen(self.fps.seconds(index));
        let result = self.evaluate_seek(index, &seek).await?;
        // An animated picture that is not drawn stays behind, and is one frame ahead when it catches up.
        let is_drawn = self.server.has_history() || self.history.iter().any(|why| why == MAY_MOVE);
        let tick = if is_drawn { Tick::Advance } else { Tick::Unseen };
        if result.animated {
            self.browser.tick(at - LEAD_MS, self.fps.interval_ms(), tick).await?;
        }
        self.browser.tick(at, self.fps.interval_ms(), tick).await?;
        if result.workers {
            self.tell_workers().await?;
        }
        Ok(())
    }

    /// Lets the page's clock go on until frame `index`, and returns the frame's tick.
    pub(super) async fn go_to(&mut self, index: u32) -> Result<f64> {
        let moment = self.first_frame + offset_of(index, self.fps);
        // Where nothing moves by the clock, the page is told the time, and Chrome need not get there.
        if !self.history.is_empty() {
            self.grant_until(moment).await?;
        }
        Ok(self.browser.ticks_at(moment))
    }

    /// Lets the page's clock go on until a moment. It stands still while requests are under way, so that a page that never
    /// stops asking would never get there.
    pub(super) async fn grant_until(&mut self, moment: u64) -> Result<()> {
        tokio::select! {
            granted = self.browser.grant_until(moment) => granted,
            path = asks_without_end(self.server) => Err(endless_requests(&path)),
        }
    }

    /// Puts the page at a frame, with the frames of videos that it shows.
    pub(super) async fn seek(&mut self, index: u32) -> Result<Sought> {
        let tracks = self.server.tracks();
        let due = frames_at(tracks, index, self.fps);
        let next = Some(index.saturating_add(self.stride)).filter(|next| *next < self.end);
        let next = next.map_or_else(Vec::new, |next| frames_at(tracks, next, self.fps));
        let script = page::seek(self.fps.seconds(index), &due, &next);
        let SeekResult { animated, twice, .. } = self.evaluate_seek(index, &script).await?;
        Ok(Sought { animated, twice })
    }

    /// Draws what has to be drawn before the frame itself. Returns the frame's tick, and whether anything has changed.
    pub(super) async fn draw_ahead(
        &mut self,
        index: u32,
        at: f64,
        Sought { animated, twice }: Sought,
    ) -> Result<(f64, bool)> {
        let interval = self.fps.interval_ms();
        let mut has_damage = false;
        if animated || twice {
            let early = self.browser.tick(at - LEAD_MS, interval, Tick::Advance).await?;
            has_damage |= early.has_damage;
        }
        if animated {
            // A layer that the browser animates is first shifted by a fraction of a pixel and drawn anew only when it is
            // touched again: without this, its edges would depend on the frame before.
            self.seek(index).await?;
        }
        if !self.has_workers {
            return Ok((at, has_damage));
        }
        // Workers get what the page's frame callbacks send, and what they draw is shown a frame later.
        for round in [0.0, 1.0] {
            let early = self.browser.tick(at + round * LEAD_MS, interval, Tick::Advance).await?;
            has_damage |= early.has_damage;
            self.tell_workers().await?;
        }
        Ok((at + 2.0 * LEAD_MS, has_damage))
    }

    async fn tell_workers(&mut self) -> Result<()> {
        let told = self.browser.evaluate::<bool>(page::WORKERS);
        self.browser.granting(told).await??;
        Ok(())
    }

    /// Draws the frame again until everything that it shows is there. Returns whether that was necessary.
    pub(super) async fn complete(&mut self, at: f64) -> Result<bool> {
        let server = self.server;
        tokio::select! {
            completed = self.complete_requests(at) => completed,
            path = asks_without_end(server) => Err(endless_requests(&path)),
        }
    }

    async fn complete_requests(&mut self, at: f64) -> Result<bool> {
        let mut asked = None;
        for round in 0.. {
            // Observers look at a frame that Chrome has handed over already.
            if self.may_ask_late {
                self.browser.evaluate::<bool>(page::AFTER_FRAME).await?;
            }
            if !self.requests.has_new() {
                return Ok(round > 0);
            }
            if round == MAX_ROUNDS {
                break;
            }
            asked = self.requests.open().next().map(str::to_owned).or(asked);
            while tokio::time::timeout(QUIET_AFTER, self.requests.until_quiet()).await.is_err() {
                // Chrome does not tell when the script of a worker has come.
                if self.server.is_quiet() {
                    self.requests.forget();
                }
            }
            self.browser.evaluate::<bool>(page::TAKE_IN).await?;
            self.browser.tick(at, self.fps.interval_ms(), Tick::Advance).await?;
        }
        Err(endless_requests(&asked.unwrap_or_default()))
    }
}

/// Ends with the path that is asked for again and again while a page's clock stands.
pub(super) async fn asks_without_end(server: &Server) -> String {
    tokio::time::sleep(LOOK_FOR_REQUESTS).await;
    let before = server.requests();
    loop {
        tokio::time::sleep(LOOK_FOR_REQUESTS).await;
        let since = |path: &String, count: u64| count - before.get(path).copied().unwrap_or(0);
        let mut counts = server.requests().into_iter();
        if let Some((path, _)) = counts.find(|(path, n)| since(path, *n) > MAX_REQUESTS_OF_A_FILE) {
            return path;
        }
    }
}

pub(super) fn endless_requests(asked: &str) -> Error {
    Error::PageMotion {
        what: format!("a script that asks for files without end, such as {asked},"),
        remedy: "ask for each file once, before the first frame",
    }
}
