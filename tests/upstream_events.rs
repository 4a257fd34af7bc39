//! The events of upstream's template and CDK construct, v1 and v2, through our function.

use std::fs;

use serde_json::{Value, json};

use crate::emulator::Setup;
use crate::harness::{Bench, fixture, root};
use crate::lambda::{Cloud, PAGE, packed};
use crate::s3::BUCKET;

const PREFIX: &str = "s3://render-bucket/renders/r1/";
const LOCATORS: [&str; 2] = ["PlanV2ManifestS3Uri", "PlanV2ArtifactS3Prefix"];

/// An event of the wire format, in our bucket.
fn event(name: &str) -> Value {
    let path = root().join("fixtures/events").join(format!("{name}.event.json"));
    let text = fs::read_to_string(path).unwrap().replace("s3://bucket/", "s3://render-bucket/");
    serde_json::from_str(&text).unwrap()
}

/// The plan event, of a small config.
fn plan_event(protocol: &Value) -> Value {
    let mut event = event("plan");
    event["PlanProtocol"] = protocol.clone();
    event["Config"] = json!({
        "fps": 30, "width": 320, "height": 180, "format": "mp4", "chunkSize": 30, "frames": "30..90",
        "runtimeCap": "lambda",
    });
    event
}

/// Draws and joins a plan with events as upstream's state machine sends them, and returns the video.
fn finish(cloud: &Cloud, plan: &Value, suffix: &str, protocol: &Value) -> Vec<u8> {
    let count = plan["ChunkCount"].as_u64().unwrap();
    let mut assemble = event(&format!("assemble{suffix}"));
    let mut chunk = event(&format!("render-chunk{suffix}"));
    for event in [&mut assemble, &mut chunk] {
        event["PlanProtocol"] = protocol.clone();
        for field in ["PlanHash", "PlanS3Uri", LOCATORS[0], LOCATORS[1]] {
            if event.get(field).is_some() {
                event[field] = plan[field].clone();
            }
        }
    }
    // An earlier try would be found, and its plan not be looked at.
    let _none_yet = fs::remove_dir_all(cloud.s3.object("renders/r1/chunks"));
    let chunks = (0..count).map(|index| {
        chunk["ChunkIndex"] = index.into();
        let answer = cloud.sandbox.invoke(&chunk);
        assert!(answer["Sha256"].is_string(), "{answer}");
        answer["ChunkS3Uri"].clone()
    });
    assemble["ChunkS3Uris"] = chunks.collect();
    // Upstream's v1 machine passes on what was answered; its v2 machine says null.
    if suffix.is_empty() {
        assemble["AudioS3Uri"] = plan["AudioS3Uri"].clone();
    }
    let done = cloud.sandbox.invoke(&assemble);
    assert_eq!(done["OutputS3Uri"], assemble["OutputS3Uri"], "{done}");
    let made = cloud.s3.object("renders/r1/output.mp4");
    let video = fs::read(&made).unwrap();
    fs::remove_file(made).unwrap();
    video
}

#[test]
fn events_of_both_protocols_make_the_video_of_a_local_render_with_its_sound() {
    let cloud = Cloud::new(Setup::default());
    let project = fixture("audio-mix");
    cloud.s3.put("sites/0123456789abcdef/project.tar.gz", &packed(&project));
    let bench = Bench::new();
    bench.render(&project, &["--chunk-size", "30", "--frames", "30..90"]);
    let local = fs::read(bench.path("out.mp4")).unwrap();

    let v1 = cloud.sandbox.invoke(&plan_event(&json!("v1")));
    assert_eq!(v1["PlanS3Uri"], format!("{PREFIX}plan.tar.gz"), "{v1}");
    assert!(v1["AudioS3Uri"].is_string() && v1.get(LOCATORS[0]).is_none(), "{v1}");
    assert!(finish(&cloud, &v1, "", &json!("v1")) == local, "v1 makes another video");

    let v2 = cloud.sandbox.invoke(&plan_event(&json!("v2")));
    assert_eq!((&v2["PlanProtocol"], &v2["PlanHash"]), (&json!("v2"), &v1["PlanHash"]), "{v2}");
    assert_eq!(v2[LOCATORS[0]], format!("{PREFIX}v2/manifest.json"));
    assert_eq!(v2[LOCATORS[1]], format!("{PREFIX}v2/artifacts/sha256"));
    assert_eq!((&v2["HasAudio"], &v2["AudioS3Uri"]), (&json!(true), &Value::Null));
    assert!(v2.get("PlanS3Uri").is_none(), "{v2}");
    let manifest = fs::read(cloud.s3.object("renders/r1/v2/manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["planHash"], v2["PlanHash"]);
    assert_eq!(manifest["protocol"]["artifactLayout"], "framewright-plan-archive-v1");
    assert!(finish(&cloud, &v2, ".v2", &json!("v2")) == local, "v2 makes another video");

    // Upstream takes that for v2: the answer names the plan in both ways.
    let unsaid = cloud.sandbox.invoke(&plan_event(&Value::Null));
    assert_eq!((&unsaid["PlanS3Uri"], &unsaid[LOCATORS[0]]), (&v1["PlanS3Uri"], &v2[LOCATORS[0]]));
    for suffix in ["", ".v2"] {
        assert!(finish(&cloud, &unsaid, suffix, &Value::Null) == local, "unsaid{suffix}");
    }
}

#[test]
fn a_v2_plan_that_is_another_worker_s_or_another_than_named_is_refused() {
    let cloud = Cloud::new(Setup::default());
    cloud.page(PAGE);
    cloud.s3.put("renders/r1/v2/manifest.json", br#"{"protocol": {"schemaVersion": 2}}"#);
    let message = cloud.fails(&event("render-chunk.v2"), "PLAN_PROTOCOL_UNSUPPORTED");
    assert!(message.contains("which is missing or another worker's is not supported"), "{message}");

    let mut plan = plan_event(&json!("v2"));
    plan["Config"]["frames"] = "0..60".into();
    plan["ProjectS3Uri"] = format!("s3://{BUCKET}/projects/title-card/project.tar.gz").into();
    let planned = cloud.sandbox.invoke(&plan);
    assert!(planned["PlanHash"].is_string(), "{planned}");
    let assemble = event("assemble.v2");
    for uri in assemble["ChunkS3Uris"].as_array().unwrap() {
        let key = uri.as_str().unwrap().trim_start_matches("s3://render-bucket/").to_owned();
        cloud.s3.put(&key, b"not looked at");
    }
    let message = cloud.fails(&assemble, "PLAN_HASH_MISMATCH");
    assert!(message.contains(planned["PlanHash"].as_str().unwrap()), "{message}");
}
