//! `render --cache`: what has not changed is not drawn again, and nothing wrong is ever taken for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::harness::{Bench, Run, WRONG, fixture, run, tool};
use crate::video::{media, project};

/// Renders to `name` with the cache of this bench, in chunks of 15 frames.
fn try_cached(bench: &Bench, project: &Path, name: &str, args: &[&str]) -> Run {
    let cache = bench.path("cache");
    let all = [&["--chunk-size", "15", "--force", "--cache", cache.to_str().unwrap()], args];
    bench.try_render_to(name, project, &all.concat())
}

fn cached(bench: &Bench, project: &Path, name: &str, args: &[&str]) -> Value {
    let run = try_cached(bench, project, name, args);
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    serde_json::from_str(&run.stdout).unwrap()
}

/// The chunks of a summary that were drawn. What it counts must be the others.
fn drawn(summary: &Value) -> Vec<usize> {
    let chunks = summary["chunks"].as_array().unwrap();
    let is_drawn = |chunk: &Value| chunk["frameSource"] != "cache";
    let drawn: Vec<_> = (0..chunks.len()).filter(|index| is_drawn(&chunks[*index])).collect();
    assert_eq!(summary["cachedChunks"], chunks.len() - drawn.len(), "{summary}");
    let frames: u64 = drawn.iter().map(|i| chunks[*i]["framesEncoded"].as_u64().unwrap()).sum();
    let total = summary["frames"].as_u64().unwrap();
    assert_eq!(summary["cachedFrames"], total - frames, "{summary}");
    drawn
}

/// Asserts that the output called `name` is what a render without a cache makes.
fn assert_fresh(bench: &Bench, project: &Path, name: &str, args: &[&str]) {
    bench.render_to("fresh.mp4", project, &[&["--chunk-size", "15", "--force"], args].concat());
    let (found, fresh) = (bench.path(name), bench.path("fresh.mp4"));
    assert!(fs::read(found).unwrap() == fs::read(fresh).unwrap(), "{name} is not what is drawn");
}

/// Makes a clip of one colour that lasts a second.
fn clip(colour: &str, to: &Path) {
    let source = format!("color=c={colour}:s=64x64:r=30:d=1");
    let mut command = Command::new(tool("ffmpeg/ffmpeg"));
    command.args(["-v", "error", "-f", "lavfi", "-i", &source, "-c:v", "libx264", "-pix_fmt"]);
    assert!(command.args(["yuv420p", "-y"]).arg(to).status().unwrap().success());
}

/// A page of one second whose background a style sheet says, and whose number changes.
fn small(bench: &Bench) -> PathBuf {
    let head = "<link rel=stylesheet href=page.css>";
    let body = "data-width=160 data-height=90 data-duration=1><i id=b></i></div>\
        <script>window.__hf = { duration: 1, seek(t) { b.textContent = t.toFixed(2); } };</script><div hidden";
    let dir = project(bench, "project", &[], head, &format!("{body}>"));
    fs::write(dir.join("page.css"), "body { background: #357 }").unwrap();
    dir
}

#[test]
fn the_same_project_is_not_drawn_twice_and_has_the_same_bytes() {
    let bench = Bench::new();
    let title = fixture("title-card");
    let first = cached(&bench, &title, "first.mp4", &[]);
    assert_eq!(drawn(&first), [0, 1, 2, 3, 4, 5]);
    let again = cached(&bench, &title, "again.mp4", &[]);
    assert_eq!(drawn(&again), [0; 0]);
    assert_eq!(again["frameSource"], "cache");
    assert!(
        fs::read(bench.path("first.mp4")).unwrap() == fs::read(bench.path("again.mp4")).unwrap()
    );
    // Other settings are another render.
    let other = cached(&bench, &title, "other.mp4", &["--quality", "draft"]);
    assert_eq!(drawn(&other), [0, 1, 2, 3, 4, 5]);
    // A part of the timeline whose chunks are cut at the same frames is in it.
    let part = cached(&bench, &title, "part.mp4", &["--frames", "15..45"]);
    assert_eq!(drawn(&part), [0; 0]);
    assert_fresh(&bench, &title, "part.mp4", &["--frames", "15..45"]);
    let off = cached(&bench, &title, "off.mp4", &["--no-cache"]);
    assert_eq!(drawn(&off), [0, 1, 2, 3, 4, 5]);
    bench.assert_no_scratch();
}

