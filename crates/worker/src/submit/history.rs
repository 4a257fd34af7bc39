//! How far a render is, as its history of events says: a fold from events to a state, which can be taken up again anywhere.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::cost::Used;

/// What the function says when too much of it runs already. Lambda charges nothing for such a try.
pub(super) const BUSY: &str = "Lambda.TooManyRequestsException";

/// One event of a history. The events of a Map's iterations interleave; `previous` tells which one an event follows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    pub(super) id: i64,
    pub(super) previous: i64,
    /// Milliseconds since 1970.
    pub(super) at: i64,
    pub(super) kind: EventKind,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum EventKind {
    Entered {
        state: String,
    },
    /// One iteration of the Map begins.
    Iteration {
        index: u32,
    },
    /// The Map, or one iteration of it, is over, whichever way.
    IterationOver,
    /// A try begins to wait for the function.
    Scheduled,
    Started,
    Succeeded {
        output: String,
    },
    Failed {
        error: String,
        cause: String,
    },
    /// The execution is over.
    Over,
    /// Nothing that matters here, but others may follow it.
    Other,
}

/// What a render is doing. Ordered as it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Planning,
    Rendering,
    Assembling,
}

impl Stage {
    /// The stage of a task of `sam/render.asl.json`.
    pub(super) fn of_state(name: &str) -> Option<Self> {
        match name {
            "Plan" => Some(Self::Planning),
            "RenderChunk" => Some(Self::Rendering),
            "Assemble" => Some(Self::Assembling),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Planning => "planning",
            Self::Rendering => "rendering",
            Self::Assembling => "assembling",
        }
    }
}

/// Which piece of work an event belongs to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TaskId {
    pub(super) chunk: Option<u32>,
    pub(super) stage: Option<Stage>,
}

/// What planning has found out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    pub(super) hash: String,
    pub(super) chunks: u32,
    pub(super) frames: u32,
    pub(super) fps: f64,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// A try that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) task: TaskId,
    pub(super) error: String,
    pub(super) cause: String,
}

/// What is worth a line of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Notice {
    /// This failed and is tried again.
    Retry(Failure),
    Warning(String),
}

#[derive(Debug, Clone, Default)]
pub(super) struct Progress {
    /// The newest event that was taken in.
    last: i64,
    /// When it happened.
    pub(super) latest: i64,
    tasks: BTreeMap<i64, TaskId>,
    /// When each try that is under way began.
    running: BTreeMap<TaskId, i64>,
    /// What failed and was not tried again so far, with the event that said so.
    failed: BTreeMap<TaskId, (i64, Failure)>,
    stage: Option<Stage>,
    pub(super) plan: Option<Plan>,
    done: BTreeSet<u32>,
    pub(super) frames_done: u32,
    pub(super) retries: u32,
    used: Used,
    pub(super) is_over: bool,
}

impl Progress {
    /// Takes in a page of events. Those that were in an earlier page change nothing.
    pub(super) fn take(&mut self, events: Vec<Event>) -> Vec<Notice> {
        let mut notices = Vec::new();
        for event in events {
            if event.id > self.last {
                self.apply(event, &mut notices);
            }
        }
        notices
    }

