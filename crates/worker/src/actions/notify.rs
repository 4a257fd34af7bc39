//! The notify action: what `EventBridge` tells of an execution that is over is posted to the webhook, signed.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::Sha256;
use store::Store;

use crate::actions::fields::Fields;
use crate::actions::worker::{Facts, Worker};
use crate::error::{Error, Result};

/// What such an event is called, in its `detail-type`.
pub(super) const DETAIL_TYPE: &str = "Step Functions Execution Status Change";

const URL: &str = "FRAMEWRIGHT_WEBHOOK_URL";
const SECRET: &str = "FRAMEWRIGHT_WEBHOOK_SECRET";

/// Has the time and the signature, as `t=SECONDS,v1=HEX`: HMAC-SHA256 over the time, a dot and the body.
const SIGNATURE: &str = "Framewright-Signature";

const LIMIT: Duration = Duration::from_secs(20);

/// An execution that is over.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NotifyEvent {
    execution: String,
    render: String,
    status: String,
    error: Option<String>,
    cause: Option<String>,
    started: Option<i64>,
    stopped: Option<i64>,
    input: Value,
    output: Value,
}

#[derive(Debug, Deserialize)]
struct Wire {
    detail: Detail,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    execution_arn: String,
    name: String,
    status: String,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    cause: Option<String>,
    #[serde(default)]
    start_date: Option<i64>,
    #[serde(default)]
    stop_date: Option<i64>,
    /// JSON in a text, or nothing if it is too long to be told.
    #[serde(default)]
    input: Option<String>,
    #[serde(default)]
    output: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct NotifyAnswer {
    /// What the webhook answered.
    pub(crate) http_status: u16,
}

impl NotifyEvent {
    pub(super) fn read(fields: &Fields) -> Result<Self> {
        let Wire { detail } = fields.read()?;
        let Detail {
            execution_arn,
            name,
            status,
            error,
            cause,
            start_date,
            stop_date,
            input,
            output,
        } = detail;
        let json = |text: Option<String>| {
            text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
        };
        Ok(Self {
            execution: execution_arn,
            render: name,
            status,
            error,
            cause,
            started: start_date,
            stopped: stop_date,
            input: json(input),
            output: json(output),
        })
    }

    /// What is posted.
    fn body(&self) -> Value {
        let Self { execution, render, status, error, cause, started, stopped, input, output } =
            self;
        let made = &output["Output"];
        let is_done = status == "SUCCEEDED";
        // An output that is too long to be told lies where the input says.
        let video = if is_done && made["OutputS3Uri"].is_null() {
            &input["OutputS3Uri"]
        } else {
            &made["OutputS3Uri"]
        };
        let error = error.as_ref().map(|code| {
            let cause = cause.as_deref().unwrap_or_default();
            let told: Value = serde_json::from_str(cause).unwrap_or_default();
            let message = told["errorMessage"].as_str().unwrap_or(cause);
            json!({ "code": code, "message": message })
        });
        json!({
            "version": 1,
            "renderId": render,
            "executionArn": execution,
            "status": status,
            "startedAtMs": started,
            "stoppedAtMs": stopped,
            "outputS3Uri": video,
            "posterS3Uri": made["PosterS3Uri"],
            "previewS3Uri": made["PreviewS3Uri"],
            "frames": made["FramesEncoded"],
            "fileSize": made["FileSize"],
            "costUsd": made["CostUsd"],
            "error": error,
        })
    }
}

impl<S: Store> Worker<'_, S> {
    pub(super) async fn notify(&self, event: &NotifyEvent) -> Result<(NotifyAnswer, Facts)> {
        let (url, secret) = (setting(self.env, URL)?, setting(self.env, SECRET)?);
        let body = event.body().to_string();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let signature = sign(secret.as_bytes(), now, &body);
        let posting = tokio::task::spawn_blocking(move || post(&url, &signature, &body));
        let http_status = posting.await.expect("posting does not panic")?;
        Ok((NotifyAnswer { http_status }, Facts::default()))
    }
}

