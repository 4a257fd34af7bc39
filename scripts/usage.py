"""Runs bootstrap and measures the CPU time and memory of it and all its descendants, from /proc."""

import json
import os
import resource
import subprocess
import threading
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def read_stat(pid):
    """The parent and the CPU seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rsplit(")", 1)[1].split()
    return int(fields[1]), (int(fields[11]) + int(fields[12])) / TICKS


def proportional_bytes(pid):
    """Resident memory in which a page that several processes share counts once."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def process_tree(root):
    """`root` and all its descendants, with their CPU seconds."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                found[int(name)] = read_stat(name)
            except OSError:
                continue
    members = {root}
    while grown := {pid for pid, (parent, _) in found.items() if parent in members} - members:
        members |= grown
    return {pid: found[pid][1] for pid in members if pid in found}


def sample(child, seen):
    """Samples the CPU time and memory of `child` and its descendants until it exits."""
    rounds = 0
    while child.poll() is None:
        members = process_tree(child.pid)
        seen["cpu"].update(members)
        # Reading memory is slow, so that a long run is asked less often.
        if rounds < 20 or rounds % 5 == 0:
            total = 0
            for pid in members:
                try:
                    total += proportional_bytes(pid)
                except OSError:
                    continue
            seen["peak"] = max(seen["peak"], total)
        rounds += 1
        time.sleep(0.01 if rounds < 20 else 0.05)


def run(bootstrap, *arguments):
    """Runs bootstrap: its JSON, and seconds, CPU seconds and peak MiB of it and everything it started."""
    waited = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    child = subprocess.Popen([bootstrap, *map(str, arguments)], stdout=subprocess.PIPE, text=True)
    seen = {"cpu": {}, "peak": 0}
    sampler = threading.Thread(target=sample, args=(child, seen))
    sampler.start()
    output = child.stdout.read()
    sampler.join()
    seconds = time.monotonic() - start
    if child.returncode != 0:
        raise SystemExit(f"bootstrap {' '.join(map(str, arguments))} failed: {output}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Samples miss short children, waiting misses the browser's own; the larger of the two misses less.
    cpu = max(sum(seen["cpu"].values()), after.ru_utime + after.ru_stime - waited.ru_utime - waited.ru_stime)
    return json.loads(output), {"seconds": seconds, "cpu": cpu, "peak": seen["peak"] / 2**20}