#[test]
fn a_replaced_clip_draws_the_chunks_that_show_it_and_sound_that_is_left_out_none() {
    let bench = Bench::new();
    let body = "data-width=160 data-height=90 data-duration=2>\
        <video id=v src=clip.mp4 muted data-start=1 data-duration=1></video>\
        <audio id=s src=sound.wav data-start=0 data-duration=2></audio>";
    let dir = project(&bench, "project", &[], "", body);
    clip("red", &dir.join("clip.mp4"));
    fs::copy(media("tone-500.wav"), dir.join("sound.wav")).unwrap();
    assert_eq!(drawn(&cached(&bench, &dir, "first.mp4", &[])), [0, 1, 2, 3]);
    clip("blue", &dir.join("clip.mp4"));
    let replaced = cached(&bench, &dir, "replaced.mp4", &[]);
    assert_eq!(drawn(&replaced), [2, 3]);
    assert_fresh(&bench, &dir, "replaced.mp4", &[]);
    // Chunks have no sound.
    assert_eq!(drawn(&cached(&bench, &dir, "mute.mp4", &["--mute"])), [0; 0]);
    assert_fresh(&bench, &dir, "mute.mp4", &["--mute"]);
    // What was there before is still there.
    clip("red", &dir.join("clip.mp4"));
    assert_eq!(drawn(&cached(&bench, &dir, "back.mp4", &[])), [0; 0]);
    assert_fresh(&bench, &dir, "back.mp4", &[]);
}

#[test]
fn a_changed_style_sheet_draws_all_and_a_file_that_the_page_does_not_read_nothing() {
    let bench = Bench::new();
    let dir = small(&bench);
    assert_eq!(drawn(&cached(&bench, &dir, "first.mp4", &[])), [0, 1]);
    fs::write(dir.join("page.css"), "body { background: #753 }").unwrap();
    assert_eq!(drawn(&cached(&bench, &dir, "sheet.mp4", &[])), [0, 1]);
    assert_fresh(&bench, &dir, "sheet.mp4", &[]);
    fs::write(dir.join("notes.txt"), "nobody reads this").unwrap();
    let noted = cached(&bench, &dir, "noted.mp4", &[]);
    assert_eq!(drawn(&noted), [0; 0]);
    // The poster is a frame of one chunk, a preview is of all.
    let poster = cached(&bench, &dir, "poster.mp4", &["--poster", "20f"]);
    assert_eq!(drawn(&poster), [1]);
    let picture = fs::read(bench.path("poster.poster.png")).unwrap();
    let again = cached(&bench, &dir, "again.mp4", &["--poster", "20f"]);
    assert_eq!(drawn(&again), [0; 0]);
    assert!(picture == fs::read(bench.path("again.poster.png")).unwrap());
    assert_eq!(drawn(&cached(&bench, &dir, "small.mp4", &["--preview", "64p"])), [0, 1]);
    assert_eq!(drawn(&cached(&bench, &dir, "small2.mp4", &["--preview", "64p"])), [0; 0]);
    let preview = |name: &str| fs::read(bench.path(name)).unwrap();
    assert!(preview("small.preview.mp4") == preview("small2.preview.mp4"));
}

#[test]
fn projects_of_the_same_settings_do_not_push_each_other_out() {
    let bench = Bench::new();
    let one = small(&bench);
    let other = bench.path("other");
    fs::create_dir(&other).unwrap();
    let html = fs::read_to_string(one.join("index.html")).unwrap();
    fs::write(other.join("index.html"), html.replace("page.css", "other.css")).unwrap();
    fs::write(other.join("other.css"), "body { background: #375 }").unwrap();
    for project in [&one, &other] {
        assert_eq!(drawn(&cached(&bench, project, "first.mp4", &[])), [0, 1]);
    }
    for project in [&one, &other] {
        assert_eq!(drawn(&cached(&bench, project, "again.mp4", &[])), [0; 0]);
        assert_fresh(&bench, project, "again.mp4", &[]);
    }
}

#[test]
fn what_a_page_with_a_history_has_read_before_a_chunk_is_among_what_the_chunk_depends_on() {
    let bench = Bench::new();
    let body = "data-width=160 data-height=90 data-duration=1><i id=b></i></div><script>\
        let frames = 0, colour = 'navy';\
        const step = () => { frames += 1; document.body.style.background = colour; b.textContent = frames;\
          if (frames === 5) fetch('colour.txt').then((answer) => answer.text()).then((text) => { colour = text; });\
          requestAnimationFrame(step); };\
        requestAnimationFrame(step);\
        window.__hf = { duration: 1, seek() {} };</script><div hidden>";
    let dir = project(&bench, "project", &[], "", body);
    fs::write(dir.join("colour.txt"), "teal").unwrap();
    assert_eq!(drawn(&cached(&bench, &dir, "first.mp4", &[])), [0, 1]);
    assert_eq!(drawn(&cached(&bench, &dir, "again.mp4", &[])), [0; 0]);
    fs::write(dir.join("colour.txt"), "gold").unwrap();
    assert_eq!(drawn(&cached(&bench, &dir, "other.mp4", &[])), [0, 1]);
    assert_fresh(&bench, &dir, "other.mp4", &[]);
}

