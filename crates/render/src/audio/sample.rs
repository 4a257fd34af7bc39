//! Time as samples: where on the grid of the mix a moment lies, and how many samples a video lasts.

use crate::frame::{Fps, SAMPLE_RATE};

/// Ten days: what an author puts farther away than that is as silent as what lies there.
const FARTHEST: f64 = 864_000.0;

/// How many samples last as long as `frames` frames, to the nearest one.
pub(crate) fn in_frames(frames: u32, fps: Fps) -> u64 {
    let (num, den) = (u64::from(fps.num), u64::from(fps.den));
    (2 * u64::from(frames) * den * u64::from(SAMPLE_RATE) + num) / (2 * num)
}

/// The sample nearest to a moment in seconds.
pub(crate) fn at(seconds: f64) -> i64 {
    whole(exact(seconds))
}

/// A moment in seconds as samples and parts of one.
pub(crate) fn exact(seconds: f64) -> f64 {
    seconds.clamp(-FARTHEST, FARTHEST) * f64::from(SAMPLE_RATE)
}

/// The whole number nearest to a count of samples.
#[expect(
    clippy::cast_possible_truncation,
    reason = "rounded, and no count of samples leaves the whole numbers that an f64 holds"
)]
pub(crate) fn whole(samples: f64) -> i64 {
    samples.round() as i64
}

/// A count of samples to calculate with.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of samples stay far below the 2^53 that an f64 holds"
)]
pub(crate) fn float(samples: u64) -> f64 {
    samples as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_video_has_as_many_samples_as_its_frames_last() {
        for (frames, num, den, samples) in [
            (30, 30, 1, 48_000),
            (1, 30, 1, 1600),
            (1, 30_000, 1001, 1602),
            (30_000, 30_000, 1001, 48_048_000),
            (1, 60_000, 1001, 801),
            (3, 60_000, 1001, 2402),
            (1, 24_000, 1001, 2002),
            (10_368_000, 120, 1, 4_147_200_000),
        ] {
            assert_eq!(in_frames(frames, Fps { num, den }), samples, "{frames} at {num}/{den}");
        }
    }

    #[test]
    fn a_moment_is_the_sample_nearest_to_it() {
        for (seconds, sample) in [
            (0.0, 0),
            (1.25, 60_000),
            (1.0 / 48_000.0, 1),
            (0.4 / 48_000.0, 0),
            (0.1 + 0.2, 14_400),
            (-2.5, -120_000),
            (f64::INFINITY, 41_472_000_000),
            (-1e300, -41_472_000_000),
        ] {
            assert_eq!(at(seconds), sample, "{seconds}");
        }
    }
}
