//! Every format, joined from chunks of any size: as many frames, as exactly spaced, and the same pictures.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::harness::{Bench, Layers, WRONG, fixture, probe, run, tool};

const FRAMES: usize = 60;
const SIZE: (usize, usize) = (640, 360);

/// How near the same frames are to each other when they were cut in another way.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Similarity {
    /// Bit by bit: nothing depends on another frame.
    Exactly,
    /// No viewer sees the difference.
    Nearly,
}

struct Case {
    output: &'static str,
    codec: &'static str,
    args: &'static [&'static str],
    similarity: Similarity,
}

fn chunk_sizes(case: &Case) -> Vec<(usize, PathBuf, Bench)> {
    let render = |size: usize| {
        let bench = Bench::new();
        let text = size.to_string();
        let args = [case.args, &["--chunk-size", &text]].concat();
        let summary = bench.render_to(case.output, &fixture("alpha-shapes"), &args);
        assert_eq!(summary["frames"], FRAMES);
        assert_eq!(summary["chunks"].as_array().unwrap().len(), FRAMES.div_ceil(size));
        bench.assert_no_scratch();
        (size, bench.path(case.output), bench)
    };
    [7, 30, FRAMES].map(render).into()
}

fn is_exact(file: &Path, case: &Case) {
    let name = file.display();
    let found = probe(file);
    let stream = &found["streams"][0];
    assert_eq!(stream["codec_name"], case.codec, "{name}");
    let packets = found["packets"].as_array().unwrap();
    assert_eq!(packets.len(), FRAMES, "{name}");
    if case.output.ends_with("gif") {
        return;
    }
    for rate in ["r_frame_rate", "avg_frame_rate"] {
        assert_eq!(stream[rate], "30/1", "{name}: {rate}");
    }
    // A ProRes stream does not say its range, which is always this one.
    let range = if case.codec == "prores" { &Value::Null } else { &"tv".into() };
    assert_eq!(&stream["color_range"], range, "{name}");
    for tag in ["color_space", "color_transfer", "color_primaries"] {
        assert_eq!(stream[tag], "bt709", "{name}: {tag}");
    }
    let (pixels, tag) = match (case.codec, case.args.contains(&"--no-alpha")) {
        ("h264", _) => ("yuv420p", "avc1"),
        ("hevc", _) => ("yuv420p", "hvc1"),
        ("prores", false) => ("yuva444p12le", "ap4h"),
        ("prores", true) => ("yuv444p12le", "ap4h"),
        // Alpha is beside the stream.
        _ => ("yuv420p", "[0][0][0][0]"),
    };
    assert_eq!(stream["pix_fmt"], pixels, "{name}");
    assert_eq!(stream["codec_tag_string"], tag, "{name}");
    if case.codec == "vp9" {
        let alpha = &stream["tags"]["ALPHA_MODE"];
        assert_eq!(alpha == "1", !case.args.contains(&"--no-alpha"), "{name}: {alpha}");
    }
    let duration = duration(file);
    assert!((duration - 2.0).abs() < 0.0006, "{name}: {duration} s");
}

pub(crate) fn duration(file: &Path) -> f64 {
    let mut command = Command::new(tool("ffprobe/ffprobe"));
    command.args(["-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0"]).arg(file);
    run(&mut command).stdout.trim().parse().unwrap()
}

/// Whether a player can start at a packet.
fn keys(file: &Path) -> Vec<usize> {
    let found = probe(file);
    let packets = found["packets"].as_array().unwrap();
    let is_key = |packet: &Value| packet["flags"].as_str().unwrap().starts_with('K');
    packets.iter().enumerate().filter(|(_, packet)| is_key(packet)).map(|(i, _)| i).collect()
}

fn check(case: &Case) {
    let made = chunk_sizes(case);
    let (width, height) = SIZE;
    let decoded: Vec<_> =
        made.iter().map(|(_, file, _)| Layers::decode(file, width, height)).collect();
    let whole = decoded.last().unwrap();
    for ((size, file, _), layers) in made.iter().zip(&decoded) {
        if file.is_dir() {
            let files = std::fs::read_dir(file).unwrap().count();
            assert_eq!(files, FRAMES, "{}", file.display());
        } else {
            is_exact(file, case);
        }
        assert_eq!(layers.count(), FRAMES, "{} in chunks of {size}", case.output);
        if case.similarity == Similarity::Nearly {
            let seams: Vec<_> = (0..FRAMES).step_by(*size).collect();
            assert_eq!(keys(file), seams, "{} in chunks of {size}", case.output);
        }
        for index in 0..FRAMES {
            match case.similarity {
                Similarity::Exactly => {
                    assert!(layers.frame(index) == whole.frame(index), "{} {index}", case.output);
                }
                Similarity::Nearly => {
                    let psnr = layers.psnr(whole, index);
                    assert!(psnr >= 45.0, "{} in {size}: frame {index} has {psnr} dB", case.output);
                }
            }
        }
    }
}

macro_rules! formats {
    ($($test:ident: $output:literal $codec:literal $args:expr, $similarity:ident;)*) => {
        $(#[test] fn $test() {
            check(&Case { output: $output, codec: $codec, args: &$args, similarity: Similarity::$similarity });
        })*
    };
}

