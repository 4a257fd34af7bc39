//! How many chunks a timeline is cut into: as many as were asked for, or as workers draw at once, and enough for each to end in
//! its worker's time.

use compose::geometry::Size;

use crate::config::{Cutting, MAX_CHUNKS};
use crate::error::{Error, Result};
use crate::frame::ChunkSizing;

/// Chunks where the config says nothing about them.
const DEFAULT_CHUNKS: u32 = 16;

// What a chunk takes on one core: a frame of a busy page, and the start in a new sandbox. docs/capacity.md has what was measured.
const SECONDS_PER_MEGAPIXEL: f64 = 0.065;
const SECONDS_PER_FRAME: f64 = 0.005;
const SECONDS_TO_START: f64 = 5.0;

/// The share of a worker's time that a chunk is cut for.
const SAFE_SHARE: f64 = 0.8;

/// The sizing that `asked` stands for, with `frames` of `size` to draw.
pub(super) fn sizing(asked: Cutting, frames: u32, size: Size) -> Result<ChunkSizing> {
    let Cutting { size: chunk_size, max_parallel, target_frames, workers, worker_seconds } = asked;
    let is_said = max_parallel.is_some() || chunk_size.is_some() || target_frames.is_some();
    let max_parallel = match (workers, worker_seconds) {
        // What is said about chunks outweighs what is known of workers.
        _ if is_said => max_parallel.unwrap_or(DEFAULT_CHUNKS),
        (workers, None) => workers.unwrap_or(DEFAULT_CHUNKS).min(MAX_CHUNKS),
        (workers, Some(limit)) => {
            let wave = workers.unwrap_or(DEFAULT_CHUNKS).min(MAX_CHUNKS);
            wave.max(chunks_in_time(frames, size, limit)?)
        }
    };
    Ok(ChunkSizing { size: chunk_size, max_parallel, target_frames })
}

/// The fewest chunks of which each ends within its share of `limit` seconds.
fn chunks_in_time(frames: u32, size: Size, limit: u32) -> Result<u32> {
    let budget = f64::from(limit) * SAFE_SHARE;
    let fits = |chunks: &u32| seconds(frames.div_ceil(*chunks), size) <= budget;
    (1..=MAX_CHUNKS).find(fits).ok_or_else(|| Error::ChunkTooSlow {
        chunks: MAX_CHUNKS,
        seconds: seconds(frames.div_ceil(MAX_CHUNKS), size).ceil(),
        budget: budget.floor(),
        limit,
    })
}

/// About how long a chunk of so many frames takes.
fn seconds(frames: u32, Size { width, height }: Size) -> f64 {
    let megapixels = f64::from(width) * f64::from(height) / 1e6;
    SECONDS_TO_START + f64::from(frames) * (SECONDS_PER_FRAME + megapixels * SECONDS_PER_MEGAPIXEL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{FrameRange, slice_chunks};

    const HD: Size = Size { width: 1920, height: 1080 };
    const NOTHING: Cutting = Cutting {
        size: None,
        max_parallel: None,
        target_frames: None,
        workers: None,
        worker_seconds: None,
    };

    fn count(asked: Cutting, frames: u32) -> usize {
        let sizing = sizing(asked, frames, HD).unwrap();
        slice_chunks(FrameRange { start: 0, end: frames }, sizing).1.len()
    }

    #[test]
    fn there_are_as_many_chunks_as_workers_unless_chunks_are_asked_for() {
        let workers = Some(8);
        for (asked, frames, expected) in [
            (NOTHING, 900, 16),
            (Cutting { workers, ..NOTHING }, 900, 8),
            (Cutting { workers: Some(1), ..NOTHING }, 900, 1),
            // No chunk is shorter than ten frames.
            (Cutting { workers, ..NOTHING }, 45, 5),
            (Cutting { workers: Some(4_000_000_000), ..NOTHING }, 10_000, 250),
            (Cutting { workers, max_parallel: Some(3), ..NOTHING }, 900, 3),
            (Cutting { workers, size: Some(60), ..NOTHING }, 900, 15),
            (Cutting { workers, target_frames: Some(300), ..NOTHING }, 900, 3),
        ] {
            assert_eq!(count(asked, frames), expected, "{asked:?} {frames}");
        }
    }

    #[test]
    fn a_chunk_is_cut_so_that_it_fits_into_its_worker_s_time() {
        let within = |workers, limit| Cutting { workers, worker_seconds: Some(limit), ..NOTHING };
        assert_eq!(count(within(Some(8), 900), 900), 8, "it fits as it is");
        assert_eq!(count(within(None, 900), 900), 16);
        let minute = within(Some(8), 60);
        let frames = 20_000;
        let needed = count(minute, frames);
        assert!(needed > 8, "{needed}");
        let longest = frames.div_ceil(u32::try_from(needed).unwrap());
        assert!(seconds(longest, HD) <= 48.0, "{longest} frames");
        assert!(seconds(frames.div_ceil(u32::try_from(needed).unwrap() - 1), HD) > 48.0);
        let wide = Cutting { workers: Some(200), ..minute };
        assert_eq!(count(wide, frames), 200, "a wave of all workers is more than enough");
    }

    #[test]
    fn what_fits_into_no_worker_s_time_is_refused_unless_chunks_are_asked_for() {
        let short = Cutting { worker_seconds: Some(10), ..NOTHING };
        for (asked, frames) in
            [(short, 2_000_000), (Cutting { worker_seconds: Some(5), ..NOTHING }, 10)]
        {
            let error = sizing(asked, frames, HD).unwrap_err();
            assert!(matches!(error, Error::ChunkTooSlow { .. }), "{error}");
            let pinned = Cutting { max_parallel: Some(256), ..asked };
            assert_eq!(sizing(pinned, frames, HD).unwrap().max_parallel, 256);
        }
        let error = sizing(short, 2_000_000, HD).unwrap_err().to_string();
        assert!(error.contains("each of 256 chunks") && error.contains("of its 10 s"), "{error}");
    }
}
