//! Plans: named by their content, and refused when a byte of it is another.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{Bench, fixture, run};

fn uri(path: &Path) -> String {
    format!("file://{}", path.display())
}

fn copy_tree(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-r").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}

/// Plans `project` into `plan/` of the bench and returns the answer.
fn plan(bench: &Bench, project: &Path, prefix: &str, config: &Value) -> Value {
    let event = json!({
        "Action": "plan", "ProjectS3Uri": uri(project), "PlanOutputS3Prefix": uri(&bench.path(prefix)), "Config": config,
    });
    let run = bench.invoke(&event);
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    serde_json::from_str(&run.stdout).unwrap()
}

fn chunk_event(bench: &Bench, plan: &Path, hash: &Value, index: i64) -> Value {
    json!({
        "Action": "renderChunk", "PlanS3Uri": uri(plan), "PlanHash": hash, "ChunkIndex": index,
        "ChunkOutputS3Prefix": uri(&bench.path("out")),
    })
}

#[test]
fn a_project_has_the_same_hash_in_any_folder_and_another_when_it_changes() {
    let bench = Bench::new();
    // One of the projects that is planned with a browser, whose scratch must not count.
    let (here, there) = (bench.path("here"), bench.path("there/deeper"));
    fs::create_dir(bench.path("there")).unwrap();
    copy_tree(&fixture("unknown-duration"), &here);
    copy_tree(&fixture("unknown-duration"), &there);
    let config = json!({"fps": 30});
    let first = plan(&bench, &here, "a", &config);
    let second = plan(&bench, &there, "b", &config);
    assert_eq!(first["PlanHash"], second["PlanHash"]);
    let faster = plan(&bench, &there, "c", &json!({"fps": 60}));
    assert_ne!(first["PlanHash"], faster["PlanHash"]);
    fs::write(there.join("new.txt"), "x").unwrap();
    let changed = plan(&bench, &there, "d", &json!({"fps": 30}));
    assert_ne!(first["PlanHash"], changed["PlanHash"]);
    bench.assert_no_scratch();
}

#[test]
fn a_plan_has_the_files_and_the_shapes_of_the_format() {
    let bench = Bench::new();
    let answer = plan(
        &bench,
        &fixture("title-card"),
        "out",
        &json!({"fps": "29.97", "chunkSize": 40, "variables": {"b": 1, "a": "x"}}),
    );
    let dir = bench.path("out/plan");
    let read = |name: &str| fs::read_to_string(dir.join(name)).unwrap();
    let manifest: Value = serde_json::from_str(&read("plan.json")).unwrap();
    assert!(read("plan.json").starts_with("{\n  \"") && read("plan.json").ends_with("}\n"));
    assert_eq!(
        manifest["protocol"],
        json!({"schemaVersion": 1, "artifactLayout": "plan-dir-v1", "hashSchema": "hyperframes-plan-hash-v1"})
    );
    assert_eq!(manifest["planHash"], answer["PlanHash"]);
    assert_eq!(
        manifest["dimensions"],
        json!({"fpsNum": 30000, "fpsDen": 1001, "width": 1280, "height": 720, "format": "mp4"})
    );
    assert_eq!((&manifest["totalFrames"], &manifest["chunkCount"]), (&json!(90), &json!(3)));
    let chunks: Value = serde_json::from_str(&read("meta/chunks.json")).unwrap();
    assert_eq!(
        chunks,
        json!([
            {"index": 0, "startFrame": 0, "endFrame": 40},
            {"index": 1, "startFrame": 40, "endFrame": 80},
            {"index": 2, "startFrame": 80, "endFrame": 90},
        ])
    );
    let encoder = read("meta/encoder.json");
    assert!(encoder.starts_with("{\"browserGpuMode\":\"software\",\"captureMode\":\"beginframe\",\"chunkCount\":3,\"chunkSize\":40,\"closedGop\":true,"), "{encoder}");
    assert!(
        encoder.contains("\"runtimeEnv\":{},")
            && encoder.ends_with("\"variables\":{\"a\":\"x\",\"b\":1},\"warmupTicks\":60}"),
        "{encoder}"
    );
    assert_eq!(
        serde_json::from_str::<Value>(&read("meta/videos.json")).unwrap(),
        json!({"videos": [], "extracted": []})
    );
    assert!(dir.join("compiled/vendor/gsap.min.js").is_file());
    assert!(!dir.join(".plan-work").exists());
}

#[test]
fn only_the_snapshot_of_the_environment_is_in_the_plan() {
    let bench = Bench::new();
    let event = json!({
        "Action": "plan", "ProjectS3Uri": uri(&fixture("colour-bars")), "PlanOutputS3Prefix": uri(&bench.path("out")),
        "Config": {"fps": 30},
    });
    fs::write(bench.path("event.json"), event.to_string()).unwrap();
    let planned = run(bench
        .bootstrap("invoke")
        .arg(bench.path("event.json"))
        .env("PRODUCER_RENDER_SEEK_STEP", "0.01")
        .env("PRODUCER_OTHER", "no")
        .env("AWS_SECRET_ACCESS_KEY", "secret"));
    assert_eq!(planned.status, Some(0), "{}", planned.stderr);
    let encoder = fs::read_to_string(bench.path("out/plan/meta/encoder.json")).unwrap();
    assert!(
        encoder.contains("\"runtimeEnv\":{\"PRODUCER_RENDER_SEEK_STEP\":\"0.01\"}"),
        "{encoder}"
    );
}

/// Renders chunk 0 of a copy of a good plan after `tamper` has changed it.
fn tampered(bench: &Bench, index: i64, tamper: impl FnOnce(&Path)) -> crate::harness::Run {
    let good = bench.path("good");
    if !good.exists() {
        plan(bench, &fixture("colour-bars"), "good", &json!({"fps": 30, "chunkSize": 10}));
    }
    let hash =
        serde_json::from_str::<Value>(&fs::read_to_string(good.join("plan/plan.json")).unwrap())
            .unwrap()["planHash"]
            .clone();
    let copy: PathBuf = bench.path("tampered");
    if copy.exists() {
        fs::remove_dir_all(&copy).unwrap();
    }
    copy_tree(&good.join("plan"), &copy);
    tamper(&copy);
    bench.invoke(&chunk_event(bench, &copy, &hash, index))
}

fn edit(file: PathBuf, from: &str, to: &str) {
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{} has no {from}", file.display());
    fs::write(file, text.replacen(from, to, 1)).unwrap();
}

type Tamper = fn(&Path);

#[test]
fn a_plan_with_another_byte_in_any_class_of_file_is_refused_by_its_code() {
    let bench = Bench::new();
    let cases: &[(&str, &str, Tamper)] = &[
        ("compiled HTML", "PLAN_HASH_MISMATCH", |dir| {
            edit(dir.join("compiled/index.html"), "200, 120, 40", "200, 120, 41");
        }),
        ("composition.json", "PLAN_HASH_MISMATCH", |dir| {
            edit(dir.join("meta/composition.json"), "640", "642");
        }),
        ("encoder.json", "PLAN_HASH_MISMATCH", |dir| {
            edit(dir.join("meta/encoder.json"), "\"crf\":18", "\"crf\":19");
        }),
        ("chunks.json", "PLAN_HASH_MISMATCH", |dir| {
            edit(dir.join("meta/chunks.json"), "\"endFrame\": 10", "\"endFrame\": 11");
        }),
        ("videos.json", "PLAN_HASH_MISMATCH", |dir| {
            edit(dir.join("meta/videos.json"), "[]", "[ ]");
        }),
        ("an added file", "PLAN_HASH_MISMATCH", |dir| {
            fs::write(dir.join("compiled/added.txt"), "x").unwrap();
        }),
        ("producer version", "PLAN_HASH_MISMATCH", |dir| {
            edit(dir.join("plan.json"), "\"producerVersion\": \"0", "\"producerVersion\": \"9");
        }),
        ("dimensions", "PLAN_HASH_MISMATCH", |dir| {
            edit(dir.join("plan.json"), "\"width\": 640", "\"width\": 642");
        }),
        ("plan hash", "PLAN_HASH_MISMATCH", |dir| {
            edit(dir.join("plan.json"), "\"planHash\": \"", "\"planHash\": \"0");
        }),
        ("FFmpeg version", "FFMPEG_VERSION_MISMATCH", |dir| {
            edit(dir.join("plan.json"), "ffmpeg version 7", "ffmpeg version 6");
        }),
        ("protocol", "PLAN_PROTOCOL_UNSUPPORTED", |dir| {
            edit(dir.join("plan.json"), "\"schemaVersion\": 1", "\"schemaVersion\": 2");
        }),
        ("no plan.json", "MISSING_PLAN_ARTIFACT", |dir| {
            fs::remove_file(dir.join("plan.json")).unwrap();
        }),
        ("no encoder.json", "MISSING_PLAN_ARTIFACT", |dir| {
            fs::remove_file(dir.join("meta/encoder.json")).unwrap();
        }),
        ("no chunks.json", "MISSING_PLAN_ARTIFACT", |dir| {
            fs::remove_file(dir.join("meta/chunks.json")).unwrap();
        }),
        ("no compiled HTML", "MISSING_PLAN_ARTIFACT", |dir| {
            fs::remove_dir_all(dir.join("compiled")).unwrap();
        }),
        ("cut plan.json", "PLAN_ARTIFACT_INVALID", |dir| {
            fs::write(dir.join("plan.json"), "{\"planHash\":").unwrap();
        }),
        ("videos.json of another shape", "INVALID_VIDEO_METADATA", |dir| {
            fs::write(dir.join("meta/videos.json"), "{\"videos\":[1],\"extracted\":[]}").unwrap();
        }),
        ("a hardware GPU", "BROWSER_GPU_NOT_SOFTWARE", |dir| {
            edit(
                dir.join("meta/encoder.json"),
                "\"browserGpuMode\":\"software\"",
                "\"browserGpuMode\":\"hardware\"",
            );
        }),
    ];
    for (what, code, tamper) in cases {
        let run = tampered(&bench, 0, tamper);
        assert_eq!((run.status, run.code()), (Some(1), *code), "{what}: {}", run.stderr);
    }
    assert!(!bench.path("out").exists(), "a refused plan left a chunk");
    bench.assert_no_scratch();
}

#[test]
fn a_chunk_that_the_plan_does_not_have_is_refused() {
    let bench = Bench::new();
    let run = tampered(&bench, 3, |_| {});
    assert_eq!((run.status, run.code()), (Some(1), "CHUNK_INDEX_OUT_OF_RANGE"), "{}", run.stderr);
    let run = tampered(&bench, -1, |_| {});
    assert_eq!((run.status, run.code()), (Some(1), "EVENT_INVALID"), "{}", run.stderr);
}

#[test]
fn an_event_that_names_another_plan_is_refused() {
    let bench = Bench::new();
    plan(&bench, &fixture("colour-bars"), "good", &json!({"fps": 30}));
    let run =
        bench.invoke(&chunk_event(&bench, &bench.path("good/plan"), &json!("0".repeat(64)), 0));
    assert_eq!((run.status, run.code()), (Some(1), "PLAN_HASH_MISMATCH"), "{}", run.stderr);
}

#[test]
fn a_plan_above_the_limit_is_refused_with_what_makes_it_large() {
    let bench = Bench::new();
    let event = json!({
        "Action": "plan", "ProjectS3Uri": uri(&fixture("title-card")), "PlanOutputS3Prefix": uri(&bench.path("out")),
        "Config": {"fps": 30, "planDirSizeLimitBytes": 1000},
    });
    let run = bench.invoke(&event);
    assert_eq!((run.status, run.code()), (Some(1), "PLAN_TOO_LARGE"), "{}", run.stderr);
    assert!(
        run.stderr.contains("compiled ") && run.stderr.contains("limit is 1000"),
        "{}",
        run.stderr
    );
}

#[test]
fn chunks_are_joined_only_in_their_places_and_as_they_were_made() {
    let bench = Bench::new();
    let planned =
        plan(&bench, &fixture("colour-bars"), "work", &json!({"fps": 30, "chunkSize": 10}));
    let dir = bench.path("work/plan");
    for index in 0..3 {
        let run = bench.invoke(&json!({
            "Action": "renderChunk", "PlanS3Uri": uri(&dir), "PlanHash": planned["PlanHash"], "ChunkIndex": index,
            "ChunkOutputS3Prefix": uri(&bench.path("work")),
        }));
        assert_eq!(run.status, Some(0), "{}", run.stderr);
    }
    let chunk = |index: usize| uri(&bench.path(&format!("work/chunks/{index:04}.mp4")));
    let assemble = |chunks: &[String]| {
        bench.invoke(&json!({
            "Action": "assemble", "PlanS3Uri": uri(&dir), "ChunkS3Uris": chunks, "AudioS3Uri": null,
            "OutputS3Uri": uri(&bench.path("joined.mp4")), "Format": "mp4",
        }))
    };
    let [a, b, c] = [0, 1, 2].map(chunk);
    for (chunks, code) in [
        (vec![a.clone(), b.clone()], "CHUNK_LIST_INVALID"),
        (vec![b.clone(), a.clone(), c.clone()], "CHUNK_LIST_INVALID"),
        (vec![a.clone(), b.clone(), chunk(3)], "STORE_OBJECT_MISSING"),
    ] {
        let run = assemble(&chunks);
        assert_eq!((run.status, run.code()), (Some(1), code), "{}", run.stderr);
        assert!(!bench.path("joined.mp4").exists());
    }
    let whole = [a, b, c];
    let run = assemble(&whole);
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    let answer: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(answer["FramesEncoded"], 30);
    fs::remove_file(bench.path("joined.mp4")).unwrap();

    let file = bench.path("work/chunks/0001.mp4");
    let mut bytes = fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&file, bytes).unwrap();
    let run = assemble(&whole);
    assert_eq!((run.status, run.code()), (Some(1), "CHUNK_DIGEST_MISMATCH"), "{}", run.stderr);
    assert!(!bench.path("joined.mp4").exists());
    bench.assert_no_scratch();
}
