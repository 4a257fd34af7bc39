#!/usr/bin/env python3
"""Checks that imports inside each crate go down: from a layer to itself or a lower one, and never in a circle of files.

    scripts/check-layers.py [ROOT]     # status 1 and a line for each import that goes up or round

The layers are listed from the ground up. A module that is in none of them is an error, so that a new one must be placed.
"""
import re
import sys
from pathlib import Path

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent)

LAYERS = {
    "compose": [
        ["error", "geometry"],
        ["css", "hash", "javascript", "site", "tree"],
        ["document", "net"],
        ["remote", "timing"],
        ["scenes"],
        ["fonts", "lint", "media"],
        ["gather"],
    ],
    "render": [
        ["error"],
        ["blocking", "frame", "process", "told"],
        ["config", "tools", "video_track"],
        ["side_output"],
        ["ffmpeg", "page"],
        ["browser", "overview", "still", "verify"],
        ["audio", "capture", "video"],
        ["plan"],
        ["chunk"],
        ["assemble", "player"],
    ],
    "store": [
        ["blocking", "uri"],
        ["archive", "hash"],
        ["local", "s3"],
    ],
    "worker": [
        ["action", "cost", "processes", "resources", "restart", "time"],
        ["guard"],
        ["error"],
        ["output", "workdir"],
        ["tools"],
        ["actions"],
        ["cli", "function"],
        ["submit"],
    ],
}

USE = re.compile(r"^\s*(?:pub(?:\([a-z]+\))? )?use crate::([^;]+);", re.M)


def modules(crate):
    """The files of a crate by their module path, without the parts that only tests see."""
    source = ROOT / "crates" / crate / "src"
    for file in sorted(source.rglob("*.rs")):
        parts = list(file.relative_to(source).with_suffix("").parts)
        if parts[-1] == "mod":
            parts.pop()
        if parts in (["lib"], ["main"]) or parts[-1] == "tests":
            continue
        yield tuple(parts), file.read_text().split("#[cfg(test)]\nmod tests {")[0]


def paths(tree):
    """The paths that a `use` names: `a::{b, c::d}` names a::b and a::c::d."""
    tree = tree.strip()
    head, brace, rest = tree.partition("{")
    if not brace:
        yield [part.strip() for part in re.sub(r"\s+as\s+\w+$", "", tree).split("::")]
        return
    prefix = [part for part in head.strip().split("::") if part]
    depth, start, inner = 0, 0, rest.rpartition("}")[0]
    for at, char in enumerate(inner + ","):
        depth += {"{": 1, "}": -1}.get(char, 0)
        if char == "," and depth == 0:
            item = inner[start:at].strip()
            start = at + 1
            if item:
                for path in paths(item):
                    yield prefix + path


def imports(text, known):
    """The modules that a file imports from, as far down as they are files of their own."""
    for tree in USE.findall(text):
        for path in paths(tree):
            named = tuple(path)
            while named and named not in known:
                named = named[:-1]
            if named:
                yield named


def circle(graph):
    """A list of files that import each other, if there is one."""
    done, trail = set(), []

    def visit(node):
        if node in trail:
            return trail[trail.index(node):] + [node]
        if node in done:
            return None
        trail.append(node)
        for below in sorted(graph[node]):
            found = visit(below)
            if found:
                return found
        trail.pop()
        done.add(node)
        return None

    return next(filter(None, map(visit, sorted(graph))), None)


def check(crate, layers):
    level = {name: height for height, names in enumerate(layers) for name in names}
    files = dict(modules(crate))
    wrong, graph = [], {}
    for module, text in files.items():
        name = "::".join(module)
        if module[0] not in level:
            wrong.append(f"{crate}: {module[0]} is in no layer of scripts/check-layers.py")
            continue
        targets = set(imports(text, files)) - {module}
        # What a parent and its child say of each other is one module's own affair.
        graph[module] = {target for target in targets if target[: len(module)] != module and module[: len(target)] != target}
        for target in sorted(targets):
            if target[0] != module[0] and level.get(target[0], -1) >= level[module[0]]:
                wrong.append(f"{crate}: {name} imports {'::'.join(target)}, which is not below it")
    graph = {module: targets & graph.keys() for module, targets in graph.items()}
    found = circle(graph)
    if found:
        wrong.append(f"{crate}: a circle: " + " -> ".join("::".join(module) for module in found))
    return wrong


def main():
    wrong = [line for crate, layers in LAYERS.items() for line in check(crate, layers)]
    for line in wrong:
        print(line, file=sys.stderr)
    if not wrong:
        print(f"{len(LAYERS)} crates: every import goes down")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
