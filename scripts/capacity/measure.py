#!/usr/bin/env python3
"""Measures what docs/capacity.md reckons with: CPU seconds, milliseconds, bytes and memory of plan, chunks and assemble.

    scripts/setup.sh && cargo build --release --locked
    scripts/capacity/measure.py stages     # every page of fixtures/bench: plan, chunks of several lengths; fixed and per-frame cost
    scripts/capacity/measure.py unpack     # what Chrome's first start in a sandbox takes on top, by the way it is packed
    scripts/capacity/measure.py join       # assemble by the number of chunks

Every number is the median of --runs. On a machine that does other work CPU seconds are steadier than milliseconds.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TICKS = os.sysconf("SC_CLK_TCK")
PAGES = ("moving", "held", "cards", "gradient")
LENGTHS = (15, 60, 300)

# One rectangle that moves, as cheap as a page can be: for many chunks whose content does not matter.
PLAIN = """<!doctype html><html><body style="margin:0">
<div data-composition-id="plain" data-width="1920" data-height="1080" data-duration="{seconds}"></div>
<script>window.__hf = {{ duration: {seconds}, seek(t) {{ document.body.style.background = `hsl(${{t * 20}} 50% 50%)`; }} }};</script>
</body></html>
"""


def stat(pid):
    """The parent and the CPU seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rsplit(")", 1)[1].split()
    return int(fields[1]), (int(fields[11]) + int(fields[12])) / TICKS


def proportional_bytes(pid):
    """Resident memory in which a page that several processes share counts once."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def family(root):
    """The processes below `root`, and itself, with their CPU seconds."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                found[int(name)] = stat(name)
            except OSError:
                continue
    members = {root}
    while grown := {pid for pid, (parent, _) in found.items() if parent in members} - members:
        members |= grown
    return {pid: found[pid][1] for pid in members if pid in found}


def watch(child, seen):
    """Samples what `child` and all below it use, until it ends."""
    rounds = 0
    while child.poll() is None:
        members = family(child.pid)
        seen["cpu"].update(members)
        if rounds % 5 == 0:
            total = 0
            for pid in members:
                try:
                    total += proportional_bytes(pid)
                except OSError:
                    continue
            seen["peak"] = max(seen["peak"], total)
        rounds += 1
        time.sleep(0.05)


