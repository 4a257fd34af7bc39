"""The simulation of renders: cases that can be reckoned by hand, and that its rules are the state machine's own."""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from capacity import cost, limits, report  # noqa: E402
from capacity.machine import DEFINITION, Machine  # noqa: E402
from capacity.model import THROTTLED, Work, simulate  # noqa: E402


def one(chunks, at_once, work, sandboxes=None, **more):
    outcomes, world = simulate(Machine(), work, chunks, at_once, sandboxes or at_once, **more)
    return outcomes[0], world


def changed(change):
    """A machine whose definition was changed."""
    definition = json.loads(DEFINITION.read_text(encoding="utf-8"))
    change(definition)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "render.asl.json"
        path.write_text(json.dumps(definition), encoding="utf-8")
        return Machine(path)


def throttle_rule(definition, state):
    states = definition["States"]
    task = states[state] if state in states else states["RenderChunks"]["ItemProcessor"]["States"][state]
    return next(rule for rule in task["Retry"] if THROTTLED in rule["ErrorEquals"])


class WithoutChance(unittest.TestCase):
    def test_a_map_takes_one_chunk_s_time_for_each_round_of_workers(self):
        for chunks, workers, rounds in ((1, 8, 1), (8, 8, 1), (9, 8, 2), (12, 8, 2), (256, 40, 7), (5, 1, 5)):
            outcome, world = one(chunks, workers, Work.exact(chunk=60))
            self.assertEqual(outcome.status, "SUCCEEDED")
            self.assertAlmostEqual(outcome.wall, rounds * 60, msg=f"{chunks} chunks, {workers} workers")
            self.assertEqual(world.function.peak, min(chunks, workers))

    def test_plan_and_assemble_come_before_and_after(self):
        outcome, _ = one(12, 8, Work.exact(chunk=60, plan=10, assemble=5, assemble_each=0.5))
        self.assertAlmostEqual(outcome.wall, 10 + 2 * 60 + 5 + 12 * 0.5)
        self.assertAlmostEqual(outcome.billed, 10 + 12 * 60 + 11)
        self.assertEqual(outcome.requests, 14)

    def test_the_inline_map_runs_forty_at_once_however_many_it_is_asked_for(self):
        outcome, world = one(80, 1000, Work.exact(chunk=60))
        self.assertAlmostEqual(outcome.wall, 120)
        self.assertEqual(world.function.peak, 40)
        outcome, world = one(80, 1000, Work.exact(chunk=60), mode="distributed")
        self.assertAlmostEqual(outcome.wall, 60)
        self.assertEqual(world.function.peak, 80)

    def test_a_sandbox_is_new_once_and_warm_afterwards(self):
        work = Work.exact(chunk=60, cold=4)
        outcome, world = one(16, 8, work)
        self.assertEqual(world.function.cold_starts, 8)
        # The first of the eight started with the plan.
        self.assertAlmostEqual(outcome.billed, 16 * 60 + 8 * 4)
        _, world = one(2, 1, Work.exact(chunk=60, cold=4, turnaround=400.0))
        self.assertEqual(world.function.cold_starts, 2)

    def test_nothing_is_tried_again_where_everything_may_run(self):
        outcome, world = one(256, 8, Work(fault_rate=0.0))
        self.assertEqual(outcome.retries.total(), 0)
        self.assertEqual(world.function.refusals.total(), 0)

    def test_more_than_a_thousand_new_sandboxes_at_once_are_refused(self):
        outcome, world = one(1500, 1500, Work.exact(chunk=60), mode="distributed")
        self.assertEqual(outcome.status, "SUCCEEDED")
        self.assertGreater(world.function.refusals["scaling"], 0)
        self.assertEqual(world.function.refusals["concurrency"], 0)

    def test_the_same_seed_gives_the_same_run_and_another_one_another(self):
        walls = [one(60, 40, Work(), 8, seed=seed)[0].wall for seed in (1, 1, 2)]
        self.assertEqual(walls[0], walls[1])
        self.assertNotEqual(walls[0], walls[2])


