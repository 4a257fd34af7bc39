//! The function makes every format as this machine does.

use std::fs;

use hyper::Method;
use serde_json::json;

use crate::emulator::{RunsIn, Setup};
use crate::harness::{Bench, Layers, fixture};
use crate::lambda::{Cloud, chunk_of, upload};
use crate::s3::FaultKind;

fn extension(format: &str) -> &str {
    if format == "png-sequence" { "tar.gz" } else { format }
}

#[test]
fn a_function_makes_what_a_local_render_makes_in_every_format() {
    let cloud = Cloud::new(Setup::default());
    upload(&cloud.s3, &fixture("alpha-shapes"));
    for (format, chunk, extra) in [
        ("webm", "webm", json!({"poster": "0.5s", "preview": "180p"})),
        ("mov", "mov", json!({"alpha": false})),
        ("png-sequence", "mov", json!({"poster": "15f"})),
        ("gif", "mp4", json!({"loop": 2})),
        ("mp4", "mp4", json!({"codec": "h265", "cfr": true})),
    ] {
        let mut config = json!({"fps": 30, "format": format, "chunkSize": 20, "frames": "0..40"});
        config.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let plan = cloud.plan(&config);
        assert_eq!((&plan["Format"], &plan["TotalFrames"]), (&json!(format), &json!(40)), "{plan}");
        let mut uris = Vec::new();
        for index in 0..2 {
            let mut event = chunk_of(&plan, index);
            event["Format"] = format.into();
            let answer = cloud.sandbox.invoke(&event);
            assert_eq!(
                answer["ChunkS3Uri"],
                format!("s3://render-bucket/work/demo/chunks/000{index}.{chunk}"),
                "{answer}"
            );
            // Another try finds it, and what lies beside it.
            let again = cloud.sandbox.invoke(&event);
            assert_eq!(again["Sha256"], answer["Sha256"], "{format}");
            assert_eq!(cloud.sandbox.events("success").last().unwrap()["was_there"], true);
            uris.push(answer["ChunkS3Uri"].clone());
        }
        let output = format!("outputs/demo/output.{}", extension(format));
        let mut assemble = crate::lambda::sample("assemble");
        assemble["ChunkS3Uris"] = uris.into();
        assemble["Format"] = format.into();
        assemble["OutputS3Uri"] = format!("s3://render-bucket/{output}").into();
        let done = cloud.sandbox.invoke(&assemble);
        assert_eq!(done["FramesEncoded"], 40, "{format}: {done}");
        cloud.sandbox.assert_idle();

        let bench = Bench::new();
        let name =
            if format == "png-sequence" { "frames".to_owned() } else { format!("out.{format}") };
        let mut args = vec!["--format", format, "--chunk-size", "20", "--frames", "0..40"];
        let told = |field: &str| config[field].as_str().unwrap_or_default().to_owned();
        let (poster, preview) = (told("poster"), told("preview"));
        if !poster.is_empty() {
            args.extend(["--poster", &poster]);
        }
        if !preview.is_empty() {
            args.extend(["--preview", &preview]);
        }
        args.extend(config.get("alpha").map(|_| "--no-alpha"));
        args.extend(config.get("cfr").into_iter().flat_map(|_| ["--cfr", "--codec", "h265"]));
        args.extend(config.get("loop").into_iter().flat_map(|_| ["--loop", "2"]));
        let local = bench.render_to(&name, &fixture("alpha-shapes"), &args);
        assert_eq!(local["planHash"], plan["PlanHash"], "{format}");
        let made = fs::read(cloud.s3.object(&output)).unwrap();
        if format == "png-sequence" {
            let unpacked = bench.path("unpacked");
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let packed = cloud.s3.object(&output);
            let limits = store::Limits::default();
            runtime
                .block_on(store::unpack(
                    &packed,
                    "output",
                    &unpacked,
                    limits,
                    store::Links::Refused,
                ))
                .unwrap();
            assert_eq!(fs::read_dir(&unpacked).unwrap().count(), 40);
            let [ours, theirs] =
                [bench.path(&name), unpacked].map(|dir| Layers::decode(&dir, 640, 360));
            assert!((0..40).all(|frame| ours.frame(frame) == theirs.frame(frame)));
        } else {
            assert!(made == fs::read(bench.path(&name)).unwrap(), "{format}: the files differ");
        }
        for (kind, suffix, uri) in
            [("poster", "poster.png", "PosterS3Uri"), ("preview", "preview.mp4", "PreviewS3Uri")]
        {
            if local[kind].is_null() {
                assert!(done[uri].is_null(), "{format}: {done}");
                continue;
            }
            let key = format!("outputs/demo/output.{suffix}");
            assert_eq!(done[uri], format!("s3://render-bucket/{key}"), "{format}");
            let ours = fs::read(local[kind].as_str().unwrap()).unwrap();
            assert!(fs::read(cloud.s3.object(&key)).unwrap() == ours, "{format}: {kind}");
        }
    }
}

