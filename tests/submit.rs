//! `bootstrap submit` and `watch`, against an S3 server and a Step Functions that follows a script.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Run, run};
use crate::lambda::PAGE;
use crate::s3::{BUCKET, S3};
use crate::step_functions::{MACHINE, Script, StepFunctions, event};

/// A project, a deployment, and the servers it names.
pub(crate) struct Stack {
    pub(crate) dir: TempDir,
    pub(crate) s3: S3,
    pub(crate) machine: StepFunctions,
}

fn succeeded(payload: &Value) -> Value {
    json!({
        "resourceType": "lambda", "resource": "invoke",
        "output": json!({"StatusCode": 200, "Payload": payload}).to_string(),
    })
}

fn failed(error: &str, cause: &str) -> Value {
    json!({"resourceType": "lambda", "resource": "invoke", "error": error, "cause": cause})
}

/// A render of two chunks, the second of which fails once, up to the last chunk.
fn beginning() -> Vec<Vec<Value>> {
    let state = |name: &str| json!({"name": name});
    let none = Value::Null;
    let plan = json!({
        "Action": "plan", "PlanHash": "abc", "ChunkCount": 2, "TotalFrames": 60, "Fps": 30.0,
        "Width": 320, "Height": 180, "DurationMs": 4000, "Warnings": ["a letter has no font"],
    });
    let chunk = |frames: u32, ms: u64| {
        succeeded(&json!({"Action": "renderChunk", "FramesEncoded": frames, "DurationMs": ms}))
    };
    let lost = r#"{"errorType":"STORE_UNAVAILABLE","errorMessage":"S3 answered 503 SlowDown"}"#;
    vec![
        vec![
            event(1, 0, 0, "ExecutionStarted", none.clone()),
            event(2, 0, 0, "TaskStateEntered", state("Plan")),
            event(3, 2, 0, "TaskScheduled", none.clone()),
            event(4, 3, 1, "TaskStarted", none.clone()),
        ],
        vec![
            event(5, 4, 6, "TaskSucceeded", succeeded(&plan)),
            event(6, 5, 6, "MapStateEntered", state("RenderChunks")),
            event(7, 6, 6, "MapStateStarted", json!({"length": 2})),
            event(8, 7, 6, "MapIterationStarted", json!({"name": "RenderChunks", "index": 0})),
            event(9, 7, 6, "MapIterationStarted", json!({"name": "RenderChunks", "index": 1})),
            event(10, 9, 6, "TaskStateEntered", state("RenderChunk")),
            event(11, 8, 6, "TaskStateEntered", state("RenderChunk")),
            event(12, 10, 6, "TaskScheduled", none.clone()),
            event(13, 11, 6, "TaskScheduled", none.clone()),
            event(14, 12, 7, "TaskStarted", none.clone()),
            event(15, 13, 7, "TaskStarted", none.clone()),
            event(16, 14, 9, "TaskFailed", failed("STORE_UNAVAILABLE", lost)),
            event(17, 16, 11, "TaskScheduled", none.clone()),
            event(18, 17, 11, "TaskStarted", none.clone()),
            event(19, 15, 16, "TaskSucceeded", chunk(30, 8500)),
        ],
    ]
}

pub(crate) fn to_the_end() -> Script {
    let none = Value::Null;
    let again = json!({"Action": "renderChunk", "FramesEncoded": 30, "DurationMs": 8000});
    let mut looks = beginning();
    looks.push(vec![
        event(20, 19, 16, "MapIterationSucceeded", json!({"name": "RenderChunks", "index": 0})),
        event(21, 18, 20, "TaskSucceeded", succeeded(&again)),
        event(22, 21, 20, "MapStateSucceeded", none.clone()),
        event(23, 22, 20, "TaskStateEntered", json!({"name": "Assemble"})),
        event(24, 23, 20, "TaskScheduled", none.clone()),
        event(25, 24, 20, "TaskStarted", none.clone()),
        event(26, 25, 22, "TaskSucceeded", succeeded(&json!({"DurationMs": 1500}))),
        event(27, 26, 22, "ExecutionSucceeded", none),
    ]);
    Script { looks, end: Some(("SUCCEEDED", "", String::new())) }
}

