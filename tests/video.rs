//! Videos: every frame of a render shows exactly the frame of the source that it should, in its colours and in its place.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::harness::{Bench, Frames, distance, fixture, root};

/// The fixtures whose frames are compared here.
pub(crate) const COMPARED: [&str; 4] =
    ["video-trim-rate-loop-hold", "vfr", "video-alpha", "webgl-video-texture"];

/// A clip that set-up has made; a test cannot be skipped for want of it.
pub(crate) fn media(name: &str) -> PathBuf {
    let path = root().join("fixtures/media").join(name);
    assert!(path.is_file(), "{} is missing: run scripts/setup.sh", path.display());
    path
}

/// Makes a project around `body` with copies of the clips that it names.
pub(crate) fn project(
    bench: &Bench,
    name: &str,
    clips: &[&str],
    head: &str,
    body: &str,
) -> PathBuf {
    let dir = bench.path(name);
    fs::create_dir(&dir).unwrap();
    for clip in clips {
        fs::copy(media(clip), dir.join(clip)).unwrap();
    }
    let html = format!(
        "<!doctype html><html><head><style>html, body {{ margin: 0 }} video {{ position: absolute; left: 0; top: 0 }}</style>\
         {head}</head><body><div data-composition-id=a data-no-timeline {body}</div></body></html>"
    );
    fs::write(dir.join("index.html"), html).unwrap();
    dir
}

/// The number that a frame of a numbered clip says, which is drawn from (x, y) on in sixteen blocks of `block` pixels.
fn number(frames: &Frames, frame: usize, x: usize, y: usize, block: usize) -> Option<u32> {
    let is_white = |i: usize| {
        frames.pixel(frame, x + i * block + block / 2, y + block / 2).iter().all(|part| *part > 128)
    };
    let bits = (2..16).fold(0, |bits, i| bits * 2 + u32::from(is_white(i)));
    (is_white(0) && !is_white(1)).then_some(bits)
}

fn hashes(summary: &Value) -> Vec<String> {
    let list = summary["frameHashes"].as_array().unwrap();
    list.iter().map(|hash| hash.as_str().unwrap().to_owned()).collect()
}

