//! Nested compositions and variables: each instance is on its own, and what cannot be put in its place is said before a browser
//! starts.

use std::fs;
use std::path::Path;

use crate::harness::{Bench, Frames, distance, fixture};

const GREEN: [u8; 3] = [0, 200, 83];
const BACKDROP: [u8; 3] = [34, 34, 34];

/// The fixture draws a square for each rule of its list, thirty in a row, green where the rule holds.
#[test]
fn every_rule_of_scopes_holds_in_chrome() {
    let bench = Bench::new();
    bench.render(&fixture("scopes"), &[]);
    let html = fs::read_to_string(fixture("scopes").join("index.html")).unwrap();
    let (_, rules) = html.split_once("const rules = () => [").unwrap();
    let (rules, _) = rules.split_once("    ];").unwrap();
    let names: Vec<_> = rules.lines().filter_map(|line| line.trim().strip_prefix("['")).collect();
    assert!(names.len() > 50, "{names:?}");
    let frames = Frames::decode(&bench.path("out.mp4"), 640, 360);
    for (i, name) in names.iter().enumerate() {
        let found = frames.pixel(10, (i % 30) * 20 + 19, (i / 30) * 20 + 19);
        assert!(distance(found, GREEN) <= 10, "{found:?}: {name}");
    }
    let next = names.len();
    let beyond = frames.pixel(10, (next % 30) * 20 + 19, (next / 30) * 20 + 19);
    assert!(distance(beyond, BACKDROP) <= 10, "{beyond:?} is a square without a rule");
}

#[test]
fn a_scene_is_rendered_alone_when_it_is_the_entry() {
    let bench = Bench::new();
    let summary = bench.render(&fixture("templates"), &["--entry", "scenes/title.html"]);
    assert_eq!(summary["frames"], 60);
    let frames = Frames::decode(&bench.path("out.mp4"), 640, 360);
    for (frame, x, expected) in
        [(0, 300, [15, 23, 42]), (30, 300, [20, 184, 166]), (30, 340, [15, 23, 42])]
    {
        let found = frames.pixel(frame, x, 180);
        assert!(distance(found, expected) <= 10, "frame {frame} at {x}: {found:?}");
    }
}

fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
    let project = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = project.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    project
}

fn refused(project: &Path, args: &[&str]) -> (String, String) {
    let bench = Bench::new();
    let run = bench.try_render(project, args);
    // A wrong argument has an exit status of its own.
    let status = if run.code() == "ARGUMENT_INVALID" { 2 } else { 1 };
    assert_eq!(run.status, Some(status), "{}", run.stderr);
    assert!(!run.stderr.contains("rendering"), "{}", run.stderr);
    bench.assert_no_scratch();
    (run.code().to_owned(), run.stderr)
}

#[test]
fn every_scene_that_cannot_be_mounted_is_named_at_once() {
    let host = |id: &str, src: &str| {
        format!(
            "<div data-composition-id=\"{id}\" data-composition-src=\"{src}\" data-start=\"0\"></div>"
        )
    };
    let index = format!(
        "<!doctype html><html><body><div data-composition-id=\"main\" data-width=\"320\" data-height=\"180\" data-duration=\"1\">{}</div></body></html>",
        [
            host("a", "absent.html"),
            host("b", "empty.html"),
            host("c", "plain.html"),
            host("d", "round.html"),
            host("e", "../outside.html"),
            host("f", "__LATER__")
        ]
        .concat()
    );
    let round = "<template><div data-composition-id=\"d\"><div data-composition-id=\"d2\" data-composition-src=\"back.html\"></div></div></template>";
    let back = "<template><div data-composition-id=\"d2\"><div data-composition-src=\"round.html\"></div></div></template>";
    let project = project(&[
        ("index.html", &index),
        ("empty.html", " \n"),
        ("plain.html", "<p>no composition"),
        ("round.html", round),
        ("back.html", back),
    ]);
    let (code, message) = refused(project.path(), &[]);
    assert_eq!(code, "EMPTY_COMPOSITION", "{message}");
    for named in [
        "absent.html does not exist",
        "empty.html is empty",
        "plain.html has no element with data-composition-id",
        "goes in a circle: round.html > back.html > round.html",
        "outside.html does not exist",
    ] {
        assert!(message.contains(named), "\"{named}\" is not in: {message}");
    }
    assert!(!message.contains("__LATER__"), "{message}");
}

