//! Each fixture renders to what its author meant: frames, duration, and colours at places where something is known to be.

use crate::harness::{Bench, Frames, distance, fixture, probe};

struct Expected {
    name: &'static str,
    size: (usize, usize),
    frames: usize,
    /// Frame, x, y, colour.
    pixels: &'static [(usize, usize, usize, [u8; 3])],
}

#[rustfmt::skip]
const EXPECTED: &[Expected] = &[
    // The rule grows from the left between 0.8 s and 1.3 s; everything has faded at 3 s.
    Expected { name: "title-card", size: (1280, 720), frames: 90, pixels: &[
        (60, 500, 389, [252, 163, 17]), (60, 940, 360, [244, 241, 234]), (5, 1160, 360, [51, 80, 107]), (60, 1160, 360, [252, 163, 17]),
    ] },
    // The bar covers t/2 of the width; the steps of the third dot put it at its left end at 1 s.
    Expected { name: "css-keyframes", size: (640, 360), frames: 60, pixels: &[
        (0, 5, 345, [240, 234, 214]), (30, 300, 345, [106, 153, 78]), (30, 340, 345, [240, 234, 214]), (59, 600, 345, [106, 153, 78]),
    ] },
    // The first tile stands in its place after 1 s, the last after 1.6 s.
    Expected { name: "waapi", size: (640, 360), frames: 60, pixels: &[
        (0, 70, 180, [34, 34, 59]), (45, 70, 180, [201, 173, 167]), (59, 570, 180, [201, 173, 167]),
    ] },
    // All bars are at full height at 2 s, in their second colour.
    Expected { name: "anime", size: (640, 360), frames: 60, pixels: &[
        (0, 90, 200, [254, 250, 224]), (40, 90, 200, [96, 108, 56]), (59, 90, 200, [187, 107, 37]),
    ] },
    // The square is at (80, 280), then near (180, 80), then near (280, 280), in a box that starts at 140.
    Expected { name: "lottie", size: (640, 360), frames: 60, pixels: &[
        (0, 220, 280, [230, 77, 51]), (30, 320, 80, [128, 89, 128]), (59, 420, 280, [26, 102, 204]), (59, 220, 280, [255, 255, 255]),
    ] },
    // The corner is the clear colour; the knot is somewhere in the middle.
    Expected { name: "three", size: (640, 360), frames: 60, pixels: &[(0, 5, 5, [11, 19, 43]), (59, 635, 355, [11, 19, 43])] },
    // Two bars that follow Date.now and performance.now, t/2 of the width.
    Expected { name: "canvas-raf", size: (640, 360), frames: 60, pixels: &[
        (30, 300, 355, [255, 255, 255]), (30, 340, 355, [13, 27, 42]), (30, 300, 344, [255, 255, 255]), (30, 340, 344, [13, 27, 42]),
    ] },
    // A green bar for each row that is drawn with the right file.
    Expected { name: "fonts-canonical", size: (640, 360), frames: 30, pixels: &[
        (0, 20, 18, [0, 128, 0]), (0, 20, 58, [0, 128, 0]), (0, 20, 98, [0, 128, 0]), (0, 20, 138, [0, 128, 0]), (0, 20, 178, [0, 128, 0]),
        (0, 20, 218, [0, 128, 0]), (0, 20, 258, [255, 255, 255]),
    ] },
    Expected { name: "random-stagger", size: (640, 360), frames: 60, pixels: &[] },
    Expected { name: "held-slides", size: (1280, 720), frames: 120, pixels: &[
        (0, 20, 20, [254, 200, 154]), (60, 20, 20, [216, 226, 220]), (119, 20, 20, [109, 89, 122]),
    ] },
    // The box moves 540 pixels in 1.5 s: at frame 15 it covers 180 to 280.
    Expected { name: "unknown-duration", size: (640, 360), frames: 45, pixels: &[
        (0, 50, 180, [233, 196, 106]), (15, 230, 180, [233, 196, 106]), (15, 170, 180, [38, 70, 83]), (15, 290, 180, [38, 70, 83]),
    ] },
    // The hand turns half a circle a second: up, right, down.
    Expected { name: "own-hf", size: (640, 360), frames: 60, pixels: &[
        (0, 320, 60, [214, 40, 40]), (15, 440, 180, [214, 40, 40]), (30, 320, 300, [214, 40, 40]), (30, 320, 60, [234, 244, 244]),
    ] },
];