fn setting(env: &BTreeMap<String, String>, environment: &'static str) -> Result<String> {
    let value = env.get(environment).filter(|value| !value.is_empty()).cloned();
    let reason = || "is not set, and a webhook needs it".to_owned();
    value.ok_or_else(|| Error::Setting { environment, reason: reason() })
}

/// The header's value.
fn sign(secret: &[u8], seconds: u64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("a key may have any length");
    mac.update(format!("{seconds}.{body}").as_bytes());
    let mut value = format!("t={seconds},v1=");
    for byte in mac.finalize().into_bytes() {
        write!(value, "{byte:02x}").expect("writing to a string does not fail");
    }
    value
}

fn post(url: &str, signature: &str, body: &str) -> Result<u16> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(LIMIT))
        .build()
        .into();
    let request =
        agent.post(url).header("Content-Type", "application/json").header(SIGNATURE, signature);
    // Its address may be a secret.
    let failed = |reason: String| Error::Webhook { reason };
    match request.send(body) {
        Ok(answer) if answer.status().is_success() => Ok(answer.status().as_u16()),
        Ok(answer) => Err(failed(format!("it answers with status {}", answer.status().as_u16()))),
        Err(ureq::Error::Timeout(_)) => {
            Err(failed(format!("no answer within {} s", LIMIT.as_secs())))
        }
        Err(_) => Err(failed("it cannot be reached".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(detail: &Value) -> NotifyEvent {
        let event = json!({ "detail-type": DETAIL_TYPE, "detail": detail });
        NotifyEvent::read(&Fields::new(event, "").unwrap()).unwrap()
    }

    #[test]
    fn what_is_posted_has_the_output_or_the_error() {
        let (arn, input) = ("arn:x", json!({"OutputS3Uri": "s3://b/outputs/r/output.mp4"}));
        let output = json!({"Output": {
            "OutputS3Uri": "s3://b/outputs/r/output.mp4", "FramesEncoded": 90, "FileSize": 7, "CostUsd": 0.01,
        }});
        let mut detail = json!({
            "executionArn": arn, "name": "r", "status": "SUCCEEDED", "startDate": 1, "stopDate": 2,
            "input": input.to_string(), "output": output.to_string(),
        });
        let body = event(&detail).body();
        assert_eq!((&body["frames"], &body["error"]), (&json!(90), &Value::Null));
        assert_eq!(body["outputS3Uri"], "s3://b/outputs/r/output.mp4");
        assert_eq!(body["costUsd"], 0.01);
        // An output that is not told.
        detail["output"] = Value::Null;
        assert_eq!(event(&detail).body()["outputS3Uri"], "s3://b/outputs/r/output.mp4");
        detail["status"] = "FAILED".into();
        detail["error"] = "PAGE_SCRIPT_ERROR".into();
        detail["cause"] = json!({"errorMessage": "no script"}).to_string().into();
        let body = event(&detail).body();
        assert_eq!(body["error"], json!({"code": "PAGE_SCRIPT_ERROR", "message": "no script"}));
        assert_eq!(body["outputS3Uri"], Value::Null);
    }

    #[test]
    fn a_signature_is_that_of_the_time_and_the_body() {
        // As `printf '5.{}' | openssl dgst -sha256 -hmac key` has it.
        let expected = "t=5,v1=9be615aec64f0d044b5ad6854ab1d893ec88617fb728d2149dcd3a3428e8c45d";
        assert_eq!(sign(b"key", 5, "{}"), expected);
        assert_ne!(sign(b"key", 5, "{}"), sign(b"key", 6, "{}"));
        assert_ne!(sign(b"key", 5, "{}"), sign(b"kez", 5, "{}"));
        assert_ne!(sign(b"key", 5, "{}"), sign(b"key", 5, "{ }"));
    }
}
