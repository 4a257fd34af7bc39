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
    """Each page both ways in turn, so that both have the same neighbours on the machine."""
    pages, ways = ("moving", "held", "cards", "gradient"), ("png", "framebuffer")
    rows = {(name, way): [] for name in pages for way in ways}
    floors = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as scratch:
        out = os.path.join(scratch, "out.mp4")
        for _ in range(RUNS):
            for way in ways:
                floor, cpu, _ = run(["floor", "fixtures/bench/floor", "--frames", str(FRAMES), "--capture", way])
                floors[way].append((floor["msPerFrame"], cpu))
            for (name, way), row in rows.items():
                row.append(run(["render", f"fixtures/bench/{name}", "-o", out, "--json", "--capture", way]))
    floor = {way: median(ms for ms, _ in runs) for way, runs in floors.items()}
    print(f"floor, a trivial 1080p page without encoder: {floor['framebuffer']:.1f} ms/frame of BeginFrame alone, {floor['png']:.1f} with PNG")
    print("page      source       boot ms  capture ms/frame  encode tail ms  total ms/frame  x floor  CPU ms/frame  peak MiB  drawn")
    totals, cpus, peaks = {}, {}, {}
    for (name, way), row in rows.items():
        def chunk(key):
            return median(summary["chunks"][0][key] for summary, _, _ in row)
        key = name, way
        totals[key] = median(summary["stages"]["totalMs"] for summary, _, _ in row) / FRAMES
        cpus[key] = median(cpu for _, cpu, _ in row) / FRAMES * 1000
        peaks[key] = median(peak for _, _, peak in row)
        drawn = FRAMES - row[0][0]["reusedFrames"]
        print(
            f"{name:9} {way:12} {chunk('sessionBootMs'):7.0f} {chunk('captureStageMs') / FRAMES:17.1f} {chunk('encodeStageMs'):15.0f}"
            f" {totals[key]:15.1f} {totals[key] / floor[way]:8.2f} {cpus[key]:13.1f} {peaks[key]:9.0f} {drawn:6}"
        )
    print("framebuffer / png   CPU  total  memory")
    for name in pages:
        ratio = [of[name, "framebuffer"] / of[name, "png"] for of in (cpus, totals, peaks)]
        print(f"{name:17} {ratio[0]:5.2f} {ratio[1]:6.2f} {ratio[2]:7.2f}")
    for way in ways:
        print(f"held / moving, {way}: {totals['held', way] / totals['moving', way]:.2f}")


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


main()
formats()
