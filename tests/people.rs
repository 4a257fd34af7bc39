//! What a person at a command line sees: exit status, messages, progress, and pages made of a render.

use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Bench, Run, fixture, root, run};

#[test]
fn a_wrong_argument_ends_with_2_and_the_name_of_the_option() {
    let bench = Bench::new();
    let card = fixture("title-card");
    let table: &[(&str, &[&str], &str)] = &[
        ("out.mp4", &["--quality", "hgih"], "--quality"),
        ("out.mp4", &["--fps", "0"], "--fps"),
        ("out.mp4", &["--crf", "99"], "--crf: must be a whole number from 0 to 51, not 99"),
        ("out.webm", &["--crf", "99"], "--crf: must be a whole number from 0 to 63, not 99"),
        ("out.mov", &["--crf", "9"], "--crf: is for mp4 and webm"),
        ("out.mp4", &["--loop", "2"], "--loop: is for gif"),
        ("out.mp4", &["--frames", "80..200"], "--frames: "),
        ("out.mp4", &["--poster", "9s"], "--poster: "),
        ("out.mp4", &["--output-resolution", "portrait"], "--output-resolution: "),
        ("out.mp4", &["--hdr-mode", "force-hdr"], "--hdr-mode: "),
        ("out.mp4", &["--variables", "{"], "--variables"),
        ("out.mp4", &["--workers", "0"], "--workers"),
        ("out.txt", &[], "--output"),
        ("out", &[], "has no extension"),
        ("gone/out.mp4", &[], "--output"),
        ("out.mp4", &["--batch", "missing.jsonl"], "--batch missing.jsonl: cannot be read"),
        ("out.mp4", &["--no-such-option"], "--no-such-option"),
    ];
    for (output, args, says) in table {
        let run = bench.try_render_to(output, &card, args);
        assert_eq!(run.status, Some(2), "{output} {args:?}: {}", run.stderr);
        assert!(run.stderr.contains(says), "{output} {args:?}: {}", run.stderr);
        assert!(!bench.path(output).exists());
    }
    let gone = run(bench.bootstrap("render").args(["no-such-project", "-o", "x.mp4"]));
    assert_eq!((gone.status, gone.code()), (Some(2), "ARGUMENT_INVALID"), "{}", gone.stderr);
    bench.assert_no_scratch();
}

#[test]
fn a_video_can_go_to_stdout_and_an_existing_one_can_be_kept() {
    let bench = Bench::new();
    let card = fixture("title-card");
    let render = |output: &str, args: &[&str]| {
        bench
            .bootstrap("render")
            .arg(&card)
            .arg("-o")
            .arg(output)
            .args(["--frames", "0..10"])
            .args(args)
            .output()
            .unwrap()
    };
    let piped = render("-", &[]);
    assert!(piped.status.success(), "{}", String::from_utf8_lossy(&piped.stderr));
    let file = bench.path("out.mp4");
    let name = file.to_str().unwrap();
    assert!(render(name, &["-q"]).status.success());
    assert!(piped.stdout == fs::read(&file).unwrap(), "another video than in a file");
    let json = render("-", &["--json"]);
    assert_eq!(json.status.code(), Some(2), "{}", String::from_utf8_lossy(&json.stderr));
    fs::write(&file, "mine").unwrap();
    let kept = render(name, &["--no-clobber"]);
    assert_eq!(kept.status.code(), Some(2), "{}", String::from_utf8_lossy(&kept.stderr));
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    bench.assert_no_scratch();
}

const SLOW: &str = r#"<!doctype html><html><body>
<div id=stage data-composition-id=intro data-width=320 data-height=180 data-duration=1></div>
<script>
console.log("a line", 7); console.error("an error line");
window.__timelines = {};
</script></body></html>"#;

fn slow(bench: &Bench) -> std::path::PathBuf {
    let project = bench.path("slow");
    fs::create_dir_all(&project).unwrap();
    fs::write(project.join("index.html"), SLOW).unwrap();
    project
}

fn render(bench: &Bench, args: &[&str]) -> Run {
    let mut command = bench.bootstrap("render");
    command.arg(slow(bench)).arg("-o").arg(bench.path("out.mp4")).args(args);
    run(&mut command)
}

