//! How loud a sound is at each sample: a factor, or straight lines between points.

use compose::clip::Volume;

use crate::audio::sample;
use crate::frame::SAMPLE_RATE;

/// Twelve decibels: no sound is made louder than that.
const LOUDEST: f64 = 3.981_071_705_534_972_5;

/// Points closer than this, in seconds, are one point.
const SAME_TIME: f64 = 1e-9;

/// Samples of the mix and factors, in order and without two at one place. Empty where nothing changes the sound.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Envelope(Vec<(f64, f64)>);

impl Envelope {
    pub(crate) fn new(volume: &Volume) -> Self {
        let mut points: Vec<(f64, f64)> = Vec::new();
        let given = match volume {
            Volume::Constant(factor) => &[(0.0, *factor)][..],
            Volume::Curve(points) => points,
        };
        for (seconds, factor) in given.iter().filter(|(s, f)| s.is_finite() && f.is_finite()) {
            let point = (sample::exact(*seconds), factor.clamp(0.0, LOUDEST));
            let near = SAME_TIME * f64::from(SAMPLE_RATE);
            match points.last_mut().filter(|last| point.0 - last.0 <= near) {
                Some(last) => *last = point,
                None => points.push(point),
            }
        }
        Self(points)
    }

    /// Makes `block`, left and right in turn, as loud as it is from sample `from` of the mix on.
    pub(crate) fn apply(&self, block: &mut [f32], from: u64) {
        let Self(points) = self;
        match points[..] {
            [] | [(_, 1.0)] => {}
            [(_, factor)] => block.iter_mut().for_each(|value| *value *= narrow(factor)),
            _ => self.follow(block, from),
        }
    }

    fn follow(&self, block: &mut [f32], from: u64) {
        let Self(points) = self;
        let mut next = points.partition_point(|(at, _)| *at <= sample::float(from));
        for (index, pair) in (from..).zip(block.as_chunks_mut::<2>().0) {
            let now = sample::float(index);
            while points.get(next).is_some_and(|(at, _)| *at <= now) {
                next += 1;
            }
            let before = next.checked_sub(1).map(|last| points[last]);
            let factor = match (before, points.get(next).copied()) {
                (Some((a, from)), Some((b, to))) => from + (to - from) * (now - a) / (b - a),
                (Some((_, factor)), None) | (None, Some((_, factor))) => factor,
                (None, None) => 1.0,
            };
            *pair = pair.map(|value| value * narrow(factor));
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the mix has the precision of an f32")]
fn narrow(factor: f64) -> f32 {
    factor as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a signal of ones at a moment in seconds.
    fn factor(volume: &Volume, seconds: f64) -> f64 {
        let mut block = [1.0, 1.0];
        let sample = u64::try_from(sample::at(seconds)).unwrap();
        Envelope::new(volume).apply(&mut block, sample);
        assert_eq!(block[0].to_bits(), block[1].to_bits());
        f64::from(block[0])
    }

    fn check(volume: &Volume, expected: &[(f64, f64)]) {
        for (seconds, wanted) in expected {
            let found = factor(volume, *seconds);
            assert!((found - wanted).abs() < 1e-6, "{volume:?} at {seconds} s: {found}");
        }
    }

    #[test]
    fn a_constant_is_the_same_everywhere_and_within_bounds() {
        for (given, used) in
            [(1.0, 1.0), (0.25, 0.25), (2.0, 2.0), (0.0, 0.0), (-1.0, 0.0), (9.0, LOUDEST)]
        {
            check(&Volume::Constant(given), &[(0.0, used), (77.7, used)]);
        }
        check(&Volume::Constant(f64::NAN), &[(1.0, 1.0)]);
    }

    #[test]
    fn a_curve_is_straight_between_its_points_and_holds_outside() {
        let curve = Volume::Curve(vec![(1.0, 0.0), (2.0, 1.0), (4.0, 0.5)]);
        let expected = [(0.0, 0.0), (1.0, 0.0), (1.25, 0.25), (2.0, 1.0), (3.0, 0.75), (9.0, 0.5)];
        check(&curve, &expected);
        check(&Volume::Curve(vec![]), &[(0.0, 1.0)]);
        check(&Volume::Curve(vec![(3.0, 0.5)]), &[(0.0, 0.5), (9.0, 0.5)]);
        check(&Volume::Curve(vec![(0.0, 100.0), (1.0, -5.0)]), &[(0.0, LOUDEST), (1.0, 0.0)]);
    }

    #[test]
    fn of_points_at_one_time_the_last_counts() {
        let curve = Volume::Curve(vec![(0.0, 0.2), (1.0, 0.4), (1.0, 0.8), (2.0, 0.8)]);
        check(&curve, &[(0.5, 0.5), (1.0, 0.8), (1.5, 0.8)]);
    }

    #[test]
    fn a_block_follows_the_curve_from_sample_to_sample() {
        let volume = Volume::Curve(vec![(0.0, 0.0), (1.0, 1.0), (2.0, 0.0)]);
        let mut block = vec![1.0_f32; 2 * 4000];
        Envelope::new(&volume).apply(&mut block, 46_000);
        for (index, pair) in (46_000..).zip(block.as_chunks::<2>().0) {
            let seconds = sample::float(index) / 48_000.0;
            assert!((f64::from(pair[0]) - factor(&volume, seconds)).abs() < 1e-7, "{index}");
        }
    }
}
