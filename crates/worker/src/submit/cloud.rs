//! Step Functions, as far as a render needs it: start an execution, describe it, read its history, stop it.

use std::time::{Duration, SystemTime};

use aws_sdk_sfn::Client;
use aws_sdk_sfn::config::http::HttpResponse;
use aws_sdk_sfn::config::retry::RetryConfig;
use aws_sdk_sfn::config::timeout::TimeoutConfig;
use aws_sdk_sfn::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sfn::primitives::DateTime;
use aws_sdk_sfn::types::{ExecutionStatus, HistoryEvent, HistoryEventType};
use store::{RequestFailure, SdkConfig};

use crate::cli::args::StatusName;
use crate::error::{Error, Result};
use crate::submit::history::{Event, EventKind};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const READ_TIMEOUT: Duration = Duration::from_secs(20);
const ATTEMPTS: u32 = 4;

/// Events that are asked for at once. The last page is read again and again, so it should not be large.
const PAGE: i32 = 200;

/// Codes of refusals that a retry can fix although their status says "bad request".
const TRANSIENT: [&str; 4] = [
    "ThrottlingException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
];

#[derive(Debug, Clone)]
pub(super) struct Cloud {
    client: Client,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Started {
    As {
        execution: String,
    },
    /// Another execution has the name.
    NameTaken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Running,
    Succeeded,
    Failed,
    TimedOut,
    Aborted,
}

/// What a list says of an execution.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) execution: String,
    pub(super) status: Status,
    pub(super) start: SystemTime,
    pub(super) stop: Option<SystemTime>,
}

impl Status {
    /// As Step Functions writes it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::TimedOut => "TIMED_OUT",
            Self::Aborted => "ABORTED",
        }
    }

    fn of(status: &ExecutionStatus) -> Self {
        match status {
            ExecutionStatus::Succeeded => Self::Succeeded,
            ExecutionStatus::Failed => Self::Failed,
            ExecutionStatus::TimedOut => Self::TimedOut,
            ExecutionStatus::Aborted => Self::Aborted,
            _ => Self::Running,
        }
    }
}

impl From<StatusName> for Status {
    fn from(name: StatusName) -> Self {
        match name {
            StatusName::Running => Self::Running,
            StatusName::Succeeded => Self::Succeeded,
            StatusName::Failed => Self::Failed,
            StatusName::TimedOut => Self::TimedOut,
            StatusName::Aborted => Self::Aborted,
        }
    }
}

/// What is known of an execution.
#[derive(Debug, Clone)]
pub(super) struct Execution {
    pub(super) name: String,
    pub(super) status: Status,
    pub(super) start: SystemTime,
    pub(super) stop: Option<SystemTime>,
    pub(super) input: String,
    pub(super) error: Option<String>,
    pub(super) cause: Option<String>,
}

#[derive(Debug)]
pub(super) enum History {
    Page {
        events: Vec<Event>,
        next: Option<String>,
    },
    /// The token is too old, or was never given.
    TokenGone,
}

