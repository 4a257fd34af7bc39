//! `framewright new`: a small composition that renders, to start from.

use std::f64::consts::TAU;
use std::fs;
use std::path::Path;

use crate::cli::terminal::Terminal;
use crate::error::{Error, Result};

const INDEX: &str = include_str!("new/index.html");
const TITLE: &str = include_str!("new/title.html");

const SAMPLES_PER_SECOND: u32 = 24_000;
const SECONDS: f64 = 3.0;
/// The notes of the chord, in hertz: A major.
const NOTES: [f64; 4] = [220.0, 277.18, 329.63, 440.0];

/// Writes a composition into `dir`, which must be empty or absent.
pub(crate) fn new(dir: &Path, terminal: &Terminal) -> Result<()> {
    let argument = dir.display().to_string();
    let has_files = fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some());
    if has_files || dir.is_file() {
        let reason = "is there already; name a new directory, or an empty one".to_owned();
        return Err(Error::Argument { argument, reason });
    }
    let files: [(&str, &[u8]); 3] = [
        ("index.html", INDEX.as_bytes()),
        ("scenes/title.html", TITLE.as_bytes()),
        ("sounds/chord.wav", &chord()),
    ];
    for (name, content) in files {
        let file = dir.join(name);
        let folder = file.parent().unwrap_or(dir);
        let written = fs::create_dir_all(folder).and_then(|()| fs::write(&file, content));
        written.map_err(|source| Error::Io {
            action: "write",
            path: file.display().to_string(),
            source,
        })?;
    }
    terminal.note(&format!("{argument}: index.html, scenes/title.html, sounds/chord.wav"));
    terminal.note(&format!("render it with: framewright render {argument} -o video.mp4"));
    let variable = r#"--variables '{"headline": "Good morning"}'"#;
    terminal.note(&format!(
        "and with a variable: framewright render {argument} -o video.mp4 {variable}"
    ));
    Ok(())
}

/// A chord that fades, as a WAV file: mono, 16 bits.
fn chord() -> Vec<u8> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "some ten thousand samples, each within 16 bits"
    )]
    let samples = (0..(SECONDS * f64::from(SAMPLES_PER_SECOND)) as u32).flat_map(|index| {
        let time = f64::from(index) / f64::from(SAMPLES_PER_SECOND);
        // It begins within 20 ms, without a click, and is silent at the end.
        let level = (time / 0.02).min(1.0) * (-1.6 * time).exp() * (1.0 - time / SECONDS);
        let sum: f64 = NOTES.iter().map(|note| (TAU * note * time).sin()).sum();
        #[expect(clippy::cast_precision_loss, reason = "four notes")]
        let sample = sum / NOTES.len() as f64 * level * 0.7 * f64::from(i16::MAX);
        (sample.round() as i16).to_le_bytes()
    });
    let data: Vec<u8> = samples.collect();
    let length = u32::try_from(data.len()).expect("some hundred kilobytes");
    let mut wav = Vec::with_capacity(44 + data.len());
    wav.extend(b"RIFF");
    wav.extend((36 + length).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    wav.extend(16_u32.to_le_bytes());
    wav.extend(1_u16.to_le_bytes()); // PCM
    wav.extend(1_u16.to_le_bytes()); // one channel
    wav.extend(SAMPLES_PER_SECOND.to_le_bytes());
    wav.extend((2 * SAMPLES_PER_SECOND).to_le_bytes());
    wav.extend(2_u16.to_le_bytes());
    wav.extend(16_u16.to_le_bytes());
    wav.extend(b"data");
    wav.extend(length.to_le_bytes());
    wav.extend(data);
    wav
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Verbosity;

    #[test]
    fn a_new_composition_has_no_lint_findings_and_replaces_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let project = dir.path().join("first");
        let terminal = Terminal::stderr(Verbosity::Quiet);
        new(&project, &terminal).unwrap();
        let findings = compose::lint::project(&project, "index.html");
        assert_eq!(findings, []);
        let error = new(&project, &terminal).unwrap_err();
        assert!(error.is_of_arguments(), "{error}");
    }

    #[test]
    fn the_chord_is_a_wav_file_that_begins_and_ends_in_silence() {
        let wav = chord();
        assert_eq!(&wav[..4], b"RIFF");
        assert_eq!(wav.len(), 44 + 2 * 72_000);
        let samples: Vec<_> =
            wav[44..].chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
        let loudest = samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
        assert!((8_000..24_000).contains(&loudest), "{loudest}");
        assert!(samples[0].abs() < 100 && samples[samples.len() - 1].abs() < 100);
    }
}
