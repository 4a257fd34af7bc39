//! Sounds come out where, as loud and as long as their author meant, from the plan's mix to the decoded video.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{Bench, fixture, root, tool};

/// Left and right, 48000 times a second.
pub(crate) type Samples = Vec<[f64; 2]>;

/// What is heard of a file, with its edit list applied.
pub(crate) fn decode_audio(file: &Path) -> Samples {
    let mut command = Command::new(tool("ffmpeg/ffmpeg"));
    command.args(["-v", "error", "-i"]).arg(file);
    command.args(["-map", "0:a:0", "-ar", "48000", "-ac", "2", "-f", "f32le", "-"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let value = |bytes: &[u8]| f64::from(f32::from_le_bytes(bytes.try_into().unwrap()));
    let pairs = output.stdout.as_chunks::<8>().0.iter();
    pairs.map(|pair| [value(&pair[..4]), value(&pair[4..])]).collect()
}

/// A file that `scripts/media.mjs` makes.
pub(crate) fn media(name: &str) -> PathBuf {
    let file = root().join("fixtures/media").join(name);
    assert!(file.exists(), "{} is missing: run scripts/setup.sh", file.display());
    file
}

fn decibels(factor: f64) -> f64 {
    20.0 * factor.log10()
}

/// How many samples later than `reference` its like in `found` is, and how many decibels louder.
fn compare(found: &[[f64; 2]], reference: &[[f64; 2]]) -> (i32, f64) {
    // A piece of the middle, so that it fits wherever within a hundred samples it is.
    let middle = 9600..48_000;
    let power: f64 = reference[middle.clone()].iter().map(|[left, _]| left * left).sum();
    let likeness = |late: i32| {
        let pieces = reference[middle.clone()].iter().zip(middle.clone()).map(|([left, _], i)| {
            left * found[i.checked_add_signed(isize::try_from(late).unwrap()).unwrap()][0]
        });
        pieces.sum::<f64>() / power
    };
    let best = (-100..=100).max_by(|a, b| likeness(*a).total_cmp(&likeness(*b))).unwrap();
    (best, decibels(likeness(best)))
}

/// The amplitude of a tone between two moments.
fn level(samples: &[[f64; 2]], hertz: f64, from: f64, to: f64) -> f64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few seconds")]
    let at = |seconds: f64| (seconds * 48_000.0).round() as usize;
    let piece = &samples[at(from)..at(to)];
    let (mut sine, mut cosine) = (0.0, 0.0);
    for (i, [left, _]) in (0_u32..).zip(piece) {
        let angle = std::f64::consts::TAU * hertz * f64::from(i) / 48_000.0;
        sine += left * angle.sin();
        cosine += left * angle.cos();
    }
    2.0 * sine.hypot(cosine) / f64::from(u32::try_from(piece.len()).unwrap())
}

/// What ffprobe says of every stream.
pub(crate) fn streams(file: &Path) -> Vec<Value> {
    let mut command = Command::new(tool("ffprobe/ffprobe"));
    command.args(["-v", "error", "-of", "json", "-show_streams"]).arg(file);
    let found: Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
    found["streams"].as_array().unwrap().clone()
}

/// Asserts that the sound is one AAC stream that begins with the picture and ends with it, and that both last `samples`.
pub(crate) fn assert_lasts(file: &Path, samples: u64) {
    let streams = streams(file);
    let kinds: Vec<_> =
        streams.iter().map(|stream| stream["codec_type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["video", "audio"]);
    let (video, audio) = (&streams[0], &streams[1]);
    assert_eq!((&audio["codec_name"], &audio["profile"]), (&json!("aac"), &json!("LC")));
    assert_eq!((&audio["sample_rate"], &audio["channels"]), (&json!("48000"), &json!(2)));
    assert_eq!((&video["start_pts"], &audio["start_pts"]), (&json!(0), &json!(0)));
    assert_eq!(audio["duration_ts"], samples);
    let seconds = |stream: &Value| stream["duration"].as_str().unwrap().parse::<f64>().unwrap();
    let apart = (seconds(video) - seconds(audio)).abs();
    assert!(apart < 0.6 / 48_000.0, "sound and picture end {apart} s apart");
}

/// Makes a project that plays `sounds`, elements of a composition of `seconds`, and which may name any of the media.
pub(crate) fn project(bench: &Bench, seconds: f64, sounds: &str) -> PathBuf {
    let dir = bench.path("project");
    fs::create_dir_all(&dir).unwrap();
    for file in fs::read_dir(media("")).unwrap().map(|entry| entry.unwrap().path()) {
        if file.is_file() {
            fs::copy(&file, dir.join(file.file_name().unwrap())).unwrap();
        }
    }
    let html = format!(
        "<!doctype html><html><body style=\"margin:0;background:#14213d\">\
         <div data-composition-id=a data-start=0 data-duration={seconds} data-width=64 data-height=36>{sounds}</div></body></html>"
    );
    fs::write(dir.join("index.html"), html).unwrap();
    dir
}

pub(crate) fn uri(path: &Path) -> String {
    format!("file://{}", path.display())
}

pub(crate) fn invoke(bench: &Bench, event: &Value) -> Value {
    let run = bench.invoke(event);
    assert_eq!(run.status, Some(0), "{event}: {}", run.stderr);
    serde_json::from_str(&run.stdout).unwrap()
}

/// Plans `project` below `out` of the bench.
pub(crate) fn plan(bench: &Bench, project: &Path, config: &Value) -> Value {
    let (project, prefix) = (uri(project), uri(&bench.path("out")));
    let event = json!({"Action": "plan", "ProjectS3Uri": project, "PlanOutputS3Prefix": prefix, "Config": config});
    invoke(bench, &event)
}

const FORMATS: [&str; 8] = [
    "sweep.wav",
    "sweep.flac",
    "sweep.mp3",
    "sweep-44100.mp3",
    "sweep.m4a",
    "sweep.opus",
    "sweep.webm",
    "sweep.mp4",
];

#[test]
fn sounds_of_every_format_start_where_they_should() {
    let bench = Bench::new();
    // Each 1.25 s after a whole number of times 2.5 s.
    let start = |i: usize| 60_000 + i * 120_000;
    let seconds = |i: usize| f64::from(u32::try_from(start(i)).unwrap()) / 48_000.0;
    let element = |i: usize| {
        let tag = if FORMATS[i].ends_with("mp4") { "video" } else { "audio" };
        format!("<{tag} src={} data-start={} data-duration=2></{tag}>", FORMATS[i], seconds(i))
    };
    let elements: String = (0..FORMATS.len()).map(element).collect();
    let project = project(&bench, 22.0, &elements);
    let answer = plan(&bench, &project, &json!({"fps": 30}));
    assert_eq!(answer["HasAudio"], true);
    let mix = bench.path("out/audio.flac");
    assert_eq!(answer["AudioS3Uri"], uri(&mix));
    bench.render(&project, &[]);
    let video = bench.path("out.mp4");
    assert_lasts(&video, 22 * 48_000);
    for (file, tolerance) in [(mix, 0), (video, 1)] {
        let heard = decode_audio(&file);
        for (i, name) in FORMATS.iter().enumerate() {
            let (late, louder) = compare(&heard[start(i)..], &decode_audio(&media("sweep.wav")));
            assert!(late.abs() <= tolerance, "{name} in {}: {late} samples late", file.display());
            // MP3 encoders make a sound a little softer; what is asked for is the sound of the file.
            let (_, encoded) =
                compare(&decode_audio(&media(name)), &decode_audio(&media("sweep.wav")));
            assert!((louder - encoded).abs() < 0.1, "{name}: {louder} dB, not {encoded} dB");
            let silence = &heard[start(i) - 12_000..start(i) - 2400];
            let loudest = silence.iter().map(|[left, _]| left.abs()).fold(0.0, f64::max);
            assert!(loudest < 0.001, "{name} in {}: {loudest} before it starts", file.display());
        }
    }
}

#[test]
fn every_sound_of_a_mix_is_as_loud_as_it_should_be() {
    let bench = Bench::new();
    bench.render(&fixture("audio-mix"), &[]);
    let file = bench.path("out.mp4");
    assert_lasts(&file, 240_000);
    let heard = decode_audio(&file);
    let of_mp3 = level(&decode_audio(&media("tone-1500.mp3")), 1500.0, 0.6, 1.6);
    let of_m4a = level(&decode_audio(&media("tone-2000.m4a")), 2000.0, 0.1, 0.4);
    let of_opus = level(&decode_audio(&media("tone-3000.opus")), 3000.0, 0.6, 1.6);
    for (hertz, from, to, wanted) in [
        (500.0, 0.1, 4.9, 0.2),
        (1000.0, 1.3, 3.2, 0.1),
        (1500.0, 0.6, 1.9, 1.5 * of_mp3),
        (2000.0, 2.1, 2.4, of_m4a),
        (2000.0, 3.6, 3.9, of_m4a),
        (2000.0, 4.1, 4.4, of_m4a),
    ] {
        let louder = decibels(level(&heard, hertz, from, to) / wanted);
        assert!(louder.abs() < 0.1, "{hertz} Hz from {from} s to {to} s: {louder} dB");
    }
    // The seams of another speed shift the phase of a tone, so only a short piece of it is one tone.
    let louder = decibels(level(&heard, 3000.0, 1.70, 1.72) / of_opus);
    assert!(louder.abs() < 1.0, "3000 Hz: {louder} dB");
    for (hertz, from, to) in [
        (1000.0, 0.2, 1.2),
        (1000.0, 3.3, 4.9),
        (1500.0, 0.1, 0.45),
        (1500.0, 2.1, 3.4),
        (2000.0, 1.0, 1.9),
        (2000.0, 4.55, 4.9),
        (3000.0, 0.2, 0.9),
        (3000.0, 2.6, 4.9),
        (4000.0, 0.1, 4.9),
    ] {
        let found = level(&heard, hertz, from, to);
        assert!(found < 0.0005, "{hertz} Hz from {from} s to {to} s: {found}");
    }
}

/// The digest of the encoded sound.
fn digest(file: &Path) -> String {
    let mut command = Command::new(tool("ffmpeg/ffmpeg"));
    command.args(["-v", "error", "-i"]).arg(file);
    command.args(["-map", "0:a", "-c", "copy", "-f", "framemd5", "-"]);
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

#[test]
fn the_sound_is_the_same_however_the_video_is_cut() {
    let bench = Bench::new();
    let mut digests = Vec::new();
    for size in ["7", "60", "3600"] {
        bench.render(&fixture("audio-mix"), &["--chunk-size", size]);
        assert_lasts(&bench.path("out.mp4"), 240_000);
        digests.push(digest(&bench.path("out.mp4")));
    }
    assert!(digests.iter().all(|digest| *digest == digests[0] && digest.lines().count() > 200));
}

#[test]
fn the_sound_lasts_as_long_as_the_frames_at_broadcast_rates() {
    let bench = Bench::new();
    let project = project(&bench, 1.0, "<audio src=sweep.wav data-start=0.25></audio>");
    for (fps, samples) in
        [("29.97", 48_048), ("23.976", 48_048), ("59.94", 48_048), ("120", 48_000)]
    {
        bench.render(&project, &["--fps", fps, "--chunk-size", "17"]);
        let video = bench.path("out.mp4");
        assert_lasts(&video, samples);
        // A quarter of a second of the sweep would fit anywhere; all of it fits only where it belongs.
        let reference = decode_audio(&media("sweep.wav"));
        let heard = decode_audio(&video);
        let likeness = |late: usize| -> f64 {
            heard[12_000 + late - 5..48_000].iter().zip(&reference).map(|(a, b)| a[0] * b[0]).sum()
        };
        let best = (0..=10).max_by(|a, b| likeness(*a).total_cmp(&likeness(*b))).unwrap();
        assert_eq!(best, 5, "{fps}: the sound is {best} − 5 samples late");
    }
}

#[test]
fn what_is_too_loud_is_said_in_the_answer() {
    let bench = Bench::new();
    let element = "<audio src=sweep.wav data-start=0.5 data-volume=3.9></audio>";
    let answer = plan(&bench, &project(&bench, 1.0, element), &json!({"fps": 30}));
    let warning = answer["Warnings"][0].as_str().unwrap();
    assert!(warning.starts_with("the sound is up to 3.9 dB too loud, at 0."), "{warning}");
}

/// What timelines do to volumes is heard: in the page's own timeline and in that of a scene that starts later.
#[test]
fn a_volume_that_a_timeline_moves_is_heard_as_it_moves() {
    let bench = Bench::new();
    bench.render(&fixture("audio-keyframes"), &[]);
    let out = bench.path("out.mp4");
    assert_lasts(&out, 4 * 48_000);
    let found = decode_audio(&out);
    // Tones of amplitude 0.2. In the middle of a piece, a straight line is as loud as it is on average.
    for (hertz, from, to, factor) in [
        (500.0, 0.1, 0.9, 0.5),
        (500.0, 1.2, 1.3, 0.375),
        (500.0, 1.45, 1.55, 0.25),
        (500.0, 1.7, 1.8, 0.125),
        (1000.0, 0.2, 1.2, 2.0),
        (1000.0, 2.2, 3.8, 2.0),
        (4000.0, 2.2, 2.3, 0.25),
        (4000.0, 2.7, 2.8, 0.75),
        (4000.0, 3.1, 3.9, 1.0),
    ] {
        let apart = decibels(level(&found, hertz, from, to) / (0.2 * factor));
        assert!(apart.abs() < 0.1, "{hertz} Hz from {from} s: {apart} dB beside {factor}");
    }
    for (hertz, from, to) in [(500.0, 2.1, 3.9), (4000.0, 0.1, 1.9)] {
        let found = level(&found, hertz, from, to);
        assert!(found < 0.0005, "{hertz} Hz from {from} s: {found}");
    }
}

/// Fades are straight lines at the ends of a sound's own slot, and a group is one more factor.
#[test]
fn a_sound_fades_at_its_ends_and_is_as_loud_as_its_group() {
    let bench = Bench::new();
    let sounds = "<hf-audio-group id=half data-volume=0.5></hf-audio-group><hf-audio-group id=off data-hidden></hf-audio-group>\
        <audio src=tone-500.wav data-start=0 data-duration=3 data-fade-in=2 data-fade-out=0.5></audio>\
        <audio src=tone-4000.wav data-start=1 data-duration=1 data-fade-in=3 data-fade-out=1></audio>\
        <audio src=tone-1000.wav data-start=0 data-duration=3 data-volume=0.5 data-audio-group=half></audio>\
        <audio src=tone-1500.mp3 data-start=0 data-duration=3 data-audio-group=off></audio>";
    bench.render(&project(&bench, 3.0, sounds), &[]);
    let found = decode_audio(&bench.path("out.mp4"));
    let whole = level(&found, 500.0, 2.1, 2.4);
    for (hertz, from, to, factor) in [
        (500.0, 0.95, 1.05, 0.5),
        (500.0, 1.45, 1.55, 0.75),
        (500.0, 2.7, 2.8, 0.5),
        // Fades that are longer than the sound share its second, three to one.
        (4000.0, 1.7, 1.8, 0.9),
        (4000.0, 1.325, 1.425, 0.5),
        (1000.0, 0.5, 2.5, 0.25),
    ] {
        let apart = decibels(level(&found, hertz, from, to) / (whole * factor));
        assert!(apart.abs() < 0.6, "{hertz} Hz from {from} s: {apart} dB beside {factor}");
    }
    assert!(level(&found, 1500.0, 0.1, 2.9) < 0.001, "a group that is hidden is silent");
}

#[test]
fn effects_of_a_group_or_of_the_root_are_refused_where_they_stand() {
    let bench = Bench::new();
    let audio = "<audio src=tone-500.wav data-start=0 data-duration=1 data-audio-group=g></audio>";
    for (sounds, says) in [
        (format!("<hf-audio-group id=g data-fx-chain='{{}}'></hf-audio-group>{audio}"), "<hf-audio-group id=\"g\">: data-fx-chain is not supported"),
        (audio.replace("data-start", "data-automation='{}' data-start"), "data-automation is not supported"),
        ("<video src=page.mp4 muted data-start=0 data-automation='{\"lanes\":[{\"target\":\"rate\"}]}'></video>".to_owned(), "its lane \"rate\" shows other pictures"),
    ] {
        let run = bench.try_render(&project(&bench, 1.0, &sounds), &[]);
        assert_eq!((run.status, run.code()), (Some(1), "COMPOSITION_INVALID"), "{}", run.stderr);
        assert!(run.stderr.contains(says), "{}", run.stderr);
    }
}