/// The same, but for chunk 2, which ends it.
fn to_a_failure(status: &'static str, error: &'static str, cause: &str) -> Script {
    let mut looks = beginning();
    looks[1].pop();
    looks.push(vec![
        event(19, 18, 14, "TaskFailed", failed(error, cause)),
        event(20, 19, 14, "MapIterationFailed", json!({"name": "RenderChunks", "index": 1})),
        event(21, 20, 14, "ExecutionFailed", Value::Null),
    ]);
    Script { looks, end: Some((status, error, cause.to_owned())) }
}

pub(crate) fn for_ever() -> Script {
    Script { looks: beginning(), end: None }
}

impl Stack {
    pub(crate) fn new(script: Script) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (s3, machine) = (S3::start(), StepFunctions::start(script));
        let stack = Self { dir, s3, machine };
        stack.write("project/index.html", PAGE);
        stack.write("project/.env", "SECRET=1");
        let deployment = json!({
            "BucketName": BUCKET, "StateMachineArn": MACHINE, "FunctionMemoryMiB": "4096",
            "FunctionLogGroup": "/aws/lambda/framewright", "Region": "us-east-1",
        });
        stack.write(".framewright/framewright.json", &deployment.to_string());
        stack
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// `bootstrap` in this place, with nothing in its environment but how to reach the servers.
    pub(crate) fn bootstrap(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bootstrap"));
        command
            .env_clear()
            .current_dir(self.dir.path())
            .envs(self.s3.env())
            .env("AWS_REGION", "eu-west-1")
            .env("AWS_ENDPOINT_URL_STATES", &self.machine.endpoint)
            .args(args);
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Run {
        run(&mut self.bootstrap(args))
    }

    /// The uploads so far.
    pub(crate) fn uploads(&self) -> usize {
        self.s3.requests().iter().filter(|line| line.starts_with("PUT ")).count()
    }
}

pub(crate) fn arn_of(name: &str) -> String {
    format!("{}:{name}", MACHINE.replace("stateMachine", "execution"))
}

#[test]
fn a_project_is_rendered_on_a_stack_watched_and_fetched() {
    let stack = Stack::new(to_the_end());
    stack.s3.put("outputs/first/output.mp4", b"the video");
    let run = stack.run(&["submit", "project", "-o", "out.mp4", "--name", "first"]);
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    assert_eq!(fs::read(stack.path("out.mp4")).unwrap(), b"the video");
    for said in [
        "uploading",
        "first is started: arn:aws:states:us-east-1:123456789012:execution:framewright:first",
        "planning: ",
        "warning: a letter has no font",
        "chunk 2 of 2: STORE_UNAVAILABLE: S3 answered 503 SlowDown; trying again",
        "rendering: 30 of 60 frames, 1 of 2 chunks done, 1 retry, ",
        // 4 + 2 + 8.5 + 8 + 1.5 s of 4 GiB, 5 requests, 5 states and a retry.
        "out.mp4: 60 frames, 320x180, 2 s, 2 chunks, rendered in 22 s, 1 retry, about $0.0018",
    ] {
        assert!(run.stderr.contains(said), "{said} is not in:\n{}", run.stderr);
    }

    // What was asked for, and what was sent.
    let asked = &stack.machine.requests("StartExecution")[0];
    let input: Value = serde_json::from_str(asked["input"].as_str().unwrap()).unwrap();
    let project = input["ProjectS3Uri"].as_str().unwrap();
    let key = project.strip_prefix("s3://render-bucket/").unwrap();
    let name = key.strip_prefix("projects/").unwrap().strip_suffix("/project.tar.gz").unwrap();
    assert!(name.len() == 32 && name.chars().all(|c| c.is_ascii_hexdigit()), "{project}");
    let expected = json!({
        "ProjectS3Uri": project,
        "PlanOutputS3Prefix": "s3://render-bucket/work/first",
        "OutputS3Uri": "s3://render-bucket/outputs/first/output.mp4",
        "Config": {"fps": "30", "format": "mp4", "chunkSize": 240, "maxParallelChunks": 256},
    });
    assert_eq!(input, expected);
    let archive = fs::read(stack.s3.object(key)).unwrap();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&archive[..]));
    let names: Vec<_> = archive
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().into_owned())
        .collect();
    assert_eq!(names, [PathBuf::from("index.html")]);

    // Three looks at six pages: no page but the last is read twice.
    let looks = stack.machine.requests("DescribeExecution").len() - 1;
    let tokens: Vec<_> = stack.machine.requests("GetExecutionHistory");
    let tokens: Vec<_> =
        tokens.iter().map(|body| body["nextToken"].as_str().unwrap_or("-")).collect();
    assert_eq!(looks, 3, "and one to see whether the name is taken");
    assert_eq!(tokens, ["-", "-", "page 1", "page 2", "page 3", "page 3", "page 4", "page 5"]);

    // A second time there is nothing to upload, unless what is there is about to expire.
    stack.s3.put("outputs/second/output.mp4", b"again");
    let before = stack.uploads();
    let run = stack.run(&[
        "submit",
        "project",
        "-o",
        "out.mp4",
        "--name",
        "second",
        "--json",
        "--fps",
        "60",
        "--max-concurrency",
        "7",
        "--variables",
        r#"{"title": "x"}"#,
    ]);
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    assert_eq!(stack.uploads(), before, "{}", run.stderr);
    assert!(run.stderr.contains(&format!("{project} is there already")), "{}", run.stderr);
    let summary: Value = serde_json::from_str(&run.stdout).unwrap();
    for (field, value) in [
        ("status", json!("SUCCEEDED")),
        ("renderId", json!("second")),
        ("executionArn", json!(arn_of("second"))),
        ("outputS3Uri", json!("s3://render-bucket/outputs/second/output.mp4")),
        ("frames", json!(60)),
        ("chunks", json!(2)),
        ("retries", json!(1)),
        ("elapsedMs", json!(22_000)),
        ("costUsd", json!(0.001_751)),
        ("warnings", json!(["a letter has no font"])),
    ] {
        assert_eq!(summary[field], value, "{field} of {summary}");
    }
    let asked = &stack.machine.requests("StartExecution")[1];
    let input: Value = serde_json::from_str(asked["input"].as_str().unwrap()).unwrap();
    assert_eq!(input["MaxConcurrency"], 7);
    assert_eq!(
        (&input["Config"]["fps"], &input["Config"]["variables"]["title"]),
        (&json!("60"), &json!("x"))
    );

    let old = SystemTime::now() - Duration::from_hours(15 * 24);
    fs::File::options().write(true).open(stack.s3.object(key)).unwrap().set_modified(old).unwrap();
    let run = stack.run(&["submit", "project", "--detach", "--json"]);
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    assert_eq!(stack.uploads(), before + 1, "{}", run.stderr);
    let summary: Value = serde_json::from_str(&run.stdout).unwrap();
    let name = summary["renderId"].as_str().unwrap();
    assert!(name.starts_with("render-20") && summary["executionArn"] == arn_of(name), "{summary}");
    let command = format!("watch it with: framewright watch {}", arn_of(name));
    assert!(run.stderr.contains(&command), "{}", run.stderr);
}

