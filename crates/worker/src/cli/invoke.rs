//! `framewright invoke`: one event from a file, as the function handles it.

use store::{LocalStore, RetryProfile, S3Store, Uri};

use crate::actions::Event;
use crate::actions::worker::Worker;
use crate::cli::args::InvokeArgs;
use crate::cli::host::{environment, open_toolbox, options, print, scratch};
use crate::cli::progress::Meter;
use crate::cli::terminal::Terminal;
use crate::error::{Error, Result};

pub(crate) async fn invoke(args: &InvokeArgs, terminal: &Terminal) -> Result<()> {
    let bad =
        |reason: String| Error::Argument { argument: args.event.display().to_string(), reason };
    let text =
        std::fs::read(&args.event).map_err(|error| bad(format!("cannot be read: {error}")))?;
    let event =
        serde_json::from_slice(&text).map_err(|error| bad(format!("is not JSON: {error}")))?;
    let event = Event::parse(event)?;
    let (env, scratch, meter) = (environment(), scratch(&args.host), Meter::silent(terminal));
    let toolbox = open_toolbox(&args.host, &scratch)?;
    let options = options(args.workers, &args.host, &meter);
    let is_in_cloud = event.uris().iter().any(|(_, uri)| matches!(uri, Uri::S3 { .. }));
    let (toolbox, env, scratch) = (&toolbox, &env, scratch.as_path());
    let (answer, _facts) = if is_in_cloud {
        let store = &S3Store::from_env(RetryProfile::Interactive).await;
        Worker { store, toolbox, env, scratch, options, until: None, cache: None }
            .dispatch(&event)
            .await?
    } else {
        let store = &LocalStore;
        Worker { store, toolbox, env, scratch, options, until: None, cache: None }
            .dispatch(&event)
            .await?
    };
    terminal.warnings(answer.warnings());
    print(&serde_json::to_value(answer).expect("an answer has nothing that JSON has not"))
}
