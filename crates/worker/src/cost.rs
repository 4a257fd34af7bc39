//! What a render costs, about.

/// What was used so far, in what it costs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Used {
    /// Milliseconds of the function, over all invocations.
    pub(crate) ms: u64,
    pub(crate) requests: u64,
    pub(crate) transitions: u64,
}

// Amazon's list prices in us-east-1 as of 2026-11, in US dollars; other regions differ somewhat, and free tiers are not counted.
/// For each GiB of an x86-64 function's memory, each second.
const PER_GB_SECOND: f64 = 0.000_016_666_7;
/// For each invocation.
const PER_REQUEST: f64 = 0.20 / 1e6;
/// For each state that a standard workflow enters, retries included.
const PER_TRANSITION: f64 = 0.025 / 1e3;

const MIB_PER_GB: f64 = 1024.0;

/// US dollars, for a function of so much memory. What S3 and disk above 512 MiB add is far less and left out.
pub(crate) fn dollars(used: Used, memory_mib: u32) -> f64 {
    let Used { ms, requests, transitions } = used;
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let [seconds, requests, transitions] = [ms as f64 / 1e3, requests as f64, transitions as f64];
    seconds * f64::from(memory_mib) / MIB_PER_GB * PER_GB_SECOND
        + requests * PER_REQUEST
        + transitions * PER_TRANSITION
}

/// As people read it: `about $0.0123`.
pub(crate) fn shown(dollars: f64) -> String {
    format!("about ${dollars:.4}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_render_costs_its_memory_for_its_time_its_invocations_and_its_steps() {
        let check = |ms, requests, transitions, memory, expected: &str| {
            assert_eq!(shown(dollars(Used { ms, requests, transitions }, memory)), expected);
        };
        check(0, 0, 0, 10_240, "about $0.0000");
        // A thousand seconds of a GiB.
        check(1_000_000, 0, 0, 1024, "about $0.0167");
        check(1_000_000, 0, 0, 10_240, "about $0.1667");
        check(0, 1_000_000, 0, 1024, "about $0.2000");
        check(0, 0, 1000, 1024, "about $0.0250");
        check(120_000, 5, 20, 4096, "about $0.0085");
    }
}
