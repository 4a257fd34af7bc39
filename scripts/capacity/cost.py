"""What a minute of video costs: reckoned from what scripts/capacity/measure.py found on one machine, and from Lambda's prices."""

from dataclasses import dataclass

from capacity import limits

FPS = 30


@dataclass(frozen=True)
class Page:
    """Medians of a page of fixtures/bench at 1920x1080, in CPU seconds."""

    boot: float  # starting the first browser, the page and the encoder, and the last checks
    frame: float  # drawing and encoding one more frame
    kib: float  # of the chunk's file, for each frame


PAGES = {
    "moving": Page(boot=0.6, frame=0.051, kib=1.0),
    "held": Page(boot=0.5, frame=0.013, kib=0.2),
    "cards": Page(boot=0.5, frame=0.057, kib=6.2),
    "gradient": Page(boot=0.5, frame=0.131, kib=8.7),
}

# The same machine: CPU seconds of another browser, of unpacking Chrome, and the seconds that no number of cores shortens.
ANOTHER_BROWSER = 0.3
UNPACK = {"brotli": 1.7, "zstd": 1.0}
BOOT_SECONDS = 0.9
BROWSER_CORES = 1.2  # that one browser and its share of the encoder can use

# Not measured: there was no Lambda. How much of its cores a chunk uses, what Lambda itself takes to start a sandbox of this size,
# and fetching the plan and storing the chunk.
CORES_USED = 0.85
SANDBOX_SECONDS = 1.0
TRANSFER_SECONDS = 0.3

# Plan and Assemble, of a project without media: measured here, with TRANSFER_SECONDS.
PLAN_SECONDS = 0.4
ASSEMBLE_SECONDS = 0.4
ASSEMBLE_EACH = 0.02

FRAMES_WORTH_A_BROWSER = 15  # as in crates/render/src/chunk.rs


@dataclass(frozen=True)
class Estimate:
    seconds: float  # of one function, one after the other
    dollars: float


def browsers(memory, frames):
    """As many as bootstrap starts by itself: one for each core that Lambda shows and each GiB."""
    cores = max(2, -(-memory // limits.MIB_PER_VCPU))
    return max(1, min(cores, memory // 1024, -(-frames // FRAMES_WORTH_A_BROWSER), 16))


def chunk(page, frames, memory, is_cold, pack="brotli"):
    """One chunk in a warm or a new sandbox."""
    work, vcpu, drawing = PAGES[page], memory / limits.MIB_PER_VCPU, browsers(memory, frames)
    boot = max(BOOT_SECONDS, (work.boot + ANOTHER_BROWSER * (drawing - 1)) / vcpu)
    draw = frames * work.frame / (min(vcpu, drawing * BROWSER_CORES) * CORES_USED)
    cold = SANDBOX_SECONDS + UNPACK[pack] / min(vcpu, 2) if is_cold else 0.0
    seconds = cold + boot + draw + TRANSFER_SECONDS
    return Estimate(seconds, limits.gb_seconds(seconds, memory) * limits.PER_GB_SECOND)


def minute(page, chunk_frames, memory, cold_share=0.0):
    """A minute of video in chunks of so many frames, of which `cold_share` meet a new sandbox. Plan and Assemble are not in it."""
    count = 60 * FPS / chunk_frames
    warm, cold = (chunk(page, chunk_frames, memory, is_cold) for is_cold in (False, True))
    mean = lambda field: (1 - cold_share) * getattr(warm, field) + cold_share * getattr(cold, field)  # noqa: E731
    extra = count * (limits.PER_REQUEST + limits.PER_TRANSITION)
    return Estimate(count * mean("seconds"), count * mean("dollars") + extra)


def table():
    """By page, memory and chunk size."""
    print(f"a minute of 1920x1080 at {FPS} frames a second; warm sandboxes, and in brackets all of them new (Chrome packed with brotli)")
    memories = (1769, 3538, 5307, 10240)
    print("| page | frames in a chunk | " + " | ".join(f"{memory} MiB" for memory in memories) + " |")
    print("|---|--:|" + "---|" * len(memories))
    for page in PAGES:
        for size in (30, 60, 150, 300, 600):
            cells = []
            for memory in memories:
                one = chunk(page, size, memory, is_cold=False)
                warm, cold = minute(page, size, memory), minute(page, size, memory, cold_share=1.0)
                cells.append(f"{one.seconds:.1f} s a chunk, ${warm.dollars:.4f} (${cold.dollars:.4f})")
            print(f"| {page} | {size} | " + " | ".join(cells) + " |")
