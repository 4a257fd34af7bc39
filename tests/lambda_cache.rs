//! Unchanged chunks on Lambda: plan finds them, nobody draws them, and nothing wrong is ever taken for one.

use std::fs;
use std::path::Path;

use hyper::Method;
use serde_json::{Value, json};
use store::{Metadata, Store};

use crate::emulator::Setup;
use crate::lambda::{Cloud, chunk_of, sample, upload};
use crate::s3::FaultKind;
use crate::store::{connect, uri};

/// A page of one second, whose style sheet is a file and which asks for one that is not there.
const PAGE: &str = "<!doctype html><html><head><link rel=stylesheet href=page.css></head><body>\
    <div data-composition-id=\"a\" data-width=\"160\" data-height=\"90\" data-duration=\"1\"><i id=\"b\"></i></div>\
    <script>fetch('late.txt'); window.__hf = { duration: 1, seek(t) { b.textContent = t.toFixed(3); } };</script></body></html>";

/// A stack that keeps chunks.
fn cloud() -> Cloud {
    cloud_with(&[("FRAMEWRIGHT_CACHE", "s3://render-bucket/cache")])
}

fn cloud_with(env: &[(&'static str, &str)]) -> Cloud {
    let mut env: Vec<_> = env.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    env.push(("FRAMEWRIGHT_WORK_TAG", "framewright-lifetime=work".to_owned()));
    Cloud::new(Setup { env, ..Setup::default() })
}

/// Uploads the project with a background of this colour.
fn project(cloud: &Cloud, colour: &str) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("index.html"), PAGE).unwrap();
    fs::write(dir.path().join("page.css"), format!("body {{ background: {colour} }}")).unwrap();
    upload(&cloud.s3, dir.path());
}

/// One execution: its plan, the answers of its two chunks, and the bytes of its video.
struct Execution {
    plan: Value,
    chunks: Vec<Value>,
    video: Vec<u8>,
}

/// Plans the project below a prefix of its own.
fn plan(cloud: &Cloud, name: &str) -> Value {
    let mut event = Cloud::plan_event(&json!({"fps": 30, "chunkSize": 15, "poster": "3f"}));
    event["PlanOutputS3Prefix"] = format!("s3://render-bucket/work/{name}").into();
    let plan = cloud.sandbox.invoke(&event);
    assert!(plan["PlanHash"].is_string(), "{plan}\n{}", cloud.sandbox.log());
    plan
}

/// Draws and joins what was planned.
fn finish(cloud: &Cloud, name: &str, plan: Value) -> Execution {
    let mut assemble = sample("assemble");
    let mut chunks = Vec::new();
    for index in 0..2 {
        let mut event = chunk_of(&plan, index);
        event["PlanS3Uri"] = plan["PlanS3Uri"].clone();
        event["ChunkOutputS3Prefix"] = format!("s3://render-bucket/work/{name}").into();
        let answer = cloud.sandbox.invoke(&event);
        assert!(answer["ChunkS3Uri"].is_string(), "{answer}\n{}", cloud.sandbox.log());
        chunks.push(answer);
    }
    assemble["ChunkS3Uris"] = chunks.iter().map(|chunk| chunk["ChunkS3Uri"].clone()).collect();
    assemble["PlanS3Uri"] = plan["PlanS3Uri"].clone();
    assemble["OutputS3Uri"] = format!("s3://render-bucket/outputs/{name}/output.mp4").into();
    let done = cloud.sandbox.invoke(&assemble);
    assert_eq!(done["FramesEncoded"], 30, "{done}\n{}", cloud.sandbox.log());
    let video = fs::read(cloud.s3.object(&format!("outputs/{name}/output.mp4"))).unwrap();
    Execution { plan, chunks, video }
}

fn execute(cloud: &Cloud, name: &str) -> Execution {
    let plan = plan(cloud, name);
    finish(cloud, name, plan)
}

/// How many of all invocations so far have drawn a chunk.
fn drawn(cloud: &Cloud) -> usize {
    let done = cloud.sandbox.events("success").into_iter();
    done.filter(|line| line["action"] == "renderChunk" && line["was_there"] == false).count()
}

/// The keys of what is kept.
fn kept(cloud: &Cloud, kind: &str) -> Vec<String> {
    let place = format!("cache/v1/{kind}/");
    cloud.s3.keys().into_iter().filter(|key| key.starts_with(&place)).collect()
}

fn warned(cloud: &Cloud, text: &str) -> usize {
    let lines = cloud.sandbox.lines().into_iter();
    lines.filter(|line| line["message"].as_str().is_some_and(|said| said.contains(text))).count()
}

