//! How many browsers this machine can run at once.

use std::fs;
use std::thread::available_parallelism;

/// What one browser with a 1080p page needs, with room to spare.
const BYTES_PER_BROWSER: u64 = 1 << 30;

const MAX_BROWSERS: u64 = 16;

/// One browser for each core that is ours, as far as the memory goes.
pub(crate) fn default_workers() -> u32 {
    workers(cores(), available_memory())
}

/// The processors of this machine that are ours.
pub(crate) fn cores() -> u64 {
    available_parallelism().map_or(1, std::num::NonZero::get) as u64
}

/// The same in a function of so many MiB, where the machine's own numbers may be those of a larger one.
pub(crate) fn lambda_workers(function_mib: Option<u64>) -> u32 {
    let shown = cores();
    let cores = function_mib.map_or(shown, |mib| shown.min(lambda_cores(mib)));
    let function = function_mib.map(|mib| mib << 20);
    workers(cores, available_memory().into_iter().chain(function).min())
}

/// What this process sees of its machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Machine {
    pub(crate) cores: u32,
    /// What it may use.
    pub(crate) memory_mib: Option<u64>,
}

pub(crate) fn machine() -> Machine {
    let cores = u32::try_from(cores()).unwrap_or(u32::MAX);
    Machine { cores, memory_mib: available_memory().map(|bytes| bytes >> 20) }
}

/// The processors that a function of so many MiB is given, which may be fewer than it sees.
fn lambda_cores(function_mib: u64) -> u64 {
    const MIB_PER_CORE: u64 = 1769;
    ((function_mib + MIB_PER_CORE / 2) / MIB_PER_CORE).max(1)
}

fn workers(cores: u64, memory: Option<u64>) -> u32 {
    let by_memory = memory.map_or(MAX_BROWSERS, |bytes| bytes / BYTES_PER_BROWSER);
    u32::try_from(cores.min(by_memory).clamp(1, MAX_BROWSERS)).expect("at most 16")
}

/// Bytes this process may use: what is free on the machine, or what its control group allows.
pub(crate) fn available_memory() -> Option<u64> {
    let free = fs::read_to_string("/proc/meminfo").ok().as_deref().and_then(mem_available);
    let limit = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .iter()
        .find_map(|path| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok());
    free.into_iter().chain(limit).min()
}

fn mem_available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_limited_by_cores_and_by_memory() {
        let gib = 1 << 30;
        for (cores, memory, expected) in [
            (2, Some(24 * gib), 2),
            (6, Some(10 * gib), 6),
            (6, Some(2 * gib), 2),
            (1, Some(0), 1),
            (64, None, 16),
        ] {
            assert_eq!(workers(cores, memory), expected, "{cores} cores, {memory:?} bytes");
        }
    }

    #[test]
    fn a_function_has_a_processor_for_each_1769_mib() {
        for (mib, cores) in [(128, 1), (1769, 1), (2048, 1), (3008, 2), (3538, 2), (10_240, 6)] {
            assert_eq!(lambda_cores(mib), cores, "{mib} MiB");
        }
    }

    #[test]
    fn available_memory_is_read_from_the_kernel_s_table() {
        assert_eq!(mem_available("MemTotal: 2 kB\nMemAvailable:   1024 kB\n"), Some(1 << 20));
        assert_eq!(mem_available("MemTotal: 2 kB\n"), None);
    }
}
