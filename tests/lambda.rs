//! The function under the Lambda emulator, with a real S3 server: the whole way, its answers and its logs.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::emulator::{Sandbox, Setup};
use crate::harness::{Bench, fixture, observe_code, root};
use crate::s3::S3;

/// A sample event of `sam/events/`.
pub(crate) fn sample(name: &str) -> Value {
    let path = root().join("sam/events").join(format!("{name}.json"));
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// A page of one moving box, which lasts two seconds.
pub(crate) const PAGE: &str = "<!doctype html><html><body style=\"margin:0;background:#234\">\
    <div data-composition-id=\"a\" data-width=\"320\" data-height=\"180\" data-duration=\"2\"><i id=\"b\"></i></div>\
    <script>window.__hf = { duration: 2, seek(t) { b.textContent = t.toFixed(3); } };</script></body></html>";

/// A server and one sandbox that works with it.
pub(crate) struct Cloud {
    pub(crate) s3: S3,
    pub(crate) sandbox: Sandbox,
}

impl Cloud {
    pub(crate) fn new(setup: Setup) -> Self {
        let s3 = S3::start();
        let sandbox = Sandbox::start(&s3, setup);
        Self { s3, sandbox }
    }

    /// Uploads a project of one page, as the sample events name it.
    pub(crate) fn page(&self, html: &str) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("index.html"), html).unwrap();
        upload(&self.s3, dir.path());
    }

    /// The sample's plan event with another config.
    pub(crate) fn plan_event(config: &Value) -> Value {
        let mut event = sample("plan");
        event["Config"] = config.clone();
        event
    }

    pub(crate) fn plan(&self, config: &Value) -> Value {
        let plan = self.sandbox.invoke(&Self::plan_event(config));
        assert!(plan["PlanHash"].is_string(), "{plan}");
        plan
    }

    /// Renders chunks 0 to before `count` of a plan and returns the event that joins them.
    pub(crate) fn chunks(&self, plan: &Value, count: u64) -> Value {
        let mut assemble = sample("assemble");
        assemble["ChunkS3Uris"] = (0..count)
            .map(|index| {
                let chunk = self.sandbox.invoke(&chunk_of(plan, index));
                assert!(chunk["ChunkS3Uri"].is_string(), "{chunk}");
                chunk["ChunkS3Uri"].clone()
            })
            .collect();
        assemble
    }

    /// Sends an event that must fail with `code`, and looks at all that a failure must and must not leave. Returns the message.
    pub(crate) fn fails(&self, event: &Value, code: &str) -> String {
        // How far a chunk was is told while it is drawn.
        let keys = || -> Vec<String> {
            let keys = self.s3.keys().into_iter();
            keys.filter(|key| !key.contains("/progress/")).collect()
        };
        let (keys_before, before) = (keys(), self.sandbox.events("failure").len());
        let answer = self.sandbox.invoke(event);
        assert_eq!(answer["errorType"], code, "{answer}\n{}", self.sandbox.log());
        observe_code(code);
        let message = answer["errorMessage"].as_str().unwrap();
        assert!(message.len() <= 1024, "{} bytes: {message}", message.len());
        for secret in ["/tmp/", root().to_str().unwrap(), "X-Amz", "::"] {
            assert!(!message.contains(secret), "{secret} in {message}");
        }
        let logged = self.sandbox.events("failure");
        assert_eq!(logged.len(), before + 1, "logged once: {}", self.sandbox.log());
        assert_eq!(
            (&logged[before]["code"], &logged[before]["error"]),
            (&json!(code), &json!(message))
        );
        assert_eq!(logged[before]["may_retry"], retry_helps(code), "{code}");
        assert_eq!(keys(), keys_before, "something was stored");
        self.sandbox.assert_idle();
        message.to_owned()
    }
}

/// What docs/errors.md says of a code, which the code's own list is compared with.
pub(crate) fn retry_helps(code: &str) -> bool {
    let table = fs::read_to_string(root().join("docs/errors.md")).unwrap();
    let row = table.lines().find(|line| line.starts_with(&format!("| `{code}` |"))).unwrap();
    row.ends_with("| yes |")
}