#[test]
fn what_a_page_is_waited_for_is_told_and_quiet_and_verbose_say_less_and_more() {
    let bench = Bench::new();
    let said = render(&bench, &["--ready-timeout", "6"]).stderr;
    assert!(said.contains("waiting for timelines: intro, "), "{said}");
    assert!(said.contains(" of 6 s\n"), "{said}");
    assert!(said.contains("page error: an error line\n"), "{said}");
    assert!(!said.contains("a line 7"), "{said}");
    assert!(said.contains("30 frames, 320x180"), "{said}");
    for nonsense in ["0/30", "0 of 30 frames", "1000.0", "\u{1b}"] {
        assert!(!said.contains(nonsense), "{nonsense}: {said}");
    }
    let said = render(&bench, &["--ready-timeout", "3", "-v"]).stderr;
    assert!(said.contains("page log: a line 7\n"), "{said}");
    assert_eq!(said.matches("a line 7").count(), 1, "{said}");
    let said = render(&bench, &["--ready-timeout", "3", "-q"]).stderr;
    let expected = "page error: an error line\n\
         warning: composition \"intro\" registered no timeline in window.__timelines\n";
    assert_eq!(said, expected);
    assert_eq!(render(&bench, &["-q", "-v"]).status, Some(2));
}

#[test]
fn a_render_that_fails_says_what_else_is_wrong_with_the_project() {
    let bench = Bench::new();
    let project = bench.path("broken");
    fs::create_dir_all(&project).unwrap();
    let page = r#"<!doctype html><html><body>
<div data-composition-id=main data-width=320 data-height=180 data-duration=1 data-strat=2></div>
<script src="node_modules/gsap/gsap.min.js"></script></body></html>"#;
    fs::write(project.join("index.html"), page).unwrap();
    let failed = run(bench.bootstrap("render").arg(&project).arg("-o").arg(bench.path("out.mp4")));
    assert_eq!(
        (failed.status, failed.code()),
        (Some(1), "PAGE_ASSET_MISSING"),
        "{}",
        failed.stderr
    );
    assert!(failed.stderr.contains("copy the file beside the HTML"), "{}", failed.stderr);
    assert!(failed.stderr.contains("warning: index.html:2:"), "{}", failed.stderr);
    assert!(failed.stderr.contains("data-strat"), "{}", failed.stderr);
}

/// A terminal of so many columns, with a command in it. Returns all that was written to it.
fn at_a_terminal(
    bench: &Bench,
    columns: u16,
    args: &[&str],
    typed: Option<(&str, &str)>,
) -> String {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::termios::{Winsize, tcsetwinsize};
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&master, size).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    let open = || fs::File::options().read(true).write(true).open(&name).unwrap();
    let mut command = bench.bootstrap("render");
    command.arg(slow(bench)).arg("-o").arg(bench.path("out.mp4")).args(args);
    command
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        .stdin(open())
        .stderr(open())
        .stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    drop(command);
    let mut master = fs::File::from(master);
    let (mut said, start, mut buffer) = (String::new(), Instant::now(), [0; 4096]);
    let mut typed = typed;
    while let Ok(length) = master.read(&mut buffer) {
        assert!(start.elapsed() < Duration::from_mins(2), "{said}");
        said.push_str(&String::from_utf8_lossy(&buffer[..length]));
        if let Some((after, answer)) = typed.filter(|(after, _)| said.contains(after)) {
            assert!(!after.is_empty());
            master.write_all(answer.as_bytes()).unwrap();
            typed = None;
        }
        if length == 0 || child.try_wait().unwrap().is_some() {
            break;
        }
    }
    child.wait().unwrap();
    said
}

/// The text without escape sequences, cut where the line was drawn anew.
fn drawn(said: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut chars = said.chars();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => {
                for c in chars.by_ref() {
                    if c.is_ascii_alphabetic() {
                        break;
                    }
                }
            }
            '\r' | '\n' => lines.push(String::new()),
            c => lines.last_mut().unwrap().push(c),
        }
    }
    lines
}

#[test]
fn progress_at_a_terminal_fits_its_width_and_ticks() {
    let bench = Bench::new();
    for columns in [80, 60, 30] {
        let said = at_a_terminal(&bench, columns, &["--ready-timeout", "6", "--force"], None);
        let lines = drawn(&said);
        let bars: Vec<_> = lines.iter().filter(|line| line.starts_with("rendering")).collect();
        let widest = bars.iter().map(|line| line.trim_end().chars().count()).max().unwrap();
        assert!(widest < usize::from(columns), "{columns}: {widest} {bars:?}");
        let waiting: std::collections::BTreeSet<_> =
            bars.iter().filter(|line| line.contains("waiting for")).collect();
        assert!(waiting.len() >= if columns == 30 { 1 } else { 2 }, "{columns}: {waiting:?}");
        // The line of progress is gone at the end, and the last line is the result.
        let last = lines.iter().rev().find(|line| !line.trim().is_empty()).unwrap();
        assert!(last.contains("30 frames, 320x180"), "{columns}: {last}");
    }
}

