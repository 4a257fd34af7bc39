//! Colours come out as they were authored.

use crate::harness::{Bench, Frames, distance, fixture};

#[test]
fn every_bar_decodes_within_two_levels_of_its_authored_colour() {
    let upper = [
        [255, 255, 255],
        [255, 255, 0],
        [0, 255, 255],
        [0, 255, 0],
        [255, 0, 255],
        [255, 0, 0],
        [0, 0, 255],
        [200, 120, 40],
    ];
    let lower = [
        [0, 0, 0],
        [16, 16, 16],
        [64, 64, 64],
        [128, 128, 128],
        [192, 192, 192],
        [235, 235, 235],
        [40, 90, 160],
        [120, 30, 90],
    ];
    let bench = Bench::new();
    bench.render(&fixture("colour-bars"), &[]);
    let frames = Frames::decode(&bench.path("out.mp4"), 640, 360);
    for frame in [0, 15, 29] {
        for (i, (above, below)) in upper.into_iter().zip(lower).enumerate() {
            // Four pixels off the edges, where chroma is shared with the neighbour.
            for x in [i * 80 + 4, i * 80 + 40, i * 80 + 75] {
                for (y, expected) in [(120, above), (300, below)] {
                    let found = frames.pixel(frame, x, y);
                    assert!(
                        distance(found, expected) <= 2,
                        "frame {frame}, ({x}, {y}): {found:?}, not {expected:?}"
                    );
                }
            }
        }
    }
}