impl Cloud {
    /// Connects as `config` says, or to `endpoint`, for a server that is not Amazon's.
    pub(super) fn connect(config: &SdkConfig, endpoint: Option<&String>) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .build();
        let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS);
        let mut config = aws_sdk_sfn::config::Builder::from(config)
            .timeout_config(timeouts)
            .retry_config(retries);
        if let Some(endpoint) = endpoint {
            config = config.endpoint_url(endpoint);
        }
        Self { client: Client::from_conf(config.build()) }
    }

    pub(super) async fn start(&self, machine: &str, name: &str, input: &str) -> Result<Started> {
        let request = self.client.start_execution().state_machine_arn(machine);
        match request.name(name).input(input).send().await {
            Ok(started) => Ok(Started::As { execution: started.execution_arn }),
            Err(error) if error.code() == Some("ExecutionAlreadyExists") => Ok(Started::NameTaken),
            Err(error) => Err(explain(&error, "start the render")),
        }
    }

    /// What is known of an execution, or `None` if there is none of that name.
    pub(super) async fn describe(&self, execution: &str) -> Result<Option<Execution>> {
        let request = self.client.describe_execution().execution_arn(execution);
        let found = match request.send().await {
            Ok(found) => found,
            Err(error) if error.code() == Some("ExecutionDoesNotExist") => return Ok(None),
            Err(error) => return Err(explain(&error, "describe the render")),
        };
        let from_arn = || execution.rsplit(':').next().unwrap_or_default().to_owned();
        Ok(Some(Execution {
            name: found.name.unwrap_or_else(from_arn),
            status: Status::of(&found.status),
            start: system_time(found.start_date),
            stop: found.stop_date.map(system_time),
            input: found.input.unwrap_or_default(),
            error: found.error,
            cause: found.cause,
        }))
    }

    /// The newest executions of a state machine, at most `limit`.
    pub(super) async fn list(
        &self,
        machine: &str,
        status: Option<Status>,
        limit: u32,
    ) -> Result<Vec<Listed>> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let (mut listed, mut token) = (Vec::new(), None);
        loop {
            let request = self.client.list_executions().state_machine_arn(machine);
            let request = request
                .set_status_filter(status.map(|status| ExecutionStatus::from(status.name())))
                .max_results(PAGE)
                .set_next_token(token);
            let page = request.send().await.map_err(|error| explain(&error, "list the renders"))?;
            listed.extend(page.executions.into_iter().map(|one| Listed {
                status: Status::of(&one.status),
                name: one.name,
                execution: one.execution_arn,
                start: system_time(one.start_date),
                stop: one.stop_date.map(system_time),
            }));
            token = page.next_token.filter(|token| !token.is_empty());
            if listed.len() >= limit || token.is_none() {
                listed.truncate(limit);
                return Ok(listed);
            }
        }
    }

    /// The page of an execution's history that `token` stands for, or the first one.
    pub(super) async fn history(&self, execution: &str, token: Option<&str>) -> Result<History> {
        let request = self
            .client
            .get_execution_history()
            .execution_arn(execution)
            .max_results(PAGE)
            .include_execution_data(true)
            .set_next_token(token.map(str::to_owned));
        match request.send().await {
            Ok(page) => Ok(History::Page {
                events: page.events.into_iter().map(event).collect(),
                next: page.next_token.filter(|token| !token.is_empty()),
            }),
            Err(error) if error.code() == Some("InvalidToken") => Ok(History::TokenGone),
            Err(error) => Err(explain(&error, "read how far the render is")),
        }
    }

    pub(super) async fn stop(&self, execution: &str) -> Result<()> {
        let request = self.client.stop_execution().execution_arn(execution);
        let stopping = request.cause("stopped by whoever submitted it").send();
        stopping.await.map(drop).map_err(|error| explain(&error, "stop the render"))
    }
}

fn system_time(time: DateTime) -> SystemTime {
    SystemTime::try_from(time).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// The part of an event that matters here.
fn event(event: HistoryEvent) -> Event {
    use HistoryEventType as Type;
    let kind = match event.r#type {
        Type::MapIterationStarted => {
            let index =
                event.map_iteration_started_event_details.map_or(0, |details| details.index);
            EventKind::Iteration { index: u32::try_from(index).unwrap_or_default() }
        }
        Type::MapIterationSucceeded
        | Type::MapIterationFailed
        | Type::MapIterationAborted
        | Type::MapStateSucceeded
        | Type::MapStateFailed
        | Type::MapStateAborted
        | Type::MapStateExited => EventKind::IterationOver,
        Type::TaskScheduled => EventKind::Scheduled,
        Type::TaskStarted => EventKind::Started,
        Type::TaskSucceeded => {
            let output = event.task_succeeded_event_details.and_then(|details| details.output);
            EventKind::Succeeded { output: output.unwrap_or_default() }
        }
        Type::TaskFailed => match event.task_failed_event_details {
            Some(failed) => failure(failed.error, failed.cause),
            None => failure(None, None),
        },
        Type::TaskTimedOut => match event.task_timed_out_event_details {
            Some(failed) => failure(failed.error, failed.cause),
            None => failure(None, None),
        },
        Type::TaskStartFailed => match event.task_start_failed_event_details {
            Some(failed) => failure(failed.error, failed.cause),
            None => failure(None, None),
        },
        Type::TaskSubmitFailed => match event.task_submit_failed_event_details {
            Some(failed) => failure(failed.error, failed.cause),
            None => failure(None, None),
        },
        Type::ExecutionSucceeded
        | Type::ExecutionFailed
        | Type::ExecutionAborted
        | Type::ExecutionTimedOut => EventKind::Over,
        _ => match event.state_entered_event_details {
            Some(entered) => EventKind::Entered { state: entered.name },
            None => EventKind::Other,
        },
    };
    Event {
        id: event.id,
        previous: event.previous_event_id,
        at: event.timestamp.to_millis().unwrap_or_default(),
        kind,
    }
}

fn failure(error: Option<String>, cause: Option<String>) -> EventKind {
    EventKind::Failed { error: error.unwrap_or_default(), cause: cause.unwrap_or_default() }
}

/// What a failed request means: worth another try, or not.
fn explain<E>(error: &SdkError<E, HttpResponse>, action: &'static str) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match RequestFailure::of(error, "Step Functions") {
        RequestFailure::NoAnswer { reason } => Error::CloudUnavailable { action, reason },
        RequestFailure::Answered { status, code, reason }
            if status >= 500 || status == 429 || TRANSIENT.contains(&code.as_str()) =>
        {
            Error::CloudUnavailable { action, reason }
        }
        RequestFailure::NotBuilt { reason } | RequestFailure::Answered { reason, .. } => {
            Error::CloudRefused { action, reason }
        }
    }
}
