//! Colours come out as they were authored, and so does what can be seen through them.

use crate::harness::{Bench, Layers, distance, fixture};

/// Whether every bar of every frame is its authored colour but for so many levels.
fn check_bars(output: &str, args: &[&str], tolerance: u8) {
    let upper = [
        [255, 255, 255],
        [255, 255, 0],
        [0, 255, 255],
        [0, 255, 0],
        [255, 0, 255],
        [255, 0, 0],
        [0, 0, 255],
        [200, 120, 40],
    ];
    let lower = [
        [0, 0, 0],
        [16, 16, 16],
        [64, 64, 64],
        [128, 128, 128],
        [192, 192, 192],
        [235, 235, 235],
        [40, 90, 160],
        [120, 30, 90],
    ];
    let bench = Bench::new();
    bench.render_to(output, &fixture("colour-bars"), args);
    let layers = Layers::decode(&bench.path(output), 640, 360);
    assert_eq!(layers.count(), 30, "{output}");
    for frame in [0, 15, 29] {
        for (i, (above, below)) in upper.into_iter().zip(lower).enumerate() {
            // Four pixels off the edges, where chroma is shared with the neighbour.
            for x in [i * 80 + 4, i * 80 + 40, i * 80 + 75] {
                for (y, expected) in [(120, above), (300, below)] {
                    let [red, green, blue, alpha] = layers.pixel(frame, x, y);
                    let found = [red, green, blue];
                    assert!(
                        distance(found, expected) <= tolerance && alpha == 255,
                        "{output}, frame {frame}, ({x}, {y}): {found:?} of {alpha}, not {expected:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn every_bar_decodes_within_two_levels_of_its_authored_colour() {
    check_bars("out.mp4", &[], 2);
    check_bars("out.mp4", &["--codec", "h265"], 2);
    check_bars("out.webm", &[], 2);
    check_bars("out.webm", &["--no-alpha"], 2);
    check_bars("out.gif", &[], 2);
    check_bars("out.mp4", &["--cfr", "--chunk-size", "10"], 2);
}

#[test]
fn prores_and_pictures_are_within_one_level() {
    check_bars("out.mov", &[], 1);
    check_bars("out.mov", &["--no-alpha"], 1);
    check_bars("out.mov", &["--quality", "high"], 1);
    check_bars("frames", &["--format", "png-sequence"], 0);
}

/// Colours of the fixture, and where they are in its first frame.
const SEEN_THROUGH: [(usize, usize, [u8; 3], f64); 13] = [
    (40, 40, [255, 0, 0], 0.25),
    (120, 40, [0, 255, 0], 0.5),
    (200, 40, [0, 0, 255], 0.75),
    (280, 40, [255, 255, 255], 0.5),
    (360, 40, [0, 0, 0], 0.5),
    (440, 40, [200, 120, 40], 1.0),
    (40, 140, [40, 90, 160], 0.5),
    (120, 140, [40, 90, 160], 0.5),
    // Half a red over half a blue.
    (200, 140, [170, 0, 85], 0.75),
    (280, 140, [120, 30, 90], 0.5),
    (360, 140, [255, 128, 0], 0.5),
    (40, 250, [230, 57, 70], 0.6),
    (560, 250, [255, 136, 0], 1.0),
];

#[test]
fn what_can_be_seen_through_has_its_authored_colour_and_alpha() {
    // A decoder gives colours and alpha back in 8 bits, and rounds.
    for (output, args, colour, alpha) in [
        ("frames", &["--format", "png-sequence"][..], 1, 1),
        ("out.mov", &[], 2, 2),
        ("out.webm", &["--quality", "high"], 4, 2),
        ("out.webm", &[], 5, 3),
    ] {
        let bench = Bench::new();
        let range = ["--frames", "0..3"];
        bench.render_to(output, &fixture("alpha-shapes"), &[args, &range[..]].concat());
        let layers = Layers::decode(&bench.path(output), 640, 360);
        for (x, y, authored, opacity) in SEEN_THROUGH {
            let [red, green, blue, found] = layers.pixel(0, x, y);
            let near = (f64::from(found) - opacity * 255.0).abs() <= f64::from(alpha) + 0.5;
            assert!(near, "{output}, ({x}, {y}): alpha {found}, not {opacity}");
            let colours = [red, green, blue];
            let is_near = distance(colours, authored) <= colour;
            assert!(is_near, "{output}, ({x}, {y}): {colours:?}, not {authored:?}");
        }
        // The page's own backgrounds are gone.
        for (x, y) in [(600, 40), (3, 350), (480, 200)] {
            let alpha = layers.pixel(0, x, y)[3];
            assert!(alpha <= 2, "{output}, ({x}, {y}): {alpha}");
        }
        // An edge against nothing keeps its colour: no dark seam.
        let [red, green, blue, alpha] = layers.pixel(0, 440, 78);
        let edge = distance([red, green, blue], [200, 120, 40]);
        assert!(edge <= colour + 4 && alpha >= 250, "{output}: {red} {green} {blue} {alpha}");
    }
}

#[test]
fn without_alpha_the_page_stands_on_its_own_background() {
    let bench = Bench::new();
    let args = ["--no-alpha", "--frames", "0..2", "--format", "png-sequence"];
    bench.render_to("frames", &fixture("alpha-shapes"), &args);
    let layers = Layers::decode(&bench.path("frames"), 640, 360);
    // A quarter of red over the top of the gradient, which is yellow there.
    let [red, green, blue, alpha] = layers.pixel(0, 40, 10);
    assert!(distance([red, green, blue], [248, 191, 6]) <= 4, "{red} {green} {blue}");
    assert_eq!(alpha, 255);
}

#[test]
fn scenes_are_looked_through_like_the_page_and_with_more_pixels_too() {
    let bench = Bench::new();
    let project = bench.path("project");
    std::fs::create_dir_all(project.join("scenes")).unwrap();
    let page = r#"<!doctype html><body style="margin:0;background:#123">
        <div id="stage" data-composition-id="stage" data-width="320" data-height="180" data-duration="1" data-no-timeline
          style="position:relative;width:320px;height:180px;background:#456">
        <div data-composition-id="card" data-composition-src="scenes/card.html" data-start="0" data-duration="1"></div></div></body>"#;
    let scene = r#"<!doctype html><head><style>body { background: #789; } #card { background: #abc; width: 320px; height: 180px; }
        i { position: absolute; left: 100px; top: 50px; width: 60px; height: 60px; background: rgba(255, 0, 0, 0.5); }</style></head>
        <body><div id="card" data-composition-id="card" data-width="320" data-height="180" data-no-timeline><i></i></div></body>"#;
    std::fs::write(project.join("index.html"), page).unwrap();
    std::fs::write(project.join("scenes/card.html"), scene).unwrap();
    let args =
        ["--frames", "0..2", "--output-resolution", "landscape-720p", "--format", "png-sequence"];
    bench.render_to("frames", &project, &args);
    let layers = Layers::decode(&bench.path("frames"), 1280, 720);
    for (x, y, expected) in [(20, 20, 0), (1200, 700, 0), (520, 320, 128)] {
        let found = layers.pixel(1, x, y);
        assert_eq!(found[3], expected, "({x}, {y}): {found:?}");
    }
    assert_eq!(layers.pixel(1, 520, 320)[..3], [255, 0, 0]);
}
