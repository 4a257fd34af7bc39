//! One event in, one answer out: the events, the answers, and the work of each action.

pub(crate) mod assemble;
pub(crate) mod event;
mod fields;
pub(crate) mod label;
pub(crate) mod plan;
pub(crate) mod render_chunk;
pub(crate) mod side_outputs;

use std::collections::BTreeMap;
use std::path::Path;

use render::chunk::{ChunkOptions, ChunkReport};
use render::config::output::Format;
use render::plan::planned_format;
use serde::Serialize;
use store::{Store, Uri};

use crate::action::Action;
use crate::actions::assemble::{AssembleAnswer, AssembleEvent};
use crate::actions::plan::{PlanAnswer, PlanEvent};
use crate::actions::render_chunk::{RenderChunkAnswer, RenderChunkEvent};
use crate::error::{Error, Result};
use crate::tools::toolbox::Toolbox;

/// What an invocation is asked to do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    Plan(PlanEvent),
    RenderChunk(RenderChunkEvent),
    Assemble(AssembleEvent),
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
}

/// What every invocation of this process has in common.
#[derive(Debug)]
pub(crate) struct Worker<'a, S> {
    pub(crate) store: &'a S,
    pub(crate) toolbox: &'a Toolbox,
    pub(crate) env: &'a BTreeMap<String, String>,
    /// Where work directories are made.
    pub(crate) scratch: &'a Path,
    pub(crate) options: ChunkOptions<'a>,
}

/// What an invocation took, for its log line. Times are milliseconds.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) fetch: Option<u64>,
    pub(crate) work: Option<u64>,
    pub(crate) store: Option<u64>,
    pub(crate) frames: Option<u32>,
    /// Bytes of what was made.
    pub(crate) bytes: Option<u64>,
    pub(crate) chunks: Option<u64>,
    /// Whether an earlier try had already made it.
    pub(crate) was_there: bool,
    /// Of a chunk that was rendered.
    pub(crate) report: Option<Box<ChunkReport>>,
}

impl Event {
    pub(crate) fn action(&self) -> Action {
        match self {
            Self::Plan(_) => Action::Plan,
            Self::RenderChunk(_) => Action::RenderChunk,
            Self::Assemble(_) => Action::Assemble,
        }
    }

    /// Every URI of the event, with the field that has it.
    pub(crate) fn uris(&self) -> Vec<(String, &Uri)> {
        match self {
            Self::Plan(event) => event.uris(),
            Self::RenderChunk(event) => event.uris(),
            Self::Assemble(event) => event.uris(),
        }
    }
}

impl Answer {
    pub(crate) fn warnings(&self) -> &[String] {
        match self {
            Self::Plan(answer) => &answer.warnings,
            Self::RenderChunk(answer) => &answer.warnings,
            Self::Assemble(_) => &[],
        }
    }

    /// The same with each warning as `edit` makes it.
    pub(crate) fn edit_warnings(&mut self, edit: impl Fn(&str) -> String) {
        let warnings = match self {
            Self::Plan(answer) => &mut answer.warnings,
            Self::RenderChunk(answer) => &mut answer.warnings,
            Self::Assemble(_) => return,
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
        }
    }
}

/// Refuses an event that means files of another format than those of the plan in `plan_dir`.
fn check_format(plan_dir: &Path, format: Format) -> Result<()> {
    let Some(planned) = planned_format(plan_dir).filter(|planned| *planned != format) else {
        return Ok(());
    };
    Err(Error::Event {
        field: "Format".to_owned(),
        reason: format!("must be {}, as the plan says, not {}", planned.name(), format.name()),
    })
}

/// The first warnings and how many more there are: all of them are in the log.
fn bounded<S: serde::Serializer>(
    warnings: &[String],
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    const MAX_WARNINGS: usize = 3;
    const MAX_WARNING_BYTES: usize = 100;
    let mut first: Vec<String> = warnings
        .iter()
        .take(MAX_WARNINGS)
        .map(|warning| warning[..warning.floor_char_boundary(MAX_WARNING_BYTES)].to_owned())
        .collect();
    if warnings.len() > MAX_WARNINGS {
        first.push(format!("and {} more", warnings.len() - MAX_WARNINGS));
    }
    first.serialize(serializer)
}

#[cfg(test)]
mod tests;