#[test]
fn a_second_execution_draws_nothing_and_makes_the_same_bytes() {
    let cloud = cloud();
    project(&cloud, "navy");
    let first = execute(&cloud, "first");
    assert_eq!((first.plan["CachedChunks"].as_u64(), drawn(&cloud)), (Some(0), 2));
    assert_eq!((kept(&cloud, "files").len(), kept(&cloud, "chunks").len()), (2, 2));
    assert_eq!(kept(&cloud, "content").len(), 3, "two chunks and a poster");
    let uploads = |part: &str| {
        let requests = cloud.s3.requests().into_iter();
        requests.filter(|line| line.starts_with("PUT ") && line.contains(part)).count()
    };
    assert_eq!(uploads("cache/v1/content"), 3);
    let again = execute(&cloud, "again");
    assert_eq!((again.plan["CachedChunks"].as_u64(), drawn(&cloud)), (Some(2), 2));
    assert!(first.video == again.video);
    let poster =
        |name: &str| fs::read(cloud.s3.object(&format!("outputs/{name}/output.poster.png")));
    assert!(poster("first").unwrap() == poster("again").unwrap());
    for (one, other) in first.chunks.iter().zip(&again.chunks) {
        for field in ["Sha256", "FramesEncoded", "ChunkIndex", "CaptureMode", "Warnings"] {
            assert!(!one[field].is_null() && one[field] == other[field], "{field}: {one} {other}");
        }
    }
    assert!(first.chunks[0]["Warnings"][0].as_str().unwrap().contains("late.txt"));
    // What belongs to the render expires with it, what is kept does not.
    let tagged = cloud.s3.tagged("framewright-lifetime=work");
    let has = |part: &str| tagged.iter().any(|path| path.contains(part));
    assert!(has("work/again/chunks/0001.mp4") && !has("/cache/"), "{tagged:?}");
    let told = cloud.sandbox.events("success");
    let planned: Vec<_> = told.iter().filter(|line| line["action"] == "plan").collect();
    assert_eq!(
        (&planned[0]["cached_chunks"], &planned[1]["cached_chunks"]),
        (&json!(0), &json!(2))
    );
    let metrics = cloud.sandbox.lines().into_iter().filter(|line| line["_aws"].is_object());
    let counts: Vec<_> = metrics.filter_map(|line| line["CachedChunks"].as_u64()).collect();
    assert_eq!(counts, [0, 2]);
}

#[test]
fn another_plan_takes_the_chunks_that_are_the_same_in_it_and_no_other() {
    let cloud = cloud();
    project(&cloud, "navy");
    execute(&cloud, "first");
    project(&cloud, "teal");
    let changed = execute(&cloud, "changed");
    assert_eq!((changed.plan["CachedChunks"].as_u64(), drawn(&cloud)), (Some(0), 4));
    // Back to what was there, with a file that nobody reads: another plan, and the same chunks.
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("index.html"), PAGE).unwrap();
    fs::write(dir.path().join("page.css"), "body { background: navy }").unwrap();
    fs::write(dir.path().join("notes.txt"), "nobody reads this").unwrap();
    upload(&cloud.s3, dir.path());
    let back = execute(&cloud, "back");
    assert_eq!((back.plan["CachedChunks"].as_u64(), drawn(&cloud)), (Some(2), 4));
    let first = fs::read(cloud.s3.object("outputs/first/output.mp4")).unwrap();
    assert!(first == back.video && first != changed.video);
}

#[test]
fn what_has_expired_is_drawn_also_between_look_up_and_use() {
    let cloud = cloud();
    project(&cloud, "navy");
    let first = execute(&cloud, "first");
    // Between the look-up of an entry and its copy.
    for key in kept(&cloud, "content") {
        fs::remove_file(cloud.s3.object(&key)).unwrap();
    }
    let again = execute(&cloud, "again");
    assert_eq!((again.plan["CachedChunks"].as_u64(), drawn(&cloud)), (Some(0), 4));
    assert!(first.video == again.video);
    // Between the plan and its chunks.
    let planned = plan(&cloud, "late");
    assert_eq!(planned["CachedChunks"], 2);
    fs::remove_file(cloud.s3.object("work/late/chunks/0001.mp4")).unwrap();
    let late = finish(&cloud, "late", planned);
    assert_eq!(drawn(&cloud), 5);
    assert!(first.video == late.video);
}

/// What somebody does to what is kept under a key.
type Damage = fn(&Cloud, &str);

