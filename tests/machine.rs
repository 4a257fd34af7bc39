//! The state machine in `sam/` on a real interpreter of its language, with real sandboxes and a real S3 server.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::emulator::{Sandbox, Setup, free_ports, post};
use crate::functions::{FaultKind, Function, Invocation, REDRIVEN};
use crate::harness::{Bench, fixture, root, tool};
use crate::lambda::{PAGE, packed};
use crate::s3::{BUCKET, S3};

/// How much shorter than in the cloud the waits before retries are.
const WAIT_SCALE: f64 = 0.002;

/// Memory of each function.
pub(crate) const MEMORY_MIB: u32 = 1769;

/// As the template has it.
pub(crate) const WORK_TAG: &str = "framewright-lifetime=work";

/// Where the template lets the function read and write.
fn allowed() -> String {
    ["projects", "sites", "work", "outputs", "renders"]
        .map(|prefix| format!("{BUCKET}/{prefix}"))
        .join(",")
}

/// An interpreter with the state machine in it. Dropping it ends it.
pub(crate) struct Interpreter {
    child: Child,
    dir: tempfile::TempDir,
    pub(crate) port: u16,
    pub(crate) machine: String,
}

/// How an execution ended.
#[derive(Debug)]
struct ExecutionResult {
    status: String,
    error: Value,
    cause: String,
    events: Vec<Value>,
}

