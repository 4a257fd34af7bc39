//! `bootstrap list`, `status` and `cancel`, a submission that is repeated, and what a chunk does when its render is cancelled.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use store::{Metadata, Store};

use crate::emulator::Setup;
use crate::harness::observe_code;
use crate::lambda::{Cloud, PAGE, chunk_of};
use crate::s3::SECRET;
use crate::store::{connect, uri};
use crate::submit::{Stack, arn_of, for_ever, to_the_end};

fn json_of(stack: &Stack, args: &[&str]) -> Value {
    let run = stack.run(args);
    assert_eq!(run.status, Some(0), "{args:?}: {}", run.stderr);
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stdout))
}

/// Does to the sample's render what `cancel` does to its chunks.
fn mark_cancelled(cloud: &Cloud) {
    let file = tempfile::NamedTempFile::new().unwrap();
    let at = ("cancelled-at".to_owned(), "2026-11-28T00:00:00Z".to_owned());
    let metadata = Metadata { sha256: None, labels: [at].into() };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = connect(&cloud.s3, SECRET);
    let marker = uri("work/demo/cancelled");
    let putting = store.put_file(file.path(), &marker, &metadata);
    runtime.block_on(putting).unwrap();
}

#[test]
fn renders_are_listed_with_the_newest_first_by_status_and_up_to_a_limit() {
    let stack = Stack::new(for_ever());
    for name in ["one", "two", "three"] {
        let run = stack.run(&["submit", "project", "--detach", "--name", name]);
        assert_eq!(run.status, Some(0), "{}", run.stderr);
    }
    let names = |args: &[&str]| -> Vec<String> {
        let listed = json_of(&stack, &[&["list", "--json"], args].concat());
        let names = listed.as_array().unwrap().iter();
        names.map(|one| one["renderId"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&[]), ["three", "two", "one"]);
    assert_eq!(names(&["--limit", "1"]), ["three"]);
    assert_eq!(names(&["--status", "failed"]), Vec::<String>::new());
    let run = stack.run(&["list"]);
    assert_eq!(run.stdout.lines().count(), 3, "{}", run.stdout);
    assert!(run.stdout.starts_with("RUNNING    2026-"), "{}", run.stdout);
    let run = stack.run(&["list", "--deployment", "nowhere.json"]);
    assert!(run.stderr.contains("nowhere.json: is not there"), "{}", run.stderr);
}

#[test]
fn a_status_says_how_far_a_render_is_with_the_frames_of_chunks_that_are_not_done() {
    let stack = Stack::new(for_ever());
    stack.run(&["submit", "project", "--detach", "--name", "one"]);
    // The script goes on with each look.
    json_of(&stack, &["status", "one", "--json"]);
    stack.s3.put("work/one/progress/0001.json", br#"{"frames": 12}"#);
    let status = json_of(&stack, &["status", &arn_of("one"), "--json"]);
    assert_eq!(status["status"], "RUNNING");
    assert_eq!(status["stage"], "rendering");
    assert_eq!((&status["chunks"], &status["chunksDone"]), (&json!(2), &json!(1)));
    assert_eq!((&status["frames"], &status["framesDone"]), (&json!(60), &json!(42)), "{status}");
    assert!(status["costUsd"].as_f64().unwrap() > 0.0);
    let run = stack.run(&["status", "one"]);
    assert!(run.stdout.starts_with("one: RUNNING: rendering, 42 of 60 frames, "), "{}", run.stdout);
    let run = stack.run(&["status", "nobody"]);
    assert_eq!((run.status, run.code()), (Some(2), "ARGUMENT_INVALID"), "{}", run.stderr);
}

#[test]
fn a_cancelled_render_is_stopped_and_its_chunks_are_told() {
    let stack = Stack::new(for_ever());
    stack.run(&["submit", "project", "--detach", "--name", "one"]);
    let done = json_of(&stack, &["cancel", "one", "--json"]);
    assert_eq!(done["status"], "ABORTED");
    assert_eq!(stack.machine.requests("StopExecution").len(), 1);
    assert!(stack.s3.keys().iter().any(|key| key == "work/one/cancelled"), "{:?}", stack.s3.keys());
    // One that is over is left alone.
    let stack = Stack::new(to_the_end());
    stack.s3.put("outputs/over/output.mp4", b"the video");
    stack.run(&["submit", "project", "--name", "over"]);
    let done = json_of(&stack, &["cancel", "over", "--json"]);
    assert_eq!(done["status"], "SUCCEEDED");
    assert!(stack.machine.requests("StopExecution").is_empty());
}

#[test]
fn a_submission_that_is_repeated_under_its_name_starts_no_second_render() {
    let stack = Stack::new(to_the_end());
    stack.s3.put("outputs/job-7/output.mp4", b"the video");
    for _ in 0..2 {
        let run = stack.run(&["submit", "project", "-o", "out.mp4", "--idempotency-name", "job-7"]);
        assert_eq!(run.status, Some(0), "{}", run.stderr);
        assert_eq!(fs::read(stack.path("out.mp4")).unwrap(), b"the video");
    }
    let run = stack.run(&["list", "--json"]);
    let listed: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    // With other options it is another render.
    let run = stack.run(&["submit", "project", "--fps", "60", "--idempotency-name", "job-7"]);
    assert_eq!((run.status, run.code()), (Some(2), "ARGUMENT_INVALID"), "{}", run.stderr);
    assert!(run.stderr.contains("--idempotency-name job-7"), "{}", run.stderr);
    let run = stack.run(&["submit", "project", "--name", "a", "--idempotency-name", "b"]);
    assert_eq!(run.status, Some(2), "{}", run.stderr);
}

#[test]
fn a_chunk_whose_render_is_cancelled_ends_soon_and_a_later_one_is_drawn() {
    let cloud = Cloud::new(Setup::default());
    cloud.page(&PAGE.replace("\"2\"", "\"60\""));
    let plan = cloud.plan(&json!({"fps": 60, "chunkSize": 3600}));
    let event = chunk_of(&plan, 0);
    let answer = std::thread::scope(|scope| {
        let running = scope.spawn(|| cloud.sandbox.invoke(&event));
        cloud.sandbox.wait_for("ffmpeg");
        let until = Instant::now() + Duration::from_mins(1);
        while !cloud.s3.keys().iter().any(|key| key == "work/demo/progress/0000.json") {
            assert!(Instant::now() < until, "a chunk tells how far it is");
            std::thread::sleep(Duration::from_millis(50));
        }
        mark_cancelled(&cloud);
        let cancelled = Instant::now();
        let answer = running.join().unwrap();
        assert!(cancelled.elapsed() < Duration::from_secs(20), "{:?}", cancelled.elapsed());
        answer
    });
    assert_eq!(answer["errorType"], "RENDER_CANCELLED", "{answer}");
    observe_code("RENDER_CANCELLED");
    cloud.sandbox.assert_idle();
    let told = fs::read(cloud.s3.object("work/demo/progress/0000.json")).unwrap();
    let told: Value = serde_json::from_slice(&told).unwrap();
    assert!((1..3600).contains(&told["frames"].as_u64().unwrap()), "{told}");
    // Taken up again, the old mark does not count.
    cloud.page(PAGE);
    let plan = cloud.plan(&json!({"fps": 30, "chunkSize": 60}));
    let chunk = cloud.sandbox.invoke(&chunk_of(&plan, 0));
    assert_eq!(chunk["FramesEncoded"], 60, "{chunk}");
}
