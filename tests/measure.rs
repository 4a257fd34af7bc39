//! Not promises but numbers, for `scripts/bench-lambda.sh`: what a cold and a warm start take, and how fast S3 is filled and
//! emptied. Times of one run are compared with each other, never with a limit.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use store::{Metadata, Store};

use crate::emulator::{Sandbox, Setup};
use crate::harness::{fixture, root};
use crate::lambda::{Cloud, chunk_of, upload};
use crate::s3::S3;
use crate::store::{bytes, connect, uri};

/// The tools of a staged function.
fn staged(form: &[&str]) -> PathBuf {
    let task = root().join("target/staged").join(form.join("-"));
    let _absent = fs::remove_dir_all(&task);
    fs::create_dir_all(task.parent().unwrap()).unwrap();
    let staging = Command::new(root().join("scripts/stage.sh"))
        .arg(&task)
        .args(form)
        .env("BOOTSTRAP", env!("CARGO_BIN_EXE_bootstrap"))
        .status()
        .unwrap();
    assert!(staging.success());
    task.join("tools")
}

#[test]
#[ignore = "a measurement"]
fn measure_cold_and_warm_starts() {
    println!(
        "{:10} {:>10} {:>12} {:>14} {:>14}",
        "tools", "MiB", "unpack ms", "cold frame ms", "warm frame ms"
    );
    for form in [&["packed", "19"][..], &["packed", "9"], &["plain"]] {
        let tools = staged(form);
        let mut rounds = Vec::new();
        for _ in 0..3 {
            let s3 = S3::start();
            upload(&s3, &fixture("own-hf"));
            let sandbox = Sandbox::start(&s3, Setup::default());
            let cloud = Cloud { s3, sandbox };
            let plan = cloud.plan(&json!({"fps": 30, "chunkSize": 60}));
            let env = vec![("FRAMEWRIGHT_TOOLS", tools.to_str().unwrap().to_owned())];
            let cold = Cloud {
                sandbox: Sandbox::start(&cloud.s3, Setup { env, ..Setup::default() }),
                s3: cloud.s3,
            };
            let event = chunk_of(&plan, 0);
            cold.sandbox.invoke(&event);
            fs::remove_file(cold.s3.object("work/demo/chunks/0000.mp4")).unwrap();
            cold.sandbox.invoke(&event);
            let told = cold.sandbox.events("success");
            let unpacked = cold
                .sandbox
                .lines()
                .into_iter()
                .find(|line| line["message"] == "Chrome is ready to start");
            let number = |line: &serde_json::Value, field: &str| line[field].as_u64().unwrap();
            rounds.push((
                number(&unpacked.unwrap(), "ms"),
                number(&told[0], "first_frame_ms"),
                number(&told[1], "first_frame_ms"),
            ));
        }
        rounds.sort_unstable();
        let (unpack, cold, warm) = rounds[1];
        let (name, size) = (form.join(" "), size(&tools) >> 20);
        println!("{name:10} {size:>10} {unpack:>12} {cold:>14} {warm:>14}");
    }
}

fn size(dir: &Path) -> u64 {
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    paths
        .map(|path| if path.is_dir() { size(&path) } else { fs::metadata(path).unwrap().len() })
        .sum()
}

#[test]
#[ignore = "a measurement"]
fn measure_transfers_of_a_gibibyte() {
    let s3 = S3::start();
    let store = connect(&s3, crate::s3::SECRET);
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("from");
    fs::write(&from, bytes(1 << 30)).unwrap();
    let rate = |took: Duration| 1024.0 / took.as_secs_f64();
    let start = Instant::now();
    fs::copy(&from, dir.path().join("copy")).unwrap();
    let copied = start.elapsed();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let start = Instant::now();
    runtime.block_on(store.put_file(&from, &uri("large.bin"), &Metadata::default())).unwrap();
    let up = start.elapsed();
    let start = Instant::now();
    runtime.block_on(store.file(&uri("large.bin"), dir.path())).unwrap();
    let down = start.elapsed();
    println!(
        "plain copy {:.0} MiB/s, up {:.0} MiB/s, down {:.0} MiB/s",
        rate(copied),
        rate(up),
        rate(down)
    );
    fs::remove_file(dir.path().join("copy")).unwrap();
    // The function's memory while a gibibyte comes in and goes out.
    let cloud =
        Cloud { sandbox: Sandbox::start(&s3, Setup { seconds: 300, ..Setup::default() }), s3 };
    let project = dir.path().join("project");
    fs::create_dir(&project).unwrap();
    fs::write(project.join("index.html"), crate::lambda::PAGE).unwrap();
    fs::rename(&from, project.join("large.bin")).unwrap();
    upload(&cloud.s3, &project);
    cloud.plan(&json!({"fps": 30}));
    let told = cloud.sandbox.events("success").pop().unwrap();
    println!("plan of a gibibyte: {told}");
}
