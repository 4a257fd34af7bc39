"""Refuses a bundle that Lambda would: check.py [--native] ZIP UNPACKED_TOOLS...

Looks at sizes, modes and, for every program and library in the ZIP and in the directories that its packed tools unpack to,
at the architecture, the C library it needs, and whether every library it asks for is there. Prints a table of sizes. With
--native, for a bundle that is made in a hurry to be tried, bootstrap may need whatever C library this machine has, and the ZIP may be
larger than one that is shipped.
"""

import os
import re
import struct
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

MIB = 1 << 20
UNZIPPED_LIMIT = 248 * MIB  # Lambda's is 250 MiB
UNZIPPED_AIM = 160 * MIB
ZIPPED_LIMIT = 150 * MIB
NEWEST_GLIBC = (2, 34)
# Libraries that the provided.al2023 runtime has.
SYSTEM = re.compile(r"(libc|libm|libdl|libpthread|librt|libutil|libresolv|ld-linux-x86-64|libgcc_s)\.so\.\d+")
# Libraries that may be missing, by who asks for them. NSS opens its store of keys only for a TLS connection, which no page gets:
# the sandbox test has a page that tries.
UNUSED = {"libsoftokn3.so": {"libsqlite3.so.0"}}
LICENCES = ["LICENSE", "NOTICE"] + [
    f"licences/{name}.txt" for name in ("Chromium", "GPL-3.0", "MPL-2.0", "postcss", "pretext", "rust-crates")
]
TOOLS = ("chrome", "ffmpeg", "ffprobe", "fonts", "runtime")
ELF64_X86 = (b"\x7fELF\x02\x01", 62)


def version(text):
    return tuple(int(part) for part in text.split("."))


def programs(zipped, unpacked):
    """Every ELF file, as a name and a path."""
    for root in [zipped, *unpacked]:
        for path in sorted(Path(root).rglob("*")):
            if path.is_file() and not path.is_symlink() and path.open("rb").read(4) == b"\x7fELF":
                yield path.relative_to(root).as_posix() if root == zipped else f"{Path(root).name}/{path.relative_to(root)}", path


def readelf(option, path):
    return subprocess.run(["readelf", "-W", option, path], check=True, capture_output=True, text=True).stdout


def inspect(found, native, problems):
    present = {Path(name).name for name, _ in found}
    for name, path in found:
        head = path.open("rb").read(20)
        if (head[:6], struct.unpack_from("<H", head, 18)[0]) != ELF64_X86:
            problems.append(f"{name} is no program for x86-64")
            continue
        newest = max(map(version, re.findall(r"GLIBC_([0-9.]+)", readelf("-V", path))), default=(0,))
        if newest > NEWEST_GLIBC and not (native and name == "bootstrap"):
            problems.append(f"{name} needs glibc {'.'.join(map(str, newest))}, Lambda has 2.34")
        needed = re.findall(r"NEEDED.*\[(.*)\]", readelf("-d", path))
        missing = {library for library in needed if library not in present and not SYSTEM.fullmatch(library)}
        missing -= UNUSED.get(Path(name).name, set())
        if missing:
            problems.append(f"{name} needs {', '.join(sorted(missing))}")
        said = ".".join(map(str, newest)) if newest > (0,) else "static"
        print(f"  {name:48} {path.stat().st_size / MIB:8.1f} MiB  glibc {said}")


def table(entries):
    """Sizes by what is on top, or below tools/."""
    sizes = {}
    for entry in entries:
        parts = entry.filename.split("/")
        part = "/".join(parts[: 2 if parts[0] == "tools" else 1])
        plain, packed = sizes.get(part, (0, 0))
        sizes[part] = plain + entry.file_size, packed + entry.compress_size
    print(f"  {'':20} {'unzipped':>14} {'zipped':>14}")
    for part, (plain, packed) in sorted(sizes.items(), key=lambda item: -item[1][0]):
        print(f"  {part:20} {plain / MIB:10.2f} MiB {packed / MIB:10.2f} MiB")


def main(archive, unpacked, native):
    problems = []
    with zipfile.ZipFile(archive) as zipped, tempfile.TemporaryDirectory() as folder:
        entries = zipped.infolist()
        modes = {entry.filename: entry.external_attr >> 16 for entry in entries}
        if not modes.get("bootstrap", 0) & 0o111:
            problems.append("bootstrap is missing or no program")
        problems += [f"{name} cannot be read by the function's user" for name, mode in modes.items() if not mode & 0o004]
        problems += [f"{name} is missing" for name in LICENCES if name not in modes]
        parts = {"/".join(name.split("/")[:2]) for name in modes}
        problems += [f"tools/{tool} is missing" for tool in TOOLS if f"tools/{tool}" not in parts]
        zipped.extractall(folder)
        table(entries)
        inspect(list(programs(folder, unpacked)), native, problems)
        plain, packed = sum(entry.file_size for entry in entries), os.path.getsize(archive)
    print(f"  unzipped {plain / MIB:.1f} MiB of {UNZIPPED_LIMIT // MIB}, zipped {packed / MIB:.1f} MiB of {ZIPPED_LIMIT // MIB}")
    if plain > UNZIPPED_LIMIT or (packed > ZIPPED_LIMIT and not native):
        problems.append("it is too large")
    elif plain > UNZIPPED_AIM:
        print(f"  more than the {UNZIPPED_AIM // MIB} MiB aimed at")
    for problem in problems:
        print(f"bundle: {problem}", file=sys.stderr)
    sys.exit(1 if problems else 0)


arguments = [argument for argument in sys.argv[1:] if argument != "--native"]
main(Path(arguments[0]), arguments[1:], len(arguments) < len(sys.argv) - 1)