class Limits(unittest.TestCase):
    def test_a_clean_run_of_twelve_chunks_has_108_events(self):
        # 2 of the execution, 3 Pass and 1 Choice of 2, 2 Tasks of 5, the Map's 4; then 2 + 5 for each chunk.
        self.assertEqual(Machine().clean_events(12), 2 + 4 * 2 + 2 * 5 + 4 + 12 * 7)
        self.assertEqual(one(12, 8, Work.exact())[0].events, 108)

    def test_each_retry_is_three_events_and_one_transition(self):
        clean, _ = one(12, 8, Work.exact(chunk=30))
        outcome, _ = one(12, 12, Work.exact(chunk=30), sandboxes=8)
        self.assertGreater(outcome.retries[THROTTLED], 0)
        self.assertEqual(outcome.events, clean.events + 3 * outcome.retries.total())
        self.assertEqual(outcome.transitions, clean.transitions + outcome.retries.total())

    def test_a_full_history_ends_the_execution(self):
        outcome, _ = one(4000, 40, Work.exact(chunk=1))
        self.assertEqual((outcome.status, outcome.reason), ("FAILED", "25,000 events of history"))
        self.assertLess(outcome.done, 4000)

    def test_the_state_is_as_long_as_its_chunks_answers(self):
        machine = Machine()
        self.assertEqual(set(machine.chunk_result(3)), {"ChunkS3Uri", "ChunkIndex", "Sha256"})
        each = len(json.dumps(machine.chunk_result(100), separators=(",", ":"))) + len(",") + len("100,")
        self.assertEqual(machine.state_bytes(102) - machine.state_bytes(101), each)
        self.assertLess(machine.state_bytes(256), limits.STATE_BYTES)
        self.assertGreater(machine.state_bytes(1500), limits.STATE_BYTES)
        self.assertIn("256 KiB", one(1500, 40, Work.exact(chunk=1))[0].reason)

    def test_what_stands_in_the_way_of_more_chunks_is_named(self):
        machine = Machine()
        self.assertEqual(report.breaks(machine, 256, "inline"), [])
        self.assertEqual(report.breaks(machine, 257, "inline"), ["the machine's own 256"])
        self.assertIn("state 256 KiB", report.breaks(machine, 3000, "inline"))
        self.assertIn("needs ResultWriter", report.breaks(machine, 3000, "distributed"))
        self.assertEqual(report.breaks(machine, 256, "inline", chunk_mib=30.0), ["Assemble's /tmp"])

    def test_many_workers_that_fetch_a_large_plan_at_once_are_too_many_reads(self):
        work = Work.exact(chunk=60)
        _, world = one(1000, 1000, work, mode="distributed", plan_parts=1)
        self.assertEqual(max(world.gets.values()), 2000)
        _, world = one(1000, 1000, work, mode="distributed", plan_parts=16)
        self.assertGreater(max(world.gets.values()), limits.GETS_PER_SECOND)

    def test_an_execution_ends_with_its_time(self):
        machine = Machine()
        outcome = simulate(machine, Work.exact(chunk=600), 256, 8, 8)[0][0]
        self.assertEqual(outcome.status, "SUCCEEDED" if machine.seconds >= 32 * 600 else "TIMED_OUT")
        machine.seconds = 32 * 600 - 1
        outcome = simulate(machine, Work.exact(chunk=600), 256, 8, 8)[0][0]
        self.assertEqual((outcome.status, outcome.wall), ("TIMED_OUT", 32 * 600 - 1))

    def test_a_chunk_that_does_not_fit_is_not_tried_again(self):
        outcome, _ = one(4, 4, Work.exact(chunk=901))
        self.assertEqual((outcome.status, outcome.reason), ("FAILED", "CHUNK_DEADLINE_EXCEEDED"))
        self.assertEqual(outcome.retries.total(), 0)

    def test_what_never_answers_is_tried_once_more(self):
        outcome, _ = one(1, 1, Work.exact(chunk=1, hang_rate=1.0))
        self.assertEqual((outcome.status, outcome.reason), ("FAILED", "Sandbox.Timedout"))
        self.assertEqual(outcome.retries["Sandbox.Timedout"], 1)