#[test]
fn an_existing_output_is_asked_about_at_a_terminal() {
    let bench = Bench::new();
    fs::write(bench.path("out.mp4"), "mine").unwrap();
    let question = "is there already. Replace it? [y/N]";
    let said = at_a_terminal(&bench, 80, &["--ready-timeout", "3"], Some((question, "n\n")));
    assert!(said.contains("and is kept"), "{said}");
    assert_eq!(fs::read_to_string(bench.path("out.mp4")).unwrap(), "mine");
    // Errors have a colour there, unless it is not wanted.
    assert!(said.contains("\u{1b}[1m\u{1b}[31merror"), "{said:?}");
    at_a_terminal(&bench, 80, &["--ready-timeout", "3"], Some((question, "y\n")));
    assert_ne!(fs::read(bench.path("out.mp4")).unwrap(), b"mine");
}

#[test]
fn a_batch_renders_each_row_and_the_next_run_only_what_is_missing() {
    let bench = Bench::new();
    let project = bench.path("card");
    fs::create_dir_all(&project).unwrap();
    let page = r##"<!doctype html><html data-composition-variables='[{"id":"tone","type":"color","default":"#000000"}]'>
<body style="margin:0"><div data-composition-id=main data-width=64 data-height=64 data-duration=0.2 style="background:var(--tone)"></div></body></html>"##;
    fs::write(project.join("index.html"), page).unwrap();
    let rows = bench.path("rows.jsonl");
    let write = |second: &str| {
        let text = format!(
            "{{\"output\": \"red.mp4\", \"variables\": {{\"tone\": \"#ff0000\"}}}}\n{second}\n"
        );
        fs::write(&rows, text).unwrap();
    };
    let batch = || {
        let mut command = bench.bootstrap("render");
        command.arg(&project).arg("--batch").arg(&rows).arg("-o").arg(bench.path("videos"));
        run(command.args(["--strict-variables", "--json"]))
    };
    write(r#"{"output": "bad.mp4", "variables": {"nope": 1}}"#);
    let first = batch();
    assert_eq!((first.status, first.code()), (Some(1), "RENDER_FAILED"), "{}", first.stderr);
    let told: Value = serde_json::from_str(&first.stdout).unwrap();
    assert_eq!((&told["rendered"], &told["failed"]), (&json!(1), &json!(1)), "{told}");
    assert!(told["rows"][1]["error"].as_str().unwrap().starts_with("VARIABLE_INVALID"), "{told}");
    write(r##"{"output": "blue.mp4", "variables": {"tone": "#0000ff"}}"##);
    let second = batch();
    assert_eq!(second.status, Some(0), "{}", second.stderr);
    let told: Value = serde_json::from_str(&second.stdout).unwrap();
    assert_eq!((&told["rendered"], &told["kept"]), (&json!(1), &json!(1)), "{told}");
    // A video that is not the one that was rendered is rendered again, unless it is to be kept.
    fs::write(bench.path("videos/red.mp4"), "cut off").unwrap();
    let mut command = bench.bootstrap("render");
    command.arg(&project).arg("--batch").arg(&rows).arg("-o").arg(bench.path("videos"));
    let kept = run(command.args(["--strict-variables", "--no-clobber"]));
    assert_eq!((kept.status, kept.code()), (Some(2), "ARGUMENT_INVALID"), "{}", kept.stderr);
    assert!(kept.stderr.contains("--no-clobber: keeps red.mp4"), "{}", kept.stderr);
    let third: Value = serde_json::from_str(&batch().stdout).unwrap();
    assert_eq!((&third["rendered"], &third["kept"]), (&json!(1), &json!(1)), "{third}");
    for (name, colour) in [("red.mp4", [255, 0, 0]), ("blue.mp4", [0, 0, 255])] {
        let frames = crate::harness::Frames::decode(&bench.path("videos").join(name), 64, 64);
        assert!(crate::harness::distance(frames.pixel(2, 30, 30), colour) < 4, "{name}");
    }
}

#[test]
fn a_forecast_makes_no_video_and_names_frames_chunks_time_and_dollars() {
    let bench = Bench::new();
    let mut command = bench.bootstrap("render");
    command.arg(fixture("title-card")).args(["--plan-only", "--json", "--chunk-size", "30"]);
    let told = run(&mut command);
    assert_eq!(told.status, Some(0), "{}", told.stderr);
    let told: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!((&told["frames"], &told["here"]["chunks"]), (&json!(90), &json!(3)), "{told}");
    for number in [&told["here"]["seconds"], &told["cloud"]["seconds"], &told["cloud"]["dollars"]] {
        assert!(number.as_f64().unwrap() > 0.0, "{told}");
    }
    bench.assert_no_scratch();
}

#[test]
fn the_doctor_says_that_this_machine_renders_and_why_another_does_not() {
    let bench = Bench::new();
    let well = run(bench.bootstrap("doctor").arg("--json"));
    assert_eq!(well.status, Some(0), "{}", well.stderr);
    let told: Value = serde_json::from_str(&well.stdout).unwrap();
    let names: Vec<_> = told["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    for name in ["cores", "memory", "scratch", "Chrome", "WebGL", "FFmpeg", "fonts", "capture"] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    let copy = bench.path("alone");
    fs::copy(env!("CARGO_BIN_EXE_bootstrap"), &copy).unwrap();
    let ill = run(Command::new(&copy)
        .arg("doctor")
        .current_dir(bench.path("scratch"))
        .env_remove("FRAMEWRIGHT_TOOLS"));
    assert_eq!((ill.status, ill.code()), (Some(2), "TOOL_MISSING"), "{}", ill.stderr);
    for place in ["beside", "above", "--tools", "FRAMEWRIGHT_TOOLS"] {
        assert!(ill.stderr.contains(place), "{place}: {}", ill.stderr);
    }
}

/// Runs a script of `tests/pages/`, which opens pages in the pinned Chrome.
fn in_chrome(script: &str, args: &[&str]) {
    let done = Command::new("node")
        .arg(root().join("tests/pages").join(script))
        .args(args)
        .env("FRAMEWRIGHT_TOOLS", root().join(".tools"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said =
        String::from_utf8_lossy(&done.stderr).into_owned() + &String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{script}: {said}");
}

#[test]
fn a_report_opens_in_a_browser_and_shows_what_the_summary_says() {
    let bench = Bench::new();
    let report = bench.path("report.html");
    let page = report.to_str().unwrap();
    let summary = bench.render(&fixture("audio-mix"), &["--chunk-size", "40", "--report", page]);
    let facts = &summary["report"];
    assert!(facts["seams"].as_array().unwrap().iter().all(|seam| seam["same"] == true), "{facts}");
    assert!(!facts["seams"].as_array().unwrap().is_empty(), "{facts}");
    assert!(facts["peaks"].as_array().unwrap().iter().any(|peak| peak.as_f64().unwrap() > 0.05));
    let timed = facts["frameMs"].as_array().unwrap().len();
    assert_eq!(json!(timed), summary["frames"]);
    let expected = json!({ "frames": summary["frames"], "chunks": summary["chunks"].as_array().unwrap().len() });
    in_chrome("report.mjs", &[page, &expected.to_string()]);
    bench.assert_no_scratch();
}

const BAR: &str = r#"<!doctype html><html><body style="margin:0">
<div data-composition-id=main data-width=128 data-height=96 data-duration=1 data-fps=30 style="background:#f00">
<div data-composition-id=scene data-composition-src=scenes/bar.html data-start=0 data-duration=1
  style="position:absolute;left:0;top:0;width:128px;height:96px"></div>
</div></body></html>"#;

const BAR_SCENE: &str = r"<html><body><style>
#bar { position: absolute; left: 0; top: 0; height: 96px; background: #00f; animation: grow 1s linear both }
@keyframes grow { from { width: 0 } to { width: 30px } }
</style><div data-composition-id=scene data-width=128 data-height=96><div id=bar data-start=0></div></div></body></html>";

#[test]
fn a_preview_shows_exact_frames_and_follows_the_project() {
    let bench = Bench::new();
    let project = bench.path("bar");
    fs::create_dir_all(project.join("scenes")).unwrap();
    fs::write(project.join("index.html"), BAR).unwrap();
    fs::write(project.join("scenes/bar.html"), BAR_SCENE).unwrap();
    let mut child = bench
        .bootstrap("preview")
        .arg(&project)
        .current_dir(bench.path(""))
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
    let url = lines.next().unwrap().unwrap().strip_prefix("preview: ").unwrap().to_owned();
    let rest = std::thread::spawn(move || lines.map_while(Result::ok).collect::<Vec<_>>());
    let driven =
        std::panic::catch_unwind(|| in_chrome("preview.mjs", &[&url, project.to_str().unwrap()]));
    let id = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    let status = child.wait().unwrap();
    let said = rest.join().unwrap();
    assert!(driven.is_ok(), "{said:?}");
    assert_eq!(status.code(), Some(130), "{said:?}");
    let frames = crate::harness::Frames::decode(&bench.path("bar.mp4"), 128, 96);
    assert_eq!(frames.count(), 30);
    bench.assert_no_scratch();
}
