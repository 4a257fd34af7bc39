#!/usr/bin/env python3
"""Prints what a minute of video costs: computed from what scripts/capacity/measure.py measured on one machine, and Lambda's prices.

    scripts/capacity/cost.py

The output is the table of docs/capacity.md. tests/test_capacity.py compares the two.
"""

from dataclasses import dataclass

import limits

FPS = 30
MEMORIES = (1769, 3538, 5307, 10240)
ROWS = (("moving", 30), ("moving", 300), ("moving", 600), ("held", 300), ("cards", 300), ("gradient", 300))


@dataclass(frozen=True)
class Page:
    """Medians of a page of fixtures/bench at 1920x1080, in CPU seconds."""

    startup: float  # starting the first browser, the page and the encoder, and the last checks
    frame: float  # drawing and encoding one more frame


PAGES = {
    "moving": Page(startup=0.6, frame=0.022),
    "held": Page(startup=0.5, frame=0.013),
    "cards": Page(startup=0.5, frame=0.031),
    "gradient": Page(startup=0.5, frame=0.043),
}

# The same machine: CPU seconds of each further browser and of unpacking the tools, and the time that more cores do not shorten.
FURTHER_BROWSER = 0.3
UNPACK = 1.0
STARTUP_SECONDS = 0.9
CORES_PER_BROWSER = 1.2  # that one browser and its share of the encoder can use

# Assumed, not measured: the share of its cores that a chunk uses, the time that Lambda takes to start a sandbox of this size, and
# the time to fetch the plan and store the chunk.
CORE_UTILIZATION = 0.85
SANDBOX_SECONDS = 1.0
TRANSFER_SECONDS = 0.3

MIN_FRAMES_PER_BROWSER = 15  # as in crates/render/src/chunk.rs
MAX_BROWSERS = 16  # as in crates/worker/src/resources.rs


@dataclass(frozen=True)
class Estimate:
    seconds: float
    dollars: float


def browsers(memory, frames):
    """As many as bootstrap starts without --workers: one for each core that Lambda shows and each GiB."""
    cores = max(2, -(-memory // limits.MIB_PER_VCPU))
    return max(1, min(cores, memory // 1024, -(-frames // MIN_FRAMES_PER_BROWSER), MAX_BROWSERS))


def chunk(page, frames, memory, is_cold):
    """One chunk, in a warm or a new sandbox."""
    work, vcpu, count = PAGES[page], memory / limits.MIB_PER_VCPU, browsers(memory, frames)
    startup = max(STARTUP_SECONDS, (work.startup + FURTHER_BROWSER * (count - 1)) / vcpu)
    drawing = frames * work.frame / (min(vcpu, count * CORES_PER_BROWSER) * CORE_UTILIZATION)
    cold = SANDBOX_SECONDS + UNPACK / min(vcpu, 2) if is_cold else 0.0
    seconds = cold + startup + drawing + TRANSFER_SECONDS
    return Estimate(seconds, limits.gb_seconds(seconds, memory) * limits.PER_GB_SECOND)


def minute_dollars(page, chunk_frames, memory, is_cold):
    """A minute of video in chunks of so many frames, without Plan and Assemble."""
    one = chunk(page, chunk_frames, memory, is_cold).dollars + limits.PER_REQUEST + limits.PER_TRANSITION
    return 60 * FPS / chunk_frames * one


def cell(page, frames, memory):
    warm, cold = (minute_dollars(page, frames, memory, is_cold) for is_cold in (False, True))
    return f"{chunk(page, frames, memory, is_cold=False).seconds:.1f} s, ${warm:.4f} ({cold:.4f})"


def table():
    """By page, chunk size and memory, as Markdown."""
    yield "| Page | Frames a chunk | " + " | ".join(f"{memory} MiB" for memory in MEMORIES) + " |"
    yield "|---|--:|" + "---|" * len(MEMORIES)
    for page, frames in ROWS:
        yield f"| `{page}` | {frames} | " + " | ".join(cell(page, frames, memory) for memory in MEMORIES) + " |"


if __name__ == "__main__":
    print("\n".join(table()))
