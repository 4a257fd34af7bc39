//! What goes wrong around the function: time, memory of the disk, the network, killed children, damaged objects. Each ends
//! with its code, nothing half-made is visible, nothing is left, and the next event is served.

use std::fs;
use std::process::Command;
use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};

use crate::emulator::{RunsIn, Setup};
use crate::harness::fixture;
use crate::lambda::{Cloud, PAGE, chunk_of, packed, sample, upload};
use crate::s3::FaultKind;

/// A page whose frames take long enough to be interrupted.
fn slow_page() -> String {
    PAGE.replace("\"2\"", "\"60\"").replace(
        "b.textContent = t.toFixed(3);",
        "b.textContent = t.toFixed(3); let x = 0; for (let i = 0; i < 3e7; i += 1) x += i; b.title = x;",
    )
}

/// A page that is stuck in an endless loop from one frame on, after it reported something.
const STUCK: &str = "<!doctype html><html><body><div data-composition-id=\"a\" data-width=\"320\" data-height=\"180\" data-duration=\"2\"></div>\
    <script>window.__hf = { duration: 2, seek(t) { if (t < 0.5) return; reportError(new Error(`late at ${t}`)); for (;;); } };</script></body></html>";

impl Cloud {
    /// Asserts that the function still works.
    pub(crate) fn assert_serves(&self) {
        self.s3.stop_failing();
        self.page(PAGE);
        let plan = self.plan(&json!({"fps": 30, "chunkSize": 60, "variables": {"again": true}}));
        let chunk = self.sandbox.invoke(&chunk_of(&plan, 0));
        assert_eq!(chunk["FramesEncoded"], 60, "{chunk}");
        self.sandbox.assert_idle();
    }

    fn chunk_in_background<'a>(
        &'a self,
        scope: &'a std::thread::Scope<'a, '_>,
        event: &'a Value,
    ) -> std::thread::ScopedJoinHandle<'a, Value> {
        scope.spawn(move || self.sandbox.invoke(event))
    }
}

fn kill(ids: &[i32]) {
    for id in ids {
        Command::new("kill").args(["-KILL", &id.to_string()]).status().unwrap();
    }
}

#[test]
fn work_stops_before_the_time_limit_and_says_what_would_have_fitted() {
    // A page's own clock runs faster than ours while it is waited for: it is to meet the function's limit and no other.
    let env = vec![("FRAMEWRIGHT_READY_TIMEOUT", "600".to_owned())];
    let cloud = Cloud::new(Setup { seconds: 7, env, ..Setup::default() });
    cloud.page(&slow_page());
    let plan = cloud.plan(&json!({"fps": 60, "chunkSize": 3600}));
    let message = cloud.fails(&chunk_of(&plan, 0), "CHUNK_DEADLINE_EXCEEDED");
    let number = |before: &str, after: &str| -> f64 {
        let text = message.split(before).last().unwrap().split(after).next().unwrap();
        text.trim().parse().unwrap_or_else(|_| panic!("{text:?} in {message}"))
    };
    let done = number("ms: ", " of 3600");
    let rate = number("done, ", " per second");
    let fitting = number("chunkSize of ", " would");
    assert!(done > 1.0 && rate > 0.3 && (1.0..3600.0).contains(&fitting), "{message}");
    assert!(done / rate < 7.0 && fitting <= rate * 7.0, "{message}");
    // A plan that waits for a page that never gets ready.
    let event = Cloud::plan_event(&json!({"fps": 30}));
    let page = "<!doctype html><html><body><div data-composition-id=\"a\" data-width=\"320\" data-height=\"180\"></div>\
        <script>window.__hf = { duration: NaN, seek() {} };</script></body></html>";
    cloud.page(page);
    cloud.fails(&event, "PLAN_DEADLINE_EXCEEDED");
    cloud.assert_serves();
    // Chunks that do not come.
    let plan = cloud.plan(&json!({"fps": 30, "chunkSize": 60}));
    let assemble = cloud.chunks(&plan, 1);
    cloud.s3.fail(Method::GET, "chunks/", 100, FaultKind::StallAfter(100));
    cloud.fails(&assemble, "ASSEMBLE_DEADLINE_EXCEEDED");
    assert!(!cloud.sandbox.log().contains("Task timed out"), "{}", cloud.sandbox.log());
    cloud.assert_serves();
}