formats! {
    h264_is_the_same_however_it_is_cut: "out.mp4" "h264" [], Nearly;
    h265_is_the_same_however_it_is_cut: "out.mp4" "hevc" ["--codec", "h265"], Nearly;
    vp9_with_alpha_is_the_same_however_it_is_cut: "out.webm" "vp9" [], Nearly;
    vp9_without_alpha_is_the_same_however_it_is_cut: "out.webm" "vp9" ["--no-alpha"], Nearly;
    prores_with_alpha_is_the_same_however_it_is_cut: "out.mov" "prores" [], Exactly;
    prores_without_alpha_is_the_same_however_it_is_cut: "out.mov" "prores" ["--no-alpha"], Exactly;
    pictures_are_the_same_however_they_are_cut: "frames" "png" ["--format", "png-sequence"], Exactly;
    a_gif_is_the_same_however_it_is_cut: "out.gif" "gif" ["--quality", "draft"], Exactly;
}

#[test]
fn a_constant_frame_rate_is_one_stream_of_the_same_frames() {
    for codec in ["h264", "h265"] {
        let bench = Bench::new();
        let args = ["--codec", codec, "--chunk-size", "7"];
        bench.render_to("joined.mp4", &fixture("alpha-shapes"), &args);
        bench.render_to("whole.mp4", &fixture("alpha-shapes"), &[&args[..], &["--cfr"]].concat());
        let (joined, whole) = (bench.path("joined.mp4"), bench.path("whole.mp4"));
        assert_eq!(keys(&joined).len(), 9, "{codec}: one for each chunk");
        assert_eq!(keys(&whole), [0], "{codec}");
        let [joined, whole] = [joined, whole].map(|file| {
            is_exact(
                &file,
                &Case {
                    output: "out.mp4",
                    codec: if codec == "h264" { "h264" } else { "hevc" },
                    args: &[],
                    similarity: Similarity::Nearly,
                },
            );
            Layers::decode(&file, SIZE.0, SIZE.1)
        });
        for index in 0..FRAMES {
            let psnr = whole.psnr(&joined, index);
            assert!(psnr >= 40.0, "{codec}: frame {index} has {psnr} dB");
        }
    }
}

#[test]
fn quality_rate_factor_and_bit_rate_are_what_they_say() {
    let bench = Bench::new();
    let project = fixture("random-stagger");
    let some = ["--frames", "20..40"];
    let pictures = [&some[..], &["--format", "png-sequence", "--no-alpha"]].concat();
    bench.render_to("frames", &project, &pictures);
    let drawn = Layers::decode(&bench.path("frames"), SIZE.0, SIZE.1);
    for (output, codec) in [("out.mp4", "h264"), ("out.mp4", "h265"), ("out.webm", "vp9")] {
        let made = |args: &[&str]| {
            let args = [args, &some, &["--codec", codec]].concat();
            let args =
                if output == "out.webm" { [&args[..], &["--no-alpha"]].concat() } else { args };
            let bytes = bench.render_to(output, &project, &args)["bytes"].as_u64().unwrap();
            let layers = Layers::decode(&bench.path(output), SIZE.0, SIZE.1);
            (bytes, (0..20).map(|frame| layers.psnr(&drawn, frame)).sum::<f64>() / 20.0)
        };
        let (_, poor) = made(&["--quality", "draft"]);
        let (middle, good) = made(&[]);
        let (_, best) = made(&["--quality", "high"]);
        assert!(poor < good && good < best, "{codec}: {poor} {good} {best} dB");
        let (few, _) = made(&["--crf", "45"]);
        let (many, exact) = made(&["--crf", "4"]);
        assert!(few < middle && middle < many && exact > good, "{codec}: {few} {middle} {many}");
        // Two thirds of a second; an encoder needs some frames to find its rate.
        let (thin, _) = made(&["--bitrate", "60k"]);
        let (thick, _) = made(&["--bitrate", "600k"]);
        assert!(thin < 40_000 && thick > thin && thick < 150_000, "{codec}: {thin} {thick}");
    }
}

#[test]
fn a_player_finds_what_it_needs_at_the_beginning() {
    let bench = Bench::new();
    let frames = ["--frames", "0..20", "--chunk-size", "10"];
    for (output, index, media) in [
        ("out.mp4", &b"moov"[..], &b"mdat"[..]),
        ("out.mov", b"moov", b"mdat"),
        // Cues and clusters.
        ("out.webm", &[0x1c, 0x53, 0xbb, 0x6b], &[0x1f, 0x43, 0xb6, 0x75]),
    ] {
        bench.render_to(output, &fixture("alpha-shapes"), &frames);
        let bytes = std::fs::read(bench.path(output)).unwrap();
        // The table of contents that stands at the very beginning may name both: the last mention is the element.
        let head = &bytes[..bytes.len() / 2];
        let last = |part: &[u8]| head.windows(4).rposition(|four| four == part);
        let first_after = |part: &[u8], at: usize| {
            bytes[at..].windows(4).position(|four| four == part).map(|place| place + at)
        };
        let index = last(index).unwrap_or_else(|| panic!("{output} has its index at the end"));
        assert!(first_after(media, index).is_some(), "{output}");
    }
}

