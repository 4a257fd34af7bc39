//! What cannot be rendered ends with one code, a sentence that names the culprit, and nothing at the output.

use std::fs;

use crate::harness::{Bench, FAILED, Run, WRONG, fixture};

fn assert_refused(bench: &Bench, run: &Run, code: &str, named: &[&str]) {
    assert_ended(bench, run, FAILED, code, named);
}

fn assert_ended(bench: &Bench, run: &Run, status: Option<i32>, code: &str, named: &[&str]) {
    assert_eq!(run.status, status, "{}", run.stderr);
    assert_eq!(run.code(), code, "{}", run.stderr);
    for name in named {
        assert!(run.stderr.contains(name), "\"{name}\" is not in: {}", run.stderr);
    }
    let summary: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(summary["error"]["code"], code);
    assert!(!bench.path("out.mp4").exists(), "something is left at the output");
    bench.assert_no_scratch();
}

#[test]
fn a_broken_composition_is_refused_by_what_is_wrong_with_it() {
    for (name, code, named) in [
        ("broken-missing-script", "PAGE_ASSET_MISSING", &["the script /lib/missing.js"][..]),
        (
            "broken-zero-duration",
            "DISTRIBUTED_DURATION_OUT_OF_RANGE",
            &["lasts 0 s", "data-duration"],
        ),
        ("broken-syntax-error", "PAGE_SCRIPT_ERROR", &["SyntaxError", "/index.html:6:"]),
        ("broken-wrong-size", "COMPOSITION_INVALID", &["<div id=\"root\"", "data-width=\"wide\""]),
        (
            "broken-throws-late",
            "PAGE_SCRIPT_ERROR",
            &["at frame 1", "no picture after half a second", "/index.html:6:"],
        ),
        ("broken-never-ready", "PAGE_NOT_READY", &["not ready within 4 s", "not a number"]),
        ("broken-no-composition", "COMPOSITION_INVALID", &["index.html", "data-composition-id"]),
    ] {
        let bench = Bench::new();
        let run = bench.try_render(&fixture(name), &["--ready-timeout", "4"]);
        assert_refused(&bench, &run, code, named);
    }
}

#[test]
fn a_page_that_reports_errors_is_rendered_when_that_is_asked_for() {
    let bench = Bench::new();
    let summary = bench.render(&fixture("broken-syntax-error"), &["--strictness", "best-effort"]);
    assert_eq!(summary["frames"], 30);
    let warnings = summary["chunks"][0]["warnings"].to_string();
    assert!(warnings.contains("SyntaxError"), "{warnings}");
}

#[test]
fn a_config_that_cannot_be_rendered_is_refused_by_its_option() {
    for (args, code, named) in [
        (&["--crf", "20", "--bitrate", "8M"][..], "CONFIG_INVALID", "--bitrate: "),
        (&["--crf", "60"], "CONFIG_INVALID", "--crf: "),
        (&["--entry", "missing.html"], "ENTRY_MISSING", "--entry missing.html"),
        (&["--variables-file", "missing.json"], "ARGUMENT_INVALID", "--variables-file"),
    ] {
        let bench = Bench::new();
        let run = bench.try_render(&fixture("colour-bars"), args);
        assert_ended(&bench, &run, WRONG, code, &[named]);
    }
}

#[test]
fn a_value_that_an_option_cannot_have_is_a_wrong_argument() {
    let bench = Bench::new();
    for (option, value) in [
        ("--fps", "241"),
        ("--quality", "hgih"),
        ("--crf", "good"),
        ("--format", "avi"),
        ("--codec", "av1"),
        ("--preview", "10p"),
        ("--poster", "later"),
        ("--frames", "60..30"),
        ("--strictness", "x"),
        ("--entry", "../index.html"),
        ("--chunk-size", "0"),
        ("--variables", "{"),
    ] {
        let run = bench.try_render(&fixture("colour-bars"), &[option, value]);
        assert_eq!(run.status, Some(2), "{option} {value}: {}", run.stderr);
        let named = format!("invalid value '{value}' for '{option}");
        assert!(run.stderr.contains(&named), "{option} {value}: {}", run.stderr);
        assert!(!bench.path("out.mp4").exists());
    }
}

#[test]
fn an_unknown_flag_and_an_absent_project_are_refused_at_once() {
    let bench = Bench::new();
    let run = bench.try_render(&fixture("colour-bars"), &["--fast"]);
    assert_eq!(run.status, Some(2));
    assert!(run.stderr.contains("--fast"), "{}", run.stderr);
    let run = bench.try_render(&bench.path("nothing"), &[]);
    assert_ended(&bench, &run, WRONG, "ARGUMENT_INVALID", &["nothing"]);
}

#[test]
fn an_output_that_cannot_be_written_is_refused_before_anything_is_rendered() {
    let bench = Bench::new();
    fs::create_dir(bench.path("out.mp4")).unwrap();
    let run = bench.try_render(&fixture("colour-bars"), &[]);
    assert_eq!((run.status, run.code()), (WRONG, "ARGUMENT_INVALID"), "{}", run.stderr);
}

#[test]
fn a_page_that_asks_for_another_host_is_refused_with_the_url() {
    let bench = Bench::new();
    let project = bench.path("project");
    fs::create_dir(&project).unwrap();
    for (script, url) in [
        ("fetch('http://198.51.100.7/data.json').catch(() => {})", "http://198.51.100.7/data.json"),
        ("new Image().src = 'https://cdn.example/a.png'", "cdn.example:443"),
        // Another server on this machine: on Lambda, the one that hands out the credentials.
        (
            "fetch('http://127.0.0.1:9001/2018-06-01/runtime/invocation/next').catch(() => {})",
            "http://127.0.0.1:9001/",
        ),
    ] {
        let html = format!(
            "<!doctype html><html><body><div data-composition-id=a data-width=320 data-height=180 data-duration=1 \
             data-no-timeline></div><script>{script}</script></body></html>"
        );
        fs::write(project.join("index.html"), html).unwrap();
        let run = bench.try_render(&project, &[]);
        assert_refused(&bench, &run, "PAGE_ASSET_MISSING", &[url]);
    }
}

#[test]
fn a_missing_image_is_refused_and_a_missing_optional_file_is_not() {
    let bench = Bench::new();
    let project = bench.path("project");
    fs::create_dir(&project).unwrap();
    let page = |inner: &str| {
        let html = format!(
            "<!doctype html><html><body><div data-composition-id=a data-width=320 data-height=180 data-duration=0.5 \
             data-no-timeline>{inner}</div></body></html>"
        );
        fs::write(project.join("index.html"), html).unwrap();
    };
    page("<img src=logo.png>");
    assert_refused(
        &bench,
        &bench.try_render(&project, &[]),
        "PAGE_ASSET_MISSING",
        &["the image /logo.png"],
    );
    page("<div style='width:9px;height:9px;background:url(paper.jpg)'></div>");
    assert_refused(
        &bench,
        &bench.try_render(&project, &[]),
        "PAGE_ASSET_MISSING",
        &["the image /paper.jpg"],
    );
    page("<script>fetch('captions.json').catch(() => {})</script>");
    assert_eq!(bench.render(&project, &[])["frames"], 15);
}
