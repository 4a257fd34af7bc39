//! Frame rates are ratios, and they arrive as such.

use crate::formats::duration;
use crate::harness::{Bench, probe};

/// A page of twelve frames and a half at any rate, half a frame more than a whole number of chunks.
const PAGE: &str = r#"<!doctype html><body style="margin:0"><div data-composition-id="rates" data-width="64" data-height="36"
  data-duration="DURATION" data-no-timeline style="width:64px;height:36px;background:#3366cc"></div></body>"#;

const RATES: [(&str, u32, u32); 10] = [
    ("23.976", 24_000, 1001),
    ("24", 24, 1),
    ("25", 25, 1),
    ("30000/1001", 30_000, 1001),
    ("30", 30, 1),
    ("48", 48, 1),
    ("50", 50, 1),
    ("59.94", 60_000, 1001),
    ("60", 60, 1),
    ("120", 120, 1),
];

fn check(bench: &Bench, output: &str, (written, num, den): (&str, u32, u32)) {
    let project = bench.path(&format!("project-{num}-{den}"));
    std::fs::create_dir_all(&project).unwrap();
    let seconds = 12.5 * f64::from(den) / f64::from(num);
    let page = PAGE.replace("DURATION", &seconds.to_string());
    std::fs::write(project.join("index.html"), page).unwrap();
    let summary = bench.render_to(output, &project, &["--fps", written, "--chunk-size", "7"]);
    assert_eq!(summary["frames"], 13, "{output} at {written}");
    let found = probe(&bench.path(output));
    let stream = &found["streams"][0];
    assert_eq!(found["packets"].as_array().unwrap().len(), 13, "{output} at {written}");
    let exact = 13.0 * f64::from(den) / f64::from(num);
    let lasts = duration(&bench.path(output));
    let (rate, off) = (format!("{num}/{den}"), (lasts - exact).abs());
    match output.rsplit('.').next().unwrap() {
        // Frames of a GIF last hundredths of a second, so that only the sum comes near.
        "gif" => {
            assert!(off <= 0.0051, "{written}: {lasts} s, not {exact} s");
            let starts = found["packets"].as_array().unwrap().iter().zip(0_u32..);
            for (packet, index) in starts {
                let start = f64::from(u32::try_from(packet["pts"].as_i64().unwrap()).unwrap());
                let exact = 100.0 * f64::from(index) * f64::from(den) / f64::from(num);
                assert!((start - exact).abs() <= 0.51, "{written}, frame {index}: {start}");
            }
        }
        ending => {
            // FFmpeg makes small numbers of the nanoseconds that Matroska says.
            let read = if (ending, num) == ("webm", 60_000) { "19001/317" } else { &rate };
            assert_eq!(stream["r_frame_rate"], read, "{output} at {written}");
            assert_eq!(stream["avg_frame_rate"], read, "{output} at {written}");
            if ending == "webm" {
                let (num, den) = (u64::from(num), u64::from(den));
                let nanoseconds = 1_000_000_000 * den / num;
                let found = default_duration(&bench.path(output));
                assert!(found.abs_diff(nanoseconds) <= 2, "{written}: {found}");
                // Matroska counts milliseconds.
                assert!(off <= 0.001, "{written}: {lasts} s, not {exact} s");
            } else {
                assert_eq!(stream["nb_frames"], "13", "{output} at {written}");
                assert!(off <= 1e-6, "{written}: {lasts} s, not {exact} s");
                let starts = found["packets"].as_array().unwrap().iter();
                let starts: Vec<_> = starts.map(|packet| packet["pts"].as_i64().unwrap()).collect();
                let step = starts[1];
                assert!(starts.iter().zip(0..).all(|(start, i)| *start == i * step), "{starts:?}");
            }
        }
    }
}

/// How long a frame lasts in nanoseconds, as the track says it: the element `DefaultDuration`.
fn default_duration(file: &std::path::Path) -> u64 {
    let bytes = std::fs::read(file).unwrap();
    let at = bytes.windows(3).position(|three| three == [0x23, 0xe3, 0x83]).unwrap();
    let length = usize::from(bytes[at + 3] & 0x7f);
    bytes[at + 4..][..length].iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

#[test]
fn every_rate_is_exact_in_mp4() {
    let bench = Bench::new();
    for rate in RATES {
        check(&bench, "out.mp4", rate);
    }
}

#[test]
fn rates_that_few_people_use_are_exact_in_mp4_and_mov() {
    let bench = Bench::new();
    for rate in [
        ("1", 1, 1),
        ("10", 10, 1),
        ("12", 12, 1),
        ("12.5", 25, 2),
        ("14.985", 15_000, 1001),
        ("100/3", 100, 3),
        ("240", 240, 1),
    ] {
        check(&bench, "out.mp4", rate);
        check(&bench, "out.mov", rate);
    }
}

#[test]
fn broadcast_rates_are_exact_in_mov_and_webm() {
    let bench = Bench::new();
    for rate in RATES.into_iter().filter(|(_, _, den)| *den == 1001) {
        check(&bench, "out.mov", rate);
        check(&bench, "out.webm", rate);
    }
}

#[test]
fn frames_of_a_gif_last_as_long_as_hundredths_of_a_second_allow() {
    let bench = Bench::new();
    for rate in [("10", 10, 1), ("15", 15, 1), ("29.97", 30_000, 1001), ("50", 50, 1)] {
        check(&bench, "out.gif", rate);
    }
}
