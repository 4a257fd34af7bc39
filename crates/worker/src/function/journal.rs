//! What an operator reads: JSON lines about the start and the end of every invocation, and its numbers as metrics.
//! Nothing of an event's content is in them but names.

use std::io::Write;
use std::time::Duration;

use serde_json::{Value, json};
use tracing_subscriber::EnvFilter;

use crate::actions::Answer;
use crate::actions::label::Label;
use crate::actions::worker::Facts;
use crate::error::{Code, Retry};
use crate::time::millis;

const NAMESPACE: &str = "Framewright";

/// What is the same in every line of one invocation.
#[derive(Debug)]
pub(crate) struct Journal {
    pub(crate) request_id: String,
    pub(crate) label: Label,
    /// Whether this is the first invocation of the sandbox.
    pub(crate) is_cold: bool,
}

/// What the whole invocation took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// Processes that have ended and that nobody has reaped.
    pub(crate) zombies: u32,
    /// Whether other processes of this user are kept from the credentials.
    pub(crate) shielded: bool,
    pub(crate) elapsed: Duration,
    pub(crate) remaining: Duration,
    pub(crate) peak_memory: u64,
    pub(crate) peak_scratch: u64,
    /// In use in the scratch file system after the work directory is gone.
    pub(crate) scratch: u64,
    /// Until the first frame was with the encoder.
    pub(crate) first_frame: Option<Duration>,
}

/// Makes every log line JSON on stderr.
pub(crate) fn install(level: Option<&str>) {
    let default = || {
        let level = level.map_or_else(|| "info".to_owned(), str::to_ascii_lowercase);
        // The clients of Chrome and S3 log every failure that they also return.
        EnvFilter::new(format!(
            "warn,bootstrap={level},render={level},store={level},framewright=off,aws=error,lambda_runtime::layers::panic=off"
        ))
    };
    let filter = EnvFilter::try_from_env("FRAMEWRIGHT_LOG").unwrap_or_else(|_unset| default());
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(false)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}

impl Journal {
    pub(crate) fn start(&self, remaining: Duration, uris: &[String]) {
        let Label { action: _, render_id, attempt, plan_hash, chunk } = &self.label;
        tracing::info!(
            event = "start",
            request_id = self.request_id,
            action = self.label.action_name(),
            render_id,
            attempt,
            plan_hash,
            chunk,
            cold = self.is_cold,
            remaining_ms = millis(remaining),
            uris = uris.join(" "),
        );
    }

    pub(crate) fn success(&self, answer: &Answer, facts: &Facts, usage: Usage) {
        for warning in answer.warnings() {
            tracing::warn!(request_id = self.request_id, warning);
        }
        // A plan event does not know the hash of its plan.
        let plan_hash = match answer {
            Answer::Plan(answer) => Some(&answer.plan_hash),
            Answer::RenderChunk(_) | Answer::Assemble(_) | Answer::Probe(_) | Answer::Notify(_) => {
                self.label.plan_hash.as_ref()
            }
        };
        self.log_success(plan_hash, facts, usage);
        let numbers = success_numbers(answer, facts, usage);
        emit(&metrics(self.label.action_name(), None, &numbers, epoch_ms()));
    }

    fn log_success(&self, plan_hash: Option<&String>, facts: &Facts, usage: Usage) {
        let Label { action: _, render_id, attempt, plan_hash: _, chunk } = &self.label;
        let Facts {
            fetch,
            work,
            store,
            frames,
            bytes,
            chunks,
            cached_chunks,
            dollars,
            was_there,
            report,
        } = facts;
        let report = report.as_deref();
        tracing::info!(
            event = "success",
            request_id = self.request_id,
            action = self.label.action_name(),
            render_id,
            attempt,
            plan_hash,
            chunk,
            cold = self.is_cold,
            was_there,
            duration_ms = millis(usage.elapsed),
            remaining_ms = millis(usage.remaining),
            fetch_ms = fetch,
            work_ms = work,
            store_ms = store,
            first_frame_ms = usage.first_frame.map(millis),
            boot_ms = report.map(|report| report.session_boot_ms),
            capture_ms = report.map(|report| report.capture_stage_ms),
            encode_ms = report.map(|report| report.encode_stage_ms),
            verify_ms = report.map(|report| report.verify_stage_ms),
            frames,
            chunks,
            cached_chunks,
            bytes,
            cost_usd = dollars,
            workers = report.map(|report| report.workers),
            reused_frames = report.map(|report| report.reused_frames),
            relaunches = report.map(|report| report.relaunches),
            frame_source = report.map(|report| report.frame_source),
            frame_source_reason = report.and_then(|report| report.frame_source_reason),
            blocked_requests = report.map(|report| report.blocked_requests),
            peak_memory_bytes = usage.peak_memory,
            peak_tmp_bytes = usage.peak_scratch,
            tmp_bytes = usage.scratch,
            zombies = usage.zombies,
            credentials_shielded = usage.shielded,
        );
    }

