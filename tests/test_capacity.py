"""The tables, prices and limits of docs/capacity.md are those of scripts/capacity, of the state machine and of the worker."""

import json
import os
import re
import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "scripts" / "capacity"))

import cost  # noqa: E402
import limits  # noqa: E402

DOCS = (ROOT / "docs" / "capacity.md").read_text()
MACHINE = json.loads((ROOT / "sam" / "render.asl.json").read_text())
MAX_CHUNKS = 256

# Events of a state that succeeds, in the history of a standard workflow, and of each iteration of an inline Map.
STATE_EVENTS = {"Pass": 2, "Choice": 2, "Task": 5, "Map": 4, "Fail": 0, "Succeed": 2}
ITERATION_EVENTS = 2 + STATE_EVENTS["Task"]


def run(script, *arguments):
    command = [sys.executable, ROOT / "scripts" / "capacity" / script, *map(str, arguments)]
    found = subprocess.run(command, capture_output=True, text=True)
    if found.returncode != 0:
        raise AssertionError(f"{script} {arguments}: {found.stderr}{found.stdout}")
    return found.stdout.splitlines()


class Costs(unittest.TestCase):
    def test_the_table_of_the_docs_is_what_the_script_prints(self):
        table = run("cost.py")
        self.assertEqual(len(table), 2 + len(cost.ROWS))
        self.assertIn("\n".join(table), DOCS)

    def test_a_cell_is_what_the_docs_compute_by_hand(self):
        one = cost.chunk("moving", 300, 3538, is_cold=False)
        self.assertAlmostEqual(one.seconds, 300 * 0.022 / (2 * 0.85) + 0.9 + 0.3, places=2)
        self.assertAlmostEqual(cost.minute_dollars("moving", 300, 3538, is_cold=False), 0.0019, places=4)

    def test_more_memory_is_quicker_and_not_cheaper(self):
        found = [cost.chunk("moving", 300, memory, is_cold=False) for memory in (1769, 3538, 10240)]
        self.assertEqual(sorted(found, key=lambda one: -one.seconds), found)
        self.assertEqual(sorted(found, key=lambda one: one.dollars), found)

    def test_small_chunks_cost_more_for_the_same_minute(self):
        dollars = [cost.minute_dollars("moving", frames, 3538, is_cold=True) for frames in (1800, 300, 60, 15)]
        self.assertEqual(sorted(dollars), dollars)

    def test_prices_are_those_that_submit_tells(self):
        source = (ROOT / "crates/worker/src/cost.rs").read_text()
        for name in ("PER_GB_SECOND", "PER_REQUEST", "PER_TRANSITION"):
            number, divisor = re.search(rf"const {name}: f64 = ([0-9._]+)(?: / ([0-9e]+))?;", source).groups()
            self.assertAlmostEqual(float(number) / float(divisor or 1), getattr(limits, name), places=15, msg=name)

    def test_browsers_are_counted_as_by_the_worker(self):
        sources = [path.read_text() for path in (ROOT / "crates").rglob("*.rs")]
        for name, value in (("FRAMES_WORTH_A_BROWSER", cost.MIN_FRAMES_PER_BROWSER), ("MAX_BROWSERS", cost.MAX_BROWSERS)):
            found = {number for text in sources for number in re.findall(rf"const {name}: u\d+ = (\d+);", text)}
            self.assertEqual(found, {str(value)}, name)


class Decisions(unittest.TestCase):
    """What docs/capacity.md decided from a simulation."""

    def tasks(self):
        states = MACHINE["States"]
        inner = states["RenderChunks"]["ItemProcessor"]["States"]
        return [state for state in [*states.values(), *inner.values()] if state["Type"] == "Task"]

    def test_throttles_are_retried_as_the_docs_say(self):
        self.assertIn("as built: 5 s x 1.1 up to 600 s, 1000 tries, 48 hours", DOCS)
        self.assertEqual(len(self.tasks()), 3)
        for task in self.tasks():
            (rule,) = [rule for rule in task["Retry"] if "Lambda.TooManyRequestsException" in rule["ErrorEquals"]]
            found = [rule[key] for key in ("IntervalSeconds", "BackoffRate", "MaxDelaySeconds", "MaxAttempts", "JitterStrategy")]
            self.assertEqual(found, [5, 1.1, 600, 1000, "FULL"])
        self.assertEqual(MACHINE["TimeoutSeconds"], 48 * 3600)

    def test_the_largest_render_fits_the_history_and_the_state(self):
        choices = MACHINE["States"]["CheckChunkCount"]["Choices"][0]["And"]
        bounds = [choice["NumericLessThanEquals"] for choice in choices if "NumericLessThanEquals" in choice]
        self.assertEqual(bounds, [MAX_CHUNKS])
        events = 2 + sum(STATE_EVENTS[state["Type"]] for state in MACHINE["States"].values()) + MAX_CHUNKS * ITERATION_EVENTS
        # Every chunk may be throttled ten times, at three events each.
        self.assertLess(events + MAX_CHUNKS * 10 * 3, limits.HISTORY_EVENTS)
        chunk = {"ChunkIndex": 255, "ChunkS3Uri": "s3://" + "b" * 63 + "/work/" + "r" * 80 + "/chunks/0255.mp4", "Sha256": "f" * 64}
        self.assertLess(len(json.dumps([chunk] * MAX_CHUNKS)), limits.STATE_BYTES / 2)


class Measurements(unittest.TestCase):
    """The smallest run of each measurement: the numbers are there, and not zero."""

    def measure(self, what, *arguments):
        target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
        return run("measure.py", what, "--runs", 1, "--bootstrap", target / "release" / "bootstrap", *arguments)

    def assert_row(self, row, *least):
        """The last numbers of a row are above these."""
        found = [float(number) for number in row.split()[-len(least):]]
        self.assertTrue(all(number > bound for number, bound in zip(found, least)), row)

    def test_stages_are_measured(self):
        head, planned, *chunks, line = self.measure("stages", "--pages", "held", "--lengths", 2, 8, "--browsers", 1)
        self.assertEqual(head.split()[:3], ["page", "browsers", "frames"])
        self.assertRegex(planned, r"^held +plan +\d+ +\d+\.\d+ +\d+ +plan [1-9]\d* KiB, as tar\.gz [1-9]\d* KiB$")
        self.assertEqual([chunk.split()[:3] for chunk in chunks], [["held", "1", "2"], ["held", "1", "8"]])
        for chunk in chunks:
            # Milliseconds, CPU seconds and MiB of Chrome and FFmpeg, KiB of the chunk.
            self.assert_row(chunk, 100, 0.1, 50, 1)
        self.assertRegex(line, r"fixed -?\d+\.\d+ CPU s, -?\d+\.\d+ s; a frame -?\d+\.\d CPU ms")

    def test_unpacking_is_measured(self):
        _, plain, packed, line = self.measure("unpack", "--level", 9)
        for row in (plain, packed):
            self.assert_row(row, 100, 100, 0.1, 50)
        self.assertLess(float(packed.split()[1]), 0.6 * float(plain.split()[1]), "packed tools are smaller")
        self.assertRegex(line, r"^unpacking takes -?\d+\.\d\d CPU s$")

    def test_assembling_is_measured(self):
        _, *rows = self.measure("assemble", "--counts", 1, 2)
        self.assertEqual([row.split()[:2] for row in rows], [["1", "2"], ["2", "4"]])
        for row in rows:
            self.assert_row(row, 1, 0, 0, 1)


if __name__ == "__main__":
    unittest.main()
