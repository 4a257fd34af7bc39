//! The page's clock. Chrome keeps virtual time: it passes as far as it is granted, and stands still while something that the
//! page has asked for is on its way. Everything that moves by itself moves by it.

use std::pin::pin;
use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::emulation::{
    EventVirtualTimeBudgetExpired, SetVirtualTimePolicyParams, VirtualTimePolicy,
};
use chromiumoxide::cdp::browser_protocol::network::TimeSinceEpoch;
use chromiumoxide::listeners::EventStream;
use futures::StreamExt;
use futures::future::{Either, select};

use crate::browser::Browser;
use crate::error::{Error, Result};
use crate::frame::Fps;

/// Chrome rounds what pages read of its clock to this many microseconds, and at a random threshold between them.
const GRID: u64 = 100;
/// Added to what is granted and to ticks, so that numbers that are cut to microseconds are not one too small.
const HALF_MICROSECOND_MS: f64 = 0.0005;

/// Frame 0 of a page that is ready at once, in microseconds after its clock was started: pages get ready in a few steps of
/// the grid, and how many there are must not show. Others have it at the next multiple of `LATER_START`.
const FIRST_START: u64 = 4_000;
const LATER_START: u64 = 50_000;

/// The date of the page when its clock is started, in seconds since 1970, on the grid. 0 means today to Chrome.
const FIRST_DATE: f64 = 1e-4;

/// So many tasks may run before Chrome's clock goes on: a page that sends itself messages without end would stop it.
const MAX_TASKS: i64 = 1_000;

/// How far the clock goes on while a page and its workers send each other messages about one frame, in microseconds, and how
/// long they have after the first step before it takes another one: twice as long after each.
const MESSAGES: u64 = 10 * GRID;
const FIRST_PATIENCE: Duration = Duration::from_millis(1);

/// The virtual time of one page.
#[derive(Debug)]
pub(super) struct VirtualClock {
    /// Chrome's ticks at which it was started, in milliseconds.
    base: f64,
    /// Microseconds granted since.
    granted: u64,
    expired: EventStream<EventVirtualTimeBudgetExpired>,
}

/// When frame 0 is, in microseconds of a page's clock, if it is ready at `ready`.
pub(super) fn first_frame_after(ready: u64) -> u64 {
    if ready + FIRST_LEAD <= FIRST_START {
        FIRST_START
    } else {
        (ready + FIRST_LEAD).next_multiple_of(LATER_START)
    }
}

/// How long before a frame Chrome may draw one that prepares it.
const LEAD: u64 = GRID;
pub(super) const LEAD_MS: f64 = 0.1;

/// How long before frame 0 Chrome draws the page for the first time: before the frame that prepares frame 0.
pub(super) const FIRST_LEAD: u64 = 2 * LEAD;

/// How long after frame 0 frame `index` is, in microseconds on the grid.
pub(super) fn offset_of(index: u32, fps: Fps) -> u64 {
    let micros = u128::from(index) * 1_000_000 * u128::from(fps.den) / u128::from(fps.num);
    let micros = u64::try_from(micros).expect("a frame's time fits");
    micros / GRID * GRID
}

