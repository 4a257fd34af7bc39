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
    // Its pixels are computed by `the_knot_is_where_its_geometry_is`.
    Expected { name: "three", size: (640, 360), frames: 60, pixels: &[] },
    // Two bars that follow Date.now and performance.now, t/2 of the width.
    Expected { name: "canvas-raf", size: (640, 360), frames: 60, pixels: &[
        (30, 300, 355, [255, 255, 255]), (30, 340, 355, [13, 27, 42]), (30, 300, 344, [255, 255, 255]), (30, 340, 344, [13, 27, 42]),
    ] },
    // A green bar for each row that is drawn with the right file.
    Expected { name: "fonts-canonical", size: (640, 360), frames: 30, pixels: &[
        (0, 20, 18, [0, 128, 0]), (0, 20, 58, [0, 128, 0]), (0, 20, 98, [0, 128, 0]), (0, 20, 138, [0, 128, 0]), (0, 20, 178, [0, 128, 0]),
        (0, 20, 218, [0, 128, 0]), (0, 20, 258, [255, 255, 255]),
    ] },
    // Its pixels are computed by `what_is_random_is_drawn_from_the_seed`.
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
    // Two cards with colours of their own, the second one from 1 s on: at 1.5 s its square has gone half of its way. On the
    // right, three levels start at 0.5, 1.0 and 1.5 s; the bar of the innermost is half as high as it is at 2 s.
    Expected { name: "nested-scenes", size: (640, 360), frames: 90, pixels: &[
        (15, 60, 100, [29, 53, 87]), (15, 110, 100, [230, 57, 70]), (15, 340, 100, [16, 24, 32]), (15, 200, 40, [255, 183, 3]),
        (45, 160, 100, [230, 57, 70]), (45, 330, 100, [69, 123, 157]), (45, 380, 100, [29, 53, 87]), (45, 424, 150, [69, 123, 157]),
        (10, 540, 180, [16, 24, 32]), (20, 540, 180, [38, 70, 83]), (40, 540, 180, [42, 157, 143]), (46, 540, 100, [233, 196, 106]),
        (60, 540, 150, [233, 196, 106]), (60, 540, 210, [231, 111, 81]), (80, 40, 320, [241, 250, 238]),
    ] },
    Expected { name: "relative-timing", size: (640, 360), frames: 90, pixels: &[
        (14, 50, 50, [0, 0, 0]), (15, 50, 50, [239, 71, 111]), (29, 50, 50, [239, 71, 111]), (30, 50, 50, [0, 0, 0]),
        (29, 130, 50, [0, 0, 0]), (30, 130, 50, [255, 209, 102]), (44, 130, 50, [255, 209, 102]), (45, 130, 50, [0, 0, 0]),
        (59, 210, 50, [0, 0, 0]), (60, 210, 50, [17, 138, 178]), (74, 210, 50, [17, 138, 178]), (75, 210, 50, [0, 0, 0]),
        (37, 290, 50, [0, 0, 0]), (38, 290, 50, [131, 56, 236]), (52, 290, 50, [131, 56, 236]), (53, 290, 50, [0, 0, 0]),
        (30, 370, 50, [51, 51, 51]), (37, 370, 50, [51, 51, 51]), (38, 370, 50, [6, 214, 160]), (44, 370, 50, [6, 214, 160]), (45, 370, 50, [0, 0, 0]),
        (59, 450, 50, [0, 0, 0]), (60, 450, 50, [251, 86, 7]), (89, 450, 50, [251, 86, 7]),
    ] },
    // A fifth of a second for each of five colours: the first picture repeats from the start, the second one from 0.5 s on, and
    // the third is shown once. Their right halves are transparent, and a rule for images gives the first one a border.
    Expected { name: "gif", size: (640, 360), frames: 75, pixels: &[
        (0, 40, 40, [230, 57, 70]), (7, 40, 40, [42, 157, 143]), (13, 40, 40, [69, 123, 157]), (19, 40, 40, [233, 196, 106]),
        (25, 40, 40, [131, 56, 236]), (35, 40, 40, [230, 57, 70]), (65, 40, 40, [230, 57, 70]), (40, 85, 40, [34, 34, 34]), (40, 40, 22, [255, 255, 255]),
        (14, 140, 40, [34, 34, 34]), (16, 140, 40, [230, 57, 70]), (22, 140, 40, [42, 157, 143]), (59, 140, 40, [69, 123, 157]), (60, 140, 40, [34, 34, 34]),
        (25, 240, 40, [131, 56, 236]), (40, 240, 40, [131, 56, 236]), (74, 240, 40, [131, 56, 236]),
    ] },
    // The scene comes at 2 s; its rule has grown to half of the width at 3 s.
    Expected { name: "templates", size: (640, 360), frames: 120, pixels: &[
        (59, 100, 100, [127, 29, 29]), (60, 100, 100, [15, 23, 42]), (90, 300, 180, [20, 184, 166]), (90, 340, 180, [15, 23, 42]),
    ] },
];

