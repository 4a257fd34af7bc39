//! Plans with videos: what is in them and what is not, and which clips are refused.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{Bench, Run};
use crate::video::{media, project};

/// Plans `project` into `out/plan` of the bench.
fn plan(bench: &Bench, project: &Path, config: &Value) -> Run {
    let uri = |path: &Path| format!("file://{}", path.display());
    bench.invoke(&json!({
        "Action": "plan", "ProjectS3Uri": uri(project), "PlanOutputS3Prefix": uri(&bench.path("out")), "Config": config,
    }))
}

fn planned(bench: &Bench, project: &Path) -> (Value, Value) {
    let run = plan(bench, project, &json!({"fps": 30}));
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    let videos = fs::read_to_string(bench.path("out/plan/meta/videos.json")).unwrap();
    (serde_json::from_str(&run.stdout).unwrap(), serde_json::from_str(&videos).unwrap())
}

fn count(dir: &Path) -> usize {
    fs::read_dir(dir).unwrap().count()
}

#[test]
fn three_seconds_of_ten_minutes_are_three_seconds_of_frames() {
    let bench = Bench::new();
    let body = "data-width=320 data-height=180 data-duration=60>\
        <video id=v src=long.mp4 muted data-start=20 data-duration=3 data-media-start=400></video>";
    let project = project(&bench, "project", &["long.mp4"], "", body);
    let (_, videos) = planned(&bench, &project);
    let dir = bench.path("out/plan");
    assert_eq!(count(&dir.join("video-frames/v")), 90);
    assert!(!dir.join("compiled/long.mp4").exists(), "the source is in the plan");
    assert_eq!(
        videos["videos"],
        json!([{
            "id": "v", "src": "long.mp4", "start": 20.0, "end": 23.0, "mediaStart": 400.0, "loop": false, "hasAudio": false,
            "playbackRate": 1.0,
        }])
    );
    assert_eq!(
        videos["extracted"],
        json!([{
            "videoId": "v", "srcPath": "long.mp4", "framePattern": "frame_%05d.jpg", "fps": 30.0, "totalFrames": 90,
            "metadata": {
                "durationSeconds": 600.0, "videoStreamDurationSeconds": 600.0, "videoStreamStartSeconds": 0.0,
                "width": 320, "height": 180, "fps": 5.0, "videoCodec": "h264", "hasAudio": false, "isVFR": false, "hasAlpha": false,
                "colorSpace": { "colorTransfer": "bt709", "colorPrimaries": "bt709", "colorSpace": "bt709" },
            },
        }])
    );
    let composition = fs::read_to_string(dir.join("meta/composition.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&composition).unwrap()["videoCount"], 1);
}

#[test]
fn what_two_clips_show_is_in_the_plan_once_and_the_plan_has_the_same_hash_anywhere() {
    let bench = Bench::new();
    let clip = |id: &str, start: u32, duration: u32| {
        format!(
            "<video id={id} src=code-30.mp4 muted data-start={start} data-duration={duration} data-media-start=1></video>"
        )
    };
    let body = format!(
        "data-width=320 data-height=180 data-duration=4>{}{}{}",
        clip("one", 0, 1),
        clip("two", 1, 2),
        clip("a:b", 3, 1)
    );
    let here = project(&bench, "here", &["code-30.mp4"], "", &body);
    let (first, videos) = planned(&bench, &here);
    let frames = bench.path("out/plan/video-frames");
    assert_eq!((count(&frames), count(&frames.join("one"))), (1, 60));
    let lists = videos["extracted"].as_array().unwrap();
    let shared: Vec<_> =
        lists.iter().map(|entry| (&entry["framesDir"], &entry["totalFrames"])).collect();
    assert_eq!(
        shared,
        [(&Value::Null, &json!(30)), (&json!("one"), &json!(60)), (&json!("one"), &json!(30))]
    );

    let other = Bench::new();
    let there = project(&other, "there", &["code-30.mp4"], "", &body);
    let (second, _) = planned(&other, &there);
    assert_eq!(first["PlanHash"], second["PlanHash"]);
}

#[test]
fn a_source_that_something_else_refers_to_stays() {
    for (what, head, stays) in [
        ("nothing", "", false),
        ("an image", "<img src=code-24.mp4 style='display: none'>", true),
        ("a script", "<script>window.source = 'code-24.mp4'</script>", true),
        ("a sound", "<audio src=code-24.mp4></audio>", false),
    ] {
        let bench = Bench::new();
        let body = "data-width=320 data-height=180 data-duration=1><video id=v src=code-24.mp4 muted data-start=0 data-duration=1></video>";
        let body = if what == "a sound" { body.to_owned() } else { format!("{body}{head}") };
        let project = project(&bench, "project", &["code-24.mp4"], "", &body);
        planned(&bench, &project);
        assert_eq!(bench.path("out/plan/compiled/code-24.mp4").exists(), stays, "{what}");
    }
}

#[test]
fn frames_are_kept_as_the_config_says() {
    for (format, clip, extension) in [
        ("auto", "code-24.mp4", "jpg"),
        ("jpg", "code-24.mp4", "jpg"),
        ("png", "code-24.mp4", "png"),
        ("jpg", "alpha.mov", "png"),
        ("auto", "alpha.webm", "png"),
        ("auto", "bars.webm", "jpg"),
    ] {
        let bench = Bench::new();
        let body = format!(
            "data-width=320 data-height=180 data-duration=0.1><video id=v src={clip} muted data-start=0 data-duration=0.1></video>"
        );
        let project = project(&bench, "project", &[clip], "", &body);
        let run = plan(&bench, &project, &json!({"fps": 30, "videoFrameFormat": format}));
        assert_eq!(run.status, Some(0), "{}", run.stderr);
        let frame = bench.path("out/plan/video-frames/v").join(format!("frame_00003.{extension}"));
        assert!(frame.is_file(), "{format} {clip}");
    }
}

#[test]
fn a_clip_that_cannot_be_shown_is_refused_with_its_element_and_file() {
    for (clip, attributes, code, named) in [
        ("truncated.mp4", "data-duration=10", "VIDEO_SOURCE_UNRENDERABLE", "cut short"),
        ("page.mp4", "data-duration=1", "NOT_MEDIA_PAYLOAD", "is a web page or JSON"),
        ("sound-only.mp4", "data-duration=1", "ASSET_MEDIA_TYPE_MISMATCH", "has sound only"),
        ("no-index.mp4", "data-duration=1", "VIDEO_SOURCE_UNRENDERABLE", "cannot be read"),
        (
            "code-30.mp4",
            "data-duration=1 data-media-start=10",
            "VIDEO_SOURCE_UNRENDERABLE",
            "begins at 10 s of a source of 10 s",
        ),
    ] {
        let bench = Bench::new();
        let body = format!(
            "data-width=320 data-height=180 data-duration=10><video id=clip src={clip} muted data-start=0 {attributes}></video>"
        );
        let project = project(&bench, "project", &[clip], "", &body);
        let run = plan(&bench, &project, &json!({"fps": 30}));
        assert_eq!((run.status, run.code()), (Some(1), code), "{}", run.stderr);
        for name in ["<video id=\"clip\"", clip, named] {
            assert!(run.stderr.contains(name), "\"{name}\" is not in: {}", run.stderr);
        }
        bench.assert_no_scratch();
    }
}

/// The part of a file that is there can be used.
#[test]
fn the_beginning_of_a_clip_that_is_cut_short_is_shown() {
    let bench = Bench::new();
    let body = "data-width=320 data-height=180 data-duration=2><video id=v src=truncated.mp4 muted data-start=0 data-duration=2></video>";
    let project = project(&bench, "project", &["truncated.mp4"], "", body);
    planned(&bench, &project);
    assert_eq!(count(&bench.path("out/plan/video-frames/v")), 60);
}

#[test]
fn more_frames_than_the_plan_may_hold_are_refused_before_they_are_made() {
    let bench = Bench::new();
    let body = "data-width=320 data-height=180 data-duration=600><video id=v src=long.mp4 muted data-start=0 data-duration=600></video>";
    let project = project(&bench, "project", &["long.mp4"], "", body);
    let run = plan(&bench, &project, &json!({"fps": 30, "planDirSizeLimitBytes": 5_000_000}));
    assert_eq!((run.status, run.code()), (Some(1), "PLAN_TOO_LARGE"), "{}", run.stderr);
    assert!(
        run.stderr.contains("with its 18000 frames") && run.stderr.contains("limit is 5000000"),
        "{}",
        run.stderr
    );
    assert!(media("long.mp4").is_file());
}
