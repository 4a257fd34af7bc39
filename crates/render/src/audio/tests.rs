//! The mix, made by the real FFmpeg and compared sample by sample with what it should be.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::mix;
use crate::error::{Error, Result};
use crate::frame::{Fps, FrameRange};
use crate::tools::Tools;
use compose::media::clip::{Clip, Repeat, Sound, Volume};

const FPS: Fps = Fps { num: 30, den: 1 };

fn tools() -> Tools {
    let dir = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.tools"));
    Tools::open(dir).unwrap_or_else(|error| panic!("{error}"))
}

struct Bench(TempDir);

impl Bench {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a WAV file.
    fn wav(&self, name: &str, rate: u32, channels: u16, samples: &[i16]) -> PathBuf {
        let data: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let size = u32::try_from(data.len()).unwrap();
        let mut bytes = b"RIFF".to_vec();
        bytes.extend((36 + size).to_le_bytes());
        bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0");
        bytes.extend(channels.to_le_bytes());
        bytes.extend(rate.to_le_bytes());
        bytes.extend((rate * u32::from(channels) * 2).to_le_bytes());
        bytes.extend((channels * 2).to_le_bytes());
        bytes.extend(b"\x10\0data");
        bytes.extend(size.to_le_bytes().into_iter().chain(data));
        fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    async fn mix(&self, sounds: &[Sound], frames: u32, fps: Fps) -> Result<Option<Vec<String>>> {
        let frames = FrameRange { start: 0, end: frames };
        mix(&tools(), sounds, frames, fps, self.0.path(), &self.path("audio.flac")).await
    }

    /// The 24-bit samples of a mix of `sounds`, left and right, and its warnings.
    async fn samples(&self, sounds: &[Sound], frames: u32) -> (Vec<[i32; 2]>, Vec<String>) {
        let warnings = self.mix(sounds, frames, FPS).await.unwrap().unwrap();
        (decode(&self.path("audio.flac")), warnings)
    }
}

fn decode(file: &Path) -> Vec<[i32; 2]> {
    let mut command = Command::new(tools().ffmpeg());
    let command = command.args(["-v", "error", "-i"]).arg(file);
    let output = command.args(["-f", "s32le", "-ac", "2", "-"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let value = |bytes: &[u8]| i32::from_le_bytes(bytes.try_into().unwrap()) >> 8;
    output.stdout.chunks_exact(8).map(|pair| [value(&pair[..4]), value(&pair[4..])]).collect()
}

/// Samples that do not repeat, so that one in the wrong place is noticed, and of which two can be added.
fn noise(samples: usize, seed: u64) -> Vec<[i16; 2]> {
    let mut state = seed;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i16::try_from(state >> 50).unwrap() - 0x2000
    };
    (0..samples).map(|_| [next(), next()]).collect()
}

fn sine(hertz: f64, rate: u32, samples: u32) -> Vec<i16> {
    let value =
        |i: u32| 16_384.0 * (std::f64::consts::TAU * hertz * f64::from(i) / f64::from(rate)).sin();
    #[expect(clippy::cast_possible_truncation, reason = "within half of the range of an i16")]
    (0..samples).map(|i| value(i).round() as i16).collect()
}

fn sound(file: &Path, start: f64, end: f64, media_start: f64) -> Sound {
    let clip = Clip {
        id: "s".into(),
        element: format!("<audio id=\"s\" src=\"{}\">", file.file_name().unwrap().display()),
        src: "s".into(),
        file: file.to_owned(),
        start,
        from: 0.0,
        end,
        media_start,
        rate: 1.0,
        repeat: Repeat::Once,
    };
    Sound { clip, volume: Volume::Constant(1.0), fade: Volume::Constant(1.0) }
}

fn looped(sound: Sound) -> Sound {
    Sound { clip: Clip { repeat: Repeat::Loop, ..sound.clip }, ..sound }
}

/// What a mix of clips of `source` is by definition.
fn expected(sounds: &[Sound], source: &[[i16; 2]], total: i32) -> Vec<[i32; 2]> {
    let length = i32::try_from(source.len()).unwrap();
    #[expect(clippy::cast_possible_truncation, reason = "a few seconds")]
    let at = |seconds: f64| (seconds * 48_000.0).round() as i32;
    let mut mix = vec![[0, 0]; usize::try_from(total).unwrap()];
    for Sound { clip, .. } in sounds {
        let from = at(clip.media_start);
        for n in at(clip.start).max(0)..at(clip.end).min(total) {
            let passed = n - at(clip.start);
            let index = match clip.repeat {
                Repeat::Once => from + passed,
                Repeat::Loop => from + passed % (length - from),
            };
            let value = source.get(usize::try_from(index).unwrap()).copied().unwrap_or_default();
            for side in 0..2 {
                mix[usize::try_from(n).unwrap()][side] += i32::from(value[side]) << 8;
            }
        }
    }
    mix
}

#[tokio::test]
async fn every_sample_is_where_its_clip_says() {
    let bench = Bench::new();
    let source = noise(24_000, 1);
    let file = bench.wav("noise.wav", 48_000, 2, source.as_flattened());
    let clip = |start, end, media_start| sound(&file, start, end, media_start);
    for sounds in [
        vec![clip(0.0, 9.0, 0.0)],
        vec![clip(1.25, 9.0, 0.0)],
        vec![clip(1.25, 1.35, 0.2)],
        vec![clip(-0.3, 9.0, 0.1)],
        vec![clip(1.9, 2.9, 0.0)],
        vec![clip(0.000_1, 0.4, 0.123_456)],
        vec![looped(clip(0.5, 9.0, 0.0))],
        vec![looped(clip(-1.7, 1.9, 0.4))],
        vec![looped(clip(0.2, 1.2, 0.45)), clip(0.1, 0.3, 0.3), clip(1.2, 1.5, 0.0)],
        vec![clip(0.0, 0.5, 0.0), clip(0.25, 0.75, 0.0), clip(-9.0, 0.0, 0.0)],
    ] {
        let (found, warnings) = bench.samples(&sounds, 60).await;
        assert_eq!(found.len(), 96_000);
        let expected = expected(&sounds, &source, 96_000);
        let wrong = (0..96_000).find(|i| found[*i] != expected[*i]);
        assert_eq!(wrong, None, "first wrong sample of {sounds:?}");
        assert_eq!(warnings, [""; 0]);
    }
}

#[tokio::test]
async fn the_mix_lasts_as_long_as_the_frames_whatever_the_rate() {
    let bench = Bench::new();
    let file = bench.wav("noise.wav", 48_000, 2, noise(4800, 1).as_flattened());
    for (frames, num, den, samples) in [
        (1, 30, 1, 1600),
        (31, 30_000, 1001, 49_650),
        (119, 60_000, 1001, 95_295),
        (25, 24, 1, 50_000),
    ] {
        let fps = Fps { num, den };
        let sounds = [sound(&file, 0.0, 9.0, 0.0)];
        assert_eq!(bench.mix(&sounds, frames, fps).await.unwrap(), Some(vec![]));
        assert_eq!(decode(&bench.path("audio.flac")).len(), samples, "{frames} at {fps}");
    }
    let outside = [sound(&file, 9.0, 10.0, 0.0), sound(&file, -2.0, 0.0, 0.0)];
    assert_eq!(bench.mix(&outside, 30, FPS).await.unwrap(), None);
}

#[tokio::test]
async fn the_same_sounds_make_the_same_bytes() {
    let bench = Bench::new();
    let files = [1, 2, 3].map(|seed| {
        bench.wav(&format!("{seed}.wav"), 44_100, 2, noise(30_000, seed).as_flattened())
    });
    let sounds: Vec<_> = files.iter().map(|file| looped(sound(file, 0.1, 9.0, 0.2))).collect();
    bench.mix(&sounds, 90, FPS).await.unwrap();
    let first = fs::read(bench.path("audio.flac")).unwrap();
    bench.mix(&sounds, 90, FPS).await.unwrap();
    assert!(first == fs::read(bench.path("audio.flac")).unwrap());
}

#[tokio::test]
async fn a_volume_curve_is_followed_to_the_sample() {
    let bench = Bench::new();
    let file = bench.wav("level.wav", 48_000, 2, &vec![0x2000; 2 * 96_000]);
    let curve = Volume::Curve(vec![(0.5, 0.0), (1.0, 1.0), (1.5, 3.0), (1.5, 0.5)]);
    let sounds = [Sound { volume: curve, ..sound(&file, 0.25, 2.0, 0.0) }];
    let (found, _) = bench.samples(&sounds, 60).await;
    for (at, factor) in [
        (11_999, 0.0),
        (12_000, 0.0),
        (24_000, 0.0),
        (30_000, 0.25),
        (36_001, 0.5 + 1.0 / 24_000.0),
        (48_000, 1.0),
        (60_000, 0.75),
        (72_000, 0.5),
        (95_999, 0.5),
    ] {
        let exact = 2_097_152.0 * factor;
        assert!(
            (f64::from(found[at][0]) - exact).abs() < 1.0,
            "{at}: {:?}, not {exact}",
            found[at]
        );
        assert_eq!(found[at][0], found[at][1]);
    }
}

#[tokio::test]
async fn a_mono_sound_is_as_loud_on_both_sides_as_it_was() {
    let bench = Bench::new();
    let mono = sine(997.0, 48_000, 48_000);
    let file = bench.wav("mono.wav", 48_000, 1, &mono);
    let (found, _) = bench.samples(&[sound(&file, 0.0, 1.0, 0.0)], 30).await;
    let wanted: Vec<_> = mono.iter().map(|value| [i32::from(*value) << 8; 2]).collect();
    assert!(found == wanted);
}

#[tokio::test]
async fn more_channels_are_mixed_down_without_getting_too_loud() {
    let bench = Bench::new();
    let mut samples = vec![0_i16; 6 * 9600];
    for (at, frame) in samples.as_chunks_mut::<6>().0.iter_mut().enumerate() {
        *frame = match at {
            0..3200 => [32_767; 6],
            3200..6400 => [32_767, 0, 0, 0, 0, 0],
            _ => [0, 0, 32_767, 0, 0, 0],
        };
    }
    let file = bench.wav("surround.wav", 48_000, 6, &samples);
    let (found, warnings) = bench.samples(&[sound(&file, 0.0, 0.2, 0.0)], 6).await;
    assert_eq!(warnings, [""; 0]);
    let share = |value: i32| f64::from(value) / 8_388_608.0;
    let root = std::f64::consts::FRAC_1_SQRT_2;
    let whole = 1.0 + root + root;
    for (at, left, right) in
        [(1600, 1.0, 1.0), (4800, 1.0 / whole, 0.0), (8000, root / whole, root / whole)]
    {
        let [l, r] = found[at].map(share);
        assert!((l - left).abs() < 0.001 && (r - right).abs() < 0.001, "{at}: {l} {r}");
    }
}

/// The level of a 1 kHz tone in `samples`, and how many samples later than a sine it is, from −24 to 24.
fn tone(samples: &[[i32; 2]]) -> (f64, f64) {
    let (mut sine, mut cosine) = (0.0, 0.0);
    for (i, [left, _]) in (0_u32..).zip(samples) {
        let angle = std::f64::consts::TAU * f64::from(i) / 48.0;
        sine += f64::from(*left) * angle.sin();
        cosine += f64::from(*left) * angle.cos();
    }
    let count = f64::from(u32::try_from(samples.len()).unwrap());
    let level = 2.0 * sine.hypot(cosine) / count / 8_388_608.0;
    (level, -cosine.atan2(sine) * 48.0 / std::f64::consts::TAU)
}

#[tokio::test]
async fn another_sample_rate_keeps_place_pitch_and_level() {
    let bench = Bench::new();
    for rate in [44_100, 22_050, 96_000, 8000] {
        let file = bench.wav("tone.wav", rate, 1, &sine(1000.0, rate, rate));
        let (found, _) = bench.samples(&[sound(&file, 0.25, 1.25, 0.0)], 60).await;
        let (level, late) = tone(&found[24_000..48_000]);
        assert!((level - 0.5).abs() < 0.001 && late.abs() < 0.05, "{rate}: {level} {late}");
        let (before, after) = (&found[..11_900], &found[60_100..]);
        assert!(before.iter().chain(after).all(|pair| *pair == [0, 0]), "{rate}");
    }
}

#[tokio::test]
async fn another_speed_changes_the_duration_and_not_the_pitch() {
    let bench = Bench::new();
    let mut samples = vec![0; 24_000];
    samples.extend(sine(1000.0, 48_000, 48_000));
    samples.resize(samples.len() + 24_000, 0);
    let file = bench.wav("tone.wav", 48_000, 1, &samples);
    for rate in [0.5, 2.0, 1.37, 0.8, 4.0] {
        let mut sound = sound(&file, 0.5, 5.0, 0.25);
        sound.clip.rate = rate;
        let (found, _) = bench.samples(&[sound], 150).await;
        let loud: Vec<usize> = (0..found.len()).filter(|i| found[*i][0].abs() > 1 << 20).collect();
        #[expect(clippy::cast_precision_loss, reason = "a few seconds of samples")]
        let seconds = |sample: usize| sample as f64 / 48_000.0;
        let (first, last) = (seconds(loud[0]), seconds(loud[loud.len() - 1]));
        let (begin, end) = (0.5 + 0.25 / rate, 0.5 + 1.25 / rate);
        assert!((first - begin).abs() < 0.035, "{rate}: starts at {first}, not {begin}");
        assert!((last - end).abs() < 0.035, "{rate}: ends at {last}, not {end}");
        // Between the seams of the tempo filter the tone is whole: count how often it rises through 0 in its middle.
        let middle = &found[usize::midpoint(loud[0], loud[loud.len() - 1]) - 2400..][..4800];
        let rises = middle.windows(2).filter(|pair| pair[0][0] < 0 && pair[1][0] >= 0).count();
        assert!((99..=101).contains(&rises), "{rate}: {rises} periods in 0.1 s");
    }
}

#[tokio::test]
async fn what_is_too_loud_is_cut_off_and_said() {
    let bench = Bench::new();
    let mut samples = vec![0_i16; 2 * 48_000];
    samples[2 * 12_000] = 24_576;
    samples[2 * 24_000] = -32_768;
    let file = bench.wav("loud.wav", 48_000, 2, &samples);
    let loud = Sound { volume: Volume::Constant(2.0), ..sound(&file, 0.0, 1.0, 0.0) };
    let (found, warnings) = bench.samples(&[loud], 30).await;
    assert_eq!((found[12_000], found[24_000]), ([8_388_607, 0], [-8_388_608, 0]));
    assert!(warnings[0].ends_with("cut off there: 2 samples from 0.250 s on"), "{warnings:?}");
    // What is too loud alone may fit together.
    let against: Vec<i16> = samples.iter().map(|value| -(value / 2)).collect();
    let against = bench.wav("against.wav", 48_000, 2, &against);
    let sounds = [&file, &against]
        .map(|file| Sound { volume: Volume::Constant(2.0), ..sound(file, 0.0, 1.0, 0.0) });
    let (found, warnings) = bench.samples(&sounds, 30).await;
    assert_eq!((found[12_000][0], found[24_000][0]), (6_291_456, -8_388_608));
    assert_eq!(warnings, [""; 0]);
}

#[tokio::test]
async fn a_source_that_cannot_be_heard_is_named() {
    let bench = Bench::new();
    fs::write(bench.path("text.mp3"), "no sound, whatever it is called").unwrap();
    let silent = bench.path("silent.mp4");
    let mut command = Command::new(tools().ffmpeg());
    command
        .args(["-v", "error", "-f", "lavfi", "-i", "color=s=16x16:d=1", "-c:v", "libx264"])
        .arg(&silent);
    assert!(command.status().unwrap().success());
    let short = bench.wav("short.wav", 48_000, 2, &[0; 960]);
    for (file, media_start, reason) in [
        (bench.path("absent.wav"), 0.0, "its file is not there"),
        (bench.path("text.mp3"), 0.0, "its sound cannot be decoded"),
        (silent, 0.0, "its file has no sound"),
        (short, 5.0, "there is nothing to hear from its in-point at 5 s on"),
    ] {
        let error = bench.mix(&[sound(&file, 0.0, 1.0, media_start)], 30, FPS).await.unwrap_err();
        let Error::Compose(compose::Error::MediaUnusable { element, reason: found }) = &error
        else {
            panic!("{error:?}")
        };
        assert!(element.contains(file.file_name().unwrap().to_str().unwrap()), "{element}");
        assert!(found.starts_with(reason), "{found}");
        let left = fs::read_dir(bench.0.path()).unwrap().map(|entry| entry.unwrap().path());
        assert_eq!(left.filter(|path| path.is_dir()).count(), 0, "scratch is left");
    }
}
