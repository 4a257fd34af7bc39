"""The simulation: executions of the state machine and one function's sandboxes, event by event."""

import heapq
import itertools
import math
from collections import Counter, deque
from dataclasses import dataclass, field
from random import Random

from capacity import limits
from capacity.machine import EVENTS_OF_A_RETRY

THROTTLED = "Lambda.TooManyRequestsException"
TIMED_OUT = "Sandbox.Timedout"

PART_SECONDS = 0.2  # for 16 MiB of the plan, at some 80 MB a second; not measured on Lambda


@dataclass(frozen=True)
class Work:
    """How long things take, in seconds, and how they go wrong."""

    chunk: float = 60.0
    spread: float = 0.15  # sigma of the lognormal around the chunk's time
    straggler_rate: float = 0.01
    straggler_times: float = 3.0
    longest: float = math.inf  # no chunk takes longer than this
    cold: float = 4.0  # median of what a new sandbox takes on top
    cold_spread: float = 0.3
    plan: float = 10.0
    assemble: float = 2.0
    assemble_each: float = 0.05
    fault_rate: float = 0.001  # attempts that fail half-way with a code that is tried again
    hang_rate: float = 0.0  # attempts that never answer
    turnaround: float = 0.1  # from the end of one chunk to the next one's request
    keep_warm: float = 300.0  # how long an idle sandbox is kept

    @staticmethod
    def exact(**times):
        """Nothing is left to chance."""
        calm = {"spread": 0.0, "straggler_rate": 0.0, "cold": 0.0, "cold_spread": 0.0, "fault_rate": 0.0, "turnaround": 0.0}
        return Work(**{**calm, "plan": 0.0, "assemble": 0.0, "assemble_each": 0.0, **times})


@dataclass
class Outcome:
    """What became of one execution."""

    start: float
    status: str = "RUNNING"
    reason: str = ""
    end: float = 0.0
    events: int = 0
    transitions: int = 0
    billed: float = 0.0
    requests: int = 0
    waits: list = field(default_factory=list)  # of each chunk: from its first request until it ran
    retries: Counter = field(default_factory=Counter)
    most_tries: int = 0  # throttles of the unluckiest chunk
    done: int = 0

    @property
    def wall(self):
        return self.end - self.start


class Function:
    """The sandboxes of one function: a request gets a warm one, a new one, or a refusal."""

    def __init__(self, at_once, keep_warm):
        self.at_once, self.keep_warm = at_once, keep_warm
        self.running = self.peak = self.cold_starts = 0
        self.idle = deque()  # since when, the latest last
        self.tokens, self.filled = float(limits.SCALING_BURST), 0.0
        self.refusals = Counter()

    def request(self, now):
        """"warm", "cold" or None."""
        if self.running >= self.at_once:
            self.refusals["concurrency"] += 1
            return None
        while self.idle and now - self.idle[0] > self.keep_warm:
            self.idle.popleft()
        if self.idle:
            self.idle.pop()
            kind = "warm"
        else:
            self.tokens = min(limits.SCALING_BURST, self.tokens + (now - self.filled) * limits.SCALING_PER_SECOND)
            self.filled = now
            if self.tokens < 1:
                self.refusals["scaling"] += 1
                return None
            self.tokens -= 1
            self.cold_starts += 1
            kind = "cold"
        self.running += 1
        self.peak = max(self.peak, self.running)
        return kind

    def release(self, now, is_kept):
        self.running -= 1
        if is_kept:
            self.idle.append(now)


class World:
    """The clock, the function, and every request to S3 by the second."""

    def __init__(self, machine, work, at_once, seed, plan_parts=1):
        self.machine, self.work, self.random = machine, work, Random(seed)
        self.function = Function(at_once, work.keep_warm)
        self.now, self.queue, self.order = 0.0, [], itertools.count()
        self.plan_parts = plan_parts
        self.gets, self.puts = Counter(), Counter()
        self.first_limit = {}

    def at(self, time, act):
        heapq.heappush(self.queue, (time, next(self.order), act))

    def touched(self, limit):
        self.first_limit.setdefault(limit, self.now)

    def run(self):
        while self.queue:
            self.now, _, act = heapq.heappop(self.queue)
            act()