const COLOURED: &str = r##"<!doctype html>
<html data-composition-variables='[{"id":"tone","type":"color","default":"#00ff00"},{"id":"label","type":"string","default":"x"},{"id":"Side Tone","type":"color","default":"#0000ff"}]'>
<head><style>#a{background:var(--tone)} #b{background:var(--side-tone)} .half{position:absolute;top:0;width:160px;height:180px}</style></head>
<body><div data-composition-id="main" data-width="320" data-height="180" data-duration="0.2">
<div id="a" class="half" style="left:0"></div><div id="b" class="half" style="left:160px"></div><span data-var-text="label" style="position:absolute;color:transparent">old</span></div>
<script>if (document.querySelector('span').textContent !== __hyperframes.getVariables().label) throw new Error('the text is not the variable');</script>
</body></html>"##;

#[test]
fn a_value_on_the_command_line_wins_over_the_declared_default() {
    let project = project(&[
        ("index.html", COLOURED),
        ("values.json", r##"{"tone":"#ff0000","label":"y"}"##),
    ]);
    let file = project.path().join("values.json");
    for (args, left) in [
        (vec![], [0, 255, 0]),
        (vec!["--variables", r##"{"tone":"#ff0000"}"##, "--strict-variables"], [255, 0, 0]),
        (vec!["--variables-file", file.to_str().unwrap()], [255, 0, 0]),
    ] {
        let bench = Bench::new();
        bench.render(project.path(), &args);
        let frames = Frames::decode(&bench.path("out.mp4"), 320, 180);
        for (x, expected) in [(80, left), (240, [0, 0, 255])] {
            let found = frames.pixel(3, x, 90);
            assert!(distance(found, expected) <= 4, "{args:?} at {x}: {found:?}");
        }
    }
}

#[test]
fn a_wrong_variable_is_refused_by_its_name_when_that_is_asked_for() {
    let project = project(&[("index.html", COLOURED), ("broken.json", "{oops")]);
    let file = project.path().join("broken.json");
    for (args, code, named) in [
        (
            vec!["--strict-variables", "--variables", r#"{"tune":"x"}"#],
            "VARIABLE_INVALID",
            "\"tune\": is not declared; declared are tone",
        ),
        (
            vec!["--strict-variables", "--variables", r#"{"label":7}"#],
            "VARIABLE_INVALID",
            "\"label\": must be a string, not 7",
        ),
        (
            vec!["--variables-file", file.to_str().unwrap()],
            "ARGUMENT_INVALID",
            "broken.json: is not JSON",
        ),
    ] {
        let (found, message) = refused(project.path(), &args);
        assert_eq!(found, code, "{message}");
        assert!(message.contains(named), "{message}");
    }
}

#[test]
fn a_reference_that_goes_in_a_circle_is_refused_with_its_element() {
    let html = "<!doctype html><html><body><div data-composition-id=\"main\" data-width=\"320\" data-height=\"180\" data-duration=\"1\">\
        <p id=\"a\" data-start=\"b\" data-duration=\"1\"></p><p id=\"b\" data-start=\"a\" data-duration=\"1\"></p></div></body></html>";
    let project = project(&[("index.html", html)]);
    let (code, message) = refused(project.path(), &[]);
    assert_eq!(code, "COMPOSITION_INVALID");
    assert!(message.contains("<p id=\"a\">") && message.contains("circle"), "{message}");
}