/// Uploads a project, as the sample events name it.
pub(crate) fn upload(s3: &S3, project: &Path) {
    s3.put("projects/title-card/project.tar.gz", &packed(project));
}

/// A directory as a `tar.gz`.
pub(crate) fn packed(tree: &Path) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let packed = dir.path().join("packed.tar.gz");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(store::pack(tree, &packed)).unwrap();
    fs::read(packed).unwrap()
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
    upload(&s3, &fixture("title-card"));
    let sandboxes: Vec<_> = (0..3).map(|_| Sandbox::start(&s3, Setup::default())).collect();
    let plan = sandboxes[0].invoke(&sample("plan"));
    assert_eq!(plan["PlanS3Uri"], "s3://render-bucket/work/demo/plan.tar.gz", "{plan}");
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
    let made = fs::read(s3.object("outputs/demo/output.mp4")).unwrap();
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

#[test]
fn a_chunk_that_an_earlier_try_stored_is_not_rendered_again() {
    let cloud = Cloud::new(Setup::default());
    cloud.page(PAGE);
    let plan = cloud.plan(&json!({"fps": 30, "chunkSize": 20}));
    let event = chunk_of(&plan, 1);
    let first = cloud.sandbox.invoke(&event);
    let again = cloud.sandbox.invoke(&event);
    for field in ["ChunkS3Uri", "ChunkIndex", "Sha256", "FramesEncoded", "CaptureMode"] {
        assert!(
            !first[field].is_null() && first[field] == again[field],
            "{field}: {first} {again}"
        );
    }
    let was_there: Vec<_> =
        cloud.sandbox.events("success").iter().map(|line| line["was_there"].clone()).collect();
    assert_eq!(was_there, [false, false, true]);
    // A chunk of another plan at the same place is.
    let other = cloud.plan(&json!({"fps": 30, "chunkSize": 20, "variables": {"a": 1}}));
    assert_ne!(plan["PlanHash"], other["PlanHash"]);
    cloud.sandbox.invoke(&chunk_of(&other, 1));
    assert_eq!(cloud.sandbox.events("success").last().unwrap()["was_there"], false);
}

#[test]
fn every_invocation_is_told_in_two_lines_of_json_and_one_of_metrics() {
    let cloud = Cloud::new(Setup::default());
    cloud.page(PAGE);
    let plan = cloud.plan(&json!({"fps": 30, "chunkSize": 60}));
    let assemble = cloud.chunks(&plan, 1);
    cloud.sandbox.invoke(&assemble);
    let mut broken = chunk_of(&plan, 9);
    broken["RenderId"] = "render-7".into();
    broken["Attempt"] = 2.into();
    cloud.fails(&broken, "CHUNK_INDEX_OUT_OF_RANGE");
    let (started, ended) = (cloud.sandbox.events("start"), cloud.sandbox.events("success"));
    let told = |lines: &[Value], field: &str| {
        lines.iter().map(|line| line[field].clone()).collect::<Vec<_>>()
    };
    assert_eq!(told(&started, "action"), ["plan", "renderChunk", "assemble", "renderChunk"]);
    assert_eq!(told(&started, "cold"), [true, false, false, false]);
    assert_eq!(told(&ended, "request_id"), told(&started, "request_id")[..3]);
    assert_eq!(told(&ended, "render_id"), ["demo", "demo", "demo"]);
    assert_eq!(told(&ended, "frames"), [60, 60, 60]);
    assert_eq!(ended[1]["plan_hash"], plan["PlanHash"]);
    assert_eq!((&ended[1]["chunk"], &ended[1]["attempt"]), (&json!(0), &json!(0)));
    for line in &ended {
        for field in [
            "duration_ms",
            "remaining_ms",
            "fetch_ms",
            "work_ms",
            "store_ms",
            "peak_memory_bytes",
            "peak_tmp_bytes",
            "tmp_bytes",
        ] {
            assert!(line[field].is_u64(), "{field} in {line}");
        }
    }
    for field in [
        "boot_ms",
        "capture_ms",
        "encode_ms",
        "verify_ms",
        "first_frame_ms",
        "bytes",
        "workers",
        "blocked_requests",
    ] {
        assert!(ended[1][field].is_u64(), "{field} in {}", ended[1]);
    }
    assert!(
        ended[1]["peak_memory_bytes"].as_u64().unwrap() > 50 << 20,
        "Chrome is counted: {}",
        ended[1]
    );
    let failed = cloud.sandbox.events("failure").pop().unwrap();
    assert_eq!((&failed["render_id"], &failed["attempt"]), (&json!("render-7"), &json!(2)));
    let metrics: Vec<_> =
        cloud.sandbox.lines().into_iter().filter(|line| line["_aws"].is_object()).collect();
    assert_eq!(told(&metrics, "Action"), ["plan", "renderChunk", "assemble", "renderChunk"]);
    assert_eq!(told(&metrics, "Failure"), [0, 0, 0, 1]);
    assert_eq!(metrics[3]["Code"], "CHUNK_INDEX_OUT_OF_RANGE");
    assert!(metrics[1]["FramesPerSecond"].as_f64().unwrap() > 1.0, "{}", metrics[1]);
    // Nothing that is not JSON, but the emulator's own lines.
    let other: Vec<_> = cloud
        .sandbox
        .log()
        .lines()
        .filter(|line| serde_json::from_str::<Value>(line).is_err())
        .filter(|line| !["START ", "END ", "REPORT "].iter().any(|word| line.starts_with(word)))
        .map(str::to_owned)
        .collect();
    assert!(other.is_empty(), "{other:?}");
}