class Render:
    """One execution: Plan, the Map, Assemble."""

    def __init__(self, world, chunks, at_once, mode="inline", start=0.0):
        self.world, self.chunks, self.mode = world, chunks, mode
        bound = limits.INLINE_AT_ONCE if mode == "inline" else limits.DISTRIBUTED_AT_ONCE
        self.at_once = min(at_once or bound, bound)
        self.next_chunk = 0
        machine = world.machine
        self.outcome = Outcome(start=start, events=machine.clean_events(0, mode), transitions=machine.clean_transitions(0))
        self.events_each = machine.clean_events(1, mode) - self.outcome.events
        self.transitions_each = machine.clean_transitions(1) - self.outcome.transitions
        world.at(start, lambda: self.attempt("Plan", -1, Counter(), start))
        world.at(start + world.machine.seconds, lambda: self.finish("TIMED_OUT", f"the execution's {world.machine.seconds} s"))

    def finish(self, status, reason=""):
        outcome = self.outcome
        if outcome.status == "RUNNING":
            outcome.status, outcome.reason, outcome.end = status, reason, self.world.now
            if status != "SUCCEEDED":
                self.world.touched(reason)

    def seconds(self, task):
        """How long an attempt would take in a warm sandbox."""
        work, random = self.world.work, self.world.random
        if task == "Plan":
            return work.plan
        if task == "Assemble":
            return work.assemble + work.assemble_each * self.chunks
        slow = work.straggler_times if random.random() < work.straggler_rate else 1.0
        return min(work.longest, work.chunk * slow * random.lognormvariate(0, work.spread))

    def attempt(self, task, index, tries, asked):
        """Asks for a sandbox; what comes of it happens later."""
        world, outcome = self.world, self.outcome
        if outcome.status != "RUNNING":
            return
        kind = world.function.request(world.now)
        if kind is None:
            world.touched("concurrency" if world.function.running >= world.function.at_once else "scaling")
            self.retry(task, index, tries, asked, THROTTLED)
            return
        if task == "RenderChunk" and not tries["ran"]:
            outcome.waits.append(world.now - asked)
        tries["ran"] += 1
        work, random = world.work, world.random
        takes, error = self.seconds(task), None
        if kind == "cold":
            takes += work.cold * math.exp(random.gauss(0, work.cold_spread))
        if random.random() < work.fault_rate:
            takes, error = takes * random.random(), "BROWSER_LOST"
        if random.random() < work.hang_rate:
            takes, error = float(limits.FUNCTION_SECONDS), TIMED_OUT
        elif takes > limits.FUNCTION_SECONDS:
            takes, error = float(limits.FUNCTION_SECONDS), f"{'CHUNK' if task == 'RenderChunk' else task.upper()}_DEADLINE_EXCEEDED"
        outcome.billed += takes
        outcome.requests += 1
        self.count_requests(task, takes, error)
        world.at(world.now + takes, lambda: self.ended(task, index, tries, asked, error))

    def count_requests(self, task, takes, error):
        world, second = self.world, int(self.world.now)
        if task == "RenderChunk":
            world.gets[second] += 1  # a look for an earlier try's chunk; then the plan
            for part in range(world.plan_parts):
                world.gets[int(world.now + part * PART_SECONDS)] += 1
            world.puts[int(world.now + takes)] += error is None
        elif task == "Assemble":
            for index in range(self.chunks):
                world.gets[second + int(world.work.assemble_each * index)] += 1

    def ended(self, task, index, tries, asked, error):
        world = self.world
        world.function.release(world.now, error != TIMED_OUT)
        if self.outcome.status != "RUNNING":
            return
        if error:
            self.retry(task, index, tries, asked, error)
        elif task == "Plan":
            self.begin_map()
        elif task == "Assemble":
            self.finish("SUCCEEDED")
        else:
            self.outcome.done += 1
            if self.outcome.done == self.chunks:
                self.end_map()
            else:
                self.start_next()

    def begin_map(self):
        for _ in range(min(self.at_once, self.chunks)):
            self.start_next(delay=0.0)

    def start_next(self, delay=None):
        if self.next_chunk < self.chunks:
            index = self.next_chunk
            self.next_chunk += 1
            self.outcome.transitions += self.transitions_each
            if self.write_history(self.events_each):
                return
            time = self.world.now + (self.world.work.turnaround if delay is None else delay)
            self.world.at(time, lambda: self.attempt("RenderChunk", index, Counter(), time))

    def end_map(self):
        # A distributed Map's results go to S3, since they would not fit either.
        if self.mode == "inline" and self.world.machine.state_bytes(self.chunks) > limits.STATE_BYTES:
            self.finish("FAILED", "States.DataLimitExceeded: 256 KiB of state")
        else:
            now = self.world.now
            self.attempt("Assemble", -1, Counter(), now)

    def write_history(self, events):
        """Whether this was too much. A chunk's events, and the last states', count from the start: that is a little early."""
        self.outcome.events += events
        is_full = self.outcome.events > limits.HISTORY_EVENTS
        if is_full:
            self.finish("FAILED", "25,000 events of history")
        return is_full

    def retry(self, task, index, tries, asked, error):
        world, outcome = self.world, self.outcome
        rule = world.machine.tasks[task].retrier(error)
        if rule is None or tries[rule] >= rule.attempts:
            self.finish("FAILED", error)
            return
        tries[rule] += 1
        outcome.retries[error] += 1
        outcome.transitions += 1
        if error == THROTTLED:
            outcome.most_tries = max(outcome.most_tries, tries[rule])
        if self.mode == "inline" or task != "RenderChunk":
            if self.write_history(EVENTS_OF_A_RETRY):
                return
        delay = rule.delay(tries[rule], world.random)
        world.at(world.now + delay, lambda: self.attempt(task, index, tries, asked))


def simulate(machine, work, chunks, map_at_once, function_at_once, seed=0, renders=1, apart=0.0, mode="inline", plan_parts=1):
    """Runs `renders` executions that start `apart` seconds after each other; their outcomes and the world they left."""
    world = World(machine, work, function_at_once, seed, plan_parts)
    started = [Render(world, chunks, map_at_once, mode, start=number * apart) for number in range(renders)]
    world.run()
    return [render.outcome for render in started], world