def run(bootstrap, *arguments):
    """Runs bootstrap: its JSON, and seconds, CPU seconds and peak MiB of it and everything it started."""
    waited = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    child = subprocess.Popen([bootstrap, *map(str, arguments)], stdout=subprocess.PIPE, text=True)
    seen = {"cpu": {}, "peak": 0}
    watcher = threading.Thread(target=watch, args=(child, seen))
    watcher.start()
    output = child.stdout.read()
    watcher.join()
    seconds = time.monotonic() - start
    if child.returncode != 0:
        raise SystemExit(f"bootstrap {' '.join(map(str, arguments))} failed: {output}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Samples miss short children, waiting misses the browser's own; the larger of the two misses less.
    cpu = max(sum(seen["cpu"].values()), after.ru_utime + after.ru_stime - waited.ru_utime - waited.ru_stime)
    return json.loads(output), {"seconds": seconds, "cpu": cpu, "peak": seen["peak"] / 2**20}


def invoke(bootstrap, scratch, event, *options):
    path = scratch / "event.json"
    path.write_text(json.dumps(event))
    return run(bootstrap, "invoke", path, *options)


def plan(bootstrap, project, out, config):
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    event = {"Action": "plan", "ProjectS3Uri": project.as_uri(), "PlanOutputS3Prefix": out.as_uri(), "Config": config}
    return invoke(bootstrap, out, event)


def chunk(bootstrap, out, planned, index, *options):
    shutil.rmtree(out / "chunks", ignore_errors=True)
    event = {
        "Action": "renderChunk", "PlanS3Uri": planned["PlanS3Uri"], "PlanHash": planned["PlanHash"],
        "ChunkIndex": index, "ChunkOutputS3Prefix": out.as_uri(),
    }
    return invoke(bootstrap, out, event, *options)


def size(path):
    return path.stat().st_size if path.is_file() else sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def line(points):
    """The straight line through points, by least squares: its height at 0 and its slope."""
    xs, ys = zip(*points)
    x, y = statistics.mean(xs), statistics.mean(ys)
    slope = sum((a - x) * (b - y) for a, b in points) / sum((a - x) ** 2 for a in xs)
    return y - slope * x, slope


def middle(runs, key):
    return statistics.median(used[key] for _, used in runs)


def told(runs):
    return f"{middle(runs, 'seconds') * 1000:6.0f} {middle(runs, 'cpu'):6.2f} {middle(runs, 'peak'):9.0f}"


def stages(arguments, scratch):
    print("page      browsers  frames  ms    CPU s   peak MiB  chunk KiB")
    for page in PAGES:
        project = arguments.projects / page
        out = scratch / page
        runs = [plan(arguments.bootstrap, project, out, {"fps": 30, "chunkSize": 300}) for _ in range(arguments.runs)]
        packed = scratch / "plan.tar.gz"
        subprocess.run(["tar", "-C", out, "-czf", packed, "plan"], check=True)
        sizes = f"plan {size(out / 'plan') / 1024:.0f} KiB, as tar.gz {size(packed) / 1024:.0f} KiB"
        print(f"{page:9} plan     {told(runs)}   {sizes}", flush=True)
        for browsers in arguments.browsers:
            points = []
            for length in LENGTHS:
                config = {"fps": 30, "chunkSize": length, "maxParallelChunks": 256}
                planned, _ = plan(arguments.bootstrap, project, out, config)
                index = planned["ChunkCount"] // 2
                runs = [chunk(arguments.bootstrap, out, planned, index, "--workers", browsers) for _ in range(arguments.runs)]
                points.append((length, middle(runs, "seconds"), middle(runs, "cpu")))
                stored = size(out / "chunks" / f"{index:04}.mp4") / 1024
                print(f"{page:9} {browsers:8} {length:7} {told(runs)} {stored:10.0f}", flush=True)
            fixed, each = line([(length, cpu) for length, _, cpu in points])
            wall_fixed, wall_each = line([(length, seconds) for length, seconds, _ in points])
            shares = f"fixed {fixed:.2f} CPU s, {wall_fixed:.2f} s; a frame {each * 1000:.1f} CPU ms, {wall_each * 1000:.1f} ms"
            print(f"{page:9} {browsers:8} {shares}", flush=True)


def unpack(arguments, scratch):
    tools = ROOT / ".tools"
    packs = {"plain": tools / "chrome", "brotli": tools / "chrome-pack", "zstd": scratch / "packed"}
    subprocess.run([arguments.bootstrap, "pack", packs["plain"], packs["zstd"]], check=True)
    config = {"fps": 30, "chunkSize": 15, "maxParallelChunks": 256}
    planned, _ = plan(arguments.bootstrap, arguments.projects / "moving", scratch / "out", config)
    print("pack      MiB  ms    CPU s  peak MiB  (a whole chunk of 15 frames, Chrome unpacked first)")
    for name, pack in packs.items():
        place = scratch / name / "tools"
        place.mkdir(parents=True)
        for part in ("ffmpeg", "ffprobe", "runtime", "fonts"):
            (place / part).symlink_to(tools / part)
        (place / "chrome").symlink_to(pack)
        runs = []
        for _ in range(arguments.runs):
            with tempfile.TemporaryDirectory() as clean:
                runs.append(chunk(arguments.bootstrap, scratch / "out", planned, 0, "--tools", place, "--scratch", clean))
        print(f"{name:8} {size(pack) / 2**20:4.0f} {told(runs)}", flush=True)


def join(arguments, scratch):
    print("chunks  frames  ms    CPU s  peak MiB  output KiB")
    for count in arguments.counts:
        frames = 2 * count
        project = scratch / f"plain{count}"
        project.mkdir()
        (project / "index.html").write_text(PLAIN.format(seconds=frames / 30))
        out = scratch / f"out{count}"
        planned, _ = plan(arguments.bootstrap, project, out, {"fps": 30, "chunkSize": 2, "maxParallelChunks": 256})
        uris = []
        for index in range(count):
            event = {
                "Action": "renderChunk", "PlanS3Uri": planned["PlanS3Uri"], "PlanHash": planned["PlanHash"],
                "ChunkIndex": index, "ChunkOutputS3Prefix": out.as_uri(),
            }
            uris.append(invoke(arguments.bootstrap, out, event, "--workers", 1)[0]["ChunkS3Uri"])
        event = {
            "Action": "assemble", "PlanS3Uri": planned["PlanS3Uri"], "ChunkS3Uris": uris, "OutputS3Uri": (out / "out.mp4").as_uri(),
        }
        runs = [invoke(arguments.bootstrap, out, event) for _ in range(arguments.runs)]
        print(f"{count:6} {frames:7} {told(runs)} {size(out / 'out.mp4') / 1024:10.0f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("stages", "unpack", "join"))
    parser.add_argument("--bootstrap", default=ROOT / "target/release/bootstrap", help="the release binary (target/release/bootstrap)")
    parser.add_argument("--projects", type=Path, default=ROOT / "fixtures/bench", help="where the pages are (fixtures/bench)")
    parser.add_argument("--runs", type=int, default=3, help="how often each is run; the median counts (3)")
    parser.add_argument("--browsers", type=int, nargs="+", default=[1, 2], help="browsers that draw at once (1 2)")
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 10, 60, 256], help="chunks to join (1 10 60 256)")
    arguments = parser.parse_args()
    os.environ.setdefault("FRAMEWRIGHT_TOOLS", str(ROOT / ".tools"))
    with tempfile.TemporaryDirectory() as scratch:
        {"stages": stages, "unpack": unpack, "join": join}[arguments.what](arguments, Path(scratch))


if __name__ == "__main__":
    main()