fn check(name: &str) -> Frames {
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
    decoded
}

#[track_caller]
fn assert_near(frames: &Frames, (frame, x, y): (usize, f64, f64), expected: [u8; 3], by: u8) {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a pixel")]
    let found = frames.pixel(frame, x.round() as usize, y.round() as usize);
    let off = distance(found, expected);
    assert!(off <= by, "frame {frame} at ({x:.0}, {y:.0}): {found:?}, not {expected:?}");
}

/// Centres of a grid over the picture.
fn grid(step: u32, width: u32, height: u32) -> impl Iterator<Item = (f64, f64)> {
    let at = move |most: u32| (step / 2..most).step_by(step as usize).map(f64::from);
    at(width).flat_map(move |x| at(height).map(move |y| (x, y)))
}

/// A point of the middle of the knot's tube in the picture, and the tube's radius there: what three.js is told, by hand.
fn projected(along: f64, time: f64) -> (f64, f64, f64) {
    let (radius, tube) = (0.9, 0.3);
    let (turn, out) = (1.5 * along, 2.0 + (1.5 * along).cos());
    let [x, y, z] = [out * along.cos(), out * along.sin(), turn.sin()].map(|a| a * radius * 0.5);
    let (sin, cos) = (time * 1.7).sin_cos();
    let (x, z) = (x * cos + z * sin, z * cos - x * sin);
    let (sin, cos) = (time * 0.9).sin_cos();
    let (y, z) = (y * cos - z * sin, y * sin + z * cos);
    let scale = 180.0 / 25f64.to_radians().tan() / (4.0 - z);
    (320.0 + x * scale, 180.0 - y * scale, tube * scale)
}

fn the_knot_is_where_its_geometry_is(frames: &Frames) {
    let clear = [11, 19, 43];
    for frame in [0, 20, 45, 59] {
        let time = f64::from(frame) / 30.0;
        let frame = usize::try_from(frame).unwrap();
        let knot: Vec<_> = (0..400)
            .map(|step| projected(f64::from(step) * std::f64::consts::PI / 100.0, time))
            .collect();
        for (x, y, _) in knot.iter().step_by(8) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a pixel")]
            let found = frames.pixel(frame, x.round() as usize, y.round() as usize);
            let [red, green, blue] = found;
            // Its own colour, 5bc0be, in light or shadow: much more green and blue than red.
            let is_knot = green > red.saturating_add(20) && green.abs_diff(blue) < 25;
            assert!(is_knot, "frame {frame} at ({x:.0}, {y:.0}): {found:?}");
        }
        let away = |(x, y): &(f64, f64)| {
            knot.iter().all(|(a, b, tube)| (x - a).hypot(y - b) > 1.15 * tube + 4.0)
        };
        let around: Vec<_> = grid(12, 640, 360).filter(away).collect();
        assert!(around.len() > 900, "{}", around.len());
        for (x, y) in around {
            assert_near(frames, (frame, x, y), clear, 6);
        }
    }
}

/// Mulberry32, as the plan format seeds it with the milliseconds of a frame.
fn random(ms: u32) -> impl FnMut() -> u32 {
    let mut state = ms.wrapping_mul(0u32.wrapping_sub(1_640_531_527)).wrapping_add(0x9e37_79b9);
    move || {
        state = state.wrapping_add(0x6d2b_79f5);
        let mut mixed = (state ^ (state >> 15)).wrapping_mul(state | 1);
        mixed ^= mixed.wrapping_add((mixed ^ (mixed >> 7)).wrapping_mul(mixed | 0x3d));
        mixed ^ (mixed >> 14)
    }
}