/// Where a clip is on the picture, and what it shows at a frame of the composition.
type Cell = (&'static str, usize, usize, fn(u32) -> Option<u32>);

fn check(frames: &Frames, count: u32, cells: &[Cell]) {
    assert_eq!(frames.count(), count as usize);
    for frame in 0..count {
        for (what, x, y, expected) in cells {
            let found = number(frames, frame as usize, *x, *y, 20);
            assert_eq!(found, expected(frame), "frame {frame}: {what}");
        }
    }
}

#[test]
fn every_frame_of_trims_rates_loops_and_holds_is_the_one_of_the_source() {
    let bench = Bench::new();
    bench.render(&fixture("video-trim-rate-loop-hold"), &[]);
    let frames = Frames::decode(&bench.path("out.mp4"), 640, 540);
    let cells: &[Cell] = &[
        // From 0.5 s to 3.5 s, beginning with 2.5 s of the source.
        ("trim", 0, 0, |i| (15..105).contains(&i).then(|| 75 + i - 15)),
        ("slow", 320, 0, |i| Some(i / 2)),
        ("fast", 0, 180, |i| (30..105).contains(&i).then(|| (i - 30) * 2)),
        ("odd", 320, 180, |i| Some(30 + i * 137 / 100)),
        // The last of ten seconds, over and over.
        ("loop", 0, 360, |i| Some(270 + i % 30)),
        ("hold", 320, 360, |i| Some((255 + i).min(299))),
    ];
    check(&frames, 120, cells);
}

#[test]
fn a_source_of_changing_rate_shows_what_is_on_at_each_moment() {
    let bench = Bench::new();
    bench.render(&fixture("vfr"), &[]);
    let frames = Frames::decode(&bench.path("out.mp4"), 320, 360);
    // After every third frame two are missing.
    let cells: &[Cell] = &[
        ("whole", 0, 0, |i| Some(i / 5 * 3 + (i % 5).min(2))),
        ("late", 0, 180, |i| Some((i + 33) / 5 * 3 + ((i + 33) % 5).min(2))),
    ];
    check(&frames, 60, cells);
}

#[test]
fn a_source_of_another_rate_shows_the_last_frame_that_has_begun() {
    let bench = Bench::new();
    let body = "data-width=320 data-height=180 data-duration=1><video id=v src=code-24.mp4 data-start=0 data-duration=1></video>";
    let project = project(&bench, "project", &["code-24.mp4"], "", body);
    for (fps, count) in [("24", 24_u32), ("30", 30), ("60", 60)] {
        bench.render(&project, &["--fps", fps]);
        let frames = Frames::decode(&bench.path("out.mp4"), 320, 180);
        for i in 0..count {
            // A millisecond is no time: the last one that begins less than that later.
            let expected = 24 * (1000 * i + count) / (1000 * count);
            let found = number(&frames, i as usize, 0, 0, 20);
            assert_eq!(found, Some(expected), "frame {i} at {fps}");
        }
    }
}

#[test]
fn whoever_draws_a_video_draws_the_frame_of_this_moment() {
    let bench = Bench::new();
    bench.render(&fixture("webgl-video-texture"), &[]);
    let frames = Frames::decode(&bench.path("out.mp4"), 640, 360);
    let cells: &[Cell] = &[
        ("itself", 0, 0, |i| Some(30 + i)),
        ("three.js", 320, 0, |i| Some(30 + i)),
        ("canvas", 0, 180, |i| Some(30 + i)),
        ("WebGL", 320, 180, |i| Some(30 + i)),
    ];
    check(&frames, 45, cells);
}

/// Chunks of seven and thirty frames, one or two browsers, with and without the proof that frames are held.
fn compare(name: &str) {
    let bench = Bench::new();
    let whole = bench.render(&fixture(name), &["--frame-hashes", "--workers", "1"]);
    for args in [
        &["--chunk-size", "7", "--workers", "1"][..],
        &["--chunk-size", "30", "--workers", "2"],
        &["--workers", "2", "--no-reuse"],
    ] {
        let other = bench.render(&fixture(name), &[&["--frame-hashes"], args].concat());
        assert_eq!(hashes(&other), hashes(&whole), "{name} {args:?}");
        let same_plan = !args.contains(&"--chunk-size");
        assert_eq!(other["planHash"] == whole["planHash"], same_plan, "{name} {args:?}");
    }
}

#[test]
fn frames_are_the_same_from_any_browser_and_chunk_with_videos() {
    compare(COMPARED[0]);
    compare(COMPARED[1]);
}

#[test]
fn frames_are_the_same_from_any_browser_and_chunk_with_transparent_and_drawn_videos() {
    compare(COMPARED[2]);
    compare(COMPARED[3]);
}

#[test]
fn what_is_behind_a_transparent_video_is_seen_through_it() {
    let bench = Bench::new();
    bench.render(&fixture("video-alpha"), &[]);
    let frames = Frames::decode(&bench.path("out.mp4"), 480, 240);
    for (frame, x, y, expected) in [
        // The WebM over white.
        (0, 20, 60, [255, 0, 0]),
        (0, 60, 60, [127, 255, 127]),
        (0, 100, 60, [255, 255, 255]),
        (0, 140, 20, [0, 0, 255]),
        (0, 140, 60, [255, 255, 255]),
        (25, 140, 20, [255, 255, 255]),
        (25, 140, 70, [0, 0, 255]),
        // The MOV at half strength over grey.
        (0, 180, 60, [192, 64, 64]),
        (0, 220, 60, [96, 160, 96]),
        (0, 260, 60, [128, 128, 128]),
        (25, 300, 70, [64, 64, 192]),
        // A small one that comes later, with its own ground and frame.
        (14, 355, 170, [128, 128, 128]),
        (15, 355, 170, [255, 0, 0]),
        (15, 375, 170, [127, 255, 0]),
        (15, 395, 170, [255, 255, 0]),
        (15, 344, 170, [16, 32, 48]),
        (15, 438, 142, [128, 128, 128]),
    ] {
        let found = frames.pixel(frame, x, y);
        assert!(
            distance(found, expected) <= 4,
            "frame {frame}, ({x}, {y}): {found:?}, not {expected:?}"
        );
    }
}

const BARS: [[u8; 3]; 16] = [
    [255, 255, 255],
    [255, 255, 0],
    [0, 255, 255],
    [0, 255, 0],
    [255, 0, 255],
    [255, 0, 0],
    [0, 0, 255],
    [128, 128, 128],
    [200, 120, 40],
    [40, 90, 160],
    [16, 16, 16],
    [235, 235, 235],
    [0, 0, 0],
    [64, 64, 64],
    [120, 30, 90],
    [192, 192, 192],
];

#[test]
fn colours_of_every_matrix_and_range_are_what_was_put_in() {
    let clips = [
        "bars-709.mp4",
        "bars-601.mp4",
        "bars-709-full.mp4",
        "bars-601-full.mp4",
        "bars-small-untagged.mp4",
        "bars-large-untagged.mp4",
        "bars.webm",
    ];
    let bench = Bench::new();
    let video = |(i, clip): (usize, &&str)| {
        format!(
            "<video id=v{i} src={clip} data-start=0 data-duration=0.1 style='top: {}px; width: 320px; height: 40px; \
             object-fit: fill; image-rendering: pixelated'></video>",
            i * 40
        )
    };
    let videos: String = clips.iter().enumerate().map(video).collect();
    let body = format!("data-width=320 data-height=280 data-duration=0.1>{videos}");
    let project = project(&bench, "project", &clips, "", &body);
    bench.render(&project, &["--crf", "4"]);
    let frames = Frames::decode(&bench.path("out.mp4"), 320, 280);
    for (i, clip) in clips.iter().enumerate() {
        for (bar, expected) in BARS.into_iter().enumerate() {
            let found = frames.pixel(1, bar * 20 + 10, i * 40 + 20);
            assert!(distance(found, expected) <= 4, "{clip}: {found:?}, not {expected:?}");
        }
    }
}

#[test]
fn a_picture_brighter_than_white_is_shown_as_one_that_is_not() {
    let bench = Bench::new();
    let body = "data-width=320 data-height=180 data-duration=0.1><video id=v src=hdr10.mp4 data-start=0 data-duration=0.1></video>";
    bench.render(&project(&bench, "project", &["hdr10.mp4"], "", body), &["--crf", "4"]);
    let frames = Frames::decode(&bench.path("out.mp4"), 320, 180);
    // 0, 10, 50, 100, 203, 400, 1000 and 4000 candela per square metre.
    let found: Vec<_> = (0..8).map(|i| frames.pixel(1, i * 40 + 20, 90)[1]).collect();
    let expected = [0, 73, 143, 185, 216, 235, 250, 255];
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.abs_diff(expected) <= 4, "{found}, not {expected}");
    }
}

