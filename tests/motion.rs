//! Everything that moves, moves by the page's clock: whatever moves it, whoever draws it, and wherever drawing begins.

use std::fs;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::harness::{Bench, Frames, fixture, run, tool};

const SIZE: (usize, usize) = (320, 300);

/// The rows of the fixture from the top, each with the frame in which it begins to move. By what it moves is its name.
const ROWS: [(&str, i64); 24] = [
    ("Date in a frame callback", 0),
    ("setInterval", 0),
    ("a CSS animation in a shadow root", 0),
    ("a CSS animation of a pseudo-element", 0),
    ("SMIL", 0),
    ("a CSS animation in a srcdoc frame", 0),
    ("frame callbacks in a sandboxed frame", 0),
    ("a CSS animation that begins with a class", 15),
    ("a transition", 15),
    ("element.animate, later", 15),
    ("a GSAP tween beside the timeline", 0),
    ("document.timeline", 0),
    ("AudioContext.currentTime", 0),
    ("performance.now in a tween's callback", 0),
    ("requestIdleCallback", 0),
    ("a scroll timeline", 0),
    ("a worker that is told the time", 0),
    ("a module worker with frame callbacks", 0),
    ("a worker made of a blob, with a timer", 0),
    ("a MessageChannel", 0),
    ("a CSS animation of a pseudo-element in a later clip", 15),
    ("a timer in a frame of the project", 0),
    ("a MutationObserver", 0),
    ("a CSS animation in a closed shadow root", 0),
];

/// The left edge of the red box in a row.
fn edge(frame: &dyn Fn(usize, usize) -> [u8; 3], row: usize) -> Option<usize> {
    (0..SIZE.0).find(|x| {
        let [r, g, b] = frame(*x, row * 12 + 5);
        r > 150 && g < 100 && b < 100
    })
}

fn check(frames: &Frames, first: i64, what: &str) {
    for index in 0..frames.count() {
        let pixel = |x: usize, y: usize| frames.pixel(index, x, y);
        for (row, (name, begin)) in ROWS.iter().enumerate() {
            let frame = first + i64::try_from(index).unwrap();
            let expected = (frame - begin).max(0) * 4;
            let found = edge(&pixel, row);
            let is_hidden_clip = name.contains("later clip") && frame < *begin;
            if is_hidden_clip {
                assert_eq!(found, None, "{what}: {name} at frame {frame}");
                continue;
            }
            let found =
                found.unwrap_or_else(|| panic!("{what}: {name} is not there at frame {frame}"));
            let off = i64::try_from(found).unwrap() - expected;
            // The clock of a frame that cannot be reached begins where that of most pages does.
            let off = if name.contains("sandboxed") && off > 2 { off - 6 } else { off };
            assert!(
                off.abs() <= 2,
                "{what}: {name} at frame {frame} is at {found}, not {expected}"
            );
        }
    }
}

#[test]
fn whatever_moves_is_where_it_belongs_in_every_frame_of_every_browser_and_chunk() {
    let project = fixture("clocks");
    for args in [&["--workers", "1"][..], &["--workers", "2", "--chunk-size", "25"]] {
        let bench = Bench::new();
        bench.render(&project, &[args, &["--crf", "4"]].concat());
        check(&Frames::decode(&bench.path("out.mp4"), SIZE.0, SIZE.1), 0, &format!("{args:?}"));
    }
    let bench = Bench::new();
    for frame in [0, 14, 15, 44] {
        let mut command = bench.bootstrap("still");
        let out = bench.path("still.png");
        command.arg(&project).arg("-o").arg(&out).args(["--at", &format!("{frame}f")]);
        let still = run(&mut command);
        assert_eq!(still.status, Some(0), "{}", still.stderr);
        check(&Frames::decode(&out, SIZE.0, SIZE.1), frame, "still");
    }
}

#[test]
fn an_animated_picture_changes_at_its_time_wherever_drawing_begins() {
    let page = |picture: &str| {
        format!(
            "<!doctype html><html><body style=\"margin:0\"><div data-composition-id=\"a\" data-width=\"64\" data-height=\"64\" \
             data-duration=\"2\">{picture}</div></body></html>"
        )
    };
    for (name, codec, endless) in [("a.gif", "gif", "-loop"), ("a.png", "apng", "-plays")] {
        let (dir, bench) = (tempfile::tempdir().unwrap(), Bench::new());
        let file = dir.path().join(name);
        let frames = "testsrc=size=64x64:rate=2:duration=2";
        let made = Command::new(tool("ffmpeg/ffmpeg"))
            .args(["-v", "error", "-f", "lavfi", "-i", frames, "-f", codec, endless, "0"])
            .arg(&file)
            .status();
        assert!(made.unwrap().success());
        let bytes = STANDARD.encode(fs::read(&file).unwrap());
        for picture in [
            format!("<img src=\"{name}\">"),
            format!("<img src=\"data:image/{codec};base64,{bytes}\">"),
        ] {
            fs::write(dir.path().join("index.html"), page(&picture)).unwrap();
            for args in [
                &["--workers", "1"][..],
                &["--workers", "4"],
                &["--workers", "1", "--chunk-size", "7"],
            ] {
                let summary = bench.render(dir.path(), &[args, &["--frame-hashes"]].concat());
                let hashes = summary["frameHashes"].as_array().unwrap();
                let changes: Vec<_> = (1..60).filter(|i| hashes[*i] != hashes[i - 1]).collect();
                assert_eq!(changes, [15, 30, 45], "{name} {args:?}");
            }
        }
    }
}