#[test]
fn a_page_that_is_stuck_gets_a_second_browser_and_then_its_last_words_are_told() {
    let env = vec![("FRAMEWRIGHT_FRAME_TIMEOUT", "3".to_owned())];
    let cloud = Cloud::new(Setup { env, ..Setup::default() });
    cloud.page(STUCK);
    let plan = cloud.plan(&json!({"fps": 30, "chunkSize": 60, "strictness": "best-effort"}));
    let message = cloud.fails(&chunk_of(&plan, 0), "CAPTURE_STALLED");
    assert!(
        message.contains("frame 15 was not drawn within 3 s") || message.contains("frame 16 was"),
        "{message}"
    );
    assert!(message.contains("late at 0.5"), "{message}");
    let relaunched = cloud
        .sandbox
        .lines()
        .into_iter()
        .filter(|line| line["message"] == "browser lost, starting another")
        .count();
    assert!((1..=2).contains(&relaunched), "once for each browser that stalls: {relaunched}");
    cloud.assert_serves();
}

#[test]
fn a_killed_chrome_is_replaced_and_a_killed_encoder_is_told() {
    let cloud = Cloud::new(Setup::default());
    cloud.page(&PAGE.replace("\"2\"", "\"10\""));
    let plan = cloud.plan(&json!({"fps": 60, "chunkSize": 600}));
    let event = chunk_of(&plan, 0);
    let undisturbed = cloud.sandbox.invoke(&event);
    fs::remove_file(cloud.s3.object("work/demo/chunks/0000.mp4")).unwrap();
    let disturbed = std::thread::scope(|scope| {
        let running = cloud.chunk_in_background(scope, &event);
        cloud.sandbox.wait_for("ffmpeg");
        std::thread::sleep(Duration::from_millis(900));
        kill(&cloud.sandbox.wait_for("chromium")[..1]);
        running.join().unwrap()
    });
    assert_eq!(disturbed["Sha256"], undisturbed["Sha256"], "{disturbed}");
    assert!(cloud.sandbox.events("success").last().unwrap()["relaunches"].as_u64().unwrap() > 0);
    fs::remove_file(cloud.s3.object("work/demo/chunks/0000.mp4")).unwrap();
    let failed = std::thread::scope(|scope| {
        let running = cloud.chunk_in_background(scope, &event);
        let encoder = cloud.sandbox.wait_for("ffmpeg");
        std::thread::sleep(Duration::from_millis(300));
        kill(&cloud.sandbox.wait_for("ffmpeg"));
        assert!(!encoder.is_empty());
        running.join().unwrap()
    });
    assert_eq!(failed["errorType"], "ENCODE_FAILED", "{failed}");
    assert!(!cloud.s3.object("work/demo/chunks/0000.mp4").exists());
    cloud.assert_serves();
}

#[test]
fn what_s3_does_wrong_has_its_own_codes_and_leaves_nothing() {
    let cloud = Cloud::new(Setup::default());
    cloud.page(PAGE);
    let plan = cloud.plan(&json!({"fps": 30, "chunkSize": 20}));
    let event = chunk_of(&plan, 0);
    let again = |method: Method, part: &str, fault_kind, code: &str, event: &Value| {
        cloud.s3.stop_failing();
        cloud.s3.fail(method, part, 1000, fault_kind);
        cloud.fails(event, code)
    };
    let message = again(
        Method::GET,
        "plan.tar.gz",
        FaultKind::Status(403, "AccessDenied"),
        "STORE_ACCESS_DENIED",
        &event,
    );
    assert!(
        message.contains("s3://render-bucket/work/demo/plan.tar.gz")
            && message.contains("AccessDenied"),
        "{message}"
    );
    again(
        Method::GET,
        "plan.tar.gz",
        FaultKind::Status(404, "NoSuchKey"),
        "STORE_OBJECT_MISSING",
        &event,
    );
    again(
        Method::GET,
        "plan.tar.gz",
        FaultKind::Status(503, "SlowDown"),
        "STORE_UNAVAILABLE",
        &event,
    );
    again(
        Method::GET,
        "plan.tar.gz",
        FaultKind::Status(400, "InvalidArgument"),
        "STORE_REQUEST_REFUSED",
        &event,
    );
    again(Method::GET, "plan.tar.gz", FaultKind::CutAfter(0), "STORE_UNAVAILABLE", &event);
    again(Method::GET, "plan.tar.gz", FaultKind::Garbled, "PLAN_ARTIFACT_DIGEST_MISMATCH", &event);
    again(
        Method::PUT,
        "chunks/0000",
        FaultKind::Status(503, "SlowDown"),
        "STORE_UNAVAILABLE",
        &event,
    );
    again(
        Method::PUT,
        "chunks/0000",
        FaultKind::Status(403, "AccessDenied"),
        "STORE_ACCESS_DENIED",
        &event,
    );
    // What passes is not noticed.
    cloud.s3.stop_failing();
    cloud.s3.fail(Method::GET, "plan.tar.gz", 2, FaultKind::CutAfter(300));
    cloud.s3.fail(Method::PUT, "chunks/0000", 2, FaultKind::Status(503, "SlowDown"));
    let chunk = cloud.sandbox.invoke(&event);
    assert_eq!(chunk["FramesEncoded"], 20, "{chunk}");
    cloud.assert_serves();
}