fn check(name: &str) {
    let Expected { size: (width, height), frames, pixels, .. } =
        EXPECTED.iter().find(|expected| expected.name == name).unwrap();
    let bench = Bench::new();
    let summary = bench.render(&fixture(name), &["--frame-hashes"]);
    let out = bench.path("out.mp4");
    assert_eq!(summary["frames"], *frames, "{name}");
    let decoded = Frames::decode(&out, *width, *height);
    assert_eq!(decoded.count(), *frames, "{name}");
    for (frame, x, y, expected) in *pixels {
        let found = decoded.pixel(*frame, *x, *y);
        // Lossy video of moving pictures; what is meant is another colour, not another shade.
        assert!(
            distance(found, *expected) <= 10,
            "{name}, frame {frame} at ({x}, {y}): {found:?}, not {expected:?}"
        );
    }
    let hashes: std::collections::HashSet<_> = summary["frameHashes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|hash| hash.as_str().unwrap())
        .collect();
    assert!(hashes.len() > frames / 20, "{name}: only {} different frames", hashes.len());

    let stream = &probe(&out)["streams"][0];
    assert_eq!(stream["r_frame_rate"], "30/1", "{name}");
    assert_eq!(stream["avg_frame_rate"], "30/1", "{name}");
    assert_eq!(stream["nb_frames"], frames.to_string(), "{name}");
    for tag in ["color_space", "color_transfer", "color_primaries"] {
        assert_eq!(stream[tag], "bt709", "{name}: {tag}");
    }
    assert_eq!(stream["color_range"], "tv", "{name}");
    assert_eq!(stream["has_b_frames"], 0, "{name}");
    bench.assert_no_scratch();
}

macro_rules! fixtures {
    ($($test:ident: $name:literal,)*) => {
        $(#[test] fn $test() { check($name); })*

        #[test]
        fn every_expectation_has_its_test() {
            assert_eq!(EXPECTED.iter().map(|expected| expected.name).collect::<Vec<_>>(), [$($name),*]);
        }
    };
}

fixtures! {
    a_gsap_timeline_is_drawn: "title-card",
    css_animations_follow_the_timeline: "css-keyframes",
    web_animations_follow_the_timeline: "waapi",
    anime_timelines_are_sought: "anime",
    lottie_animations_are_sought: "lottie",
    webgl_is_drawn: "three",
    frame_callbacks_and_clocks_see_the_time_of_the_frame: "canvas-raf",
    families_of_operating_systems_are_drawn_with_the_bundle_s_files: "fonts-canonical",
    random_pages_are_drawn: "random-stagger",
    slides_are_shown_when_they_are_due: "held-slides",
    a_page_is_asked_for_its_duration: "unknown-duration",
    a_page_may_bring_its_own_seek: "own-hf",
}

#[test]
fn broadcast_frame_rates_are_exact_in_the_file() {
    let bench = Bench::new();
    for (fps, rate, frames) in
        [("29.97", "30000/1001", 60), ("24", "24/1", 48), ("59.94", "60000/1001", 120)]
    {
        let summary = bench.render(&fixture("canvas-raf"), &["--fps", fps, "--chunk-size", "25"]);
        assert_eq!(summary["frames"], frames, "{fps}");
        let probed = probe(&bench.path("out.mp4"));
        let stream = &probed["streams"][0];
        assert_eq!(stream["r_frame_rate"], rate, "{fps}");
        assert_eq!(stream["avg_frame_rate"], rate, "{fps}");
        assert_eq!(stream["nb_frames"], frames.to_string(), "{fps}");
        // Every chunk starts a GOP of its own, and no packet comes out of order.
        let packets = probed["packets"].as_array().unwrap();
        for (i, packet) in packets.iter().enumerate() {
            let is_key = packet["flags"].as_str().unwrap().starts_with('K');
            assert_eq!(is_key, i % 25 == 0, "{fps}: packet {i}");
            assert_eq!(packet["pts"], packet["dts"], "{fps}: packet {i}");
        }
    }
}
