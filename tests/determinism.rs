//! A frame's pixels depend on its time alone: not on the browser, the chunk, or what was drawn before.

use std::fs;

use serde_json::Value;

use crate::harness::{Bench, fixture, root, tool};

const ANIMATED: [&str; 19] = [
    "title-card",
    "css-keyframes",
    "waapi",
    "anime",
    "lottie",
    "three",
    "canvas-raf",
    "clocks",
    "random-stagger",
    "held-slides",
    "unknown-duration",
    "own-hf",
    "nested-scenes",
    "relative-timing",
    "templates",
    "gif",
    "fonts-canonical",
    "alpha-shapes",
    "scaled-layers",
];

/// Nothing moves in the first; the others need a network or are refused.
const OTHERS: [&str; 7] = [
    "audio-mix",
    "audio-keyframes",
    "colour-bars",
    "scopes",
    "cdn-script",
    "fonts-fetched",
    "fonts-missing",
];

/// The fixture list above is the directory's.
#[test]
fn every_fixture_that_is_not_broken_is_compared() {
    let mut names: Vec<_> = fs::read_dir(root().join("fixtures/projects"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with("broken-") && !OTHERS.contains(&name.as_str()))
        .filter(|name| !crate::video::COMPARED.contains(&name.as_str()))
        .collect();
    names.sort();
    let mut compared = ANIMATED.map(str::to_owned);
    compared.sort();
    assert_eq!(names, compared);
}

fn hashes(summary: &Value) -> Vec<String> {
    summary["frameHashes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|hash| hash.as_str().unwrap().to_owned())
        .collect()
}

fn chunk_digests(summary: &Value) -> Vec<String> {
    summary["chunks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|chunk| chunk["sha256"].as_str().unwrap().to_owned())
        .collect()
}

fn compare(names: &[&str]) {
    for name in names {
        let bench = Bench::new();
        let project = fixture(name);
        let png = ["--frame-hashes", "--workers", "1", "--capture", "png"];
        let png = bench.render(&project, &png);
        assert_eq!(png["frameSource"], "png", "{name}");
        let one = bench.render(&project, &["--frame-hashes", "--workers", "1"]);
        let two = bench.render(&project, &["--frame-hashes", "--workers", "2"]);
        let chunked =
            bench.render(&project, &["--frame-hashes", "--workers", "2", "--chunk-size", "7"]);
        let in_thirties =
            bench.render(&project, &["--frame-hashes", "--workers", "2", "--chunk-size", "30"]);
        assert_eq!(one["frameSource"], "framebuffer", "{name}");
        let expected = hashes(&one);
        assert_eq!(hashes(&png), expected, "{name}: screenshots and memory");
        assert_eq!(chunk_digests(&png), chunk_digests(&one), "{name}: screenshots and memory");
        assert_eq!(Some(expected.len() as u64), one["frames"].as_u64(), "{name}");
        assert_eq!(hashes(&two), expected, "{name}: one browser and two");
        assert_eq!(hashes(&chunked), expected, "{name}: one chunk and chunks of seven frames");
        assert_eq!(hashes(&in_thirties), expected, "{name}: one chunk and chunks of thirty frames");
        assert_eq!(chunk_digests(&one), chunk_digests(&two), "{name}: the same chunk twice");
        assert_eq!(one["planHash"], two["planHash"], "{name}");
    }
}

// In three parts, so that they run beside each other.
#[test]
fn frames_are_the_same_from_any_browser_and_chunk_with_timelines() {
    compare(&ANIMATED[..4]);
}

#[test]
fn frames_are_the_same_from_any_browser_and_chunk_with_canvases() {
    compare(&ANIMATED[4..8]);
}

#[test]
fn frames_are_the_same_from_any_browser_and_chunk_with_slides() {
    compare(&ANIMATED[8..]);
}

/// Here things move by hundredths of a pixel, which Chrome does not draw anew by itself, over backgrounds that show it.
#[test]
fn frames_of_busy_pages_are_the_same_from_any_browser_and_chunk() {
    for (name, frames) in [("moving", "0..90"), ("cards", "50..110"), ("gradient", "50..110")] {
        let bench = Bench::new();
        let project = root().join("fixtures/bench").join(name);
        let mut expected = None;
        for (workers, size, way) in [
            ("1", "600", "png"),
            ("2", "600", "png"),
            ("1", "600", "framebuffer"),
            ("2", "600", "framebuffer"),
            ("4", "600", "framebuffer"),
            ("1", "7", "framebuffer"),
        ] {
            let args = ["--frame-hashes", "--frames", frames, "--workers", workers];
            let summary = bench
                .render(&project, &[&args[..], &["--chunk-size", size, "--capture", way]].concat());
            let found = hashes(&summary);
            let expected = expected.get_or_insert_with(|| found.clone());
            assert_eq!(&found, expected, "{name}: {workers} browsers, chunks of {size}, {way}");
        }
    }
}

/// The hardest case: every frame in a browser of its own that has drawn no other.
fn compare_fresh(name: &str) {
    let bench = Bench::new();
    let whole = bench.render(&fixture(name), &["--frame-hashes", "--workers", "1", "--fps", "24"]);
    let alone = bench.render(
        &fixture(name),
        &["--frame-hashes", "--workers", "1", "--fps", "24", "--chunk-size", "1"],
    );
    assert_eq!(
        alone["chunks"].as_array().unwrap().len() as u64,
        whole["frames"].as_u64().unwrap(),
        "{name}"
    );
    assert_eq!(hashes(&alone), hashes(&whole), "{name}");
}

#[test]
fn a_frame_is_the_same_in_a_browser_of_its_own_with_css_animations() {
    compare_fresh("css-keyframes");
}

#[test]
fn a_frame_is_the_same_in_a_browser_of_its_own_with_a_library_that_looks_back() {
    compare_fresh("anime");
}

#[test]
fn frames_that_are_not_drawn_again_are_the_ones_that_would_have_been() {
    for name in ["held-slides", "title-card", "random-stagger", "three"] {
        let bench = Bench::new();
        let reused = bench.render(&fixture(name), &["--frame-hashes"]);
        let drawn = bench.render(&fixture(name), &["--frame-hashes", "--no-reuse"]);
        assert_eq!(drawn["reusedFrames"], 0, "{name}");
        assert_eq!(hashes(&reused), hashes(&drawn), "{name}");
        assert_eq!(chunk_digests(&reused), chunk_digests(&drawn), "{name}");
    }
}

#[test]
fn what_comes_into_sight_late_is_complete_in_its_first_frame() {
    let bench = Bench::new();
    let project = bench.path("project");
    fs::create_dir(&project).unwrap();
    fs::copy(tool("js/gsap/gsap.min.js"), project.join("gsap.min.js")).unwrap();
    fs::copy(tool("fonts/inter/latin-900-normal.woff2"), project.join("late.woff2")).unwrap();
    fs::copy(root().join("docs/title-card.png"), project.join("late.png")).unwrap();
    for shown in
        ["font: 90px Late", "width: 640px; height: 360px; background: url(late.png) 0 0 / cover"]
    {
        let html = format!(
            "<!doctype html><html><head><script src=gsap.min.js></script><style>\
             @font-face {{ font-family: Late; src: url(late.woff2); font-display: swap }}\
             #late {{ display: none; {shown} }} .never {{ background: url(missing.png) }}</style></head><body>\
             <div data-composition-id=a data-width=640 data-height=360 data-duration=1><div id=late>Late</div></div><script>\
             const tl = gsap.timeline({{ paused: true }}); tl.set('#late', {{ display: 'block' }}, 0.5).set({{}}, {{}}, 1);\
             window.__timelines = {{ a: tl }};</script></body></html>"
        );
        fs::write(project.join("index.html"), html).unwrap();
        for workers in ["1", "2"] {
            let summary = bench.render(&project, &["--frame-hashes", "--workers", workers]);
            let hashes = hashes(&summary);
            let changes: Vec<_> =
                (1..hashes.len()).filter(|i| hashes[*i] != hashes[i - 1]).collect();
            assert_eq!(changes, [15], "{shown}, {workers} browsers");
        }
    }
}

#[test]
fn slides_that_stand_still_are_drawn_at_most_for_a_third_of_their_frames() {
    let bench = Bench::new();
    let summary = bench.render(&fixture("held-slides"), &["--workers", "2"]);
    let (frames, reused) =
        (summary["frames"].as_u64().unwrap(), summary["reusedFrames"].as_u64().unwrap());
    assert!((frames - reused) * 3 <= frames, "{} of {frames} frames were drawn", frames - reused);
}

/// The page seeks slowly: each frame waits for a picture that comes late in real time. What keeps the page going meanwhile
/// draws what it has, so that nothing is left to be seen as changed when the picture is there.
#[test]
fn a_frame_whose_seek_was_slow_is_never_taken_for_the_one_before() {
    let bench = Bench::new();
    let project = bench.path("slow");
    fs::create_dir_all(&project).unwrap();
    let html = r#"<!doctype html><html><body style="margin:0;background:#fff">
<div data-composition-id="slow" data-width="320" data-height="180" data-duration="1"><div id="box" style="width:320px;height:180px"></div></div>
<script>
  const { setTimeout: realTimeout, performanceNow } = __HF_VIRTUAL_TIME__.originals;
  window.__hf = { duration: 1, seek(t) {
    document.querySelector('#box').style.background = `hsl(${Math.floor(Math.round(t * 30) / 5) * 60} 80% 50%)`;
    // Five frames of a colour, and the first of them after a wait of more than a quarter of a second.
    const isFirst = Math.round(t * 30) % 5 === 0;
    window.__hfWaitForSeekCompletion = () => isFirst ? new Promise((done) => {
      const until = performanceNow() + 600;
      const look = () => (performanceNow() >= until ? done() : realTimeout(look, 5));
      look();
    }) : null;
  } };
</script></body></html>"#;
    fs::write(project.join("index.html"), html).unwrap();
    let reused = bench.render(&project, &["--frame-hashes", "--workers", "1"]);
    let drawn = bench.render(&project, &["--frame-hashes", "--workers", "1", "--no-reuse"]);
    assert!(reused["reusedFrames"].as_u64().unwrap() > 10, "{}", reused["reusedFrames"]);
    assert_eq!(hashes(&reused), hashes(&drawn));
}
