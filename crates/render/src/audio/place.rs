//! Which samples of a source are heard where on the timeline: slots, cut ends, cycles that start again.

use compose::clip::Clip;

use crate::audio::sample;

/// Where a clip lies among the samples of the mix, of which it covers at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    /// Where the in-point lies; what is before 0 is never heard.
    start: i64,
    /// The first sample that a scene around it lets through.
    from: u64,
    /// The first sample after the slot, inside the mix.
    end: u64,
}

/// What a source has for a slot, after its in-point and at the speed it is played.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Supply {
    pub(crate) samples: u64,
    /// After how many samples, or parts of one, it starts again; at least one. `None` if it is heard once.
    pub(crate) cycle: Option<f64>,
}

/// Samples that lie in a row both in the source and in the mix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Counted from the in-point.
    pub(crate) source: u64,
    /// Counted from the beginning of the mix.
    pub(crate) at: u64,
    pub(crate) samples: u64,
}

impl Slot {
    /// The slot of `clip` in a mix of `total` samples, if anything of it lies there.
    pub(crate) fn of(clip: &Clip, total: u64) -> Option<Self> {
        let start = sample::at(clip.start);
        let from = u64::try_from(sample::at(clip.from)).unwrap_or(0);
        let end = u64::try_from(sample::at(clip.end)).unwrap_or(0).min(total);
        let slot = Self { start, from, end };
        (slot.first() < end).then_some(slot)
    }

    /// The first sample of the mix that lies in it.
    pub(crate) fn first(self) -> u64 {
        u64::try_from(self.start).unwrap_or(0).max(self.from)
    }

    pub(crate) fn end(self) -> u64 {
        self.end
    }

    /// How many samples there are from the in-point to the end of the slot.
    pub(crate) fn samples(self) -> u64 {
        self.end.checked_add_signed(-self.start).unwrap_or(0)
    }

    /// What is heard of `supply` in this slot from sample `from` of the mix up to, not including, `to`.
    pub(crate) fn segments(self, supply: Supply, from: u64, to: u64) -> Vec<Segment> {
        let (from, to) = (from.max(self.first()), to.min(self.end));
        let Supply { samples, cycle } = supply;
        let Some(cycle) = cycle else {
            return self.segment(0, samples, from, to).into_iter().collect();
        };
        // Where each cycle begins is rounded by itself, so that a thousand of them do not drift.
        let begin = |turn: u64| sample::whole(sample::float(turn) * cycle);
        // One cycle more at either end, since rounding may have moved its border.
        let turn = |at: u64, more: f64| {
            let passed = sample::float(at.saturating_add_signed(-self.start));
            u64::try_from(sample::whole(passed / cycle + more)).unwrap_or(0)
        };
        (turn(from, -1.5)..turn(to, 1.5))
            .filter_map(|turn| {
                let length = u64::try_from(begin(turn + 1) - begin(turn)).unwrap_or(0);
                self.segment(begin(turn), samples.min(length), from, to)
            })
            .collect()
    }

    /// The part between `from` and `to` of `samples` samples that start `begin` samples after the in-point.
    fn segment(self, begin: i64, samples: u64, from: u64, to: u64) -> Option<Segment> {
        let start = self.start.saturating_add(begin);
        let at = u64::try_from(start).unwrap_or(0).max(from);
        let end = start.saturating_add_unsigned(samples).min(signed(to));
        let heard = u64::try_from(end).unwrap_or(0).saturating_sub(at);
        let source = at.saturating_add_signed(-start);
        (heard > 0).then_some(Segment { source, at, samples: heard })
    }
}

