"""What is printed of simulated renders: one in detail, a grid, and the question of throttles."""

from collections import Counter

from capacity import cost, limits
from capacity.machine import Machine, length
from capacity.model import THROTTLED, Work, simulate

MIB = 2**20


def share(values, percent):
    """The value that `percent` of the values do not exceed."""
    ordered = sorted(values) or [0.0]
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * percent // 100) - 1))]


def breaks(machine, chunks, mode, chunk_mib=0.0):
    """What a render of so many chunks needs that is not there, before anything has gone wrong."""
    found = []
    if mode == "inline":
        if chunks > machine.most_chunks:
            found.append(f"the machine's own {machine.most_chunks}")
        if chunks > limits.RANGE_NUMBERS:
            found.append("ArrayRange 1000")
        if machine.state_bytes(chunks) > limits.STATE_BYTES:
            found.append("state 256 KiB")
        if machine.clean_events(chunks) > limits.HISTORY_EVENTS:
            found.append("history 25,000")
    else:
        if chunks > limits.RANGE_NUMBERS:
            found.append("needs ItemReader")
        if length([machine.chunk_result(index) for index in range(chunks)]) > limits.STATE_BYTES:
            found.append("needs ResultWriter")
        if machine.uri_bytes(chunks) > limits.STATE_BYTES:
            found.append("Assemble's list of chunks")
    # All chunks and what they are joined to lie in one function's /tmp.
    if 2 * chunks * chunk_mib > limits.TMP_MIB:
        found.append("Assemble's /tmp")
    return found


def price(outcome, memory, tmp):
    return limits.dollars(outcome.billed, memory, tmp, outcome.requests, outcome.transitions)


def single(machine, work, options):
    """One run in detail."""
    print(f"{options.renders} render(s) of {options.chunks} chunks of about {work.chunk:g} s, {options.mode} Map, "
          f"{options.map_concurrency} at once each; the function runs {options.at_once} at once; seed {options.seed}")
    if work.turnaround and options.map_concurrency * options.renders > options.at_once:
        print("more is asked for than may run: expect throttles")
    outcomes, world = simulate(
        machine, work, options.chunks, options.map_concurrency, options.at_once, options.seed, options.renders, options.apart,
        options.mode, options.plan_parts,
    )
    for number, outcome in enumerate(outcomes):
        parts = price(outcome, options.memory, options.tmp)
        retries = ", ".join(f"{count} {error}" for error, count in outcome.retries.most_common()) or "none"
        waits = outcome.waits
        print(f"\nrender {number}: {outcome.status} {outcome.reason}")
        print(f"  wall            {outcome.wall:.0f} s, {outcome.done} of {options.chunks} chunks done")
        print(f"  wait of a chunk p50 {share(waits, 50):.1f} s, p95 {share(waits, 95):.1f} s, longest {max(waits, default=0):.1f} s")
        print(f"  retries         {retries}; {outcome.most_tries} throttles of one chunk at most")
        whose = "the parent's " if options.mode == "distributed" else ""
        print(f"  history         {outcome.events} of {limits.HISTORY_EVENTS} {whose}events")
        if options.mode == "inline":
            print(f"  state           {machine.state_bytes(options.chunks)} of {limits.STATE_BYTES} bytes")
        seconds = limits.gb_seconds(outcome.billed, options.memory)
        print(f"  compute         {outcome.billed:.0f} s x {options.memory} MiB / 1024 = {seconds:.0f} GB-s", end="")
        print(f" x ${limits.PER_GB_SECOND:.10f} = ${parts['compute']:.4f}")
        print(f"  /tmp            (of {options.tmp} MiB, above {limits.FREE_TMP_MIB}) = ${parts['tmp']:.6f}")
        print(f"  requests        {outcome.requests} x ${limits.PER_REQUEST:.7f} = ${parts['requests']:.6f}")
        print(f"  transitions     {outcome.transitions} x ${limits.PER_TRANSITION:.6f} = ${parts['transitions']:.4f}")
        print(f"  cost            ${sum(parts.values()):.4f}")
    function = world.function
    print(f"\nsandboxes: {function.peak} at once, {function.cold_starts} cold starts, refusals {dict(function.refusals) or 'none'}")
    reads, writes = max(world.gets.values(), default=0), max(world.puts.values(), default=0)
    print(f"S3, all renders: at most {reads} reads a second (a prefix: {limits.GETS_PER_SECOND}), {writes} writes ({limits.PUTS_PER_SECOND})")
    missing = breaks(machine, options.chunks, options.mode, options.chunk_mib)
    missing += ["S3's reads a second"] * (reads > limits.GETS_PER_SECOND)
    missing += ["S3's writes a second"] * (writes > limits.PUTS_PER_SECOND)
    first = [f"{limit} at {time:.0f} s" for limit, time in sorted(world.first_limit.items(), key=lambda item: item[1])]
    print(f"limits met, the first one first: {', '.join(missing + first) or 'none'}")