#[test]
fn a_render_that_fails_is_told_with_the_worker_s_code_and_its_log() {
    let wrapped = r#"{"errorType":"PAGE_SCRIPT_ERROR","errorMessage":"Error: no (index.html:3)"}"#;
    for (script, code, message) in [
        (
            to_a_failure("FAILED", "PAGE_SCRIPT_ERROR", wrapped),
            "PAGE_SCRIPT_ERROR",
            "chunk 2 of 2: Error: no (index.html:3)",
        ),
        (
            to_a_failure(
                "FAILED",
                "Sandbox.Timedout",
                r#"{"errorMessage":"after 900.00 seconds"}"#,
            ),
            "RENDER_FAILED",
            "chunk 2 of 2: Sandbox.Timedout: after 900.00 seconds",
        ),
        (
            to_a_failure("TIMED_OUT", "States.Timeout", ""),
            "RENDER_FAILED",
            "it took longer than the state machine allows: chunk 2 of 2: States.Timeout",
        ),
        (to_a_failure("ABORTED", "", ""), "RENDER_FAILED", "it was stopped"),
    ] {
        let stack = Stack::new(script);
        let run = stack.run(&["submit", "project", "-o", "out.mp4", "--name", "bad", "--json"]);
        assert_eq!((run.status, run.code()), (Some(1), code), "{}", run.stderr);
        let answer: Value = serde_json::from_str(&run.stdout).unwrap();
        let told = answer["error"]["message"].as_str().unwrap();
        assert!(told.starts_with(message), "{told}");
        assert_eq!(answer["executionArn"], arn_of("bad"));
        let logs = "aws logs tail /aws/lambda/framewright --region us-east-1 --since 2026-09-21T14:13:20Z --filter-pattern '\"bad\"'";
        assert!(run.stderr.contains(logs), "{}", run.stderr);
        assert!(!stack.path("out.mp4").exists());
    }
}