class Rules(unittest.TestCase):
    def test_the_rule_for_throttles_is_the_definition_s(self):
        definition = json.loads(DEFINITION.read_text(encoding="utf-8"))
        for state in ("Plan", "RenderChunk", "Assemble"):
            rule, found = throttle_rule(definition, state), Machine().tasks[state].retrier(THROTTLED)
            self.assertEqual(
                (found.interval, found.rate, found.longest, found.attempts, found.has_jitter),
                (
                    rule["IntervalSeconds"], rule["BackoffRate"], rule["MaxDelaySeconds"], rule["MaxAttempts"],
                    rule.get("JitterStrategy") == "FULL",
                ),
            )

    def test_another_definition_is_another_simulation(self):
        def without_patience(definition):
            throttle_rule(definition, "RenderChunk")["MaxAttempts"] = 1

        impatient = changed(without_patience)
        work = Work.exact(chunk=60)
        outcome = simulate(impatient, work, 16, 16, 8)[0][0]
        self.assertEqual((outcome.status, outcome.reason, outcome.most_tries), ("FAILED", THROTTLED, 1))
        self.assertEqual(one(16, 16, work, sandboxes=8)[0].status, "SUCCEEDED")

    def test_a_choice_leads_past_failures(self):
        def with_a_bound(definition):
            states = definition["States"]
            bound = {"Type": "Choice", "Choices": [{"Next": "Clamp"}], "Default": "Plan"}
            states.update({"Bound": bound, "Clamp": {"Type": "Pass", "Next": "Plan"}})
            states["Defaults"]["Next"] = "Bound"

        names = [name for name, _ in changed(with_a_bound).path()]
        self.assertEqual(names[:4], ["Defaults", "Bound", "Plan", "CheckChunkCount"])
        self.assertEqual([name for name, _ in Machine().path()][-3:], ["RenderChunks", "Assemble", "Done"])

    def test_codes_that_fail_the_same_way_again_are_not_tried_again(self):
        task = Machine().tasks["RenderChunk"]
        self.assertEqual(task.retrier("PAGE_SCRIPT_ERROR").attempts, 0)
        self.assertGreater(task.retrier("BROWSER_LOST").attempts, 0)
        self.assertGreater(task.retrier("SomethingNobodyKnows").attempts, 0)

    def test_delays_grow_up_to_the_longest_and_jitter_is_below_them(self):
        rule = Machine().tasks["RenderChunk"].retrier(THROTTLED)
        random = Random(0)
        for attempt in (1, 2, 5, 1000):
            bound = min(rule.longest, rule.interval * rule.rate ** min(attempt - 1, 500))
            delays = [rule.delay(attempt, random) for _ in range(500)]
            self.assertLessEqual(max(delays), bound)
            self.assertAlmostEqual(sum(delays) / len(delays), bound / 2, delta=bound / 10)


class Prices(unittest.TestCase):
    def test_a_gigabyte_for_an_hour_costs_six_cents(self):
        parts = limits.dollars(3600, 1024, 512, requests=1_000_000, transitions=1000)
        self.assertAlmostEqual(parts["compute"], 0.06, places=4)
        self.assertEqual((parts["tmp"], round(parts["requests"], 6), round(parts["transitions"], 6)), (0, 0.2, 0.025))

    def test_more_memory_is_quicker_and_not_cheaper(self):
        found = [cost.chunk("moving", 300, memory, is_cold=False) for memory in (1769, 3538, 10240)]
        self.assertEqual(sorted(found, key=lambda one: -one.seconds), found)
        self.assertEqual(sorted(found, key=lambda one: one.dollars), found)

    def test_small_chunks_cost_more_for_the_same_minute(self):
        dollars = [cost.minute("moving", size, 3538).dollars for size in (1800, 300, 60, 15)]
        self.assertEqual(sorted(dollars), dollars)


class CommandLine(unittest.TestCase):
    def run_it(self, *arguments):
        return subprocess.run(
            [sys.executable, ROOT / "scripts/simulate.py", *arguments], capture_output=True, text=True, check=True
        ).stdout

    def test_a_run_says_how_long_what_it_costs_and_which_limit_it_met(self):
        told = self.run_it("--chunks", "12", "--chunk-seconds", "60", "--exact")
        self.assertIn("wall            120 s, 12 of 12 chunks done", told)
        self.assertIn("history         108 of 25000 events", told)
        self.assertIn("limits met, the first one first: none", told)
        told = self.run_it("--chunks", "24", "--map-concurrency", "24", "--chunk-seconds", "60")
        self.assertIn("limits met, the first one first: concurrency", told)

    def test_a_rule_can_be_tried_out(self):
        told = self.run_it("--chunks", "64", "--map-concurrency", "40", "--max-attempts", "2")
        self.assertIn(f"FAILED {THROTTLED}", told)


if __name__ == "__main__":
    unittest.main()
