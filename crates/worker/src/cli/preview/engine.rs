//! The side that plans the project whenever its files change, and draws its frames.

use std::path::{Path, PathBuf};

use render::chunk::ChunkOptions;
use render::player;
use serde_json::json;
use store::LocalStore;
use tokio::sync::mpsc;

use crate::actions::plan::{PlanEvent, Planned};
use crate::actions::protocol::Protocol;
use crate::actions::worker::Worker;
use crate::cli::args::PreviewArgs;
use crate::cli::config::settings;
use crate::cli::host::{
    environment, open_toolbox, options, project_and_entry, scratch, timeouts, uri,
};
use crate::cli::preview::state::{Ready, Shared, Stage};
use crate::cli::preview::watched::{Snapshot, changed};
use crate::cli::progress::Meter;
use crate::cli::target::explain_failure;
use crate::cli::terminal::{Label, Terminal};
use crate::error::{Error, Result};
use crate::tools::toolbox::Toolbox;
use crate::workdir::WorkDir;

/// Requests for frames that may wait: a page asks for a few ahead.
const WAITING: usize = 8;

pub(super) struct Engine<'a> {
    pub(super) args: &'a PreviewArgs,
    pub(super) project: PathBuf,
    pub(super) shared: Shared,
    pub(super) terminal: &'a Terminal,
}

impl Engine<'_> {
    pub(super) async fn run(self) -> Result<()> {
        let scratch = scratch(&self.args.host);
        let toolbox = open_toolbox(&self.args.host, &scratch)?;
        loop {
            let seen = Snapshot::of(&self.project);
            self.shared.publish(Stage::Planning, Vec::new());
            // What is wrong with a project is shown until it is another one; what ends everything, such as a missing tool, is not.
            if let Err(error) = self.show(&toolbox, &scratch, &seen).await {
                if matches!(error, Error::Cancelled { .. }) || error.is_of_arguments() {
                    return Err(error);
                }
                self.tell(&error);
                changed(&self.project, &seen).await;
            }
        }
    }

    /// Shows the project until its files change.
    async fn show(&self, toolbox: &Toolbox, scratch: &Path, seen: &Snapshot) -> Result<()> {
        let bench = WorkDir::make(scratch)?;
        let tools = toolbox.drawing().await?;
        let planned = self.plan(toolbox, bench.path()).await?;
        self.terminal.warnings(&planned.answer.warnings);
        let dir = LocalStore::path(&planned.archive)?;
        let (frames, requests) = mpsc::channel(WAITING);
        let answer = &planned.answer;
        let facts = json!({
            "frames": answer.total_frames,
            "fps": answer.fps,
            "width": answer.width,
            "height": answer.height,
            "duration": planned.duration,
            "rows": player::timeline(dir, planned.duration)?,
        });
        let ready = Ready {
            facts,
            frames,
            first: 0,
            count: answer.total_frames,
            sound: player::sound(dir),
        };
        self.shared.publish(Stage::Ready(ready), answer.warnings.clone());
        let playing = player::play(&tools, dir, bench.path(), timeouts(&self.args.host), requests);
        tokio::select! {
            ended = Box::pin(playing) => ended.map_err(Error::from),
            () = changed(&self.project, seen) => Ok(()),
        }
    }

    async fn plan(&self, toolbox: &Toolbox, place: &Path) -> Result<Planned> {
        let (project, entry) = project_and_entry(&self.args.project)?;
        let settings = settings(&self.args.page.config(&project, entry.as_deref())?)?;
        let (env, meter) = (environment(), Meter::silent(self.terminal));
        let options = ChunkOptions { ..options(Some(1), &self.args.host, &meter) };
        let worker = Worker {
            store: &LocalStore,
            toolbox,
            env: &env,
            scratch: place,
            options,
            until: None,
            cache: None,
        };
        let event = PlanEvent {
            project: uri(&project)?,
            output_prefix: uri(place)?,
            settings,
            protocol: Protocol::V1,
        };
        worker.plan(&event).await
    }

    fn tell(&self, error: &Error) {
        let (code, message) = (error.code().name(), error.chain());
        explain_failure(&self.args.project, None, error, self.terminal);
        self.terminal.labelled(Label::Error, &format!("{code}: {message}"));
        let findings = compose::lint::project(&self.project, self.args.page.entry());
        let findings = findings.iter().map(ToString::to_string).collect();
        self.shared.publish(Stage::Failed { code, message }, findings);
    }
}