def table(machine, work, options):
    """The grid: both modes, up to 10,000 chunks."""
    print(f"chunks of about {work.chunk:g} s at {options.memory} MiB, one render, seed {options.seed};", end=" ")
    print("the machine's own bound on chunks is lifted")
    print("| Map | chunks | at once | wall s | wait p95 s | retries | events | state KiB | GB-s | cost $ | ends | what it lacks |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|---|")
    for mode, at_once in (("inline", 8), ("inline", 40), ("distributed", 40), ("distributed", 1000), ("distributed", 10_000)):
        for chunks in (1, 12, 60, 256, 1_000, 3_000, 10_000):
            if at_once > 40 and chunks < 256:
                continue
            (outcome,), _ = simulate(machine, work, chunks, at_once, at_once, options.seed, mode=mode, plan_parts=options.plan_parts)
            state = machine.state_bytes(chunks) / 1024 if mode == "inline" else 2
            ends = "well" if outcome.status == "SUCCEEDED" else outcome.reason.split(":")[0]
            print(
                f"| {mode} | {chunks} | {at_once} | {outcome.wall:.0f} | {share(outcome.waits, 95):.0f} | {outcome.retries.total()}"
                f" | {outcome.events} | {state:.0f} | {limits.gb_seconds(outcome.billed, options.memory):.0f}"
                f" | {sum(price(outcome, options.memory, options.tmp).values()):.3f}"
                f" | {ends} | {', '.join(breaks(machine, chunks, mode, options.chunk_mib)) or '-'} |"
            )


# Rules for throttles to compare with the definition's own; `seconds` is the execution's.
RULES = {
    "as defined": {},
    "as defined, more tries": {"attempts": 100_000, "seconds": 172_800},
    "5 s x 1.1 to 600 s, 1000 tries": {"interval": 5, "rate": 1.1, "longest": 600, "attempts": 1_000, "seconds": 172_800},
}


def throttle(options):
    """Whether renders outlive the wait for a sandbox, by rule, load and length of chunk."""
    print(f"{options.chunks} chunks on {options.at_once} sandboxes, {options.seeds} seeds; in a cell:", end=" ")
    print("renders that succeeded, most tries of a chunk, most events")
    times = (30, 60, 120, 300, 600, 880)
    print("| rule | renders | MaxConcurrency | " + " | ".join(f"{time} s" for time in times) + " |")
    print("|---|--:|--:|" + "---|" * len(times))
    for name, rule in RULES.items():
        for renders, at_once in ((1, options.at_once), (1, 40), (3, options.at_once), (3, 40)):
            cells = [survival(options, rule, renders, at_once, time) for time in times]
            print(f"| {name} | {renders} | {at_once} | " + " | ".join(cells) + " |", flush=True)


def survival(options, rule, renders, at_once, chunk_seconds):
    machine = Machine(options.definition)
    changes = dict(rule)
    machine.seconds = changes.pop("seconds", machine.seconds)
    machine.with_throttle_rule(**changes)
    work = Work(chunk=chunk_seconds, spread=0.1, straggler_rate=0.0, longest=880.0, fault_rate=0.0, turnaround=options.turnaround)
    outcomes = []
    for seed in range(options.seeds):
        outcomes += simulate(machine, work, options.chunks, at_once, options.at_once, seed, renders)[0]
    good = sum(outcome.status == "SUCCEEDED" for outcome in outcomes)
    why = Counter(short(outcome.reason) for outcome in outcomes if outcome.status != "SUCCEEDED")
    tail = f" ({', '.join(f'{count} {reason}' for reason, count in why.most_common())})" if why else ""
    return f"{100 * good // len(outcomes)} %, {max(o.most_tries for o in outcomes)}, {max(o.events for o in outcomes)}{tail}"


def short(reason):
    if reason == THROTTLED:
        return "throttled"
    return "history" if "history" in reason else "out of time" if "execution" in reason else reason


def sizes(machine, options):
    """Chunk sizes of a whole render of the everyday page: seconds until the video is there, and its cost."""
    print(f"the page `moving` at {options.memory} MiB: seconds and cost of the whole render,", end=" ")
    print(f"no sandbox warm before it, seed {options.seed}")
    frames = (60, 150, 300, 600, 1200, 2400)
    print("| minutes | at once | " + " | ".join(f"{size} frames" for size in frames) + " |")
    print("|--:|--:|" + "---|" * len(frames))
    for minutes in (1, 10, 60):
        for at_once in (8, 40):
            cells = [whole(machine, options, minutes, at_once, size) for size in frames]
            print(f"| {minutes} | {at_once} | " + " | ".join(cells) + " |")


def whole(machine, options, minutes, at_once, size):
    frames = minutes * 60 * cost.FPS
    chunks, size = -(-frames // size), min(size, frames)
    if chunks > machine.most_chunks:
        return f"{chunks} chunks"
    warm, cold = (cost.chunk("moving", size, options.memory, is_cold).seconds for is_cold in (False, True))
    work = Work(
        chunk=warm, cold=cold - warm, plan=cost.PLAN_SECONDS, assemble=cost.ASSEMBLE_SECONDS, assemble_each=cost.ASSEMBLE_EACH,
        fault_rate=0.0, straggler_rate=0.0, spread=0.05,
    )
    outcome = simulate(machine, work, chunks, at_once, at_once, options.seed)[0][0]
    return f"{outcome.wall:.0f} s, ${sum(price(outcome, options.memory, options.tmp).values()):.4f}"
