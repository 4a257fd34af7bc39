"""Makes a ZIP whose bytes depend on nothing but the files: archive.py DIRECTORY ZIP"""

import os
import sys
import zipfile
from pathlib import Path

# The earliest timestamp that a ZIP can hold.
EPOCH = (1980, 1, 1, 0, 0, 0)
# Files that are compressed already.
STORED = (".zst", ".woff2")


def main(directory, target):
    links = [path for path in directory.rglob("*") if path.is_symlink()]
    if links:
        sys.exit(f"archive: {links[0]} is a link")
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(path for path in directory.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(directory).as_posix(), EPOCH)
            entry.create_system = 3  # Unix, so that modes count
            entry.external_attr = (0o100755 if os.access(path, os.X_OK) else 0o100644) << 16
            stored = path.name.endswith(STORED)
            entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes(), compresslevel=9)


main(Path(sys.argv[1]), Path(sys.argv[2]))