#[test]
fn a_video_that_holds_still_is_not_drawn_again() {
    let bench = Bench::new();
    let body = "data-width=320 data-height=180 data-duration=3><video id=v src=code-24.mp4 data-start=0 data-duration=3 data-media-start=1.5>\
        </video>";
    let project = project(&bench, "project", &["code-24.mp4"], "", body);
    let summary = bench.render(&project, &["--frame-hashes", "--workers", "1"]);
    // Half a second moves.
    let reused = summary["reusedFrames"].as_u64().unwrap();
    assert!(reused >= 70, "{reused} of 90 frames were not drawn again");
    let drawn = bench.render(&project, &["--frame-hashes", "--workers", "1", "--no-reuse"]);
    assert_eq!(hashes(&summary), hashes(&drawn));
}

/// Renders one frame of a page with one numbered clip and returns where its blocks are white and black.
fn layout(head: &str, body: &str, clip: &str) -> Frames {
    let bench = Bench::new();
    let body = format!("data-width=400 data-height=300 data-duration=0.1 {body}");
    bench.render(&project(&bench, "project", &[clip], head, &body), &["--crf", "4"]);
    Frames::decode(&bench.path("out.mp4"), 400, 300)
}

#[test]
fn an_image_is_where_its_video_would_be() {
    let timed = "id=v src=code-30.mp4 data-start=0 data-duration=0.1";
    let is = |frames: &Frames, x, y, expected: [u8; 3], what: &str| {
        let found = frames.pixel(1, x, y);
        assert!(distance(found, expected) < 40, "{what}, ({x}, {y}): {found:?}");
    };
    let (white, ground) = ([255, 255, 255], [0, 0, 255]);
    let blue = "<style>body { background: #00f } .box { position: relative; left: 30px; top: 40px; width: 160px; height: 90px }</style>";
    // Its own size, which comes from its file.
    let frames = layout(blue, &format!("><video {timed}></video>"), "code-30.mp4");
    is(&frames, 10, 10, white, "natural size");
    is(&frames, 330, 10, ground, "beside it");
    // The size of its width alone.
    let narrow = "<style>video { width: 160px }</style>";
    let frames =
        layout(&format!("{blue}{narrow}"), &format!("><video {timed}></video>"), "code-30.mp4");
    is(&frames, 5, 5, white, "half size");
    is(&frames, 80, 95, ground, "below it");
    // Inside a box, turned, and hidden with it.
    let inside = format!(
        "><div class=box><video {timed} style='width: 100%; transform: rotate(180deg)'></video></div>"
    );
    let frames = layout(blue, &inside, "code-30.mp4");
    is(&frames, 30 + 155, 40 + 85, white, "turned");
    let hidden = format!("><div class=box style='display: none'><video {timed}></video></div>");
    is(&layout(blue, &hidden, "code-30.mp4"), 40, 45, ground, "hidden with its box");
    let invisible = format!("><div class=box><video {timed} style='opacity: 0'></video></div>");
    is(&layout(blue, &invisible, "code-30.mp4"), 40, 45, ground, "invisible");
    // A clip that lies on its side.
    let turned =
        format!("><video {} style='height: 160px'></video>", timed.replace("code-30", "rotated"));
    let frames = layout(blue, &turned, "rotated.mp4");
    is(&frames, 95, 10, ground, "beside a clip that stands upright");
    is(&frames, 5, 155, white, "its first block, at the bottom");
}

