//! Frames from Chrome's memory: never other pixels than a screenshot's, and screenshots where that cannot be.

use std::fs;

use serde_json::Value;

use crate::harness::{Bench, fixture};

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
        ("out.mp4", &["--output-resolution", "1080p"], "scale"),
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