#[test]
fn an_event_that_means_another_format_than_the_plan_is_refused() {
    let cloud = Cloud::new(Setup::default());
    cloud.page(crate::lambda::PAGE);
    let plan = cloud.plan(&json!({"fps": 30, "format": "webm", "chunkSize": 60}));
    let message = cloud.fails(&chunk_of(&plan, 0), "EVENT_INVALID");
    assert_eq!(message, "event: Format must be webm, as the plan says, not mp4");
}

#[test]
fn what_cannot_be_held_is_refused_when_it_is_planned() {
    let script = "mount -t tmpfs -o size=24m none \"$1/tmp\" && shift && exec \"$@\"";
    let cloud = Cloud::new(Setup { place: RunsIn::Script(script), ..Setup::default() });
    let page = crate::lambda::PAGE.replace("data-duration=\"2\"", "data-duration=\"600\"");
    cloud.page(&page);
    let message =
        cloud.fails(&Cloud::plan_event(&json!({"fps": 30, "format": "mov"})), "OUTPUT_TOO_LARGE");
    // 320 × 180 pixels, 70 kB for a million of them, twice.
    let says = "a mov of 18000 frames of 320x180 needs about 145152000 bytes: 4032 for each frame";
    assert!(message.starts_with(says), "{message}");
    // `outputSizeLimitBytes` overrides the estimate.
    cloud.plan(&json!({"fps": 30, "format": "mov", "outputSizeLimitBytes": 150_000_000}));
    let fixed = Cloud::plan_event(&json!({"fps": 30, "bitrate": "1M"}));
    let message = cloud.fails(&fixed, "OUTPUT_TOO_LARGE");
    assert!(
        message.contains("a mp4 of 18000 frames of 320x180 needs about 150012000"),
        "{message}"
    );
    cloud.plan(&json!({"fps": 30, "format": "mp4"}));
}

#[test]
fn side_outputs_of_another_plan_in_the_same_place_are_not_taken() {
    let cloud = Cloud::new(Setup::default());
    cloud.page(crate::lambda::PAGE);
    let config = |text: &str| json!({"fps": 30, "chunkSize": 30, "poster": "0.5s", "variables": {"a": text}});
    let ours = cloud.plan(&config("ours"));
    let assemble = cloud.chunks(&ours, 2);
    let first = cloud.sandbox.invoke(&assemble);
    let poster = fs::read(cloud.s3.object("outputs/demo/output.poster.png")).unwrap();
    assert!(first["PosterS3Uri"].is_string(), "{first}");
    // Another render, which ends before its first chunk is stored.
    let page = crate::lambda::PAGE.replace("#234", "#f00");
    cloud.page(&page);
    let theirs = cloud.plan(&config("theirs"));
    cloud.s3.fail(Method::PUT, "0000.mp4", 1000, FaultKind::Status(403, "AccessDenied"));
    cloud.sandbox.invoke(&chunk_of(&theirs, 0));
    cloud.s3.stop_failing();
    cloud.page(crate::lambda::PAGE);
    assert_eq!(cloud.plan(&config("ours"))["PlanHash"], ours["PlanHash"]);
    let done = cloud.sandbox.invoke(&assemble);
    assert_eq!(done["FramesEncoded"], 60, "{done}");
    assert!(fs::read(cloud.s3.object("outputs/demo/output.poster.png")).unwrap() == poster);
}