#[test]
fn a_file_that_was_missing_and_appears_draws_anew_and_warnings_are_told_again() {
    let bench = Bench::new();
    let body = "data-width=160 data-height=90 data-duration=1><i id=b></i></div><script>\
        fetch('late.txt').then((answer) => { if (answer.ok) document.body.style.background = 'teal'; });\
        window.__hf = { duration: 1, seek(t) { b.textContent = t.toFixed(2); } };</script><div hidden>";
    let dir = project(&bench, "project", &[], "", body);
    let warning = "a script asked for /late.txt";
    let first = try_cached(&bench, &dir, "first.mp4", &[]);
    assert_eq!(first.stderr.matches(warning).count(), 1, "{}", first.stderr);
    let again = try_cached(&bench, &dir, "again.mp4", &[]);
    assert_eq!(drawn(&serde_json::from_str(&again.stdout).unwrap()), [0; 0]);
    assert_eq!(again.stderr, first.stderr);
    fs::write(dir.join("late.txt"), "here").unwrap();
    let there = try_cached(&bench, &dir, "there.mp4", &[]);
    assert_eq!(drawn(&serde_json::from_str(&there.stdout).unwrap()), [0, 1]);
    assert!(!there.stderr.contains(warning), "{}", there.stderr);
    assert_fresh(&bench, &dir, "there.mp4", &[]);
}

/// The files of one kind in the cache of this bench.
fn kept(bench: &Bench, kind: &str) -> Vec<PathBuf> {
    let dir = bench.path("cache/framewright-chunks/v1").join(kind);
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|file| file.extension().is_none_or(|ending| ending != "metadata"));
    files.sort();
    files
}

fn edit(files: &[PathBuf], change: impl Fn(&mut Vec<u8>)) {
    for file in files {
        let mut bytes = fs::read(file).unwrap();
        change(&mut bytes);
        fs::write(file, bytes).unwrap();
    }
}

fn swap(files: &[PathBuf]) {
    let [one, other] = files else { panic!("two files are swapped: {files:?}") };
    let (first, second) = (fs::read(one).unwrap(), fs::read(other).unwrap());
    fs::write(one, second).unwrap();
    fs::write(other, first).unwrap();
}

/// What is done to all files of a kind.
type Damage = fn(&[PathBuf]);

#[test]
fn an_entry_that_is_not_what_it_should_be_is_noticed_drawn_and_repaired() {
    let bench = Bench::new();
    let dir = small(&bench);
    cached(&bench, &dir, "first.mp4", &[]);
    let expected = fs::read(bench.path("first.mp4")).unwrap();
    let damages: [(&str, &str, Damage, bool); 9] = [
        ("one bit", "content", |files| edit(files, |bytes| bytes[1000] ^= 0x10), true),
        ("cut off", "content", |files| edit(files, |bytes| bytes.truncate(1000)), true),
        ("empty", "content", |files| edit(files, Vec::clear), true),
        ("another chunk", "content", swap, true),
        ("gone", "content", |files| files.iter().for_each(|f| fs::remove_file(f).unwrap()), false),
        ("one bit", "chunks", |files| edit(files, |bytes| bytes[100] ^= 1), true),
        ("of another key", "chunks", swap, true),
        ("cut off", "files", |files| edit(files, |bytes| bytes.truncate(80)), true),
        ("of another recipe", "files", swap, true),
    ];
    for (what, kind, damage, is_told) in damages {
        damage(&kept(&bench, kind));
        let run = try_cached(&bench, &dir, "again.mp4", &[]);
        assert_eq!(run.status, Some(0), "{what}: {}", run.stderr);
        assert_eq!(drawn(&serde_json::from_str(&run.stdout).unwrap()), [0, 1], "{kind}: {what}");
        assert_eq!(
            run.stderr.contains("is not what it should be"),
            is_told,
            "{what}: {}",
            run.stderr
        );
        assert!(fs::read(bench.path("again.mp4")).unwrap() == expected, "{kind}: {what}");
        let repaired = cached(&bench, &dir, "repaired.mp4", &[]);
        assert_eq!(drawn(&repaired), [0; 0], "{kind}: {what}");
        assert!(fs::read(bench.path("repaired.mp4")).unwrap() == expected, "{kind}: {what}");
    }
}

