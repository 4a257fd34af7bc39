//! Less than a whole video: one frame, some frames, and what is made of the same frames besides.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::harness::{Bench, Layers, Run, WRONG, distance, fixture, probe, run, tool};

fn still(bench: &Bench, project: &str, output: &str, args: &[&str]) -> Run {
    let mut command = bench.bootstrap("still");
    command.arg(fixture(project)).arg("-o").arg(bench.path(output)).args(args);
    run(&mut command)
}

/// The bytes of a picture's pixels.
fn pixels(file: &Path, format: &str) -> Vec<u8> {
    let mut command = Command::new(tool("ffmpeg/ffmpeg"));
    command.args(["-v", "error", "-i"]).arg(file).args(["-pix_fmt", format, "-f", "rawvideo", "-"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn a_still_is_the_frame_of_the_video_at_that_moment() {
    let bench = Bench::new();
    let args = ["--format", "png-sequence", "--no-alpha"];
    bench.render_to("frames", &fixture("own-hf"), &args);
    let slow = still(&bench, "own-hf", "still.png", &["--at", "0.5s", "--fps", "10"]);
    assert!(slow.stderr.contains("frame 5, 640x360"), "{}", slow.stderr);
    for (at, frame) in [("0.5s", 15), ("15f", 15), ("1999ms", 59), ("0", 0)] {
        let run = still(&bench, "own-hf", "still.png", &["--at", at]);
        assert_eq!(run.status, Some(0), "{}", run.stderr);
        assert!(run.stderr.contains(&format!("frame {frame}, 640x360")), "{}", run.stderr);
        let drawn = bench.path(&format!("frames/frame_{:06}.png", frame + 1));
        assert!(pixels(&bench.path("still.png"), "rgb24") == pixels(&drawn, "rgb24"), "{at}");
    }
    // Lossy, but the same picture.
    for name in ["still.jpg", "still.webp"] {
        let run = still(&bench, "own-hf", name, &["--at", "0.5s", "--json"]);
        let summary: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!((&summary["frame"], &summary["width"]), (&15.into(), &640.into()));
        let pixels = pixels(&bench.path(name), "rgb24");
        let at =
            |x: usize, y: usize| <[u8; 3]>::try_from(&pixels[(y * 640 + x) * 3..][..3]).unwrap();
        assert!(distance(at(440, 180), [214, 40, 40]) <= 6, "{name}: {:?}", at(440, 180));
        assert!(distance(at(40, 40), [234, 244, 244]) <= 3, "{name}: {:?}", at(40, 40));
    }
    let run = still(&bench, "alpha-shapes", "clear.webp", &["--alpha"]);
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    let clear = pixels(&bench.path("clear.webp"), "rgba");
    let alpha = |x: usize, y: usize| clear[(y * 640 + x) * 4 + 3];
    assert_eq!((alpha(600, 40), alpha(440, 40)), (0, 255));
    assert!(alpha(120, 40).abs_diff(128) <= 2, "{}", alpha(120, 40));
    bench.assert_no_scratch();
}

#[test]
fn a_still_that_cannot_be_is_refused_with_the_reason() {
    let bench = Bench::new();
    for (output, args, code, says) in [
        (
            "x.png",
            &["--at", "2s"][..],
            "ARGUMENT_INVALID",
            "is frame 60, and the composition has 0 to 59",
        ),
        ("x.png", &["--at", "4294967295f"], "ARGUMENT_INVALID", "the composition has 0 to 59"),
        ("x.jpg", &["--alpha"], "ARGUMENT_INVALID", "a JPEG holds no transparency"),
    ] {
        let run = still(&bench, "own-hf", output, args);
        assert_eq!((run.status, run.code()), (WRONG, code), "{}", run.stderr);
        assert!(run.stderr.contains(says), "{}", run.stderr);
        assert!(!bench.path(output).exists());
    }
    for (output, args, says) in [
        ("x.png", &["--at", "soon"][..], "'soon' for '--at <MOMENT>': is no moment; write 1.5s"),
        ("x.txt", &[], "must end with .png, .jpg, .jpeg or .webp"),
    ] {
        let run = still(&bench, "own-hf", output, args);
        assert_eq!(run.status, Some(2), "{}", run.stderr);
        assert!(run.stderr.contains(says), "{}", run.stderr);
    }
    bench.assert_no_scratch();
}

fn hashes(summary: &Value) -> Vec<&str> {
    summary["frameHashes"].as_array().unwrap().iter().map(|hash| hash.as_str().unwrap()).collect()
}

/// The samples of a file's sound.
fn samples(file: &Path) -> Vec<[u8; 6]> {
    let mut command = Command::new(tool("ffmpeg/ffmpeg"));
    command
        .args(["-v", "error", "-i"])
        .arg(file)
        .args(["-f", "s24le", "-ac", "2", "-ar", "48000", "-"]);
    command
        .output()
        .unwrap()
        .stdout
        .chunks_exact(6)
        .map(|sample| sample.try_into().unwrap())
        .collect()
}

#[test]
fn a_range_has_the_frames_and_the_sound_of_the_whole() {
    for (project, (first, last)) in [
        ("video-trim-rate-loop-hold", (25, 52)),
        ("audio-mix", (31, 50)),
        ("nested-scenes", (40, 60)),
    ] {
        let bench = Bench::new();
        let whole =
            bench.render_to("whole.mov", &fixture(project), &["--no-alpha", "--frame-hashes"]);
        let range = format!("{first}..{last}");
        let args = ["--no-alpha", "--frame-hashes", "--frames", &range, "--chunk-size", "10"];
        let part = bench.render_to("part.mov", &fixture(project), &args);
        assert_eq!(part["frames"], last - first);
        assert_eq!(hashes(&part), hashes(&whole)[first..last], "{project}");
        let packets = probe(&bench.path("part.mov"))["packets"].as_array().unwrap().len();
        assert_eq!(packets, last - first, "{project}");
        let (all, some) = (samples(&bench.path("whole.mov")), samples(&bench.path("part.mov")));
        // 1600 samples a frame.
        let expected = if all.is_empty() { &[][..] } else { &all[first * 1600..last * 1600] };
        assert!(some == expected, "{project}: {} samples", some.len());
        assert_eq!(project == "audio-mix", !all.is_empty());
    }
}

/// The bytes of a file, or of all files in a directory.
fn content(path: &Path) -> Vec<u8> {
    if path.is_file() {
        return fs::read(path).unwrap();
    }
    let mut files: Vec<_> = fs::read_dir(path).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    files.iter().flat_map(|file| fs::read(file).unwrap()).collect()
}

#[test]
fn poster_and_preview_cost_no_more_than_one_frame() {
    for (output, args) in [
        ("out.mp4", &[][..]),
        ("out.webm", &[]),
        ("out.gif", &[]),
        ("frames", &["--format", "png-sequence"]),
    ] {
        let bench = Bench::new();
        let project = fixture("held-slides");
        let plain = bench.render_to(output, &project, &[args, &["--chunk-size", "50"]].concat());
        let before = content(&bench.path(output));
        // A frame that is proven to be the one before it, and so not drawn.
        let extras = ["--chunk-size", "50", "--poster", "2.5s", "--preview", "240p"];
        let made = bench.render_to(output, &project, &[args, &extras[..]].concat());
        // The screenshot of the poster is the only frame that may be drawn besides.
        let reused = |summary: &Value| summary["reusedFrames"].as_u64().unwrap();
        assert!(reused(&plain) - reused(&made) <= 1, "{output}");
        assert!(reused(&made) > 60, "{output}");
        assert!(content(&bench.path(output)) == before, "{output}");
        let stem = output.split('.').next().unwrap();
        let (poster, preview) =
            (bench.path(&format!("{stem}.poster.png")), bench.path(&format!("{stem}.preview.mp4")));
        assert_eq!(made["poster"], poster.to_str().unwrap());
        assert_eq!(made["preview"], preview.to_str().unwrap());
        let is_opaque = ["out.mp4", "out.gif"].contains(&output);
        let transparent: &[&str] = if is_opaque { &[] } else { &["--alpha"] };
        let run =
            still(&bench, "held-slides", "still.png", &[&["--at", "75f"], transparent].concat());
        assert_eq!(run.status, Some(0), "{}", run.stderr);
        assert!(
            fs::read(&poster).unwrap() == fs::read(bench.path("still.png")).unwrap(),
            "{output}"
        );
        let found = probe(&preview);
        let stream = &found["streams"][0];
        assert_eq!((&stream["width"], &stream["height"]), (&426.into(), &240.into()), "{output}");
        assert_eq!(stream["nb_frames"], "120", "{output}");
        assert_eq!(stream["r_frame_rate"], "30/1", "{output}");
        let [red, green, blue, _] = Layers::decode(&preview, 426, 240).pixel(119, 5, 5);
        assert!(
            distance([red, green, blue], [109, 89, 122]) <= 6,
            "{output}: {red} {green} {blue}"
        );
        bench.assert_no_scratch();
    }
}

#[test]
fn what_can_be_seen_through_stands_on_black_in_a_preview() {
    for (output, args) in
        [("out.webm", &[][..]), ("out.mov", &[]), ("frames", &["--format", "png-sequence"])]
    {
        let bench = Bench::new();
        let extras = ["--preview", "180p", "--frames", "0..2"];
        bench.render_to(output, &fixture("alpha-shapes"), &[args, &extras[..]].concat());
        let stem = output.split('.').next().unwrap();
        let small = Layers::decode(&bench.path(&format!("{stem}.preview.mp4")), 320, 180);
        for (x, y, expected) in [
            (20, 20, [64, 0, 0]),
            (60, 20, [0, 128, 0]),
            (140, 20, [128, 128, 128]),
            (220, 20, [200, 120, 40]),
            (300, 20, [0, 0, 0]),
        ] {
            let [red, green, blue, _] = small.pixel(1, x, y);
            let near = distance([red, green, blue], expected) <= 4;
            assert!(near, "{output} at ({x}, {y}): {red} {green} {blue}, not {expected:?}");
        }
    }
}
