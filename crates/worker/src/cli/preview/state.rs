//! What the page shows, as the engine publishes it and the server reads it.

use std::path::PathBuf;
use std::sync::Arc;

use render::player::FrameRequest;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot, watch};

/// What both sides share.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    name: Arc<str>,
    sender: watch::Sender<Arc<State>>,
}

/// One state of the project.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Grows with everything that is published.
    pub(super) version: u64,
    pub(super) stage: Stage,
    pub(super) warnings: Vec<String>,
}

#[derive(Debug, Default)]
pub(super) enum Stage {
    #[default]
    Planning,
    Ready(Ready),
    Failed {
        code: &'static str,
        message: String,
    },
}

/// A plan whose frames can be seen.
#[derive(Debug)]
pub(super) struct Ready {
    /// Frames, size, rate and rows, as the page reads them.
    pub(super) facts: Value,
    pub(super) frames: mpsc::Sender<FrameRequest>,
    pub(super) first: u32,
    pub(super) count: u32,
    pub(super) sound: Option<PathBuf>,
}

/// A video that the page asks for; its answer is the name of the file, or what went wrong.
#[derive(Debug)]
pub(super) struct RenderJob {
    pub(super) answer: oneshot::Sender<Result<String, String>>,
}

impl Shared {
    pub(super) fn new(name: String) -> Self {
        Self { name: name.into(), sender: watch::Sender::new(Arc::default()) }
    }

    pub(super) fn publish(&self, stage: Stage, warnings: Vec<String>) {
        self.sender.send_modify(|state| {
            *state = Arc::new(State { version: state.version + 1, stage, warnings });
        });
    }

    pub(super) fn current(&self) -> Arc<State> {
        Arc::clone(&self.sender.borrow())
    }

    /// A state that comes after `version`.
    pub(super) async fn after(&self, version: u64) -> Arc<State> {
        let mut states = self.sender.subscribe();
        let newer = states.wait_for(|state| state.version > version).await;
        newer.map_or_else(|_closed| self.current(), |state| Arc::clone(&state))
    }

    /// The state as the page reads it.
    pub(super) fn told(&self, state: &State) -> Value {
        let mut told = json!({
            "name": &*self.name, "version": state.version, "warnings": state.warnings,
        });
        match &state.stage {
            Stage::Planning => told["stage"] = "planning".into(),
            Stage::Ready(ready) => {
                told["stage"] = "ready".into();
                told["facts"] = ready.facts.clone();
                told["hasSound"] = ready.sound.is_some().into();
            }
            Stage::Failed { code, message } => {
                told["stage"] = "failed".into();
                told["error"] = json!({ "code": code, "message": message });
            }
        }
        told
    }
}
