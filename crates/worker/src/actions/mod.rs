//! One event in, one answer out: the events, the answers, and the work of each action.

pub(crate) mod assemble;
pub(crate) mod cache;
mod cached_chunks;
pub(crate) mod event;
mod fields;
pub(crate) mod label;
pub(crate) mod marker;
mod notify;
pub(crate) mod plan;
mod probe;
pub(crate) mod protocol;
pub(crate) mod render_chunk;
pub(crate) mod side_outputs;
pub(crate) mod worker;

use serde::Serialize;
use store::{Store, Uri};

use crate::action::Action;
use crate::actions::assemble::{AssembleAnswer, AssembleEvent};
use crate::actions::notify::{NotifyAnswer, NotifyEvent};
use crate::actions::plan::{PlanAnswer, PlanEvent};
use crate::actions::probe::ProbeAnswer;
use crate::actions::render_chunk::{RenderChunkAnswer, RenderChunkEvent};
use crate::actions::worker::{Facts, Worker};
use crate::error::Result;

/// What an invocation is asked to do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    Plan(PlanEvent),
    RenderChunk(RenderChunkEvent),
    Assemble(AssembleEvent),
    Probe,
    Notify(NotifyEvent),
}

/// What an invocation answers: small, since Step Functions keeps every answer to the end.
#[derive(Debug, Serialize)]
#[serde(tag = "Action")]
pub(crate) enum Answer {
    #[serde(rename = "plan")]
    Plan(PlanAnswer),
    #[serde(rename = "renderChunk")]
    RenderChunk(RenderChunkAnswer),
    #[serde(rename = "assemble")]
    Assemble(AssembleAnswer),
    #[serde(rename = "probe")]
    Probe(ProbeAnswer),
    #[serde(rename = "notify")]
    Notify(NotifyAnswer),
}

impl Event {
    pub(crate) fn action(&self) -> Action {
        match self {
            Self::Plan(_) => Action::Plan,
            Self::RenderChunk(_) => Action::RenderChunk,
            Self::Assemble(_) => Action::Assemble,
            Self::Probe => Action::Probe,
            Self::Notify(_) => Action::Notify,
        }
    }

    /// Every URI of the event, with the field that has it.
    pub(crate) fn uris(&self) -> Vec<(String, &Uri)> {
        match self {
            Self::Plan(event) => event.uris(),
            Self::RenderChunk(event) => event.uris(),
            Self::Assemble(event) => event.uris(),
            Self::Probe | Self::Notify(_) => Vec::new(),
        }
    }
}

impl Answer {
    pub(crate) fn warnings(&self) -> &[String] {
        match self {
            Self::Plan(answer) => &answer.warnings,
            Self::RenderChunk(answer) => &answer.warnings,
            Self::Assemble(_) | Self::Probe(_) | Self::Notify(_) => &[],
        }
    }

    /// The same with each warning as `edit` makes it.
    pub(crate) fn edit_warnings(&mut self, edit: impl Fn(&str) -> String) {
        let warnings = match self {
            Self::Plan(answer) => &mut answer.warnings,
            Self::RenderChunk(answer) => &mut answer.warnings,
            Self::Assemble(_) | Self::Probe(_) | Self::Notify(_) => return,
        };
        for warning in warnings {
            *warning = edit(warning);
        }
    }
}

impl<S: Store> Worker<'_, S> {
    /// Does what `event` asks for.
    pub(crate) async fn dispatch(&self, event: &Event) -> Result<(Answer, Facts)> {
        match event {
            Event::Plan(event) => {
                let planned = Box::pin(self.plan(event)).await?;
                Ok((Answer::Plan(planned.answer), planned.facts))
            }
            Event::RenderChunk(event) => {
                let (answer, facts) = Box::pin(self.render_chunk(event)).await?;
                Ok((Answer::RenderChunk(answer), facts))
            }
            Event::Assemble(event) => {
                let (answer, facts) = Box::pin(self.assemble(event)).await?;
                Ok((Answer::Assemble(answer), facts))
            }
            Event::Probe => {
                let (answer, facts) = Box::pin(self.probe()).await?;
                Ok((Answer::Probe(answer), facts))
            }
            Event::Notify(event) => {
                let (answer, facts) = self.notify(event).await?;
                Ok((Answer::Notify(answer), facts))
            }
        }
    }
}

#[cfg(test)]
mod tests;
