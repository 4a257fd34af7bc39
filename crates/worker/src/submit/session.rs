//! A connection to the cloud, and a render that is watched to its end over it.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use aws_sdk_sfn::config::ProvideCredentials;
use serde_json::{Value, json};
use store::{RetryProfile, S3Store, root_cause};

use crate::cli::host::{environment, line, print};
use crate::cli::signals::Signals;
use crate::error::{Error, Result};
use crate::submit::cloud::{Cloud, Status};
use crate::submit::interrupt::{Choice, choose};
use crate::submit::naming::{Arn, utc};
use crate::submit::outcome;
use crate::submit::show::{Show, time};
use crate::submit::watcher::{Ended, Watcher};

/// Timeout for the abort of a broken upload.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(5);

/// The name that Step Functions' own tools use; that of the SDK is looked for by itself.
const ENDPOINT: &str = "AWS_ENDPOINT_URL_STATES";

#[derive(Debug)]
pub(super) struct Session {
    pub(super) cloud: Cloud,
    pub(super) store: S3Store,
}

/// An execution, and what is wanted of it.
#[derive(Debug)]
pub(super) struct Render {
    pub(super) name: String,
    pub(super) execution: String,
    pub(super) output: Option<PathBuf>,
    pub(super) memory_mib: Option<u32>,
    pub(super) log_group: Option<String>,
    pub(super) deployment: Option<PathBuf>,
    pub(super) wants_json: bool,
}

impl Session {
    /// Connects as the environment says, to the region and account in which the state machine is.
    pub(super) async fn connect(arn: Arn<'_>) -> Result<Self> {
        let config = store::sdk_config(Some(arn.region.to_owned())).await;
        if let Some(provider) = config.credentials_provider()
            && let Err(error) = provider.provide_credentials().await
        {
            return Err(Error::CloudRefused {
                action: "find credentials for AWS",
                reason: format!(
                    "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY ({})",
                    root_cause(&error)
                ),
            });
        }
        let endpoint = environment().remove(ENDPOINT).filter(|endpoint| !endpoint.is_empty());
        let cloud = Cloud::connect(&config, endpoint.as_ref());
        let store = S3Store::from_config(&config, RetryProfile::Interactive).owned_by(arn.account);
        Ok(Self { cloud, store })
    }

    /// Waits until an upload that was given up is taken back.
    pub(super) async fn settle(&self) {
        self.store.settle(SETTLE_TIMEOUT).await;
    }

    /// Watches a render to its end and fetches its video. Whatever ends this before, the render goes on, unless a person
    /// wants it stopped.
    pub(super) async fn watch_to_end(
        &self,
        render: &Render,
        show: &Show,
        signals: &mut Signals,
    ) -> Result<()> {
        let watcher = Watcher::new(&self.cloud, &render.execution, render.memory_mib, show);
        let outcome = tokio::select! {
            ended = watcher.follow() => ended.map(Ok),
            stop = signals.next() => Ok(Err(stop)),
        };
        show.finish();
        let ended = match outcome {
            Ok(Ok(ended)) => ended,
            Ok(Err(stop)) => {
                let choice = choose(stop, signals).await;
                return Err(self.interrupted(render, choice, signals).await?);
            }
            Err(error @ Error::Argument { .. }) => return Err(error),
            Err(error) => {
                render.say_that_it_goes_on();
                return Err(error);
            }
        };
        if ended.execution.status != Status::Succeeded {
            render.say_that_it_failed(&ended);
            return Err(outcome::failure(&ended));
        }
        self.deliver(render, &ended, signals).await
    }

    /// Does what a person has chosen, and says so.
    async fn interrupted(
        &self,
        render: &Render,
        choice: Choice,
        signals: &mut Signals,
    ) -> Result<Error> {
        Ok(match choice {
            Choice::StopIt => {
                let stopping = self.cloud.stop(&render.execution);
                let stopped = signals.unless_stopped(stopping).await;
                stopped.inspect_err(|_failed| render.say_that_it_may("still run"))?;
                Error::RenderStopped { render: render.name.clone() }
            }
            Choice::LeaveIt => {
                Error::RenderLeft { render: render.name.clone(), command: render.watch_command() }
            }
        })
    }

    async fn deliver(&self, render: &Render, ended: &Ended, signals: &mut Signals) -> Result<()> {
        let video = outcome::video(&ended.execution)?;
        let output = render.output.as_deref();
        if let Some(output) = output {
            let side_outputs = outcome::side_outputs(&ended.execution);
            let fetching = outcome::fetch(&self.store, &video, &side_outputs, output);
            let fetched = signals.unless_stopped(Box::pin(fetching)).await;
            if fetched.is_err() {
                line(&format!("the video is {video}; fetch it with: {}", render.watch_command()));
            }
            fetched?;
        }
        if render.wants_json {
            return print(&outcome::summary(ended, &render.execution, &video, output));
        }
        let output =
            output.map_or_else(|| video.to_string(), |output| output.display().to_string());
        line(&outcome::line(ended, &output));
        Ok(())
    }
}

impl Render {
    /// The command that watches this render.
    pub(super) fn watch_command(&self) -> String {
        let mut command = format!("framewright watch {}", self.execution);
        for (option, path) in [("-o", &self.output), ("--deployment", &self.deployment)] {
            if let Some(path) = path {
                command = format!("{command} {option} {}", quoted(path));
            }
        }
        command
    }

    /// What is known of a render that was started and left.
    pub(super) fn summary(&self) -> Value {
        json!({ "status": "RUNNING", "renderId": self.name, "executionArn": self.execution })
    }

    /// Says what is not certain, and how to find out.
    pub(super) fn say_that_it_may(&self, what: &str) {
        line(&format!("{} may {what}; watch it with: {}", self.name, self.watch_command()));
    }

    fn say_that_it_goes_on(&self) {
        line(&format!("{} is not stopped; watch it with: {}", self.name, self.watch_command()));
    }

    fn say_that_it_failed(&self, ended: &Ended) {
        let took = time(ended.elapsed);
        line(&format!("{} failed after {took}; see what the function logged with:", self.name));
        line(&self.logs_command(ended.execution.start));
    }

    fn logs_command(&self, start: SystemTime) -> String {
        let Self { name, execution, log_group, .. } = self;
        let region = Arn::parse(execution, "execution", "").map_or("us-east-1", |arn| arn.region);
        match log_group {
            Some(group) => format!(
                "  aws logs tail {group} --region {region} --since {} --filter-pattern '\"{name}\"'",
                utc(start)
            ),
            None => format!(
                "  aws stepfunctions get-execution-history --region {region} --execution-arn {execution}"
            ),
        }
    }
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%=".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