#[test]
fn sound_is_in_every_format_that_has_a_place_for_it() {
    let bench = Bench::new();
    let sound = |file: &Path| {
        let mut command = Command::new(tool("ffprobe/ffprobe"));
        command.args(["-v", "error", "-select_streams", "a", "-of", "csv=p=0", "-show_entries"]);
        run(command.arg("stream=codec_name,sample_rate,channels").arg(file)).stdout
    };
    let samples = |file: &Path| {
        let mut command = Command::new(tool("ffmpeg/ffmpeg"));
        command.args(["-v", "error", "-i"]).arg(file);
        let output =
            command.args(["-f", "s24le", "-ac", "2", "-ar", "48000", "-"]).output().unwrap();
        output.stdout
    };
    let project = fixture("audio-mix");
    let args = ["--chunk-size", "40"];
    let seconds = bench.render_to("out.mov", &project, &args)["duration"].as_f64().unwrap();
    bench.render_to("out.webm", &project, &args);
    bench.render_to("frames", &project, &["--format", "png-sequence"]);
    assert_eq!(sound(&bench.path("out.mov")).trim(), "pcm_s24le,48000,2");
    assert_eq!(sound(&bench.path("out.webm")).trim(), "opus,48000,2");
    let wave = bench.path("frames/audio.wav");
    assert_eq!(sound(&wave).trim(), "pcm_s24le,48000,2");
    let cut = samples(&bench.path("out.mov"));
    assert!(cut == samples(&wave), "both are the mix itself");
    let frames = (seconds * 48_000.0).round();
    assert!((f64::from(u32::try_from(cut.len() / 6).unwrap()) - frames).abs() < 1.0);
    assert!(cut.iter().any(|byte| *byte != 0), "it is silent");
    let video = duration(&bench.path("out.webm"));
    assert!((video - seconds).abs() < 0.02, "{video} s, not {seconds} s");

    let quiet = bench.try_render_to("out.gif", &project, &["--frames", "0..10"]);
    assert_eq!(quiet.status, Some(0), "{}", quiet.stderr);
    assert!(quiet.stderr.contains("warning: a gif has no sound"), "{}", quiet.stderr);
    let mute = bench.try_render_to("mute.mov", &project, &["--mute", "--frames", "0..10"]);
    assert_eq!((mute.status, sound(&bench.path("mute.mov")).trim()), (Some(0), ""));
}

#[test]
fn what_does_not_go_together_is_refused_before_anything_is_planned() {
    let bench = Bench::new();
    for (output, args, code, says) in [
        ("x.webm", &["--codec", "h265"][..], "CONFIG_INVALID", "h265 goes into mp4"),
        ("x.mp4", &["--alpha"], "CONFIG_INVALID", "mov, webm and png-sequence do"),
        ("x.mov", &["--crf", "20"], "CONFIG_INVALID", "crf"),
        ("x.gif", &["--fps", "60"], "CONFIG_INVALID", "at most 50"),
        ("x.webm", &["--cfr"], "CONFIG_INVALID", "is for mp4"),
        ("x.mp4", &["--format", "webm"], "ARGUMENT_INVALID", "--format is webm"),
        ("x.mkv", &[], "ARGUMENT_INVALID", "mp4, mov, webm and gif can"),
        ("x.png", &[], "ARGUMENT_INVALID", "use still"),
        ("x.mp4", &["--hdr-mode", "force-hdr"], "FORMAT_NOT_SUPPORTED_IN_DISTRIBUTED", "SDR"),
    ] {
        let run = bench.try_render_to(output, &fixture("broken-syntax-error"), args);
        assert_eq!((run.status, run.code()), (WRONG, code), "{output} {args:?}: {}", run.stderr);
        assert!(run.stderr.contains(says), "{}", run.stderr);
        assert!(!run.stderr.contains("planning"), "{}", run.stderr);
    }
    // What only the composition can tell is refused when it is read.
    for (args, says) in [
        (&["--frames", "30..61"][..], "30..61 is not within frames 0 to 59"),
        (&["--poster", "2s"], "2s, frame 60, is not within frames 0 to 59"),
        (&["--poster", "1s", "--frames", "..30"], "is not within frames 0 to 29"),
        (&["--preview", "360p"], "not smaller than the video"),
    ] {
        let run = bench.try_render(&fixture("own-hf"), args);
        assert_eq!((run.status, run.code()), (WRONG, "CONFIG_INVALID"), "{}", run.stderr);
        assert!(run.stderr.contains(says), "{}", run.stderr);
    }
    let notes = bench.path("notes");
    std::fs::create_dir(&notes).unwrap();
    std::fs::write(notes.join("thesis.txt"), "x").unwrap();
    let run = bench.try_render_to("notes", &fixture("own-hf"), &["--format", "png-sequence"]);
    assert_eq!(run.code(), "ARGUMENT_INVALID", "{}", run.stderr);
    assert!(notes.join("thesis.txt").exists());
    bench.assert_no_scratch();
}