#[test]
fn what_is_loaded_when_it_comes_into_view_is_in_the_first_frame_that_shows_it() {
    let (dir, bench) = (tempfile::tempdir().unwrap(), Bench::new());
    for name in ["a.png", "b.png"] {
        let made = Command::new(tool("ffmpeg/ffmpeg"))
            .args(["-v", "error", "-f", "lavfi", "-i", "color=red:size=64x64", "-frames:v", "1"])
            .arg(dir.path().join(name))
            .status();
        assert!(made.unwrap().success());
    }
    let page = r#"<!doctype html><html><body style="margin: 0">
        <div data-composition-id="a" data-width="320" data-height="180" data-duration="2"></div>
        <div id="far" style="position: absolute; left: 0; top: 9000px">
        <img loading="lazy" src="a.png" width="64" height="64">
        <iframe loading="LAZY" width="64" height="64" style="border: 0" srcdoc='<body style="margin: 0"><img src="b.png">'></iframe>
        </div><script>
        const far = document.getElementById("far");
        window.__hf = { duration: 2, seek(time) { far.style.top = time >= 1 ? "0" : "9000px"; } };
        </script></body></html>"#;
    fs::write(dir.path().join("index.html"), page).unwrap();
    for args in [&["--workers", "1"][..], &["--workers", "2"], &["--capture", "png"]] {
        bench.render(dir.path(), &[args, &["--fps", "30"]].concat());
        let frames = Frames::decode(&bench.path("out.mp4"), 320, 180);
        for x in [10, 100] {
            let is_red = |frame: usize| {
                let [r, g, b] = frames.pixel(frame, x, 10);
                r > 200 && g < 60 && b < 60
            };
            let shown: Vec<_> = (0..60).filter(|frame| is_red(*frame)).collect();
            assert_eq!(shown, (30..60).collect::<Vec<_>>(), "{args:?} at {x}");
        }
    }
}

#[test]
fn what_moves_by_a_clock_of_its_own_is_refused_by_name_and_a_warning_where_that_is_wanted() {
    let bench = Bench::new();
    let project = bench.path("project");
    fs::create_dir(&project).unwrap();
    fs::write(
        project.join("moving.svg"),
        "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><rect width='9' height='9'><animate attributeName='x' to='9' dur='1s'/></rect></svg>",
    )
    .unwrap();
    fs::write(project.join("still.svg"), "<svg xmlns='http://www.w3.org/2000/svg'/>").unwrap();
    fs::write(project.join("shared.js"), "onconnect = () => {};").unwrap();
    fs::write(project.join("data.txt"), "x").unwrap();
    let page = |inner: &str| {
        let html = format!(
            "<!doctype html><html><body><div data-composition-id=a data-width=320 data-height=180 data-duration=0.2 \
             data-no-timeline>{inner}</div></body></html>"
        );
        fs::write(project.join("index.html"), html).unwrap();
    };
    for (inner, named) in [
        ("<img src=moving.svg>", "/moving.svg"),
        ("<p style='height:9px;background:url(moving.svg)'></p>", "/moving.svg"),
        ("<script>new SharedWorker('shared.js')</script>", "SharedWorker (shared.js)"),
        ("<script>(async () => { for (;;) await fetch('data.txt'); })()</script>", "data.txt"),
        (
            "<script>navigator.serviceWorker.register('shared.js')</script>",
            "a service worker (shared.js)",
        ),
    ] {
        page(inner);
        let run = bench.try_render(&project, &[]);
        assert_eq!(
            (run.status, run.code()),
            (Some(1), "PAGE_MOTION_UNREACHABLE"),
            "{}",
            run.stderr
        );
        assert!(run.stderr.contains(named), "{inner}: {}", run.stderr);
    }
    for inner in ["<img src=still.svg>", "<object data=moving.svg></object>"] {
        page(inner);
        assert_eq!(bench.render(&project, &[])["frames"], 6, "{inner}");
    }
    page("<img src=moving.svg>");
    let summary = bench.render(&project, &["--strictness", "best-effort"]);
    let warnings = json!(summary["chunks"]).to_string();
    assert!(warnings.contains("/moving.svg moves by a clock of its own"), "{warnings}");
}

/// A dialog waits for somebody who is not there.
#[test]
fn dialogs_are_answered_and_named() {
    let bench = Bench::new();
    let project = bench.path("project");
    fs::create_dir(&project).unwrap();
    let html = "<!doctype html><html><body style='margin:0'><div data-composition-id=a data-width=320 data-height=180 data-duration=1 \
         data-no-timeline><p id=p style='margin:0;height:180px;background:#f00'></p></div><script>alert('hello'); \
         if (confirm('go on?') === false && prompt('name') === null) p.style.background = '#0f0'; \
         setTimeout(() => { confirm('late'); p.style.background = '#00f'; }, 500)</script></body></html>";
    fs::write(project.join("index.html"), html).unwrap();
    let summary = bench.render(&project, &[]);
    let warnings = json!(summary["chunks"]).to_string();
    for text in ["hello", "go on?", "name"] {
        assert!(warnings.contains(text), "{text}: {warnings}");
    }
    let frames = Frames::decode(&bench.path("out.mp4"), 320, 180);
    assert!(frames.pixel(14, 160, 90)[1] > 200, "{:?}", frames.pixel(14, 160, 90));
    assert!(frames.pixel(15, 160, 90)[2] > 200, "{:?}", frames.pixel(15, 160, 90));
}
