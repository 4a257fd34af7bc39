"""Renders the projects of fixtures/bench several times and prints medians, and ratios to the floor of the same run.

CPU seconds and peak memory are those of bootstrap and everything it started, sampled by usage.py.
"""

import os
import statistics
import sys
import tempfile

import usage

BOOTSTRAP, RUNS = sys.argv[1], int(sys.argv[2])
FRAMES = 300
# Every kind of output, with fewer frames each, since there are many.
FORMATS = {
    "mp4 h264": ["out.mp4"],
    "mp4 h265": ["out.mp4", "--codec", "h265"],
    "webm": ["out.webm", "--no-alpha"],
    "webm alpha": ["out.webm"],
    "mov": ["out.mov", "--no-alpha"],
    "mov alpha": ["out.mov"],
    "png-sequence": ["frames", "--format", "png-sequence"],
    "gif": ["out.gif"],
    "mp4 + preview": ["out.mp4", "--preview", "540p", "--poster", "1s"],
}
FORMAT_FRAMES = 90


def run(arguments):
    """The JSON of bootstrap, its CPU seconds and its peak memory in MiB."""
    summary, used = usage.run(BOOTSTRAP, *arguments)
    return summary, used["cpu"], used["peak"]


def median(values):
    return statistics.median(values)


def main():
    rows = {name: [] for name in ("moving", "held", "cards", "gradient")}
    floors = []
    with tempfile.TemporaryDirectory() as scratch:
        out = os.path.join(scratch, "out.mp4")
        for _ in range(RUNS):
            floor, _, _ = run(["floor", "fixtures/bench/floor", "--frames", str(FRAMES)])
            floors.append(floor["msPerFrame"])
            for name, row in rows.items():
                row.append(run(["render", f"fixtures/bench/{name}", "-o", out, "--json"]))
    floor = median(floors)
    print(f"floor: {floor:.1f} ms/frame ({floor_workers()} browsers, BeginFrame and PNG of a trivial 1080p page, no encoder)")
    print("page      boot ms  capture ms/frame  encode tail ms  total ms/frame  x floor  CPU s  peak MiB  drawn")
    totals = {}
    for name, row in rows.items():
        def chunk(key):
            return median(summary["chunks"][0][key] for summary, _, _ in row)
        totals[name] = median(summary["stages"]["totalMs"] for summary, _, _ in row) / FRAMES
        drawn = FRAMES - row[0][0]["reusedFrames"]
        print(
            f"{name:9} {chunk('sessionBootMs'):7.0f} {chunk('captureStageMs') / FRAMES:17.1f} {chunk('encodeStageMs'):15.0f}"
            f" {totals[name]:15.1f} {totals[name] / floor:8.2f} {median(cpu for _, cpu, _ in row):6.1f}"
            f" {median(peak for _, _, peak in row):9.0f} {drawn:6}"
        )
    print(f"held / moving: {totals['held'] / totals['moving']:.2f}")


def formats():
    """What each format takes and how large it is, on a plain page and on one that compresses badly."""
    print(f"\n{FORMAT_FRAMES} frames in each format: total ms/frame, that of mp4 h264 = 1, and KiB/frame")
    print("format                 moving                  gradient")
    rows = {(name, page): [] for name in FORMATS for page in ("moving", "gradient")}
    with tempfile.TemporaryDirectory() as scratch:
        for _ in range(RUNS):
            for (name, page), row in rows.items():
                output, *options = FORMATS[name]
                arguments = ["render", f"fixtures/bench/{page}", "-o", os.path.join(scratch, output), "--json"]
                row.append(run([*arguments, "--frames", f"0..{FORMAT_FRAMES}", *options])[0])

    def cell(name, page):
        def took(name):
            return median(summary["stages"]["totalMs"] for summary in rows[name, page]) / FORMAT_FRAMES
        size = rows[name, page][0]["bytes"] / FORMAT_FRAMES / 1024
        return f"{took(name):6.1f} {took(name) / took('mp4 h264'):5.2f} {size:8.1f}"

    for name in FORMATS:
        print(f"{name:16} {cell(name, 'moving')}   {cell(name, 'gradient')}")


def floor_workers():
    return run(["floor", "fixtures/bench/floor", "--frames", "2"])[0]["workers"]


main()
formats()
