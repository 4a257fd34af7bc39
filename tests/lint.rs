//! `bootstrap lint`: every fixture is clean, every broken project is named with its place, and a render says the same.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::{Bench, Run, fixture, root, run};
use crate::video::media;

fn lint(bench: &Bench, project: &Path, args: &[&str]) -> Run {
    let mut command = bench.bootstrap("lint");
    command.env("FRAMEWRIGHT_OFFLINE", "1").arg(project).args(args);
    run(&mut command)
}

/// Fixtures that ask other hosts, or that are wrong on purpose in what no browser has to be asked for.
const NAMED: [(&str, &str); 8] = [
    ("broken-syntax-error", "<script>: "),
    ("cdn-script", "be fetched"),
    ("fonts-fetched", "be fetched"),
    ("fonts-missing", "be fetched"),
    ("broken-missing-script", "is not in the project"),
    ("broken-no-composition", "no element with data-composition-id"),
    ("broken-wrong-size", "must be"),
    ("broken-zero-duration", "is not above 0"),
];

#[test]
fn every_fixture_is_clean_or_named() {
    let bench = Bench::new();
    for entry in fs::read_dir(root().join("fixtures/projects")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let found = lint(&bench, &fixture(&name), &[]);
        match NAMED.iter().find(|(named, _)| *named == name) {
            None => assert_eq!(found.status, Some(0), "{name}: {}", found.stderr),
            Some((_, says)) => {
                assert_eq!(found.status, Some(1), "{name}: {}", found.stderr);
                assert!(found.stderr.contains(says), "{name}: {}", found.stderr);
            }
        }
    }
    bench.assert_no_scratch();
}

/// Where the body of each wrong page starts.
const HEAD: &str = "<!doctype html>\n<html><head><meta charset=utf-8></head>\n<body>\n";
const ROOT: &str = "<div id=r data-composition-id=a data-no-timeline data-width=320 data-height=180 data-duration=1>\n";
const END: &str = "</div>\n</body></html>\n";

/// What stands on line 5, from its first column on, and what is said of it.
const WRONG: [(&str, &str); 50] = [
    ("<div class=x <p>t</p></div>", "5:1: the tag <div is not closed by \">\""),
    ("<section><div>t</section>", "5:10: <div> is not closed before </section>"),
    ("<article>t", "5:1: <article> is not closed before </div>"),
    ("t</section>", "5:2: </section> closes nothing"),
    ("<span/>t", "5:1: <span/> does not close itself"),
    ("<p class=\"x data-start=\"0\">t</p>", "has a quote in its name"),
    ("<p id=a id=b>t</p>", "5:9: <p> has two attributes id"),
    (
        "<p data-durration=1>t</p>",
        "5:4: <p>: data-durration is no attribute of the format: data-duration",
    ),
    ("<p data-duraton=1>t</p>", "data-duration is probably meant"),
    ("<p data-strat=1>t</p>", "data-start is probably meant"),
    ("<p data_start=1>t</p>", "data-start is probably meant"),
    ("<p data-star=1>t</p>", "data-start is probably meant"),
    ("<p data-compositionid=x>t</p>", "data-composition-id is probably meant"),
    ("<p data-composition-scr=s.html>t</p>", "data-composition-src is probably meant"),
    ("<p data-compositon-src=s.html>t</p>", "data-composition-src is probably meant"),
    ("<p data-trackindex=1>t</p>", "data-track-index is probably meant"),
    ("<p data-witdh=1>t</p>", "data-width is probably meant"),
    ("<p data-heigth=1>t</p>", "data-height is probably meant"),
    ("<p data-volum=1>t</p>", "data-volume is probably meant"),
    ("<p data-media-strat=1>t</p>", "data-media-start is probably meant"),
    ("<p data-playback-rat=1>t</p>", "data-playback-rate is probably meant"),
    ("<p data-variable-value='{}'>t</p>", "data-variable-values is probably meant"),
    ("<p data-var-txt=x>t</p>", "data-var-text is probably meant"),
    ("<p composition-src=s.html>t</p>", "composition-src is written data-composition-src"),
    ("<p track-index=1>t</p>", "track-index is written data-track-index"),
    (
        "<p data-start=0 data-duration=5s>t</p>",
        "5:17: <p>: data-duration=\"5s\" is no number of seconds",
    ),
    ("<p data-start=0 data-duration=0>t</p>", "is not above 0"),
    ("<p data-start=0 data-end=-1>t</p>", "is not above 0"),
    ("<p data-start=nobody>t</p>", "data-start=\"nobody\" names no element"),
    ("<p data-track-index=first>t</p>", "data-track-index=\"first\" is no number"),
    ("<img src=absent.png>", "5:6: <img src=\"absent.png\">: absent.png is not in the project"),
    ("<img srcset='absent.png 1x'>", "absent.png is not in the project"),
    ("<script src=absent.js></script>", "absent.js is not in the project"),
    ("<link rel=stylesheet href=absent.css>", "absent.css is not in the project"),
    (
        "<style>p { background: url(absent.png) }</style>",
        "5:24: <style>: absent.png is not in the project",
    ),
    ("<p style='background: url(absent.png)'>t</p>", "absent.png is not in the project"),
    ("<iframe src=absent.html></iframe>", "absent.html is not in the project"),
    ("<video src=absent.mp4 data-start=0></video>", "absent.mp4 is not in the project"),
    ("<video poster=absent.png></video>", "absent.png is not in the project"),
    ("<audio src=absent.mp3 data-start=0></audio>", "absent.mp3 is not in the project"),
    ("<video src=text.mp4 data-start=0></video>", "is a web page or JSON"),
    ("<video src=sound.wav data-start=0></video>", "has sound only"),
    ("<div data-composition-src=absent.html></div>", "absent.html is not in the project"),
    ("<div data-composition-src=empty.html></div>", "empty.html is empty"),
    (
        "<script src=node_modules/gsap/gsap.js></script>",
        "node_modules/gsap/gsap.js does not travel",
    ),
    ("<img src=http://a.example/x.png>", "is not fetched: use https:"),
    ("<img src=file:///home/me/x.png>", "is a file of one machine"),
    ("<p style='font-family: Nowhere Sans'>t</p>", "font family \"Nowhere Sans\""),
    ("<p data-var-text=title>t</p>", "data-var-text=\"title\" names no variable"),
    ("<!-- t", "5:1: this comment is never closed"),
];