#[test]
fn what_is_no_event_is_refused_by_its_field_and_the_next_one_is_served() {
    let cloud = Cloud::new(Setup::default());
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    // Cut off, half a character, a number that none is, deeper than anyone reads.
    for body in ["{\"Action\": \"plan\"", "{\"Action\": \"\\ud800\"}", "[1e999]", &deep] {
        let answer: Value = serde_json::from_str(&cloud.sandbox.invoke_text(body)).unwrap();
        assert_eq!(answer["errorType"], "EVENT_INVALID", "{body}");
        assert_eq!(answer["errorMessage"], "event: it must be a JSON object, not null");
    }
    let message = cloud.fails(&sample("broken"), "EVENT_INVALID");
    assert_eq!(message, "event: ChunkIndex must be a whole number, not \"first\"");
    let mut v3 = sample("plan");
    v3["PlanProtocol"] = "v3".into();
    cloud.fails(&v3, "PLAN_PROTOCOL_UNSUPPORTED");
    cloud.page(PAGE);
    cloud.plan(&json!({"fps": 30}));
}

#[test]
fn a_place_outside_the_list_is_refused_before_anything_is_asked_for() {
    let list = [("HYPERFRAMES_RENDER_BUCKET", "other-bucket, render-bucket/work".to_owned())];
    let cloud = Cloud::new(Setup { env: list.into(), ..Setup::default() });
    let message = cloud.fails(&sample("plan"), "S3_URI_NOT_ALLOWED");
    let told = cloud.sandbox.events("failure").pop().unwrap();
    assert_eq!((&told["action"], &told["render_id"]), (&json!("plan"), &json!("demo")));
    assert!(message.starts_with("event: ProjectS3Uri s3://render-bucket/projects/"), "{message}");
    let mut event = sample("render-chunk");
    event["PlanS3Uri"] = "file:///etc/passwd".into();
    cloud.fails(&event, "S3_URI_NOT_ALLOWED");
    assert!(cloud.s3.requests().is_empty(), "{:?}", cloud.s3.requests());
    cloud.fails(&sample("render-chunk"), "STORE_OBJECT_MISSING");
    let unset = Cloud::new(Setup {
        env: vec![("HYPERFRAMES_RENDER_BUCKET", String::new())],
        ..Setup::default()
    });
    unset.fails(&sample("plan"), "S3_URI_NOT_ALLOWED");
}
