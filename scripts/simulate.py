#!/usr/bin/env python3
"""Simulates renders on Lambda and Step Functions: how long, how many retries, what it costs, and which limit comes first.

An execution plans, renders its chunks in a Map and assembles them. Each attempt asks for a sandbox of the function: a warm one,
a new one (a cold start), or none, which is a throttle (429). What is tried again, how often and after how long is read from
sam/render.asl.json, and so are its time limits, the bound on chunks and what a chunk leaves in the state.

  scripts/simulate.py --chunks 60 --chunk-seconds 30               one render with a function that may run 8 at once
  scripts/simulate.py --chunks 256 --map-concurrency 40 --renders 3   more is asked for than may run: throttles
  scripts/simulate.py --chunks 12 --exact                          nothing left to chance: ceil(12/8) x 60 s
  scripts/simulate.py --table                                      both kinds of Map, up to 10,000 chunks
  scripts/simulate.py --throttle --seeds 20                        is the rule for throttles long enough? (a minute or two)
  scripts/simulate.py --price                                      a minute of video, from what was measured

The same seed gives the same run. Times of chunks are lognormal around --chunk-seconds. What a real Step Functions does between
two chunks of a Map (--turnaround) and how long Lambda keeps a sandbox (--keep-warm) is not published: vary them.
"""

import argparse

from capacity import cost, report
from capacity.machine import DEFINITION, Machine
from capacity.model import Work


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--table", action="store_true", help="a grid of chunks and both kinds of Map")
    what.add_argument("--throttle", action="store_true", help="compare rules for throttles over loads and lengths of chunks")
    what.add_argument("--price", action="store_true", help="a minute of video by page, memory and chunk size; whole renders")
    add("--chunks", type=int, default=256, help="chunks of each render (256)")
    add("--renders", type=int, default=1, help="renders that share the function (1)")
    add("--apart", type=float, default=0.0, help="seconds between their starts (0)")
    add("--mode", choices=("inline", "distributed"), default="inline", help="kind of Map (inline, as built)")
    add("--map-concurrency", type=int, help="MaxConcurrency of each Map (what the function may run)")
    add("--reserved", type=int, default=8, help="reserved concurrency of the function; 0: none (8)")
    add("--account", type=int, default=1000, help="the account's concurrent executions (1000; new accounts have 10)")
    add("--chunk-seconds", type=float, default=60.0, help="what a chunk takes in a warm sandbox (60)")
    add("--spread", type=float, default=0.15, help="sigma of its lognormal (0.15)")
    add("--stragglers", type=float, nargs=2, default=(0.01, 3.0), metavar=("RATE", "TIMES"), help="few that take longer (0.01 3)")
    add("--cold-seconds", type=float, default=4.0, help="what a new sandbox takes on top, median (4)")
    add("--faults", type=float, default=0.001, help="attempts that fail half-way and are tried again (0.001)")
    add("--hangs", type=float, default=0.0, help="attempts that never answer (0)")
    add("--turnaround", type=float, default=0.1, help="seconds from a chunk's end to the next one's request (0.1)")
    add("--keep-warm", type=float, default=300.0, help="seconds that an idle sandbox is kept (300)")
    add("--exact", action="store_true", help="no chance at all: no spread, stragglers, cold starts or faults, and no time in between")
    add("--memory", type=int, default=3538, help="the function's MiB (3538: two vCPU)")
    add("--tmp", type=int, default=4096, help="the function's /tmp in MiB (4096)")
    add("--chunk-mib", type=float, default=2.0, help="size of a chunk's file (2)")
    add("--plan-mib", type=float, default=8.0, help="size of plan.tar.gz (8); it is fetched in parts of 16")
    add("--seed", type=int, default=0, help="of the chance (0)")
    add("--seeds", type=int, default=10, help="how many seeds --throttle tries (10)")
    add("--interval", type=float, help="what if: IntervalSeconds of the throttle rule")
    add("--backoff-rate", type=float, help="what if: BackoffRate of the throttle rule")
    add("--max-delay", type=float, help="what if: MaxDelaySeconds of the throttle rule")
    add("--max-attempts", type=int, help="what if: MaxAttempts of the throttle rule")
    add("--timeout", type=int, help="what if: TimeoutSeconds of the execution")
    add("--definition", default=DEFINITION, help="the state machine (sam/render.asl.json)")
    options = parser.parse_args(arguments)
    options.at_once = min(options.reserved or options.account, options.account)
    options.map_concurrency = options.map_concurrency or options.at_once
    options.plan_parts = max(1, -(-int(options.plan_mib) // 16))
    return options


def machine_of(options):
    machine = Machine(options.definition)
    changes = {
        "interval": options.interval, "rate": options.backoff_rate, "longest": options.max_delay, "attempts": options.max_attempts,
    }
    machine.with_throttle_rule(**{name: value for name, value in changes.items() if value is not None})
    machine.seconds = options.timeout or machine.seconds
    return machine


def work_of(options):
    if options.exact:
        return Work.exact(chunk=options.chunk_seconds)
    return Work(
        chunk=options.chunk_seconds, spread=options.spread, straggler_rate=options.stragglers[0],
        straggler_times=options.stragglers[1],
        cold=options.cold_seconds, fault_rate=options.faults, hang_rate=options.hangs, turnaround=options.turnaround,
        keep_warm=options.keep_warm,
    )


def main():
    options = parse()
    if options.price:
        cost.table()
        print()
        report.sizes(machine_of(options), options)
    elif options.throttle:
        report.throttle(options)
    elif options.table:
        report.table(machine_of(options), work_of(options), options)
    else:
        report.single(machine_of(options), work_of(options), options)


if __name__ == "__main__":
    main()
