//! Frames from Chrome's memory: never other pixels than a screenshot's, and screenshots where that cannot be.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use serde_json::Value;

use crate::harness::{Bench, fixture, root, run, tool};

fn hashes(summary: &Value) -> &Value {
    assert!(summary["frameHashes"].is_array(), "{summary}");
    &summary["frameHashes"]
}

#[test]
fn what_is_read_wrongly_is_noticed_and_drawn_again_as_screenshots() {
    let bench = Bench::new();
    let project = fixture("css-keyframes");
    let args = ["--frame-hashes", "--frames", "0..20"];
    let expected = bench.render(&project, &args);
    assert_eq!(expected["frameSource"], "framebuffer", "{expected}");
    for fault in ["row", "stale", "channels", "place"] {
        let found = bench.render(&project, &[&args[..], &["--capture-fault", fault]].concat());
        assert_eq!(found["frameSource"], "png", "{fault}");
        assert_eq!(found["frameSourceReason"], "mismatch", "{fault}");
        assert_eq!(hashes(&found), hashes(&expected), "{fault}");
        assert_eq!(found["chunks"][0]["sha256"], expected["chunks"][0]["sha256"], "{fault}");
        let warnings = found["chunks"][0]["warnings"].to_string();
        assert!(warnings.contains("is not what a screenshot shows"), "{fault}: {warnings}");
    }
}

#[test]
fn a_wrong_framebuffer_that_is_demanded_ends_the_render() {
    let bench = Bench::new();
    let project = fixture("css-keyframes");
    let args = ["--frames", "0..4", "--capture", "framebuffer", "--capture-fault", "row"];
    let run = bench.try_render(&project, &args);
    assert_eq!(run.status, Some(1));
    let summary: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(summary["error"]["code"], "FRAMEBUFFER_MISMATCH");
    assert_eq!(run.code(), "FRAMEBUFFER_MISMATCH");
    bench.assert_no_scratch();
}

#[test]
fn a_framebuffer_that_is_demanded_and_has_no_such_frames_is_refused_with_the_reason() {
    let bench = Bench::new();
    let project = fixture("title-card");
    let args = ["--frames", "0..2", "--capture", "framebuffer", "--output-resolution", "4k"];
    let run = bench.try_render(&project, &args);
    assert_eq!((run.status, run.code()), (Some(1), "FRAMEBUFFER_UNAVAILABLE"), "{}", run.stderr);
    assert!(run.stderr.contains("scale"), "{}", run.stderr);
    bench.assert_no_scratch();
}

#[test]
fn what_memory_cannot_give_is_made_of_screenshots_which_say_why() {
    let bench = Bench::new();
    let project = fixture("title-card");
    let size = ["--frames", "0..2"];
    for (name, args, reason) in [
        ("out.mp4", &["--capture", "png"][..], "requested"),
        ("out.mov", &[], "transparent"),
        ("frames", &["--format", "png-sequence", "--no-alpha"], "format"),
        ("out.mp4", &["--output-resolution", "4k"], "scale"),
    ] {
        let found = bench.render_to(name, &project, &[&size[..], args].concat());
        assert_eq!(found["frameSource"], "png", "{reason}");
        assert_eq!(found["frameSourceReason"], reason);
        let _absent = fs::remove_dir_all(bench.path(name));
    }
    let run = bench.try_render_to("out.mov", &project, &["--capture", "framebuffer"]);
    let summary: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(summary["error"]["code"], "FRAMEBUFFER_UNAVAILABLE");
}

/// The page changes the window's size while it is drawn, for which Chrome takes other memory.
#[test]
fn a_page_that_resizes_its_window_is_drawn_as_it_would_be_otherwise() {
    let bench = Bench::new();
    let project = bench.path("resize");
    fs::create_dir(&project).unwrap();
    let html = r##"<!doctype html><html><body style="margin:0;background:#fff">
<div data-composition-id="resize" data-width="640" data-height="360" data-duration="1"><div id="box" style="width:200px;height:200px;background:#c33"></div></div>
<script>
  window.__hf = { duration: 1, seek(t) {
    document.querySelector("#box").style.transform = `translate(${t * 300}px, ${t * 100}px)`;
    if (t > 0.5) window.resizeTo(800, 500);
  } };
</script></body></html>"##;
    fs::write(project.join("index.html"), html).unwrap();
    let png = bench.render(&project, &["--frame-hashes", "--capture", "png"]);
    let found = bench.render(&project, &["--frame-hashes"]);
    assert_eq!(hashes(&found), hashes(&png));
}

/// The memory of a program that may be run but not read belongs to root, whoever runs it.
#[test]
fn a_system_that_refuses_the_memory_gets_screenshots_and_says_so() {
    let bench = Bench::new();
    let tools = bench.path("tools");
    let chrome = tools.join("chrome");
    fs::create_dir_all(&chrome).unwrap();
    fs::create_dir(bench.path("video")).unwrap();
    for (from, to) in [(root().join(".tools"), &tools), (root().join(".tools/chrome"), &chrome)] {
        for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
            let to = to.join(entry.file_name());
            if !to.exists() && entry.file_name() != "chromium" {
                symlink(fs::canonicalize(entry.path()).unwrap(), to).unwrap();
            }
        }
    }
    fs::copy(tool("chrome/chromium"), chrome.join("chromium")).unwrap();
    let render = |mode: u32, user: &[&str]| {
        let permissions = fs::Permissions::from_mode(mode);
        fs::set_permissions(chrome.join("chromium"), permissions).unwrap();
        let [program, rest @ ..] = user else { panic!("a user is changed by a command") };
        let mut command = Command::new(program);
        command.args(rest).arg(env!("CARGO_BIN_EXE_bootstrap")).arg("render");
        command.arg(fixture("title-card")).args(["--frames", "0..4", "--json", "--tools"]);
        command.arg(&tools).arg("--scratch").arg(bench.path("scratch"));
        let run = run(command.arg("-o").arg(bench.path("video/out.mp4")));
        assert_eq!(run.status, Some(0), "{}", run.stderr);
        serde_json::from_str::<Value>(&run.stdout).unwrap()
    };
    let is_root = rustix::process::geteuid().is_root();
    let bare = [
        "setpriv",
        "--reuid",
        "993",
        "--regid",
        "990",
        "--clear-groups",
        "--no-new-privs",
        "--bounding-set=-all",
        "--inh-caps=-all",
    ];
    let user = if is_root { &bare[..] } else { &["env"] };
    Command::new("chmod").args(["-R", "a+rwX"]).arg(bench.path("")).status().unwrap();
    let read = render(0o755, user);
    assert_eq!(read["frameSource"], "framebuffer", "{read}");
    let refused = render(0o711, user);
    if is_root {
        assert_eq!(refused["frameSource"], "png", "{refused}");
        assert_eq!(refused["frameSourceReason"], "refused", "{refused}");
    }
    assert_eq!(refused["chunks"][0]["sha256"], read["chunks"][0]["sha256"]);
}
