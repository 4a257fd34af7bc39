//! What happens when a process is killed, the user stops the render, or the disk is full.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{Bench, Run, fixture, root, run};

/// Starts a render that takes a few seconds.
fn start(bench: &Bench, args: &[&str]) -> Child {
    let mut command = bench.bootstrap("render");
    command
        .arg(fixture("title-card"))
        .arg("-o")
        .arg(bench.path("out.mp4"))
        .args(["--json", "--fps", "120"])
        .args(args);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until `program` has been running for a moment and returns its process ids.
fn wait_for(bench: &Bench, program: &str, count: usize) -> Vec<i32> {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let found = bench.processes(program);
        if found.len() >= count {
            return found;
        }
        assert!(Instant::now() < until, "{program} did not start");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn kill(id: i32, signal: &str) {
    assert!(Command::new("kill").arg(signal).arg(id.to_string()).status().unwrap().success());
}

fn end(child: Child) -> Run {
    let output = child.wait_with_output().unwrap();
    Run {
        status: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn assert_nothing_left(bench: &Bench) {
    bench.assert_no_scratch();
    for program in ["chromium", "ffmpeg"] {
        assert_eq!(bench.processes(program), Vec::<i32>::new(), "{program} is still running");
    }
    let hidden: Vec<_> = fs::read_dir(bench.path("."))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with('.'))
        .collect();
    assert!(hidden.is_empty(), "{hidden:?}");
}

/// The main processes of the browsers: the ones without a `--type`.
fn browsers(bench: &Bench, count: usize) -> Vec<i32> {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let main = |id: &i32| {
            let command_line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            !String::from_utf8_lossy(&command_line).contains("--type=")
        };
        let found: Vec<_> = wait_for(bench, "chromium", count).into_iter().filter(main).collect();
        if found.len() >= count {
            return found;
        }
        assert!(Instant::now() < until, "{count} browsers did not start");
    }
}

#[test]
fn a_browser_that_dies_is_replaced_and_the_video_is_the_same() {
    let bench = Bench::new();
    let undisturbed = bench.render(&fixture("title-card"), &["--fps", "120", "--workers", "2"]);
    fs::remove_file(bench.path("out.mp4")).unwrap();
    let child = start(&bench, &["--workers", "2"]);
    let victims = browsers(&bench, 2);
    std::thread::sleep(Duration::from_millis(1500));
    kill(victims[0], "-KILL");
    let run = end(child);
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    let summary: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(summary["chunks"][0]["relaunches"], 1, "the browser was killed too late to matter");
    assert_eq!(summary["chunks"][0]["sha256"], undisturbed["chunks"][0]["sha256"]);
    assert_nothing_left(&bench);
}

#[test]
fn an_encoder_that_dies_ends_the_render_with_its_code() {
    let bench = Bench::new();
    let child = start(&bench, &[]);
    browsers(&bench, 1);
    std::thread::sleep(Duration::from_millis(1200));
    kill(wait_for(&bench, "ffmpeg", 1)[0], "-KILL");
    let run = end(child);
    assert_eq!((run.status, run.code()), (Some(1), "ENCODE_FAILED"), "{}", run.stderr);
    assert!(run.stderr.contains("signal: 9"), "{}", run.stderr);
    assert!(!bench.path("out.mp4").exists());
    assert_nothing_left(&bench);
}

#[test]
fn a_stopped_render_leaves_no_process_no_scratch_and_no_output() {
    for (signal, delay) in [("-INT", 300), ("-INT", 1500), ("-TERM", 1500), ("-HUP", 1500)] {
        let bench = Bench::new();
        let child = start(&bench, &[]);
        browsers(&bench, 1);
        std::thread::sleep(Duration::from_millis(delay));
        kill(i32::try_from(child.id()).unwrap(), signal);
        let run = end(child);
        assert_eq!((run.status, run.code()), (Some(130), "CANCELLED"), "{}", run.stderr);
        assert!(!bench.path("out.mp4").exists());
        assert_nothing_left(&bench);
    }
}

#[test]
fn a_full_disk_ends_the_render_with_its_code() {
    let bench = Bench::new();
    let small = bench.path("small");
    fs::create_dir(&small).unwrap();
    // A file system of its own that is too small for the video but not for the profiles of two browsers.
    let script = "mount -t tmpfs -o size=3m none \"$1\" && exec \"$2\" render \"$3\" -o \"$4\" --tools \"$5\" --scratch \"$1\" --json --crf 0 --workers 2";
    let mut command = Command::new("unshare");
    command
        .args(["-rm", "sh", "-c", script, "sh"])
        .arg(&small)
        .arg(env!("CARGO_BIN_EXE_bootstrap"));
    command.arg(fixture("title-card")).arg(bench.path("out.mp4")).arg(root().join(".tools"));
    let run = run(&mut command);
    assert_eq!((run.status, run.code()), (Some(1), "DISK_FULL"), "{}", run.stderr);
    assert!(!bench.path("out.mp4").exists());
}

#[test]
fn what_a_killed_render_has_started_ends_with_it_and_its_scratch_goes_with_the_next() {
    let bench = Bench::new();
    let mut child = start(&bench, &[]);
    wait_for(&bench, "chromium", 1);
    wait_for(&bench, "ffmpeg", 1);
    kill(i32::try_from(child.id()).unwrap(), "-KILL");
    child.wait().unwrap();
    std::thread::sleep(Duration::from_secs(1));
    for program in ["chromium", "ffmpeg"] {
        assert_eq!(bench.processes(program), Vec::<i32>::new(), "{program} is still running");
    }
    bench.render(&fixture("css-keyframes"), &["--frames", "0..2"]);
    bench.assert_no_scratch();
}
