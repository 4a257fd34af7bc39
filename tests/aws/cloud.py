"""A cloud on this machine for one test run, and a copy of what is deployed to it."""

import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from pathlib import Path

import boto3

ROOT = Path(__file__).parents[2]
ANSWERING = ROOT / "tests" / "aws" / "stand_in.py"
REGION = "us-east-1"
PATH = os.pathsep.join(["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"])


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def stand_in(path, bootstrap=None):
    """A ZIP that looks like a bundle, with a function that only answers, or with other bytes in its place."""
    with zipfile.ZipFile(path, "w") as file:
        texts = ("Chromium", "GPL-3.0", "MPL-2.0", "postcss", "pretext", "rust-crates")
        tools = (f"tools/{tool}/any" for tool in ("chrome", "ffmpeg", "ffprobe", "fonts", "runtime"))
        for name in ("bootstrap", "LICENSE", "NOTICE", *(f"licences/{text}.txt" for text in texts), *tools):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o100755 << 16
            file.writestr(entry, (bootstrap or ANSWERING.read_bytes()) if name == "bootstrap" else b"")
    return path


class Cloud:
    """MiniStack on loopback with nothing in it, and the repository's scripts in a directory of their own."""

    def __init__(self, bundle=None):
        self.dir = Path(tempfile.mkdtemp(prefix="framewright-cloud-"))
        self.url = f"http://127.0.0.1:{free_port()}"
        # The access key is the account, and functions get what the server's environment has.
        self.env = {
            "PATH": PATH,
            "HOME": str(self.dir),
            "TMPDIR": str(self.dir),
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "123456789012",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            # The SAM CLI polls every 5 s by default.
            "SAM_CLI_POLL_DELAY": "0.5",
        }
        self._copy(bundle)
        self._start()

    def _copy(self, bundle):
        self.tree = self.dir / "tree"
        for part in ("sam", "scripts"):
            shutil.copytree(ROOT / part, self.tree / part, symlinks=True)
        (self.tree / ".tools").symlink_to((ROOT / ".tools").resolve())
        self.package = Path(bundle).resolve() if bundle else stand_in(self.dir / "stand-in.zip")
        # Building takes minutes, and has tests of its own.
        bundler = f'#!/bin/sh\necho "the bundler runs"\nln -sfn "{self.package}" dist/framewright.zip\n'
        (self.tree / "scripts" / "bundle.sh").write_text(bundler)
        # Of other sources than those that are there.
        (self.tree / "dist").mkdir()
        stand_in(self.tree / "dist" / "framewright.zip", b"old")

    def _start(self):
        port = self.url.rsplit(":", 1)[1]
        # Without these it listens on every address, and also for devices.
        loopback = {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": port, "IOT_MTLS_ENABLED": "0"}
        with open(self.dir / "log", "wb") as log:
            self.server = subprocess.Popen(
                [Path(sys.executable).parent / "ministack"],
                env={**self.env, **loopback},
                cwd=self.dir,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(self.url + "/_ministack/health", timeout=5).close()
                return
            except OSError:
                if self.server.poll() is not None or time.monotonic() > end:
                    self.stop()
                    raise RuntimeError("MiniStack did not start")
                time.sleep(0.1)

    def stop(self):
        self.server.send_signal(signal.SIGTERM)
        try:
            self.server.wait(20)
        except subprocess.TimeoutExpired:
            self.server.kill()
            self.server.wait()
        # Functions in the middle of an invocation outlive it.
        try:
            os.killpg(self.server.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        shutil.rmtree(self.dir, ignore_errors=True)

    def client(self, service):
        keys = {"aws_access_key_id": "123456789012", "aws_secret_access_key": "test"}
        return boto3.client(service, region_name=REGION, endpoint_url=self.url, **keys)

    def script(self, name, *args, typed=None, env=None):
        """Runs a script of the copy, with a terminal on which something is typed or without one; its status and words."""
        master, terminal = pty.openpty() if typed is not None else (None, subprocess.DEVNULL)
        if typed is not None:
            os.write(master, f"{typed}\n".encode())
        done = subprocess.run(
            [self.tree / "scripts" / name, *args],
            env=self.env if env is None else env,
            stdin=terminal,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        for end in () if typed is None else (master, terminal):
            os.close(end)
        return done.returncode, done.stdout

    def deployment(self, stack="framewright"):
        return json.loads((self.tree / ".framewright" / f"{stack}.json").read_text())

    def start(self, deployment, name, project, **config):
        bucket = deployment["BucketName"]
        event = {
            "ProjectS3Uri": f"s3://{bucket}/projects/{project}",
            "PlanOutputS3Prefix": f"s3://{bucket}/work/{name}",
            "OutputS3Uri": f"s3://{bucket}/outputs/{name}/output.mp4",
            "Config": {"fps": 30, **config},
        }
        machine = deployment["StateMachineArn"]
        started = self.client("stepfunctions").start_execution(stateMachineArn=machine, name=name, input=json.dumps(event))
        return started["executionArn"]

    def finish(self, execution, limit=300):
        end = time.monotonic() + limit
        while True:
            found = self.client("stepfunctions").describe_execution(executionArn=execution)
            if found["status"] != "RUNNING":
                return found
            if time.monotonic() > end:
                raise TimeoutError(f"{execution} still runs")
            time.sleep(0.2)
