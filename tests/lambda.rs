//! The function under the Lambda emulator, with a real S3 server: the whole way, its answers and its logs.

use std::fs;

use serde_json::{Value, json};

use crate::emulator::{Sandbox, Setup};
use crate::harness::{Bench, fixture, root};
use crate::s3::S3;

/// A sample event of `sam/events/`.
pub(crate) fn sample(name: &str) -> Value {
    let path = root().join("sam/events").join(format!("{name}.json"));
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Uploads a fixture as the sample events name it.
pub(crate) fn upload(s3: &S3, project: &str) {
    upload_dir(s3, &fixture(project));
}

pub(crate) fn upload_dir(s3: &S3, project: &std::path::Path) {
    let dir = tempfile::tempdir().unwrap();
    let packed = dir.path().join("project.tar.gz");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(store::pack(project, &packed)).unwrap();
    s3.put("sites/title-card/project.tar.gz", &fs::read(packed).unwrap());
}

/// The sample of a chunk, of the plan that was just answered.
pub(crate) fn chunk_of(plan: &Value, index: u64) -> Value {
    let mut event = sample("render-chunk");
    event["PlanHash"] = plan["PlanHash"].clone();
    event["ChunkIndex"] = index.into();
    event
}

#[test]
fn a_composition_is_planned_drawn_by_several_sandboxes_and_joined_to_the_bytes_of_a_local_render() {
    let s3 = S3::start();
    upload(&s3, "title-card");
    let sandboxes: Vec<_> = (0..3).map(|_| Sandbox::start(&s3, Setup::default())).collect();
    let plan = sandboxes[0].invoke(&sample("plan"));
    assert_eq!(plan["PlanS3Uri"], "s3://render-bucket/renders/demo/plan.tar.gz", "{plan}");
    assert_eq!(
        (&plan["ChunkCount"], &plan["TotalFrames"], &plan["Fps"]),
        (&json!(3), &json!(90), &json!(30.0))
    );
    let chunks: Vec<Value> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..)
            .zip(&sandboxes)
            .map(|(index, sandbox)| {
                let event = json!({ "StatusCode": 200, "Payload": chunk_of(&plan, index) });
                scope.spawn(move || sandbox.invoke(&event))
            })
            .collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut assemble = sample("assemble");
    assemble["ChunkS3Uris"] = chunks.iter().map(|chunk| chunk["ChunkS3Uri"].clone()).collect();
    let done = sandboxes[1].invoke(&assemble);
    assert_eq!(
        (&done["OutputS3Uri"], &done["FramesEncoded"]),
        (&assemble["OutputS3Uri"], &json!(90)),
        "{done}"
    );
    let made = fs::read(s3.object("renders/demo/output.mp4")).unwrap();
    assert_eq!(done["FileSize"], json!(made.len()));

    let bench = Bench::new();
    let local = bench.render(&fixture("title-card"), &["--chunk-size", "30"]);
    assert_eq!(plan["PlanHash"], local["planHash"]);
    for (chunk, local) in chunks.iter().zip(local["chunks"].as_array().unwrap()) {
        assert_eq!((&chunk["Sha256"], &chunk["FramesEncoded"]), (&local["sha256"], &json!(30)));
    }
    assert!(made == fs::read(bench.path("out.mp4")).unwrap(), "the videos differ");
    for sandbox in &sandboxes {
        sandbox.assert_idle();
    }
}
