//! Follows an execution to its end: one description and the newest page of its history each time.

use std::time::{Duration, Instant, SystemTime};

use crate::error::{Error, Result};
use crate::submit::cause::readable;
use crate::submit::cloud::{Cloud, Execution, History, Status};
use crate::submit::cost;
use crate::submit::history::{BUSY, Event, Failure, Notice, Progress, Stage, TaskId};
use crate::submit::show::{Show, View};

/// The interval of polls while something happens; it grows while nothing does.
const FIRST_WAIT: Duration = Duration::from_secs(2);
const MAX_WAIT: Duration = Duration::from_secs(10);

const SHOW_EVERY: Duration = Duration::from_secs(1);

/// Polls in a row that may fail: a network that is gone for some minutes ends nothing.
const MAX_FAILURES: u32 = 30;
/// Polls until an execution that was just started must be found, and until the history of one that is over has its end.
const MAX_LATE: u32 = 5;

/// A render that is watched.
#[derive(Debug)]
pub(super) struct Watcher<'a> {
    cloud: &'a Cloud,
    execution: &'a str,
    memory_mib: Option<u32>,
    show: &'a Show,
    progress: Progress,
    /// The newest page of the history that was read.
    token: Option<String>,
    /// When the newest event was read.
    newest: Instant,
    was_busy: bool,
    warnings: Vec<String>,
}

/// A render as it was seen once.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) execution: Execution,
    pub(super) progress: Progress,
    pub(super) elapsed: Duration,
    pub(super) dollars: Option<f64>,
    pub(super) warnings: Vec<String>,
}

/// A render that is over.
pub(super) type Ended = Look;

impl<'a> Watcher<'a> {
    pub(super) fn new(
        cloud: &'a Cloud,
        execution: &'a str,
        memory_mib: Option<u32>,
        show: &'a Show,
    ) -> Self {
        Self {
            cloud,
            execution,
            memory_mib,
            show,
            progress: Progress::default(),
            token: None,
            newest: Instant::now(),
            was_busy: false,
            warnings: Vec::new(),
        }
    }

    /// Watches until the render is over.
    pub(super) async fn follow(mut self) -> Result<Ended> {
        let (mut wait, mut failures, mut late) = (FIRST_WAIT, 0, 0);
        let mut last_seen = None;
        loop {
            let before = self.progress.latest;
            match self.poll().await {
                Ok(Some(found)) if found.status != Status::Running => {
                    late += 1;
                    if self.progress.is_over || late == MAX_LATE {
                        return Ok(self.ended(found));
                    }
                    // The end is not in the history yet, or behind a page that has moved.
                    self.token = None;
                }
                Ok(Some(running)) => (failures, last_seen) = (0, Some(running)),
                Ok(None) => {
                    late += 1;
                    if late == MAX_LATE {
                        let argument = self.execution.to_owned();
                        let reason = "there is no such execution".to_owned();
                        return Err(Error::Argument { argument, reason });
                    }
                }
                Err(error @ Error::CloudUnavailable { .. }) => {
                    failures += 1;
                    if failures == MAX_FAILURES {
                        return Err(error);
                    }
                    if failures == 1 {
                        self.show.say(&format!("{}; trying again", error.chain()));
                    }
                }
                Err(error) => return Err(error),
            }
            let is_still = self.progress.latest == before;
            wait = if is_still { MAX_WAIT.min(wait * 3 / 2) } else { FIRST_WAIT };
            self.pause(wait, last_seen.as_ref()).await;
        }
    }

    /// Asks once how far the render is.
    pub(super) async fn look(mut self) -> Result<Look> {
        match self.poll().await? {
            Some(found) => Ok(self.ended(found)),
            None => Err(Error::Argument {
                argument: self.execution.to_owned(),
                reason: "there is no such execution".to_owned(),
            }),
        }
    }

    /// Lets time pass, and shows that it does.
    async fn pause(&self, wait: Duration, last_seen: Option<&Execution>) {
        let end = Instant::now() + wait;
        while let left = end.saturating_duration_since(Instant::now())
            && !left.is_zero()
        {
            tokio::time::sleep(left.min(SHOW_EVERY)).await;
            if let Some(found) = last_seen {
                self.show.update(self.view(found, self.now()));
            }
        }
    }