    pub(crate) fn failure(&self, code: Code, message: &str, usage: Usage) {
        let Label { action: _, render_id, attempt, plan_hash, chunk } = &self.label;
        let may_retry = code.retry() == Retry::Transient;
        tracing::error!(
            event = "failure",
            request_id = self.request_id,
            action = self.label.action_name(),
            render_id,
            attempt,
            plan_hash,
            chunk,
            cold = self.is_cold,
            code = code.name(),
            may_retry,
            error = message,
            duration_ms = millis(usage.elapsed),
            remaining_ms = millis(usage.remaining),
            peak_memory_bytes = usage.peak_memory,
            peak_tmp_bytes = usage.peak_scratch,
            tmp_bytes = usage.scratch,
            zombies = usage.zombies,
            credentials_shielded = usage.shielded,
        );
        let mut numbers = vec![("Success", "Count", json!(0)), ("Failure", "Count", json!(1))];
        numbers.extend(usage_numbers(usage));
        emit(&metrics(self.label.action_name(), Some(code.name()), &numbers, epoch_ms()));
    }
}

type Number = (&'static str, &'static str, Value);

fn success_numbers(answer: &Answer, facts: &Facts, usage: Usage) -> Vec<Number> {
    let mut numbers = vec![
        ("Success", "Count", json!(1)),
        ("Failure", "Count", json!(0)),
        ("Remaining", "Milliseconds", json!(millis(usage.remaining))),
    ];
    numbers.extend(usage_numbers(usage));
    if let Some(report) = facts.report.as_deref() {
        let seconds = Duration::from_millis(report.capture_stage_ms).as_secs_f64().max(1e-3);
        let rate = f64::from(report.frames_encoded) / seconds;
        numbers.extend([
            ("FramesPerSecond", "Count/Second", json!(rate)),
            ("Boot", "Milliseconds", json!(report.session_boot_ms)),
            ("Relaunches", "Count", json!(report.relaunches)),
            ("BlockedRequests", "Count", json!(report.blocked_requests)),
            ("FramebufferChunks", "Count", json!(u8::from(report.frame_source == "framebuffer"))),
            (
                "FramebufferMismatches",
                "Count",
                json!(u8::from(report.frame_source_reason == Some("mismatch"))),
            ),
        ]);
    }
    numbers.extend(facts.dollars.map(|dollars| ("CostUsd", "None", json!(dollars))));
    match answer {
        Answer::Plan(answer) => {
            numbers.push(("Chunks", "Count", json!(answer.chunk_count)));
            numbers
                .extend(answer.cached_chunks.map(|found| ("CachedChunks", "Count", json!(found))));
        }
        Answer::RenderChunk(_) | Answer::Assemble(_) | Answer::Probe(_) | Answer::Notify(_) => {}
    }
    numbers
}

fn usage_numbers(usage: Usage) -> [Number; 6] {
    [
        ("Duration", "Milliseconds", json!(millis(usage.elapsed))),
        ("PeakMemory", "Bytes", json!(usage.peak_memory)),
        ("PeakTmp", "Bytes", json!(usage.peak_scratch)),
        ("Tmp", "Bytes", json!(usage.scratch)),
        ("Zombies", "Count", json!(usage.zombies)),
        ("CredentialsShielded", "Count", json!(u8::from(usage.shielded))),
    ]
}

/// One line of the embedded metric format: numbers by action and, for failures, also by code.
fn metrics(action: &str, code: Option<&str>, numbers: &[Number], epoch_ms: u64) -> Value {
    let names: Vec<_> =
        numbers.iter().map(|(name, unit, _)| json!({ "Name": name, "Unit": unit })).collect();
    let mut dimensions = vec![json!(["Action"])];
    let action = if action.is_empty() { "unknown" } else { action };
    let mut line = serde_json::Map::new();
    line.insert("Action".to_owned(), action.into());
    if let Some(code) = code {
        dimensions.push(json!(["Code"]));
        line.insert("Code".to_owned(), code.into());
    }
    line.extend(numbers.iter().map(|(name, _, value)| ((*name).to_owned(), value.clone())));
    let directive = json!({ "Namespace": NAMESPACE, "Dimensions": dimensions, "Metrics": names });
    line.insert(
        "_aws".to_owned(),
        json!({ "Timestamp": epoch_ms, "CloudWatchMetrics": [directive] }),
    );
    line.into()
}

fn epoch_ms() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, millis)
}

fn emit(line: &Value) {
    let _nobody_reads = writeln!(std::io::stdout().lock(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_name_every_number_they_hold() {
        let numbers = [("Failure", "Count", json!(1)), ("Duration", "Milliseconds", json!(5))];
        let line = metrics("plan", Some("DISK_FULL"), &numbers, 1_700_000_000_000);
        assert_eq!(
            line,
            json!({
                "Action": "plan", "Code": "DISK_FULL", "Failure": 1, "Duration": 5,
                "_aws": { "Timestamp": 1_700_000_000_000_u64, "CloudWatchMetrics": [{
                    "Namespace": "Framewright",
                    "Dimensions": [["Action"], ["Code"]],
                    "Metrics": [
                        { "Name": "Failure", "Unit": "Count" },
                        { "Name": "Duration", "Unit": "Milliseconds" },
                    ],
                }] },
            })
        );
        assert_eq!(metrics("", None, &numbers, 0)["Action"], "unknown");
    }
}
