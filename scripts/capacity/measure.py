#!/usr/bin/env python3
"""Measures the inputs of docs/capacity.md: CPU seconds, milliseconds, bytes and memory of plan, chunks and assemble.

    scripts/setup.sh && cargo build --release --locked
    scripts/capacity/measure.py stages      # pages of fixtures/bench: plan, chunks of several lengths; fixed and per-frame cost
    scripts/capacity/measure.py unpack      # what the first chunk of a sandbox takes on top, because the bundle's tools are packed
    scripts/capacity/measure.py assemble    # assemble by the number of chunks

Every number is the median of --runs. On a machine that does other work CPU seconds are steadier than milliseconds.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from usage import run  # noqa: E402

PAGES = ("moving", "held", "cards", "gradient")

# A background that changes its colour, as cheap as a page can be: for many chunks whose content does not matter.
PLAIN_PAGE = """<!doctype html><html><body style="margin:0">
<div data-composition-id="plain" data-width="1920" data-height="1080" data-duration="{seconds}"></div>
<script>window.__hf = {{ duration: {seconds}, seek(t) {{ document.body.style.background = `hsl(${{t * 20}} 50% 50%)`; }} }};</script>
</body></html>
"""


def invoke(bootstrap, scratch, event, *options):
    path = scratch / "event.json"
    path.write_text(json.dumps(event))
    return run(bootstrap, "invoke", path, *options)


def plan(bootstrap, project, out, config):
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    event = {"Action": "plan", "ProjectS3Uri": project.as_uri(), "PlanOutputS3Prefix": out.as_uri(), "Config": config}
    return invoke(bootstrap, out, event)


def render_chunk(planned, index, out):
    return {
        "Action": "renderChunk", "PlanS3Uri": planned["PlanS3Uri"], "PlanHash": planned["PlanHash"],
        "ChunkIndex": index, "ChunkOutputS3Prefix": out.as_uri(),
    }


def chunk(bootstrap, out, planned, index, *options):
    # A chunk that is stored already would be answered without being rendered.
    shutil.rmtree(out / "chunks", ignore_errors=True)
    return invoke(bootstrap, out, render_chunk(planned, index, out), *options)


def size(path):
    return path.stat().st_size if path.is_file() else sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def fit_line(points):
    """The straight line through points, by least squares: its value at 0 and its slope."""
    xs, ys = zip(*points)
    x, y = statistics.mean(xs), statistics.mean(ys)
    slope = sum((a - x) * (b - y) for a, b in points) / sum((a - x) ** 2 for a in xs)
    return y - slope * x, slope


def median(runs, key):
    return statistics.median(used[key] for _, used in runs)


def columns(runs):
    return f"{median(runs, 'seconds') * 1000:6.0f} {median(runs, 'cpu'):6.2f} {median(runs, 'peak'):9.0f}"


def stages(arguments, scratch):
    print("page      browsers  frames  ms    CPU s   peak MiB  chunk KiB")
    for page in arguments.pages:
        project = arguments.projects / page
        out = scratch / page
        runs = [plan(arguments.bootstrap, project, out, {"fps": 30, "chunkSize": max(arguments.lengths)}) for _ in range(arguments.runs)]
        packed = scratch / "plan.tar.gz"
        subprocess.run(["tar", "-C", out, "-czf", packed, "plan"], check=True)
        sizes = f"plan {size(out / 'plan') / 1024:.0f} KiB, as tar.gz {size(packed) / 1024:.0f} KiB"
        print(f"{page:9} plan     {columns(runs)}   {sizes}", flush=True)
        for browsers in arguments.browsers:
            points = []
            for length in arguments.lengths:
                config = {"fps": 30, "chunkSize": length, "maxParallelChunks": 256}
                planned, _ = plan(arguments.bootstrap, project, out, config)
                index = planned["ChunkCount"] // 2
                runs = [chunk(arguments.bootstrap, out, planned, index, "--workers", browsers) for _ in range(arguments.runs)]
                points.append((length, median(runs, "seconds"), median(runs, "cpu")))
                stored = size(out / "chunks" / f"{index:04}.mp4") / 1024
                print(f"{page:9} {browsers:8} {length:7} {columns(runs)} {stored:10.0f}", flush=True)
            fixed, each = fit_line([(length, cpu) for length, _, cpu in points])
            wall_fixed, wall_each = fit_line([(length, seconds) for length, seconds, _ in points])
            shares = f"fixed {fixed:.2f} CPU s, {wall_fixed:.2f} s; a frame {each * 1000:.1f} CPU ms, {wall_each * 1000:.1f} ms"
            print(f"{page:9} {browsers:8} {shares}", flush=True)


def unpack(arguments, scratch):
    config = {"fps": 30, "chunkSize": 15, "maxParallelChunks": 256}
    planned, _ = plan(arguments.bootstrap, arguments.projects / "moving", scratch / "out", config)
    environment = {**os.environ, "BOOTSTRAP": str(arguments.bootstrap)}
    print("tools     MiB  ms    CPU s  peak MiB  (a chunk of 15 frames in a new sandbox)")
    cpu = {}
    for form in ("plain", "packed"):
        staged = scratch / form
        subprocess.run([ROOT / "scripts/stage.sh", staged, form, str(arguments.level)], check=True, env=environment)
        runs = []
        for _ in range(arguments.runs):
            with tempfile.TemporaryDirectory() as clean:
                options = ("--tools", staged / "tools", "--scratch", clean)
                runs.append(chunk(arguments.bootstrap, scratch / "out", planned, 0, *options))
        cpu[form] = median(runs, "cpu")
        print(f"{form:8} {size(staged / 'tools') / 2**20:4.0f} {columns(runs)}", flush=True)
    print(f"unpacking takes {cpu['packed'] - cpu['plain']:.2f} CPU s", flush=True)


def assemble(arguments, scratch):
    print("chunks  frames  ms    CPU s  peak MiB  output KiB")
    for count in arguments.counts:
        frames = 2 * count
        project = scratch / f"plain{count}"
        project.mkdir()
        (project / "index.html").write_text(PLAIN_PAGE.format(seconds=frames / 30))
        out = scratch / f"out{count}"
        planned, _ = plan(arguments.bootstrap, project, out, {"fps": 30, "chunkSize": 2, "maxParallelChunks": 256})
        uris = []
        for index in range(count):
            event = render_chunk(planned, index, out)
            uris.append(invoke(arguments.bootstrap, out, event, "--workers", 1)[0]["ChunkS3Uri"])
        event = {
            "Action": "assemble", "PlanS3Uri": planned["PlanS3Uri"], "ChunkS3Uris": uris, "OutputS3Uri": (out / "out.mp4").as_uri(),
        }
        runs = [invoke(arguments.bootstrap, out, event) for _ in range(arguments.runs)]
        print(f"{count:6} {frames:7} {columns(runs)} {size(out / 'out.mp4') / 1024:10.0f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("what", choices=("stages", "unpack", "assemble"))
    add("--bootstrap", type=Path, default=ROOT / "target/release/bootstrap", help="the release binary (target/release/bootstrap)")
    add("--projects", type=Path, default=ROOT / "fixtures/bench", help="directory of the pages (fixtures/bench)")
    add("--runs", type=int, default=3, help="how often each is run; the median counts (3)")
    add("--pages", nargs="+", choices=PAGES, default=PAGES, help="stages: the pages (all)")
    add("--lengths", type=int, nargs="+", default=[15, 60, 300], help="stages: frames of a chunk, two or more lengths (15 60 300)")
    add("--browsers", type=int, nargs="+", default=[1, 2], help="stages: browsers that draw at once (1 2)")
    add("--level", type=int, default=19, help="unpack: how hard zstd compresses, as in scripts/bundle.sh (19)")
    add("--counts", type=int, nargs="+", default=[1, 10, 60, 256], help="assemble: chunks to join (1 10 60 256)")
    arguments = parser.parse_args()
    os.environ.setdefault("FRAMEWRIGHT_TOOLS", str(ROOT / ".tools"))
    with tempfile.TemporaryDirectory() as scratch:
        {"stages": stages, "unpack": unpack, "assemble": assemble}[arguments.what](arguments, Path(scratch))


if __name__ == "__main__":
    main()
