//! What a render would take, from a few frames of it that were drawn here. The numbers and their sources are in docs/capacity.md.

/// Time of a chunk on Lambda besides drawing: starting browsers and page, fetching the plan, storing the chunk.
const CHUNK_SECONDS: f64 = 0.9 + 0.3;
/// Planning and assembling, with their starts.
const AROUND_SECONDS: f64 = 4.0;
/// The share of its processors that a chunk uses.
const UTILIZATION: f64 = 0.85;
const MIB_PER_CORE: f64 = 1769.0;
const DOLLARS_PER_GB_SECOND: f64 = 0.000_016_666_7;

/// What a deployed stack has unless it is told otherwise.
pub(crate) const MEMORY_MIB: u32 = 5307;
pub(crate) const CONCURRENCY: u32 = 8;

/// What was measured of some frames.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    /// Until the browsers were ready.
    pub(crate) boot_seconds: f64,
    pub(crate) seconds_per_frame: f64,
    /// The processors that were busy.
    pub(crate) cores: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Forecast {
    pub(crate) seconds: f64,
    pub(crate) dollars: f64,
}

impl Measured {
    /// Seconds of a render on this machine, whose planning took `plan_seconds`.
    pub(crate) fn here(self, frames: u32, chunks: u32, plan_seconds: f64) -> f64 {
        let drawing = f64::from(frames) * self.seconds_per_frame;
        plan_seconds + f64::from(chunks) * self.boot_seconds + drawing
    }

    /// Of a render on a stack as it is deployed by default, in `chunks` chunks.
    pub(crate) fn in_cloud(self, frames: u32, chunks: u32) -> Forecast {
        let memory_gb = f64::from(MEMORY_MIB) / 1024.0;
        let cores = f64::from(MEMORY_MIB) / MIB_PER_CORE;
        let cpu_seconds = f64::from(frames) * self.seconds_per_frame * self.cores;
        let chunk = CHUNK_SECONDS + cpu_seconds / f64::from(chunks.max(1)) / (cores * UTILIZATION);
        let waves = f64::from(chunks.div_ceil(CONCURRENCY));
        let billed = f64::from(chunks) * chunk + AROUND_SECONDS;
        Forecast {
            seconds: waves * chunk + AROUND_SECONDS,
            dollars: billed * memory_gb * DOLLARS_PER_GB_SECOND,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_of_the_everyday_page_costs_what_the_table_says() {
        // 51 CPU ms a frame, 300 frames a chunk, 5307 MiB: $0.0039, and planning and assembling.
        let page = Measured { boot_seconds: 1.0, seconds_per_frame: 0.0255, cores: 2.0 };
        let Forecast { seconds, dollars } = page.in_cloud(1800, 6);
        assert!((0.0038..0.0045).contains(&dollars), "{dollars}");
        assert!((10.0..13.0).contains(&seconds), "{seconds}");
        let here = page.here(1800, 3, 0.5);
        assert!((here - (0.5 + 3.0 + 45.9)).abs() < 1e-9, "{here}");
    }

    #[test]
    fn more_chunks_than_run_at_once_take_another_wave() {
        let page = Measured { boot_seconds: 1.0, seconds_per_frame: 0.1, cores: 2.0 };
        let (eight, nine) = (page.in_cloud(800, 8), page.in_cloud(900, 9));
        assert!(nine.seconds - AROUND_SECONDS > 1.9 * (eight.seconds - AROUND_SECONDS));
    }
}