#[test]
fn chunks_that_are_not_the_plan_s_are_not_joined() {
    let cloud = Cloud::new(Setup::default());
    cloud.page(PAGE);
    let plan = cloud.plan(&json!({"fps": 30, "chunkSize": 20}));
    let whole = cloud.chunks(&plan, 3);
    let list = |edit: &dyn Fn(&mut Vec<Value>)| {
        let mut event = whole.clone();
        edit(event["ChunkS3Uris"].as_array_mut().unwrap());
        event
    };
    for event in [
        list(&|uris| drop(uris.pop())),
        list(&|uris| uris.clear()),
        list(&|uris| uris.swap(0, 1)),
        list(&|uris| uris[2] = uris[1].clone()),
        list(&|uris| uris.push(uris[0].clone())),
    ] {
        cloud.fails(&event, "CHUNK_LIST_INVALID");
    }
    let absent = list(&|uris| uris[1] = "s3://render-bucket/work/demo/chunks/0009.mp4".into());
    cloud.fails(&absent, "STORE_OBJECT_MISSING");
    let mut with_audio = whole.clone();
    with_audio["AudioS3Uri"] = "s3://render-bucket/work/demo/audio.m4a".into();
    let message = cloud.fails(&with_audio, "STORE_OBJECT_MISSING");
    assert!(message.contains("audio.m4a"), "{message}");
    let chunk = cloud.s3.object("work/demo/chunks/0001.mp4");
    let good = fs::read(&chunk).unwrap();
    let mut bad = good.clone();
    let middle = bad.len() / 2;
    bad[middle] ^= 1;
    fs::write(&chunk, bad).unwrap();
    cloud.fails(&whole, "CHUNK_DIGEST_MISMATCH");
    fs::write(&chunk, good).unwrap();
    cloud.s3.fail(Method::PUT, "output.mp4", 1000, FaultKind::Status(500, "InternalError"));
    cloud.fails(&whole, "STORE_UNAVAILABLE");
    cloud.s3.stop_failing();
    let done = cloud.sandbox.invoke(&whole);
    assert_eq!(done["FramesEncoded"], 60, "{done}");
}

#[test]
fn an_archive_that_is_damaged_or_hostile_is_refused() {
    let cloud = Cloud::new(Setup::default());
    let whole = packed(&fixture("own-hf"));
    let hostile = |kind: tar::EntryType, name: &str, link: Option<&str>| {
        let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(
            Vec::new(),
            flate2::Compression::fast(),
        ));
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        if let Some(link) = link {
            header.set_link_name(link).unwrap();
        }
        header.set_size(0);
        header.set_cksum();
        tar.append(&header, &b""[..]).unwrap();
        tar.into_inner().unwrap().finish().unwrap()
    };
    let bomb = {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        let mut header = tar::Header::new_gnu();
        header.set_path("zeros.bin").unwrap();
        header.set_size(3 << 30);
        header.set_cksum();
        std::io::Write::write_all(&mut gzip, header.as_bytes()).unwrap();
        for _ in 0..200 {
            std::io::Write::write_all(&mut gzip, &vec![0; 1 << 20]).unwrap();
        }
        gzip.finish().unwrap()
    };
    for (archive, reason) in [
        (Vec::new(), "empty"),
        (whole[..whole.len() / 2].to_vec(), "damaged or cut off"),
        (b"<?xml not a tar".to_vec(), "damaged or cut off"),
        (bomb, "times its size"),
        (
            hostile(tar::EntryType::Symlink, "index.html", Some("/proc/self/environ")),
            "index.html is a link",
        ),
        (hostile(tar::EntryType::Regular, "../../var/task/bootstrap", None), "leads out"),
    ] {
        cloud.s3.put("projects/title-card/project.tar.gz", &archive);
        let message = cloud.fails(&sample("plan"), "ARCHIVE_INVALID");
        assert!(message.contains(reason), "{message}");
    }
    cloud.assert_serves();
}

#[test]
fn a_full_scratch_disk_is_told_and_freed() {
    // A scratch of its own that holds the browsers' profiles but not what is fetched.
    let script = "mount -t tmpfs -o size=24m none \"$1/tmp\" && shift && exec \"$@\"";
    let cloud = Cloud::new(Setup { place: RunsIn::Script(script), ..Setup::default() });
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("index.html"), PAGE).unwrap();
    let noise: Vec<u8> =
        (0..40_u32 << 20).map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()[2]).collect();
    fs::write(dir.path().join("large.bin"), noise).unwrap();
    upload(&cloud.s3, dir.path());
    cloud.fails(&sample("plan"), "DISK_FULL");
    cloud.assert_serves();
}
