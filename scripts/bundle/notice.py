"""Writes NOTICE and the licences of what a staged directory contains: notice.py REPOSITORY STAGED"""

import json
import subprocess
import sys
from pathlib import Path

# Packages of tools.lock.json that are in the bundle; the others are for tests and fixtures.
BUNDLED = ("chrome", "ffmpeg", "ffprobe", "runtime", "fonts/")

HEAD = """framewright
Apache-2.0, see LICENSE. It comes with the following parts, unmodified, each under its own licence.

"""

SOURCES = """
FFmpeg and ffprobe are separate programs that framewright starts; they are under the GPL, version 3 (licences/GPL-3.0.txt).
Their source, FFmpeg 7.0.2 and commit c2b38619c0, is published by the FFmpeg project at ffmpeg.org; the builds' own scripts and
sources by the packages named above.

Chromium is under the BSD 3-Clause licence (licences/Chromium.txt); the notices of what it contains are in its own source tree. NSS
and NSPR are under the MPL 2.0 (licences/MPL-2.0.txt); their source is published by Mozilla.

The page runtime (Apache-2.0, as LICENSE) contains PostCSS (licences/postcss.txt) and Pretext (licences/pretext.txt).

Every font has its own copyright line and the SIL Open Font License 1.1 in the LICENSE beside it.

The Rust crates that are linked into bootstrap, with their licences, are in licences/rust-crates.txt.
"""


def tools(repository):
    lock = json.loads((repository / "tools.lock.json").read_text())
    for package in lock["packages"]:
        if package["dir"].startswith(BUNDLED):
            yield f"tools/{package['dir']}: {package['name']} {package['version']} ({package['from']})\n  {package['licence']}\n"


def crates(repository):
    """Every crate that is linked in: its name, version, licence and where its source lies."""
    def cargo(*args):
        return subprocess.run(["cargo", *args], cwd=repository, check=True, capture_output=True, text=True).stdout

    target = "x86_64-unknown-linux-gnu"
    tree = cargo("tree", "--locked", "-p", "worker", "-e", "normal", "--target", target, "--prefix", "none", "-f", "{p}")
    linked = {tuple(line.split()[:2]) for line in tree.splitlines() if line}
    metadata = json.loads(cargo("metadata", "--locked", "--format-version", "1", "--filter-platform", target))
    for package in sorted(metadata["packages"], key=lambda package: (package["name"], package["version"])):
        if package["source"] and (package["name"], "v" + package["version"]) in linked:
            yield package["name"], package["version"], package["license"] or "see its text", Path(package["manifest_path"]).parent


def texts(folder):
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name.upper().startswith(("LICENSE", "LICENCE", "COPYING", "NOTICE", "UNLICENSE")):
            yield path.read_text(errors="replace").strip()


def main(repository, staged):
    (staged / "licences").mkdir()
    for text in sorted((repository / "licences").iterdir()):
        (staged / "licences" / text.name).write_bytes(text.read_bytes())
    (staged / "LICENSE").write_bytes((repository / "LICENSE").read_bytes())
    (staged / "NOTICE").write_text(HEAD + "\n".join(tools(repository)) + SOURCES)
    names, owners = [], {}
    for name, version, licence, folder in crates(repository):
        names.append(f"{name} {version}: {licence}\n")
        for text in texts(folder):
            owners.setdefault(text, []).append(f"{name} {version}")
    if not names or not owners:
        sys.exit("notice: no crate or no licence text was found")
    body = (f"\n{'=' * 80}\n{', '.join(of)}\n{'=' * 80}\n\n{text}\n" for text, of in owners.items())
    (staged / "licences/rust-crates.txt").write_text("".join(names) + "".join(body))


main(Path(sys.argv[1]), Path(sys.argv[2]))