impl Browser {
    /// Lets Chrome keep the page's time from now on. Its date begins with 1970: Chrome knows none before.
    pub(super) async fn start_clock(&mut self) -> Result<()> {
        let during = "while starting its clock";
        let expired = self.link.page.event_listener::<EventVirtualTimeBudgetExpired>().await;
        let expired = expired.map_err(|error| Error::BrowserLost {
            during: during.to_owned(),
            reason: error.to_string(),
        })?;
        let params = SetVirtualTimePolicyParams::builder()
            .policy(VirtualTimePolicy::Pause)
            .initial_virtual_time(TimeSinceEpoch::new(FIRST_DATE))
            .build()
            .expect("a policy is all that is required");
        let base = self.link.send(params, during).await?.virtual_time_ticks_base;
        self.time = Some(VirtualClock { base, granted: 0, expired });
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "uptime")]
        let micros = (base * 1000.0).round() as u64;
        let off = micros.next_multiple_of(GRID) - micros;
        if off > 0 {
            self.pass(off, VirtualTimePolicy::Advance).await?;
            let clock = self.time.as_mut().expect("it was started");
            #[expect(clippy::cast_precision_loss, reason = "uptime in microseconds")]
            let aligned = (micros + off) as f64 / 1000.0;
            (clock.base, clock.granted) = (aligned, 0);
        }
        self.clock = self.ticks_at(0);
        Ok(())
    }

    /// Microseconds that were granted so far.
    pub(super) fn granted(&self) -> u64 {
        self.time.as_ref().map_or(0, |clock| clock.granted)
    }

    /// The tick of a moment of the page's clock.
    #[expect(clippy::cast_precision_loss, reason = "hours in microseconds")]
    pub(super) fn ticks_at(&self, micros: u64) -> f64 {
        let base = self.time.as_ref().map_or(0.0, |clock| clock.base);
        base + micros as f64 / 1000.0 + HALF_MICROSECOND_MS
    }

    /// Lets the page's clock go on by `micros`, and waits until it has.
    pub(super) async fn grant(&mut self, micros: u64) -> Result<()> {
        self.pass(micros, VirtualTimePolicy::PauseIfNetworkFetchesPending).await
    }

    /// Lets it go on until `micros`, unless it is there.
    pub(super) async fn grant_until(&mut self, micros: u64) -> Result<()> {
        match micros.checked_sub(self.granted()) {
            None | Some(0) => Ok(()),
            Some(left) => self.grant(left).await,
        }
    }

    /// Lets the clock go on by small steps until `pending` is done: messages are not delivered while it stands. How long that
    /// takes on a busy machine does not show: the clock goes on by [`MESSAGES`] in any case, and hardly ever farther.
    pub(super) async fn granting<T>(&mut self, pending: impl Future<Output = T>) -> Result<T> {
        let mut pending = pin!(pending);
        let until = self.granted() + MESSAGES;
        let mut patience = FIRST_PATIENCE;
        let done = loop {
            let step = pin!(self.grant(GRID));
            match select(pending.as_mut(), step).await {
                Either::Left((done, step)) => {
                    step.await?;
                    break done;
                }
                Either::Right((granted, _)) => granted?,
            }
            if let Ok(done) = tokio::time::timeout(patience, pending.as_mut()).await {
                break done;
            }
            patience *= 2;
        };
        self.grant_until(until).await?;
        Ok(done)
    }

    async fn pass(&mut self, micros: u64, policy: VirtualTimePolicy) -> Result<()> {
        let during = "while its clock goes on";
        #[expect(clippy::cast_precision_loss, reason = "hours in microseconds")]
        let budget = micros as f64 / 1000.0 + HALF_MICROSECOND_MS;
        let params = SetVirtualTimePolicyParams::builder()
            .policy(policy)
            .budget(budget)
            .max_virtual_time_task_starvation_count(MAX_TASKS)
            .build()
            .expect("a policy is all that is required");
        self.link.send(params, during).await?;
        let life = self.link.life.clone();
        let clock = self.time.as_mut().expect("the clock was started");
        tokio::select! {
            event = clock.expired.next() => match event {
                Some(_) => {
                    clock.granted += micros;
                    Ok(())
                }
                None => Err(Error::BrowserLost {
                    during: during.to_owned(),
                    reason: "it no longer tells what happens".to_owned(),
                }),
            },
            () = life.ended() => Err(Error::BrowserLost {
                during: during.to_owned(),
                reason: "it has ended".to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_0_does_not_show_how_many_steps_a_page_took_to_get_ready() {
        for (ready, expected) in [
            (0, 4_000),
            (3_800, 4_000),
            (3_900, 50_000),
            (49_800, 50_000),
            (49_900, 100_000),
            (700_300, 750_000),
        ] {
            assert_eq!(first_frame_after(ready), expected, "{ready}");
        }
    }

    #[test]
    fn frames_are_on_the_grid_and_never_late() {
        let ntsc = Fps { num: 30_000, den: 1001 };
        for (index, fps, expected) in [
            (0, ntsc, 0),
            (1, ntsc, 33_300),
            (30, ntsc, 1_001_000),
            (30, Fps { num: 30, den: 1 }, 1_000_000),
            (1, Fps { num: 60, den: 1 }, 16_600),
            (u32::MAX, Fps { num: 1, den: 1 }, 4_294_967_295_000_000),
        ] {
            assert_eq!(offset_of(index, fps), expected, "{index}");
        }
    }
}