#[test]
fn each_instance_of_a_scene_shows_its_own_frames() {
    let bench = Bench::new();
    let body = "data-width=320 data-height=360 data-duration=2 data-start=0>\
        <div id=one data-composition-id=scene data-composition-src=scene.html data-start=0 data-duration=1></div>\
        <div id=two data-composition-id=scene data-composition-src=scene.html data-start=0.5 data-duration=1 \
        style='position: absolute; left: 0; top: 180px; width: 320px; height: 180px'></div>";
    let project = project(&bench, "project", &["code-30.mp4"], "", body);
    let scene = "<template><div data-composition-id=scene data-no-timeline data-width=320 data-height=180>\
        <video id=v src=code-30.mp4 muted data-start=0.2 data-duration=5 data-media-start=3></video></div></template>";
    fs::write(project.join("scene.html"), scene).unwrap();
    bench.render(&project, &[]);
    let frames = Frames::decode(&bench.path("out.mp4"), 320, 360);
    let cells: &[Cell] = &[
        ("first", 0, 0, |i| (6..30).contains(&i).then(|| 90 + i - 6)),
        ("second", 0, 180, |i| (21..45).contains(&i).then(|| 90 + i - 21)),
    ];
    check(&frames, 60, cells);
}

#[test]
fn a_clip_may_have_any_name() {
    let bench = Bench::new();
    let dir = bench.path("project");
    fs::create_dir_all(dir.join("50% off")).unwrap();
    fs::copy(media("code-24.mp4"), dir.join("50% off/it's \"é\".mp4")).unwrap();
    let html = "<!doctype html><body><div data-composition-id=a data-no-timeline data-width=320 data-height=180 data-duration=0.5>\
        <video id='../a b' src='50%25%20off/it&#39;s%20%22%C3%A9%22.mp4?v=1' data-start=0 data-duration=0.5></video></div></body>";
    fs::write(dir.join("index.html"), html).unwrap();
    bench.render(&dir, &[]);
    let frames = Frames::decode(&bench.path("out.mp4"), 320, 180);
    assert_eq!(number(&frames, 5, 0, 0, 20), Some(4));
}