/// Stores these bytes as S3 does: with a digest of its own.
fn store_bytes(cloud: &Cloud, key: &str, bytes: &[u8]) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, bytes).unwrap();
    let store = connect(&cloud.s3, crate::s3::SECRET);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let put = async |file: &Path| store.put_file(file, &uri(key), &Metadata::default()).await;
    runtime.block_on(put(&file)).unwrap();
}

fn read(cloud: &Cloud, key: &str) -> Vec<u8> {
    fs::read(cloud.s3.object(key)).unwrap()
}

#[test]
fn an_entry_that_is_not_what_it_should_be_is_drawn_and_replaced() {
    let cloud = cloud();
    project(&cloud, "navy");
    let first = execute(&cloud, "first");
    let flip = |cloud: &Cloud, key: &str| {
        let mut bytes = read(cloud, key);
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        store_bytes(cloud, key, &bytes);
    };
    let cut = |cloud: &Cloud, key: &str| {
        let bytes = read(cloud, key);
        store_bytes(cloud, key, &bytes[..bytes.len() / 2]);
    };
    // The server has not noticed this one: what it says of its digest is that of the whole.
    let silently_cut = |cloud: &Cloud, key: &str| {
        let bytes = read(cloud, key);
        fs::write(cloud.s3.object(key), &bytes[..bytes.len() / 2]).unwrap();
    };
    let foreign = |cloud: &Cloud, key: &str| store_bytes(cloud, key, b"{\"version\":1}");
    let damages: [(&str, &str, Damage); 6] = [
        ("another bit", "content", flip),
        ("half", "content", cut),
        ("half, unnoticed", "content", silently_cut),
        ("another bit", "chunks", flip),
        ("half", "files", cut),
        ("of another program", "files", foreign),
    ];
    let mut expected = 2;
    for (number, (what, kind, damage)) in damages.into_iter().enumerate() {
        for key in kept(&cloud, kind) {
            damage(&cloud, &key);
        }
        let told = warned(&cloud, "is not what it should be");
        let name = format!("again-{number}");
        let again = execute(&cloud, &name);
        expected += 2;
        let found = again.plan["CachedChunks"].as_u64();
        assert_eq!((found, drawn(&cloud)), (Some(0), expected), "{kind}: {what}");
        assert!(warned(&cloud, "is not what it should be") > told, "{kind}: {what}");
        assert!(first.video == again.video, "{kind}: {what}");
        assert_eq!(plan(&cloud, "repaired")["CachedChunks"], 2, "{kind}: {what}");
    }
}

#[test]
fn a_cache_that_cannot_be_read_or_written_fails_no_render() {
    let cloud = cloud();
    project(&cloud, "navy");
    // Without the right to list, a missing object looks like one that nobody may read.
    cloud.s3.fail(Method::GET, "/cache/", 99, FaultKind::Status(403, "AccessDenied"));
    cloud.s3.fail(Method::PUT, "/cache/", 99, FaultKind::Status(403, "AccessDenied"));
    let first = execute(&cloud, "first");
    assert_eq!((first.plan["CachedChunks"].as_u64(), drawn(&cloud)), (Some(0), 2));
    assert_eq!(warned(&cloud, "the chunk is not kept"), 2);
    assert!(cloud.s3.keys().iter().all(|key| !key.starts_with("cache/")));
    cloud.s3.stop_failing();
    // What is found and cannot be copied is drawn.
    execute(&cloud, "second");
    cloud.s3.fail(Method::PUT, "work/third/chunks/", 2, FaultKind::Status(403, "AccessDenied"));
    let third = plan(&cloud, "third");
    assert_eq!(third["CachedChunks"], 0);
    let third = finish(&cloud, "third", third);
    assert_eq!(drawn(&cloud), 6);
    assert!(first.video == third.video);
    let mut event = sample("plan");
    event["PlanOutputS3Prefix"] = "s3://render-bucket/cache/v1".into();
    let message = cloud.fails(&event, "S3_URI_NOT_ALLOWED");
    assert!(message.contains("keeps unchanged chunks"), "{message}");
}

#[test]
fn a_stack_without_a_cache_asks_for_none() {
    for setting in ["", "/tmp/cache"] {
        let cloud = cloud_with(&[("FRAMEWRIGHT_CACHE", setting)]);
        project(&cloud, "navy");
        let first = execute(&cloud, "first");
        let again = execute(&cloud, "again");
        assert_eq!(drawn(&cloud), 4);
        assert!(first.plan.get("CachedChunks").is_none(), "{}", first.plan);
        assert!(first.video == again.video);
        assert!(cloud.s3.keys().iter().all(|key| !key.contains("cache")));
        assert_eq!(warned(&cloud, "names no prefix"), usize::from(!setting.is_empty()));
    }
}
