"""What Amazon publishes about its limits and prices (us-east-1, x86-64, as of November 2026), each with its unit."""

# Step Functions, standard workflows.
HISTORY_EVENTS = 25_000  # of one execution
STATE_BYTES = 256 * 1024  # input or output of a state

# Lambda.
MIB_PER_VCPU = 1_769

# Dollars. crates/worker/src/submit/cost.rs has the same prices.
PER_GB_SECOND = 0.0000166667
PER_REQUEST = 0.20 / 1_000_000
PER_TRANSITION = 0.025 / 1_000


def gb_seconds(seconds, memory_mib):
    return seconds * memory_mib / 1024