fn write(dir: &Path, body: &str) {
    fs::create_dir_all(dir.join("node_modules/gsap")).unwrap();
    fs::write(dir.join("index.html"), format!("{HEAD}{ROOT}{body}\n{END}")).unwrap();
    fs::write(dir.join("node_modules/gsap/gsap.js"), "").unwrap();
    fs::write(dir.join("text.mp4"), "<!doctype html>").unwrap();
    fs::write(dir.join("empty.html"), " ").unwrap();
    fs::copy(media("tone-500.wav"), dir.join("sound.wav")).unwrap();
}

#[test]
fn fifty_projects_that_are_wrong_are_named_with_their_places() {
    let bench = Bench::new();
    let dirs: Vec<PathBuf> = (0..WRONG.len()).map(|i| bench.path(&format!("wrong-{i}"))).collect();
    for (dir, (body, _)) in dirs.iter().zip(WRONG) {
        write(dir, body);
    }
    for (dir, (body, says)) in dirs.iter().zip(WRONG) {
        let found = lint(&bench, dir, &["--json"]);
        assert_eq!(found.status, Some(1), "{body}: {}", found.stderr);
        let answer: Value = serde_json::from_str(&found.stdout).unwrap();
        let findings = answer["findings"].as_array().unwrap();
        let told = |finding: &Value| {
            let message = finding["message"].as_str().unwrap();
            match finding["line"].as_u64() {
                Some(line) => format!("{line}:{}: {message}", finding["column"]),
                None => message.to_owned(),
            }
        };
        let all: Vec<_> = findings.iter().map(told).collect();
        assert!(all.iter().any(|one| one.contains(says)), "{body}: {all:?}");
        assert!(findings.iter().any(|finding| finding["file"] == "index.html"), "{body}");
    }
    let right = bench.path("right");
    write(&right, "<p data-start=0 data-duration=1>t</p>");
    let found = lint(&bench, &right, &["--json"]);
    assert_eq!(found.status, Some(0), "{}{}", found.stdout, found.stderr);
}

#[test]
fn a_render_says_what_lint_says() {
    let bench = Bench::new();
    let dir = bench.path("project");
    write(&dir, "<p data-durration=1>t</p><div/></div>");
    let found = lint(&bench, &dir, &[]);
    let rendered = bench.try_render(&dir, &["--frames", "0..1"]);
    assert_eq!(rendered.status, Some(0), "{}", rendered.stderr);
    let warnings = |stderr: &str| -> Vec<String> {
        stderr
            .lines()
            .filter(|line| line.starts_with("warning: index.html:"))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(warnings(&found.stderr).len(), 2, "{}", found.stderr);
    assert_eq!(warnings(&found.stderr), warnings(&rendered.stderr));
}
