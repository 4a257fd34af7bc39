#!/usr/bin/env python3
"""scripts/check-layers.py notices an import that goes up, a circle of files, and a module that is in no layer."""
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class Layers(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)
        self.root = Path(self.dir.name)
        for source in ROOT.glob("crates/*/src"):
            shutil.copytree(source, self.root / source.relative_to(ROOT))

    def add(self, file, line):
        path = self.root / file
        path.write_text(f"{line}\n" + (path.read_text() if path.exists() else ""))

    def check(self):
        script = [sys.executable, ROOT / "scripts/check-layers.py", self.root]
        checked = subprocess.run(script, capture_output=True, text=True, check=False)
        return checked.returncode, checked.stderr

    def test_the_crates_as_they_are_have_no_import_that_goes_up(self):
        self.assertEqual(self.check(), (0, ""))

    def test_an_import_that_goes_up_is_named(self):
        self.add("crates/render/src/frame.rs", "use crate::plan::{PRODUCER_VERSION, Planned};")
        status, said = self.check()
        self.assertEqual(status, 1)
        self.assertIn("render: frame imports plan, which is not below it", said)

    def test_a_circle_of_files_is_named(self):
        self.add("crates/render/src/ffmpeg/probe.rs", "use crate::ffmpeg::concat::Sound;")
        self.add("crates/render/src/ffmpeg/concat.rs", "use crate::ffmpeg::probe::Video;")
        status, said = self.check()
        self.assertEqual(status, 1)
        self.assertIn("ffmpeg::probe", said)
        self.assertIn("a circle", said)

    def test_a_module_in_no_layer_is_named(self):
        self.add("crates/render/src/novelty.rs", "//! New.")
        status, said = self.check()
        self.assertEqual(status, 1)
        self.assertIn("novelty is in no layer", said)


if __name__ == "__main__":
    unittest.main()
