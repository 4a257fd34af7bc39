//! The mix while it grows: a file of samples to which sounds are added one after the other, in blocks.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::audio::envelope::Envelope;
use crate::audio::place::{Segment, Slot, Supply};
use crate::audio::sample;
use crate::error::{Error, Result};
use crate::frame::SAMPLE_RATE;

/// A sample of both channels, each as a 32-bit number.
pub(crate) const SAMPLE_BYTES: u64 = 8;

/// Samples that are worked on at once.
const BLOCK: u64 = 1 << 15;

/// Full scale of a 24-bit sample.
const FULL_SCALE: f32 = 8_388_608.0;

/// The sum of what was added so far, as floating-point numbers, so that nothing is cut off between two sounds.
#[derive(Debug)]
pub(crate) struct Track {
    path: PathBuf,
    file: File,
    samples: u64,
}

/// The decoded samples of a source.
#[derive(Debug)]
pub(crate) struct Spool {
    path: PathBuf,
    file: File,
    pub(crate) samples: u64,
}

/// Where the sum was louder than what a file can hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Excess {
    /// The loudest value; 1 is full scale.
    pub(crate) peak: f32,
    pub(crate) peak_at: u64,
    pub(crate) first_at: u64,
    /// Samples that were cut, of either channel or both.
    pub(crate) samples: u64,
}

impl Spool {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        let bytes = file.metadata().map_err(Error::io("look at", path))?.len();
        Ok(Self { path: path.to_owned(), file, samples: bytes / SAMPLE_BYTES })
    }
}

impl Track {
    /// A silent track. Silence takes no room on the disk.
    pub(crate) fn create(path: &Path, samples: u64) -> Result<Self> {
        let open = || {
            let file = File::options().read(true).write(true).create_new(true).open(path)?;
            file.set_len(samples * SAMPLE_BYTES)?;
            Ok(file)
        };
        let file = open().map_err(Error::io("make", path))?;
        Ok(Self { path: path.to_owned(), file, samples })
    }

    /// Adds what is heard in `slot` of `spool`, whose in-point is its sample number `offset`.
    pub(crate) fn add(
        &mut self,
        slot: Slot,
        supply: Supply,
        spool: &Spool,
        offset: u64,
        envelopes: &[Envelope],
    ) -> Result<()> {
        let mut from = slot.first();
        while from < slot.end() {
            let to = slot.end().min(from + BLOCK);
            let segments = slot.segments(supply, from, to);
            if let (Some(first), Some(last)) = (segments.first(), segments.last()) {
                let mut heard = vec![0.0; values(last.at + last.samples - first.at)];
                for Segment { source, at, samples } in &segments {
                    let within = &mut heard[values(at - first.at)..][..values(*samples)];
                    read(&spool.file, offset + source, within)
                        .map_err(Error::io("read", &spool.path))?;
                }
                for envelope in envelopes {
                    envelope.apply(&mut heard, first.at);
                }
                self.mix(first.at, &heard).map_err(Error::io("mix into", &self.path))?;
            }
            from = to;
        }
        Ok(())
    }

    fn mix(&self, at: u64, heard: &[f32]) -> io::Result<()> {
        let mut sum = vec![0.0; heard.len()];
        read(&self.file, at, &mut sum)?;
        sum.iter_mut().zip(heard).for_each(|(sum, value)| *sum += value);
        let bytes: Vec<u8> = sum.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.file.write_all_at(&bytes, at * SAMPLE_BYTES)
    }

    /// Turns the sum into integers, in its place: 24 bits in the upper part of 32. What is too loud is cut off there.
    pub(crate) fn finish(self) -> Result<Option<Excess>> {
        let Self { path, file, samples } = self;
        let mut excess = None;
        let mut from = 0;
        while from < samples {
            let count = BLOCK.min(samples - from);
            let mut block = vec![0.0; values(count)];
            read(&file, from, &mut block).map_err(Error::io("read", &path))?;
            for (at, pair) in (from..).zip(block.as_chunks::<2>().0) {
                excess = note(excess, at, pair[0].abs().max(pair[1].abs()));
            }
            if block.iter().any(|value| value.to_bits() != 0) {
                let bytes: Vec<u8> =
                    block.iter().flat_map(|value| quantise(*value).to_le_bytes()).collect();
                file.write_all_at(&bytes, from * SAMPLE_BYTES)
                    .map_err(Error::io("write", &path))?;
            }
            from += count;
        }
        Ok(excess)
    }
}

/// Counts a sample that is too loud. The last step below full scale is still within what the file holds.
fn note(excess: Option<Excess>, at: u64, value: f32) -> Option<Excess> {
    if value <= 1.0 {
        return excess;
    }
    let first = Excess { peak: value, peak_at: at, first_at: at, samples: 0 };
    let mut excess = excess.unwrap_or(first);
    excess.samples += 1;
    if value > excess.peak {
        (excess.peak, excess.peak_at) = (value, at);
    }
    Some(excess)
}

impl Excess {
    pub(crate) fn warning(&self) -> String {
        let Self { peak, peak_at, first_at, samples } = self;
        let seconds = |at: u64| sample::float(at) / f64::from(SAMPLE_RATE);
        format!(
            "the sound is up to {:.1} dB too loud, at {:.3} s, and is cut off there: {samples} samples from {:.3} s on",
            20.0 * peak.log10(),
            seconds(*peak_at),
            seconds(*first_at),
        )
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "within 24 bits, since it was brought between full scale and full scale"
)]
fn quantise(value: f32) -> i32 {
    let scaled = (value * FULL_SCALE).round().clamp(-FULL_SCALE, FULL_SCALE - 1.0);
    (scaled as i32) << 8
}

/// How many numbers make `samples` samples.
fn values(samples: u64) -> usize {
    usize::try_from(samples * 2).expect("no more than a block is held at once")
}

fn read(file: &File, from: u64, into: &mut [f32]) -> io::Result<()> {
    let mut bytes = vec![0; into.len() * 4];
    file.read_exact_at(&mut bytes, from * SAMPLE_BYTES)?;
    for (value, bytes) in into.iter_mut().zip(bytes.as_chunks::<4>().0) {
        *value = f32::from_le_bytes(*bytes);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_becomes_the_nearest_of_24_bits() {
        for (value, expected) in [
            (0.0, 0),
            (-0.0, 0),
            (0.5, 0x40_0000),
            (-0.5, -0x40_0000),
            (1.0, 0x7f_ffff),
            (-1.0, -0x80_0000),
            (7.0, 0x7f_ffff),
            (-7.0, -0x80_0000),
            (1.4 / 8_388_608.0, 1),
            (-1.6 / 8_388_608.0, -2),
            (f32::NAN, 0),
        ] {
            assert_eq!(quantise(value) >> 8, expected, "{value}");
            assert_eq!(quantise(value) & 0xff, 0, "{value}");
        }
    }

    #[test]
    fn what_is_too_loud_is_named_with_how_much_and_where() {
        let values = [(10, 1.0), (48_000, 1.5), (60_000, 2.0), (60_001, 1.99), (72_000, 0.1)];
        let excess = values.into_iter().fold(None, |found, (at, value)| note(found, at, value));
        assert_eq!(
            excess,
            Some(Excess { peak: 2.0, peak_at: 60_000, first_at: 48_000, samples: 3 })
        );
        assert_eq!(
            excess.unwrap().warning(),
            "the sound is up to 6.0 dB too loud, at 1.250 s, and is cut off there: 3 samples from 1.000 s on"
        );
        assert_eq!(note(None, 0, 1.0), None);
    }
}
