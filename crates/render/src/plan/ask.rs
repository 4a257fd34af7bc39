//! What only the page itself can tell, asked once while planning.

use std::collections::BTreeMap;
use std::path::Path;

use compose::geometry::Viewport;
use serde_json::Value;

use crate::browser::session::{FrameSource, Opened, Session, Timeouts};
use crate::config::Strictness;
use crate::error::Result;
use crate::page::{self, PageSource};
use crate::tools::Tools;

/// The most moments a second at which a volume is read.
const MAX_SAMPLES_PER_SECOND: f64 = 60.0;
/// Moments that one command may take, and those that are read of the longest timeline.
const SAMPLES_AT_ONCE: u32 = 300;
const MAX_SAMPLES: u32 = 60 * 3600;

/// A smaller change of a volume is none.
const CHANGE: f64 = 1e-4;

/// A point of a volume's curve: seconds and a factor.
pub(super) type Point = (f64, f64);

/// What the page told.
#[derive(Debug, Default)]
pub(super) struct PageFacts {
    pub(super) opened: Opened,
    /// The volumes that the page changes, by render id.
    pub(super) volumes: BTreeMap<String, Vec<Point>>,
}

/// The sounds whose volumes are to be read, and where each composition lies on the timeline, given how long the timelines
/// of the page are.
#[derive(Clone, Copy)]
pub(super) struct VolumeProbe<'a> {
    pub(super) ids: &'a [String],
    pub(super) places: &'a (dyn Fn(&BTreeMap<String, f64>) -> Result<Value> + Sync),
    /// How long the composition lasts, if that is known.
    pub(super) seconds: Option<f64>,
}

/// How the page is opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct AskOptions<'a> {
    pub(super) work: &'a Path,
    pub(super) viewport: Viewport,
    pub(super) timeouts: Timeouts,
    pub(super) strictness: Strictness,
}

/// Opens the page, and reads the volumes of the sounds of `probe` over its duration.
pub(super) async fn ask(
    tools: &Tools,
    source: &PageSource<'_>,
    AskOptions { work, viewport, timeouts, strictness }: AskOptions<'_>,
    probe: VolumeProbe<'_>,
) -> Result<PageFacts> {
    let VolumeProbe { ids: heard, places, seconds } = probe;
    let server = page::serve(source).await?;
    let (session, opened) = Session::open(
        tools,
        work,
        &server,
        viewport,
        source.fps,
        (timeouts, strictness),
        FrameSource::Png,
    )
    .await?;
    let mut volumes = BTreeMap::new();
    if !heard.is_empty() {
        let step = 1.0 / source.fps.as_f64().clamp(1.0, MAX_SAMPLES_PER_SECOND);
        let count = samples(seconds.unwrap_or(opened.duration), step);
        let places = places(&opened.timelines)?;
        let mut read: Vec<Vec<f64>> = Vec::new();
        for first in (0..count).step_by(SAMPLES_AT_ONCE as usize) {
            let some = SAMPLES_AT_ONCE.min(count - first);
            read.extend(session.volumes(heard, &places, first, some, step).await?);
        }
        for (i, id) in heard.iter().enumerate() {
            let samples: Vec<Point> = (0_u32..)
                .zip(&read)
                .filter_map(|(k, row)| Some((f64::from(k) * step, *row.get(i)?)))
                .collect();
            volumes.extend(curve(&samples).map(|points| (id.clone(), points)));
        }
    }
    Ok(PageFacts { opened, volumes })
}

fn samples(seconds: f64, step: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a duration is positive, and a cast to a smaller type stops at its end"
    )]
    let count = (seconds / step).ceil() as u32;
    count.min(MAX_SAMPLES) + 1
}

/// The corners of a volume that changes; a stretch that stays the same keeps both of its ends.
fn curve(samples: &[Point]) -> Option<Vec<Point>> {
    let mut points: Vec<Point> = samples.first().copied().into_iter().collect();
    for pair in samples.windows(2) {
        let [before, now] = pair else { continue };
        if (now.1 - before.1).abs() > CHANGE {
            if points.last().is_some_and(|last| last.0 < before.0) {
                points.push(*before);
            }
            points.push(*now);
        }
    }
    (points.len() > 1).then_some(points)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_has_the_ends_of_every_stretch() {
        for (samples, expected) in [
            (&[(0.0, 1.0), (1.0, 1.0), (2.0, 1.0)][..], None),
            (&[], None),
            (
                &[
                    (0.0, 1.0),
                    (1.0, 1.0),
                    (2.0, 0.5),
                    (3.0, 0.0),
                    (4.0, 0.0),
                    (5.0, 0.0),
                    (6.0, 1.0),
                ],
                Some(vec![(0.0, 1.0), (1.0, 1.0), (2.0, 0.5), (3.0, 0.0), (5.0, 0.0), (6.0, 1.0)]),
            ),
        ] {
            assert_eq!(curve(samples), expected);
        }
        assert_eq!(samples_of(3.0), 91);
    }

    fn samples_of(seconds: f64) -> u32 {
        samples(seconds, 1.0 / 30.0)
    }
}