fn what_is_random_is_drawn_from_the_seed(frames: &Frames) {
    let share = |word: u32| f64::from(word) / 4_294_967_296.0;
    let mut words = random(0);
    // The script places its cells while the page loads, and all of them have come to rest in the last frame.
    let cells: Vec<_> =
        (0..60).map(|_| (share(words()) * 600.0 + 18.0, share(words()) * 290.0 + 18.0)).collect();
    for (x, y) in &cells {
        assert_near(frames, (59, x.floor(), y.floor()), [0x9d, 0x4e, 0xdd], 10);
    }
    let away = |(x, y): &(f64, f64)| {
        cells.iter().all(|(a, b)| (x - a).abs() > 24.0 || (y - b).abs() > 24.0)
    };
    let around: Vec<_> = grid(16, 640, 330).filter(away).collect();
    assert!(around.len() > 300, "{}", around.len());
    for (x, y) in around {
        assert_near(frames, (59, x, y), [0x10, 0, 0x2b], 10);
    }
    // In every frame, 64 bytes and then 64 numbers are the red and green of the noise at the bottom.
    for frame in [12, 30, 58] {
        let mut words = random(frame * 1000 / 30);
        let reds: Vec<_> = (0..16).flat_map(|_| words().to_le_bytes()).collect();
        let frame = usize::try_from(frame).unwrap();
        for (red, x) in reds.into_iter().zip((0..64).map(|x| f64::from(x) * 10.0 + 5.0)) {
            let green = words().to_be_bytes()[0];
            assert_near(frames, (frame, x, 348.0), [red, green, 128], 24);
        }
    }
}

macro_rules! fixtures {
    ($($test:ident: $name:literal $(=> $also:ident)?,)*) => {
        $(#[test] fn $test() {
            let _frames = check($name);
            $($also(&_frames);)?
        })*

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
    webgl_is_drawn: "three" => the_knot_is_where_its_geometry_is,
    frame_callbacks_and_clocks_see_the_time_of_the_frame: "canvas-raf",
    families_of_operating_systems_are_drawn_with_the_bundle_s_files: "fonts-canonical",
    random_pages_are_drawn: "random-stagger" => what_is_random_is_drawn_from_the_seed,
    slides_are_shown_when_they_are_due: "held-slides",
    a_page_is_asked_for_its_duration: "unknown-duration",
    a_page_may_bring_its_own_seek: "own-hf",
    scenes_are_nested_to_any_depth_each_with_its_own_values: "nested-scenes",
    a_start_may_be_the_end_of_something_else: "relative-timing",
    an_animated_picture_follows_the_timeline: "gif",
    a_scene_in_a_template_is_mounted: "templates",
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

/// Every pixel of the page becomes a block: edges stay where they were, and text and shapes get sharper.
#[test]
fn the_output_can_be_a_multiple_of_the_page() {
    let bench = Bench::new();
    let args = ["--output-resolution", "720p", "--chunk-size", "7", "--frame-hashes"];
    let chunked = bench.render(&fixture("css-keyframes"), &args);
    assert_eq!((&chunked["width"], &chunked["height"]), (&1280.into(), &720.into()));
    let whole =
        bench.render(&fixture("css-keyframes"), &["--output-resolution", "720p", "--frame-hashes"]);
    assert_eq!(chunked["frameHashes"], whole["frameHashes"]);
    let decoded = Frames::decode(&bench.path("out.mp4"), 1280, 720);
    assert_eq!(decoded.count(), 60);
    // The bar of the page ends at 320, with the step of half a page pixel that only a larger page has.
    for (x, expected) in [(636, [106, 153, 78]), (644, [240, 234, 214])] {
        let found = decoded.pixel(30, x, 690);
        assert!(distance(found, expected) <= 10, "at {x}: {found:?}");
    }
    let run = bench.try_render(&fixture("css-keyframes"), &["--output-resolution", "square"]);
    assert_eq!(run.code(), "CONFIG_INVALID");
    assert!(
        run.stderr
            .contains("square is 1080x1080, which is not 1 to 16 times the composition's 640x360"),
        "{}",
        run.stderr
    );
}
