//! How an event is found in its payload, and read.

use serde::Deserialize;
use serde_json::Value;

use crate::action::Action;
use crate::actions::Event;
use crate::actions::assemble::AssembleEvent;
use crate::actions::fields::{self, Fields};
use crate::actions::notify::{DETAIL_TYPE, NotifyEvent};
use crate::actions::plan::PlanEvent;
use crate::actions::render_chunk::RenderChunkEvent;
use crate::error::Result;

/// How deep an event may lie in what Step Functions wraps around it.
pub(super) const MAX_DEPTH: usize = 4;

/// The fields that may hold an event.
pub(super) const WRAPPERS: [&str; 2] = ["Payload", "Input"];

/// What every event may have; only the log uses it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Caller {
    #[serde(default, rename = "RenderId", deserialize_with = "fields::some_text")]
    _render_id: Option<String>,
    #[serde(default, rename = "Attempt", deserialize_with = "fields::some_number")]
    _attempt: Option<u64>,
}

impl Event {
    /// Reads an event, which may be wrapped up to four levels deep in `Payload` or `Input`.
    pub(crate) fn parse(payload: Value) -> Result<Self> {
        let (action, fields) = unwrap(payload)?;
        fields.read::<Caller>()?;
        Ok(match action {
            Action::Plan => Self::Plan(PlanEvent::read(&fields)?),
            Action::RenderChunk => Self::RenderChunk(RenderChunkEvent::read(&fields)?),
            Action::Assemble => Self::Assemble(AssembleEvent::read(&fields)?),
            Action::Probe => Self::Probe,
            Action::Notify => Self::Notify(NotifyEvent::read(&fields)?),
        })
    }
}

/// Finds the level that names an action.
fn unwrap(payload: Value) -> Result<(Action, Fields)> {
    let mut fields = Fields::new(payload, "")?;
    for _ in 0..MAX_DEPTH {
        let wrapper = WRAPPERS.into_iter().find_map(|name| Some((name, fields.get(name)?)));
        match (action(&fields), wrapper) {
            (None, Some((name, inner))) => {
                fields = Fields::new(inner.clone(), &format!("{}{name}.", fields.path))?;
            }
            _ => break,
        }
    }
    if let Some(action) = action(&fields) {
        return Ok((action, fields));
    }
    let names = Action::ALL.map(Action::name).join(", ");
    Err(fields.wrong("Action", &format!("be {names}")))
}

/// What `EventBridge` tells has no action of ours in it.
fn action(fields: &Fields) -> Option<Action> {
    if fields.get("detail-type").is_some_and(|kind| kind == DETAIL_TYPE) {
        return Some(Action::Notify);
    }
    fields.get("Action").and_then(Value::as_str).and_then(Action::from_name)
}