    fn apply(&mut self, event: Event, notices: &mut Vec<Notice>) {
        let Event { id, previous, at, kind } = event;
        let before = self.tasks.get(&previous).copied().unwrap_or_default();
        let task = match &kind {
            EventKind::Entered { state } => TaskId { stage: Stage::of_state(state), ..before },
            EventKind::Iteration { index } => TaskId { chunk: Some(*index), stage: None },
            EventKind::IterationOver => TaskId::default(),
            _ => before,
        };
        (self.last, self.latest) = (id, self.latest.max(at));
        self.tasks.insert(id, task);
        match kind {
            EventKind::Entered { .. } => {
                self.used.transitions += 1;
                self.stage = self.stage.max(task.stage);
            }
            EventKind::Scheduled => {
                self.used.requests += 1;
                self.running.insert(task, at);
                if let Some((_, failure)) = self.failed.remove(&task) {
                    self.used.transitions += 1;
                    self.retries += 1;
                    notices.push(Notice::Retry(failure));
                }
            }
            EventKind::Started => drop(self.running.insert(task, at)),
            EventKind::Succeeded { output } => self.succeeded(task, at, &output, notices),
            EventKind::Failed { error, cause } => {
                let took = self.ended(task, at);
                if error == BUSY {
                    self.used.requests = self.used.requests.saturating_sub(1);
                } else {
                    self.used.ms += took;
                }
                self.failed.insert(task, (id, Failure { task, error, cause }));
            }
            EventKind::Over => {
                self.is_over = true;
                // The history has no end of these.
                let open: Vec<_> = self.running.keys().copied().collect();
                self.used.ms += open.into_iter().map(|task| self.ended(task, at)).sum::<u64>();
            }
            EventKind::Iteration { .. } | EventKind::IterationOver | EventKind::Other => {}
        }
    }

    /// How long the try at `task` took, from its start to `at`; 0 if its start is unknown.
    fn ended(&mut self, task: TaskId, at: i64) -> u64 {
        self.running.remove(&task).map_or(0, |since| span(since, at))
    }

    fn succeeded(&mut self, task: TaskId, at: i64, output: &str, notices: &mut Vec<Notice>) {
        let took = self.ended(task, at);
        let answer: Value = serde_json::from_str(output).unwrap_or_default();
        let answer = &answer["Payload"];
        let number = |field: &str| answer[field].as_u64().and_then(|n| u32::try_from(n).ok());
        self.used.ms += answer["DurationMs"].as_u64().unwrap_or(took);
        let warnings = answer["Warnings"].as_array().into_iter().flatten();
        notices.extend(
            warnings.filter_map(Value::as_str).map(|text| Notice::Warning(text.to_owned())),
        );
        match task.stage {
            Some(Stage::Planning) => {
                self.plan =
                    number("ChunkCount").zip(number("TotalFrames")).map(|(chunks, frames)| Plan {
                        hash: answer["PlanHash"].as_str().unwrap_or_default().to_owned(),
                        chunks,
                        frames,
                        fps: answer["Fps"].as_f64().unwrap_or_default(),
                        width: number("Width").unwrap_or_default(),
                        height: number("Height").unwrap_or_default(),
                    });
            }
            Some(Stage::Rendering) => {
                if self.done.insert(task.chunk.unwrap_or_default()) {
                    self.frames_done += number("FramesEncoded").unwrap_or_default();
                }
            }
            Some(Stage::Assembling) | None => {}
        }
    }

    pub(super) fn stage(&self) -> Stage {
        self.stage.unwrap_or(Stage::Planning)
    }

    pub(super) fn chunks_done(&self) -> usize {
        self.done.len()
    }

    /// The chunks that are being drawn.
    pub(super) fn chunks_running(&self) -> impl Iterator<Item = u32> {
        let rendering = self.running.keys().filter(|task| task.stage == Some(Stage::Rendering));
        rendering.filter_map(|task| task.chunk)
    }

    /// What was not tried again and made the render fail with this error and cause: if no cause is the same, or several
    /// are, what failed last.
    pub(super) fn failure(&self, error: &str, cause: &str) -> Option<&Failure> {
        let alike = self.failed.values().filter(|(_, failure)| failure.error == error);
        let newest = alike.max_by_key(|(id, failure)| (failure.cause == cause, *id));
        newest.map(|(_, failure)| failure)
    }

    /// What is used by the time `now`, when the tries under way are as old as that.
    pub(super) fn used(&self, now: i64) -> Used {
        let running = self.running.values().map(|since| span(*since, now)).sum::<u64>();
        Used { ms: self.used.ms + running, ..self.used }
    }
}

/// Lambda ends every invocation after this time.
const MAX_MS: u64 = 900_000;

fn span(from: i64, to: i64) -> u64 {
    u64::try_from(to - from).unwrap_or(0).min(MAX_MS)
}

#[cfg(test)]
mod tests;
