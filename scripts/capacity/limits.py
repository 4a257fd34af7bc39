"""What Amazon publishes about its limits and prices (us-east-1, x86-64, as of November 2026), each with its unit."""

# Step Functions, standard workflows.
INLINE_AT_ONCE = 40  # iterations of an inline Map
DISTRIBUTED_AT_ONCE = 10_000  # child executions of a Map Run
HISTORY_EVENTS = 25_000  # of one execution
STATE_BYTES = 256 * 1024  # input or output of a state
RANGE_NUMBERS = 1_000  # what States.ArrayRange may return

# Lambda.
FUNCTION_SECONDS = 900
SCALING_BURST = 1_000  # new sandboxes of one function ...
SCALING_PER_SECOND = 100.0  # ... and how quickly that many are allowed again
MIB_PER_VCPU = 1_769
EVENT_BYTES = 6 * 1024 * 1024
TMP_MIB = 10_240

# S3, for each prefix.
GETS_PER_SECOND = 5_500
PUTS_PER_SECOND = 3_500

# Dollars.
PER_GB_SECOND = 0.0000166667
PER_REQUEST = 0.20 / 1_000_000
PER_TRANSITION = 0.025 / 1_000
PER_TMP_GB_SECOND = 0.0000000309  # above the first 512 MB
FREE_TMP_MIB = 512


def gb_seconds(seconds, memory_mib):
    return seconds * memory_mib / 1024


def dollars(seconds, memory_mib, tmp_mib, requests, transitions):
    """What an execution costs, by what is paid for. Storage and transfer are not in it."""
    return {
        "compute": gb_seconds(seconds, memory_mib) * PER_GB_SECOND,
        "tmp": gb_seconds(seconds, max(0, tmp_mib - FREE_TMP_MIB)) * PER_TMP_GB_SECOND,
        "requests": requests * PER_REQUEST,
        "transitions": transitions * PER_TRANSITION,
    }
