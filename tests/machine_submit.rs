//! A user's render, from the command line through the real state machine and back.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::functions::FaultKind;
use crate::harness::{Bench, Run, fixture, run};
use crate::machine::Deployment;
use crate::s3::BUCKET;

/// Submits a project to the deployment as its user does; what it makes goes to `output` in `dir`.
fn submit(deployment: &Deployment, dir: &Path, output: &str, project: &Path, args: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bootstrap"));
    command
        .env_clear()
        .current_dir(dir)
        .envs(deployment.s3.env())
        .env("AWS_ENDPOINT_URL_STATES", format!("http://127.0.0.1:{}", deployment.interpreter.port))
        .arg("submit")
        .arg(project)
        .args(["-o", output, "--json", "--memory", "1769", "--bucket", BUCKET])
        .args(["--state-machine", &deployment.interpreter.machine])
        .args(args);
    run(&mut command)
}

#[test]
fn a_submitted_project_is_followed_through_the_real_machine_and_its_video_is_that_of_a_local_render()
 {
    let (deployment, dir) = (Deployment::new(2, 2, 240), tempfile::tempdir().unwrap());
    deployment.function.fail("renderChunk", Some(2), 1, FaultKind::Killed);
    let project = fixture("title-card");
    let done = submit(&deployment, dir.path(), "out.mp4", &project, &["--chunk-size", "30"]);
    assert_eq!(done.status, Some(0), "{}", done.stderr);
    let summary: Value = serde_json::from_str(&done.stdout).unwrap();
    for (field, value) in [("frames", 90), ("chunks", 3), ("retries", 1), ("width", 1280)] {
        assert_eq!(summary[field], value, "{field}: {summary}");
    }
    assert!(summary["costUsd"].as_f64().unwrap() > 0.0, "{summary}");
    assert!(done.stderr.contains("Runtime.ExitError"), "{}", done.stderr);
    let bench = Bench::new();
    bench.render(&project, &["--chunk-size", "30"]);
    let (here, there) = (fs::read(bench.path("out.mp4")), fs::read(dir.path().join("out.mp4")));
    assert!(here.unwrap() == there.unwrap(), "another video than here");

    let broken = fixture("broken-missing-script");
    fs::remove_file(dir.path().join("out.mp4")).unwrap();
    let failed = submit(&deployment, dir.path(), "out.mp4", &broken, &[]);
    assert_eq!(
        (failed.status, failed.code()),
        (Some(1), "PAGE_ASSET_MISSING"),
        "{}",
        failed.stderr
    );
    assert!(!dir.path().join("out.mp4").exists());
}

#[test]
fn what_is_submitted_comes_back_in_its_format_with_what_was_made_besides() {
    let (deployment, dir) = (Deployment::new(2, 2, 240), tempfile::tempdir().unwrap());
    let project = fixture("alpha-shapes");
    for (output, args) in [
        ("frames", &["--format", "png-sequence", "--poster", "1s", "--frames", "20..50"][..]),
        ("out.webm", &["--preview", "180p", "--fps", "25", "--frames", "..30"]),
    ] {
        let args = [args, &["--chunk-size", "10"]].concat();
        for again in [false, true] {
            // An earlier render is replaced.
            let done = submit(&deployment, dir.path(), output, &project, &args);
            assert_eq!(done.status, Some(0), "{output} {again}: {}", done.stderr);
        }
        let bench = Bench::new();
        let local = bench.render_to(output, &project, &args);
        assert_eq!(local["chunks"].as_array().unwrap().len(), 3);
        let same = |name: &str| {
            let (here, there) = (fs::read(bench.path(name)), fs::read(dir.path().join(name)));
            assert!(here.unwrap() == there.unwrap(), "{name} is another one than here");
        };
        if output == "frames" {
            let names = fs::read_dir(dir.path().join(output)).unwrap();
            assert_eq!(names.count(), 30);
            (1..=30).for_each(|number| same(&format!("frames/frame_{number:06}.png")));
            same("frames.poster.png");
        } else {
            same(output);
            same("out.preview.mp4");
        }
    }
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 4, "{left:?}");
}
