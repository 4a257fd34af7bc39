"""What the simulation has to know of the state machine, read from its definition so that the two cannot drift apart."""

import json
from dataclasses import dataclass
from pathlib import Path

DEFINITION = Path(__file__).resolve().parents[2] / "sam/render.asl.json"

# Events of a state that succeeds, in the history of a standard workflow.
EVENTS = {"Pass": 2, "Choice": 2, "Task": 5, "Map": 4}
EVENTS_OF_AN_EXECUTION = 2  # started, succeeded
EVENTS_OF_AN_ITERATION = 2  # started, succeeded
EVENTS_OF_A_RETRY = 3  # scheduled, started, failed
EVENTS_OF_A_MAP_RUN = 2  # started, succeeded: what a distributed Map has instead of iterations

# Values as long as real ones.
NAME = "render-20261121T174200Z-1a2b3c4d"
BUCKET = "framewright-renderbucket-1a2b3c4d5e6f"
PREFIX = f"s3://{BUCKET}/work/{NAME}"
SAMPLE = {
    "PlanS3Uri": f"{PREFIX}/plan.tar.gz", "PlanHash": "f" * 64, "TotalFrames": 1_000_000, "Fps": 29.97002997002997,
    "Width": 1920, "Height": 1080, "Format": "mp4", "HasAudio": True, "AudioS3Uri": f"{PREFIX}/audio.flac",
    "PlanOutputS3Prefix": PREFIX, "OutputS3Uri": f"s3://{BUCKET}/outputs/{NAME}/output.mp4", "Cfr": False,
    "MaxConcurrency": 40, "Sha256": "f" * 64,
}


@dataclass(frozen=True, eq=False)
class Retrier:
    """One rule of a state's Retry list. Its tries are counted by itself, whatever another rule says."""

    errors: frozenset
    interval: float
    rate: float
    longest: float
    attempts: int
    has_jitter: bool

    @staticmethod
    def parse(rule):
        return Retrier(
            errors=frozenset(rule["ErrorEquals"]), interval=rule.get("IntervalSeconds", 1), rate=rule.get("BackoffRate", 2.0),
            longest=rule.get("MaxDelaySeconds", float("inf")), attempts=rule.get("MaxAttempts", 3),
            has_jitter=rule.get("JitterStrategy", "NONE") == "FULL",
        )

    def delay(self, attempt, random):
        """Seconds before retry number `attempt`, the first being 1."""
        # The exponent is bounded, since the power of a thousandth retry does not fit a float.
        longest = min(self.longest, self.interval * self.rate ** min(attempt - 1, 500))
        return random.uniform(0, longest) if self.has_jitter else longest


@dataclass(frozen=True)
class Task:
    retriers: tuple
    seconds: float

    def retrier(self, error):
        """The first rule that names the error, or every error."""
        return next((rule for rule in self.retriers if rule.errors & {error, "States.ALL"}), None)


class Machine:
    """A definition: its tasks, limits, and what a render leaves in the history and the state."""

    def __init__(self, path=DEFINITION):
        self.definition = json.loads(Path(path).read_text(encoding="utf-8"))
        self.states = self.definition["States"]
        self.map_name = next(name for name, state in self.states.items() if state["Type"] == "Map")
        self.child = self.states[self.map_name]["ItemProcessor"]
        (self.child_name,) = self.child["States"]
        self.tasks = {name: self.task(self.states[name]) for name in ("Plan", "Assemble")}
        self.tasks["RenderChunk"] = self.task(self.child["States"][self.child_name])
        self.seconds = self.definition["TimeoutSeconds"]
        choices = self.states["CheckChunkCount"]["Choices"][0]["And"]
        self.most_chunks = next(choice["NumericLessThanEquals"] for choice in choices if "NumericLessThanEquals" in choice)

    @staticmethod
    def task(state):
        return Task(tuple(map(Retrier.parse, state["Retry"])), state["TimeoutSeconds"])

    def with_throttle_rule(self, **changes):
        """Replaces fields of the rule for throttles in every task, to try out others than the definition's."""
        for name, task in self.tasks.items():
            rules = tuple(
                Retrier(**{**vars(rule), **changes}) if "Lambda.TooManyRequestsException" in rule.errors else rule
                for rule in task.retriers
            )
            self.tasks[name] = Task(rules, task.seconds)
        return self

    def path(self):
        """The states that a render passes through when all goes well."""
        name, passed = self.definition["StartAt"], []
        while name:
            state = self.states[name]
            passed.append((name, state))
            name = self.chosen(state) if state["Type"] == "Choice" else state.get("Next")
        return passed

    def chosen(self, choice):
        """Where a Choice leads when nothing is wrong: to its default, unless that is a failure."""
        default = choice.get("Default")
        if default and self.states[default]["Type"] != "Fail":
            return default
        return choice["Choices"][0]["Next"]

    def clean_events(self, chunks, mode="inline"):
        """Events in the history of a render without a retry; of the parent only, if chunks are executions of their own."""
        own = EVENTS_OF_AN_EXECUTION + sum(EVENTS[state["Type"]] for _, state in self.path())
        if mode == "distributed":
            return own + EVENTS_OF_A_MAP_RUN
        inner = sum(EVENTS[state["Type"]] for state in self.child["States"].values())
        return own + chunks * (EVENTS_OF_AN_ITERATION + inner)

    def clean_transitions(self, chunks):
        """States entered, which is what is paid for; every retry is one more."""
        return len(self.path()) + chunks * len(self.child["States"])

    def chunk_result(self, index):
        """What a chunk leaves in the state."""
        values = {**SAMPLE, "ChunkIndex": index, "ChunkS3Uri": f"{PREFIX}/chunks/{index:04}.mp4"}
        selector = self.child["States"][self.child_name]["ResultSelector"]
        return {key.removesuffix(".$"): values[key.removesuffix(".$")] for key in selector}

    def state_bytes(self, chunks):
        """The largest state of a render: what goes from the Map to Assemble."""
        plan = {key.removesuffix(".$"): SAMPLE.get(key.removesuffix(".$"), chunks) for key in self.states["Plan"]["ResultSelector"]}
        values = {**SAMPLE, "Plan": plan, "Indexes": list(range(chunks))}
        state = {key.removesuffix(".$"): values[key.removesuffix(".$")] for key in self.states["ListChunks"]["Parameters"]}
        state["Chunks"] = [self.chunk_result(index) for index in range(chunks)]
        return length(state)

    def uri_bytes(self, chunks):
        """The list of chunks in the event for Assemble."""
        return length([self.chunk_result(index)["ChunkS3Uri"] for index in range(chunks)])


def length(value):
    return len(json.dumps(value, separators=(",", ":")).encode())