impl Interpreter {
    pub(crate) fn start(function: &Function, max_concurrency: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (port, _) = free_ports();
        let log = File::create(dir.path().join("log")).unwrap();
        let mut child = Command::new(tool("aws/cloud/bin/python"))
            .arg(root().join("tests/aws/interpreter.py"))
            .args([&port.to_string(), &function.endpoint, &WAIT_SCALE.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let mut interpreter = Self { child, dir, port, machine: String::new() };
        assert_eq!(line, "ready\n", "{}", interpreter.log());
        // Its log of waits goes to a file that the test reads.
        let waits = interpreter.dir.path().join("waits");
        std::thread::spawn(move || {
            let mut out = File::create(waits).unwrap();
            let _ended = std::io::copy(&mut said, &mut out);
        });
        let definition = fs::read_to_string(root().join("sam/render.asl.json"))
            .unwrap()
            .replace(
                "${RenderFunctionArn}",
                "arn:aws:lambda:us-east-1:123456789012:function:render",
            )
            .replace("${MaxConcurrency}", &max_concurrency.to_string());
        let role = "arn:aws:iam::123456789012:role/render";
        let made = interpreter.call(
            "CreateStateMachine",
            &json!({"name": "render", "definition": definition, "roleArn": role}),
        );
        made["stateMachineArn"].as_str().unwrap().clone_into(&mut interpreter.machine);
        interpreter
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap()
    }

    /// The seconds of every wait before a retry, as long as they would have been in the cloud.
    fn waits(&self) -> Vec<f64> {
        let text = fs::read_to_string(self.dir.path().join("waits")).unwrap();
        text.lines().map(|line| line.strip_prefix("waits ").unwrap().parse().unwrap()).collect()
    }

    fn call(&self, action: &str, body: &Value) -> Value {
        let headers = format!(
            "X-Amz-Target: AWSStepFunctions.{action}\r\nContent-Type: application/x-amz-json-1.0\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/states/aws4_request, \
             SignedHeaders=host, Signature=none\r\n"
        );
        let answer = post(self.port, "/", &headers, &body.to_string());
        let answer = answer.unwrap_or_else(|| panic!("no answer: {}", self.log()));
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }

    /// Runs the state machine to its end.
    fn run(&self, name: &str, input: &Value) -> ExecutionResult {
        let start =
            json!({"stateMachineArn": self.machine, "name": name, "input": input.to_string()});
        let started = self.call("StartExecution", &start);
        let arn = json!({"executionArn": started["executionArn"]});
        let until = Instant::now() + Duration::from_mins(6);
        let ended = loop {
            let described = self.call("DescribeExecution", &arn);
            if described["status"] != "RUNNING" {
                break described;
            }
            assert!(Instant::now() < until, "{name} does not end\n{}", self.log());
            std::thread::sleep(Duration::from_millis(100));
        };
        let mut ask = arn;
        ask["maxResults"] = 1000.into();
        let events = self.call("GetExecutionHistory", &ask)["events"].as_array().unwrap().clone();
        ExecutionResult {
            status: ended["status"].as_str().unwrap().to_owned(),
            error: ended["error"].clone(),
            cause: ended["cause"].as_str().unwrap_or_default().to_owned(),
            events,
        }
    }
}

impl Drop for Interpreter {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// A function with a server, and a project on it.
pub(crate) struct Deployment {
    pub(crate) s3: S3,
    pub(crate) function: Function,
    pub(crate) interpreter: Interpreter,
}

impl Deployment {
    pub(crate) fn new(most: usize, max_concurrency: u32, seconds: u32) -> Self {
        tool("aws/cloud/bin/python");
        let s3 = S3::start();
        let connection = s3.env();
        let function = Function::start(most, move || {
            // One browser each: all of them share the cores of this machine.
            let env = vec![
                ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", MEMORY_MIB.to_string()),
                ("FRAMEWRIGHT_WORK_TAG", WORK_TAG.to_owned()),
                ("FRAMEWRIGHT_RENDER_PATHS", "own".to_owned()),
                ("HYPERFRAMES_RENDER_BUCKET", allowed()),
            ];
            Sandbox::connected(&connection, Setup { seconds, env, ..Setup::default() })
        });
        let interpreter = Interpreter::start(&function, max_concurrency);
        Self { s3, function, interpreter }
    }

    fn run(&self, name: &str, project: &Path, chunk_size: u32) -> ExecutionResult {
        self.s3.put(&format!("projects/{name}/project.tar.gz"), &packed(project));
        self.interpreter.run(name, &Self::input(name, chunk_size))
    }

    fn input(name: &str, chunk_size: u32) -> Value {
        json!({
            "ProjectS3Uri": format!("s3://{BUCKET}/projects/{name}/project.tar.gz"),
            "PlanOutputS3Prefix": format!("s3://{BUCKET}/work/{name}"),
            "OutputS3Uri": format!("s3://{BUCKET}/outputs/{name}/output.mp4"),
            "Config": {"fps": "30", "chunkSize": chunk_size},
        })
    }

    /// Takes up an execution that has failed, as Step Functions would: it resumes at the state that did not succeed. A state of the
    /// type Fail fails again; of a task or a Map, what has succeeded is kept and the rest is tried anew. The interpreter does not
    /// know this request, so the machine runs once more and the function answers from memory what it has answered before.
    fn redrive(&self, name: &str, failed: &ExecutionResult, chunk_size: u32) -> ExecutionResult {
        let state = failed_state(failed);
        let machine = fs::read_to_string(root().join("sam/render.asl.json")).unwrap();
        let machine: Value = serde_json::from_str(&machine).unwrap();
        assert_ne!(machine["States"][&state]["Type"], "Fail", "a redrive resumes at {state}");
        assert!(machine["States"][&state].is_object(), "{state}");
        self.interpreter.run(&format!("{name}{REDRIVEN}"), &Self::input(name, chunk_size))
    }

    /// Asserts that an execution has made what a render on this machine makes.
    fn assert_same(&self, name: &str, project: &Path, chunk_size: u32) {
        let bench = Bench::new();
        bench.render(project, &["--chunk-size", &chunk_size.to_string()]);
        let made = fs::read(self.s3.object(&format!("outputs/{name}/output.mp4"))).unwrap();
        assert!(
            made == fs::read(bench.path("out.mp4")).unwrap(),
            "{name}: another video than here"
        );
    }

    /// The outcomes of an action, or of one chunk, in their order; each must say which try it was.
    fn outcomes(tried: &[Invocation], action: &str, chunk: Option<u64>) -> Vec<String> {
        let ours: Vec<_> =
            tried.iter().filter(|one| one.action == action && one.chunk == chunk).collect();
        let attempts: Vec<_> = ours.iter().map(|one| one.attempt).collect();
        assert_eq!(attempts, (0..).take(ours.len()).collect::<Vec<u64>>(), "{action} {chunk:?}");
        ours.into_iter().map(|one| one.outcome.clone()).collect()
    }
}

/// The state of the machine's own level that was entered and never left.
fn failed_state(ended: &ExecutionResult) -> String {
    let names = |kind: &str, details: &str| -> Vec<String> {
        let events = ended.events.iter();
        let found = events.filter(|event| event["type"].as_str().unwrap().ends_with(kind));
        found.map(|event| event[details]["name"].as_str().unwrap().to_owned()).collect()
    };
    let left = names("StateExited", "stateExitedEventDetails");
    let entered = names("StateEntered", "stateEnteredEventDetails");
    let is_inner = |name: &String| name == "RenderChunk";
    entered.into_iter().rev().find(|name| !is_inner(name) && !left.contains(name)).unwrap()
}

fn count(ended: &ExecutionResult, kind: &str) -> usize {
    ended.events.iter().filter(|event| event["type"] == kind).count()
}

#[test]
fn executions_of_twelve_chunks_four_at_a_time_make_what_a_local_render_makes() {
    let deployment = Deployment::new(4, 4, 240);
    // Text and fonts, nested scenes with variables, and sound.
    for (name, chunk_size) in [("title-card", 8), ("nested-scenes", 0), ("audio-mix", 0)] {
        let project = fixture(name);
        let chunk_size = if chunk_size > 0 { chunk_size } else { twelfth(&project) };
        let ended = deployment.run(name, &project, chunk_size);
        assert_eq!(ended.status, "SUCCEEDED", "{name}: {} {}", ended.error, ended.cause);
        assert_eq!(count(&ended, "MapIterationSucceeded"), 12, "{name}");
        deployment.assert_same(name, &project, chunk_size);
        let tried = deployment.function.tried(name);
        assert!(tried.iter().all(|one| one.outcome == "ok"), "{tried:?}");
        assert_eq!(tried.len(), 14);
    }
    assert_eq!(deployment.function.peak(), 4);
}

/// How many frames a chunk has if a project is cut into twelve.
fn twelfth(project: &Path) -> u32 {
    let bench = Bench::new();
    let frames = bench.render(project, &[])["frames"].as_u64().unwrap();
    let size = (1..=frames).find(|size: &u64| frames.div_ceil(*size) == 12);
    u32::try_from(size.unwrap()).unwrap()
}

fn page() -> tempfile::TempDir {
    let project = tempfile::tempdir().unwrap();
    fs::write(project.path().join("index.html"), PAGE).unwrap();
    project
}

#[test]
fn what_can_pass_is_tried_again_as_its_class_says_and_the_video_is_the_same() {
    let (deployment, project) = (Deployment::new(2, 2, 240), page());
    deployment.function.fail("renderChunk", Some(3), 10, FaultKind::Throttled);
    deployment.function.fail("renderChunk", Some(1), 1, FaultKind::Killed);
    let ended = deployment.run("again", project.path(), 10);
    assert_eq!(ended.status, "SUCCEEDED", "{} {}", ended.error, ended.cause);
    deployment.assert_same("again", project.path(), 10);
    let tried = deployment.function.tried("again");
    let throttled = Deployment::outcomes(&tried, "renderChunk", Some(3));
    let mut expected = vec!["Lambda.TooManyRequestsException"; 10];
    expected.push("ok");
    assert_eq!(throttled, expected);
    assert_eq!(Deployment::outcomes(&tried, "renderChunk", Some(1)), ["Runtime.ExitError", "ok"]);
    for chunk in [0, 2, 4, 5] {
        assert_eq!(Deployment::outcomes(&tried, "renderChunk", Some(chunk)), ["ok"]);
    }
    assert_eq!(Deployment::outcomes(&tried, "assemble", None), ["ok"]);
    // Waits are anything up to what the class says, so that those who wait do not come back together.
    let waits = deployment.interpreter.waits();
    assert_eq!(waits.len(), 11);
    assert!(waits.iter().all(|wait| (0.0..=600.0).contains(wait)), "{waits:?}");
    assert!(waits.iter().any(|wait| *wait > 1.0), "{waits:?}");
}

#[test]
fn what_cannot_pass_ends_the_execution_at_once_with_the_worker_s_own_code_and_sentence() {
    let (deployment, project) = (Deployment::new(2, 2, 240), page());
    deployment.function.fail(
        "renderChunk",
        Some(1),
        1,
        FaultKind::Event(|event| event["PlanHash"] = "0".repeat(64).into()),
    );
    let ended = deployment.run("mismatch", project.path(), 10);
    assert_eq!((ended.status.as_str(), &ended.error), ("FAILED", &json!("PLAN_HASH_MISMATCH")));
    let cause: Value = serde_json::from_str(&ended.cause).unwrap();
    assert_eq!(cause["errorType"], "PLAN_HASH_MISMATCH");
    assert!(cause["errorMessage"].as_str().unwrap().contains(&"0".repeat(64)), "{cause}");
    let tried = deployment.function.tried("mismatch");
    assert_eq!(Deployment::outcomes(&tried, "renderChunk", Some(1)), ["PLAN_HASH_MISMATCH"]);
    assert!(deployment.interpreter.waits().is_empty());
    assert!(tried.iter().all(|one| one.action != "assemble"));

    deployment.function.fail(
        "plan",
        None,
        1,
        FaultKind::Answer(|answer| answer["ChunkCount"] = 0.into()),
    );
    let ended = deployment.run("empty", project.path(), 10);
    assert_eq!((ended.status.as_str(), &ended.error), ("FAILED", &json!("PLAN_TOO_LARGE")));
    assert!(ended.cause.contains("no chunks"), "{}", ended.cause);
    assert_eq!(deployment.function.tried("empty").len(), 1);

    // A mistake of the one who asks is no reason to try again either.
    let bad = deployment.interpreter.run(
        "bad",
        &json!({
            "ProjectS3Uri": "s3://elsewhere/project.tar.gz",
            "PlanOutputS3Prefix": format!("s3://{BUCKET}/work/bad"),
            "OutputS3Uri": format!("s3://{BUCKET}/outputs/bad/output.mp4"),
            "Config": {"fps": 30},
        }),
    );
    assert_eq!((bad.status.as_str(), &bad.error), ("FAILED", &json!("S3_URI_NOT_ALLOWED")));
    assert_eq!(deployment.function.tried("bad").len(), 1);
}

#[test]
fn a_render_that_failed_is_taken_up_again_at_the_chunk_that_failed() {
    let (deployment, project) = (Deployment::new(2, 2, 240), page());
    // All the tries that the class of this error has.
    deployment.function.fail("renderChunk", Some(2), 3, FaultKind::Killed);
    let ended = deployment.run("again", project.path(), 10);
    // What an operator sees: the last try's error and cause, without anything around them.
    assert_eq!((ended.status.as_str(), &ended.error), ("FAILED", &json!("Runtime.ExitError")));
    assert!(ended.cause.contains("Runtime.ExitError") || !ended.cause.is_empty());
    deployment.function.wait_until_idle();
    let before = deployment.function.tried("again");
    assert!(before.iter().all(|one| one.action != "assemble"));
    let drawn = before.iter().filter(|one| one.action == "renderChunk" && one.outcome == "ok");
    let drawn: Vec<_> = drawn.map(|one| one.chunk.unwrap()).collect();
    // The cause is gone: no fault is left.
    let redriven = deployment.redrive("again", &ended, 10);
    assert_eq!(redriven.status, "SUCCEEDED", "{} {}", redriven.error, redriven.cause);
    let after = deployment.function.tried("again").split_off(before.len());
    let mut chunks: Vec<_> = after.iter().filter_map(|one| one.chunk).collect();
    chunks.sort_unstable();
    let missing: Vec<_> = (0..6).filter(|chunk| !drawn.contains(chunk)).collect();
    assert_eq!(chunks, missing, "only what had not succeeded is drawn: {after:?}");
    assert!(chunks.contains(&2));
    assert!(after.iter().all(|one| one.action != "plan" && one.outcome == "ok"), "{after:?}");
    assert_eq!(after.last().unwrap().action, "assemble");
    deployment.assert_same("again", project.path(), 10);
}

#[test]
fn a_worker_that_runs_into_the_time_limit_gets_one_more_try() {
    let (deployment, project) = (Deployment::new(1, 1, 15), page());
    deployment.function.fail("renderChunk", Some(0), 1, FaultKind::Frozen);
    let ended = deployment.run("once", project.path(), 30);
    assert_eq!(ended.status, "SUCCEEDED", "{} {}", ended.error, ended.cause);
    let tried = deployment.function.tried("once");
    assert_eq!(Deployment::outcomes(&tried, "renderChunk", Some(0)), ["Sandbox.Timedout", "ok"]);
    deployment.function.fail("renderChunk", Some(1), 2, FaultKind::Frozen);
    let ended = deployment.run("twice", project.path(), 30);
    assert_eq!((ended.status.as_str(), &ended.error), ("FAILED", &json!("Sandbox.Timedout")));
    assert!(ended.cause.contains("timed out after 15"), "{}", ended.cause);
    assert_eq!(
        Deployment::outcomes(&deployment.function.tried("twice"), "renderChunk", Some(1)),
        ["Sandbox.Timedout", "Sandbox.Timedout"]
    );
}