fn signed(samples: u64) -> i64 {
    i64::try_from(samples).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use compose::clip::Repeat;

    /// Seconds that are whole numbers of samples.
    fn samples(count: i32) -> f64 {
        f64::from(count) / 48_000.0
    }

    fn slot(start: i32, end: i32, total: u64) -> Option<Slot> {
        let clip = Clip {
            id: "a".into(),
            element: "<audio>".into(),
            src: "a.wav".into(),
            file: PathBuf::from("a.wav"),
            start: samples(start),
            from: 0.0,
            end: samples(end),
            media_start: 0.0,
            rate: 1.0,
            repeat: Repeat::Once,
        };
        Slot::of(&clip, total)
    }

    #[test]
    fn only_what_lies_in_the_video_has_a_slot() {
        for (start, end, expected) in [
            (0, 100, Some((0, 100, 100))),
            (40, 60, Some((40, 60, 20))),
            (40, 400, Some((40, 100, 60))),
            (-30, 60, Some((0, 60, 90))),
            (60, 60, None),
            (60, 40, None),
            (100, 200, None),
            (-50, 0, None),
            (-50, -10, None),
        ] {
            let found = slot(start, end, 100).map(|s| (s.first(), s.end(), s.samples()));
            assert_eq!(found, expected, "{start} to {end}");
        }
    }

    /// Start and end of a slot in a mix of 1000 samples, what the source has and its cycle, and the segments as source, place
    /// and length.
    fn check(slot_at: (i32, i32), supply: (u64, Option<f64>), expected: &[(u64, u64, u64)]) {
        let (start, end) = slot_at;
        let slot = slot(start, end, 1000).unwrap();
        let supply = Supply { samples: supply.0, cycle: supply.1 };
        let plain = |segments: Vec<Segment>| -> Vec<_> {
            segments.into_iter().map(|s| (s.source, s.at, s.samples)).collect()
        };
        assert_eq!(plain(slot.segments(supply, 0, 1000)), expected, "{slot_at:?} {supply:?}");

        // Block by block it is the same, whatever the size of the blocks.
        let each = |segments: Vec<(u64, u64, u64)>| -> Vec<(u64, u64)> {
            segments.into_iter().flat_map(|(s, a, n)| (0..n).map(move |i| (s + i, a + i))).collect()
        };
        for block in [1, 7, 64, 999] {
            let blocks = (0..1000_u64.div_ceil(block)).map(|i| i * block);
            let found: Vec<_> = blocks
                .flat_map(|from| each(plain(slot.segments(supply, from, from + block))))
                .collect();
            assert_eq!(found, each(expected.to_vec()), "{slot_at:?} {supply:?}, blocks of {block}");
        }
    }

    #[test]
    fn a_sound_fills_its_slot_or_falls_silent() {
        check((100, 200), (500, None), &[(0, 100, 100)]);
        check((100, 200), (30, None), &[(0, 100, 30)]);
        check((900, 2000), (500, None), &[(0, 900, 100)]);
        check((-40, 200), (500, None), &[(40, 0, 200)]);
        check((-40, 200), (50, None), &[(40, 0, 10)]);
        check((-40, 200), (40, None), &[]);
        check((0, 200), (0, None), &[]);
    }

    #[test]
    fn a_loop_repeats_its_cycle_from_the_in_point() {
        check(
            (100, 200),
            (30, Some(30.0)),
            &[(0, 100, 30), (0, 130, 30), (0, 160, 30), (0, 190, 10)],
        );
        // A cycle longer than its sound has a pause in it, a shorter one cuts it off.
        check((100, 200), (30, Some(40.0)), &[(0, 100, 30), (0, 140, 30), (0, 180, 20)]);
        check((100, 200), (50, Some(40.0)), &[(0, 100, 40), (0, 140, 40), (0, 180, 20)]);
        // What was passed before the video starts counts.
        check((-70, 40), (30, Some(30.0)), &[(10, 0, 20), (0, 20, 20)]);
        check((-60, 40), (30, Some(30.0)), &[(0, 0, 30), (0, 30, 10)]);
        // Parts of a sample do not add up.
        check((0, 12), (9, Some(2.5)), &[(0, 0, 3), (0, 3, 2), (0, 5, 3), (0, 8, 2), (0, 10, 2)]);
        check((0, 4), (1, Some(1.0)), &[(0, 0, 1), (0, 1, 1), (0, 2, 1), (0, 3, 1)]);
    }

    #[test]
    fn the_millionth_cycle_starts_where_it_should() {
        let slot = slot(0, i32::MAX, 10_000_000).unwrap();
        let supply = Supply { samples: 2, cycle: Some(7.3) };
        let found = slot.segments(supply, 7_299_999, 7_300_002);
        assert_eq!(found, [Segment { source: 0, at: 7_300_000, samples: 2 }]);
    }
}
