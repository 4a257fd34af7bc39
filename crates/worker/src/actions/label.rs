//! What an invocation is called in logs, also one whose payload is no event.

use serde_json::Value;

use crate::action::Action;
use crate::actions::event::{MAX_DEPTH, WRAPPERS};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Label {
    pub(crate) action: Option<Action>,
    /// The execution this belongs to, if its sender says so.
    pub(crate) render_id: Option<String>,
    /// How often Step Functions has tried this before.
    pub(crate) attempt: Option<u64>,
    pub(crate) plan_hash: Option<String>,
    pub(crate) chunk: Option<u64>,
}

/// A longer name is cut.
const MAX_NAME_BYTES: usize = 128;

impl Label {
    /// What the payload says of itself.
    pub(crate) fn of(payload: &Value) -> Self {
        let action = |level: &Value| level["Action"].as_str().and_then(Action::from_name);
        let mut level = payload;
        for _ in 0..MAX_DEPTH {
            let wrapped = WRAPPERS.into_iter().find_map(|name| level.get(name));
            match wrapped {
                Some(wrapped) if action(level).is_none() => level = wrapped,
                _ => break,
            }
        }
        let name = |field: &str| {
            let text = level[field].as_str()?;
            Some(text[..text.floor_char_boundary(MAX_NAME_BYTES)].to_owned())
        };
        Self {
            action: action(level),
            render_id: name("RenderId"),
            attempt: level["Attempt"].as_u64(),
            plan_hash: name("PlanHash"),
            chunk: level["ChunkIndex"].as_u64(),
        }
    }

    /// The action's name, or nothing.
    pub(crate) fn action_name(&self) -> &'static str {
        self.action.map_or("", Action::name)
    }
}