    /// Asks once how far the render is, and shows it.
    async fn poll(&mut self) -> Result<Option<Execution>> {
        let Some(found) = self.cloud.describe(self.execution).await? else { return Ok(None) };
        self.read().await?;
        let now = self.now();
        self.show.update(self.view(&found, now));
        Ok(Some(found))
    }

    /// Reads what is new in the history, from the page on that was the last.
    async fn read(&mut self) -> Result<()> {
        let mut is_anew = false;
        loop {
            match self.cloud.history(self.execution, self.token.as_deref()).await? {
                History::Page { events, next } => {
                    // At once: if the next page fails, this one is not read again.
                    self.take(events);
                    let Some(next) = next else { return Ok(()) };
                    self.token = Some(next);
                }
                History::TokenGone if !is_anew => (self.token, is_anew) = (None, true),
                History::TokenGone => {
                    return Err(Error::CloudUnavailable {
                        action: "read how far the render is",
                        reason: "the history refuses the tokens of its own pages".to_owned(),
                    });
                }
            }
        }
    }

    /// Takes in a page of events, and says what is new.
    fn take(&mut self, events: Vec<Event>) {
        let before = self.progress.latest;
        let notices = self.progress.take(events);
        if self.progress.latest != before {
            self.newest = Instant::now();
        }
        for notice in notices {
            match notice {
                Notice::Warning(text) => {
                    let text = readable(&text);
                    self.show.say(&format!("warning: {text}"));
                    self.warnings.push(text);
                }
                Notice::Retry(failure) => self.retried(&failure),
            }
        }
    }

    fn retried(&mut self, failure: &Failure) {
        let Failure { task, error, cause } = failure;
        // To wait is all that can be done, and it is not worth a line each time.
        let is_busy = error == BUSY;
        if is_busy && self.was_busy {
            return;
        }
        self.was_busy |= is_busy;
        let more = if is_busy { ", as often as it takes" } else { "" };
        let label = self.label(*task);
        self.show.say(&format!("{label}: {error}: {}; trying again{more}", readable(cause)));
    }

    /// What a piece of work is called.
    fn label(&self, task: TaskId) -> String {
        label(task, self.progress.plan.as_ref().map(|plan| plan.chunks))
    }

    /// The time there, in milliseconds since 1970: clocks differ, so ours only counts on from the newest event.
    fn now(&self) -> i64 {
        let since = i64::try_from(self.newest.elapsed().as_millis()).unwrap_or_default();
        self.progress.latest + since
    }

    fn dollars(&self, now: i64) -> Option<f64> {
        self.memory_mib.map(|memory| cost::dollars(self.progress.used(now), memory))
    }

    fn view(&self, found: &Execution, now: i64) -> View {
        let progress = &self.progress;
        let plan = progress.plan.as_ref();
        let done = u32::try_from(progress.chunks_done()).unwrap_or(u32::MAX);
        View {
            stage: progress.stage(),
            chunks: plan.map(|plan| (done, plan.chunks)),
            frames: plan.map(|plan| (progress.frames_done, plan.frames)),
            retries: progress.retries,
            elapsed: elapsed(found.start, found.stop.unwrap_or_else(|| at(now))),
            dollars: self.dollars(now),
        }
    }

    fn ended(self, execution: Execution) -> Look {
        let now = self.now();
        Look {
            elapsed: elapsed(execution.start, execution.stop.unwrap_or_else(|| at(now))),
            dollars: self.dollars(now),
            execution,
            warnings: self.warnings,
            progress: self.progress,
        }
    }
}

pub(super) fn label(task: TaskId, chunks: Option<u32>) -> String {
    match (task.stage, task.chunk) {
        (Some(Stage::Rendering), Some(index)) => match chunks {
            Some(count) => format!("chunk {} of {count}", index + 1),
            None => format!("chunk {}", index + 1),
        },
        (Some(stage), _) => stage.name().to_owned(),
        (None, _) => "the render".to_owned(),
    }
}

fn elapsed(start: SystemTime, end: SystemTime) -> Duration {
    end.duration_since(start).unwrap_or_default()
}

fn at(millis: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap_or_default())
}