#[test]
fn two_renders_that_fill_the_same_cache_do_not_disturb_each_other() {
    let bench = Bench::new();
    let dir = small(&bench);
    let cache = bench.path("cache");
    let start = |name: &str| {
        let mut command = bench.bootstrap("render");
        command.arg(&dir).arg("-o").arg(bench.path(name)).args(["--json", "--chunk-size", "15"]);
        command.arg("--cache").arg(&cache).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let names = ["one.mp4", "two.mp4"];
    for child in names.map(start) {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    }
    assert_eq!(drawn(&cached(&bench, &dir, "three.mp4", &[])), [0; 0]);
    for name in ["one.mp4", "two.mp4", "three.mp4"] {
        assert_fresh(&bench, &dir, name, &[]);
    }
}

#[test]
fn a_cache_stays_below_its_limit_and_what_is_beside_it_is_left_alone() {
    let bench = Bench::new();
    let dir = small(&bench);
    fs::create_dir_all(bench.path("cache")).unwrap();
    let own = bench.path("cache/thesis.txt");
    fs::write(&own, vec![b'x'; 3 << 20]).unwrap();
    // ProRes of noise is large.
    let noise = "<canvas id=c width=160 height=90 style=\"position:fixed;left:0;top:0\"></canvas><script>\
        const draw = c.getContext('2d');\
        for (let i = 0; i < 14400; i += 1) { draw.fillStyle = `rgb(${i * 7919 % 256},${i * 104729 % 256},${i * 1299709 % 256})`; draw.fillRect(i % 160, i / 160 | 0, 1, 1); }\
        </script></body>";
    let html = fs::read_to_string(dir.join("index.html")).unwrap().replace("</body>", noise);
    fs::write(dir.join("index.html"), html).unwrap();
    let mov = ["--format", "mov"];
    let large = cached(&bench, &dir, "first.mov", &mov);
    assert!(large["bytes"].as_u64().unwrap() > 1 << 20, "{large}");
    let kinds = ["content", "chunks", "files"];
    let all = || kinds.iter().flat_map(|kind| kept(&bench, kind)).collect::<Vec<_>>();
    let long_ago = SystemTime::now() - Duration::from_hours(1);
    for file in all() {
        fs::File::open(file).unwrap().set_modified(long_ago).unwrap();
    }
    assert_eq!(drawn(&cached(&bench, &dir, "all.mov", &mov)), [0; 0]);
    let used = |file: &PathBuf| fs::metadata(file).unwrap().modified().unwrap();
    assert!(all().iter().all(|file| used(file) > long_ago + Duration::from_mins(30)));
    cached(&bench, &dir, "less.mov", &["--format", "mov", "--cache-size", "1"]);
    let size = |file: &PathBuf| fs::metadata(file).unwrap().len();
    let total: u64 = all().iter().map(size).sum();
    assert!(total <= 1 << 20, "{total} bytes are left");
    let again = cached(&bench, &dir, "again.mov", &mov);
    assert!(!drawn(&again).is_empty());
    assert!(
        fs::read(bench.path("first.mov")).unwrap() == fs::read(bench.path("again.mov")).unwrap()
    );
    assert_eq!(fs::metadata(own).unwrap().len(), 3 << 20);
}

#[test]
fn frame_hashes_are_told_of_what_was_not_drawn_if_they_are_known() {
    let bench = Bench::new();
    let dir = small(&bench);
    cached(&bench, &dir, "first.mp4", &[]);
    let hashed = cached(&bench, &dir, "hashed.mp4", &["--frame-hashes"]);
    assert_eq!(drawn(&hashed), [0, 1], "nobody had hashed them");
    let again = cached(&bench, &dir, "again.mp4", &["--frame-hashes"]);
    assert_eq!(drawn(&again), [0; 0]);
    assert_eq!(again["frameHashes"], hashed["frameHashes"]);
    assert_eq!(again["frameHashes"].as_array().unwrap().len(), 30);
}

#[test]
fn a_cache_is_a_directory_outside_of_the_project_and_a_person_is_told_what_was_not_drawn() {
    let bench = Bench::new();
    let dir = small(&bench);
    let inside = dir.join("media");
    for (place, reason) in
        [("s3://bucket/cache", "must be a directory"), (inside.to_str().unwrap(), "in the project")]
    {
        let run = bench.try_render(&dir, &["--cache", place]);
        assert_eq!(run.status, WRONG, "{}", run.stderr);
        assert!(run.stderr.contains(reason), "{}", run.stderr);
    }
    let render = |more: &[&str]| {
        let mut command = bench.bootstrap("render");
        command.arg(&dir).arg("-o").arg(bench.path("out.mp4")).arg("--force").args(more);
        run(command.env("FRAMEWRIGHT_CACHE", bench.path("named")))
    };
    let line = "30 of these frames, in 1 of 1 chunks, have not changed and were not drawn";
    assert!(!render(&[]).stderr.contains(line));
    let told = render(&[]).stderr;
    assert!(told.contains(line), "{told}");
    assert!(!render(&["--no-cache"]).stderr.contains(line));
    assert!(bench.path("named/framewright-chunks/CACHEDIR.TAG").is_file());
}
