"""The daemon as its users run it: a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import yaml

WAIT_S = 60.0
"""For one event; importing torch alone takes seconds on a busy machine."""


class Daemon:
    """`streamae run` on `settings`, in `directory`, where its log is kept."""

    def __init__(
        self,
        directory: Path,
        settings: Mapping[str, Any],
        name: str = "daemon",
        program: Sequence[str | Path] = (sys.executable, "-m", "streamae"),
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.log = directory / f"{name}.log"
        self.settings = directory / f"{name}.yaml"
        self.program = program
        self.settings.write_text(yaml.safe_dump({"http": {"port": 0}, **settings}))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, stdout: int | None = None) -> "Daemon":
        """Start the process; its log begins anew, and holds `stdout` unless that goes elsewhere."""
        self.log.write_bytes(b"")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.program, "run", "-c", self.settings],
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log if stdout is None else stdout,
                stderr=log,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
        return self

    def wait_for(self, text: str, timeout_s: float = WAIT_S) -> str:
        """Return the log line that holds `text` once it is there; fail if the process ends."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            over = self._running.poll() is not None
            for line in self.log.read_text(errors="replace").splitlines():
                if text in line:
                    return line
            if over:
                break
            time.sleep(0.01)
        raise AssertionError(f"{text!r} is not in the log:\n{self.log.read_text()[-4000:]}")

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the log lines of one event, of a log in JSON."""
        lines = self.log.read_text(errors="replace").splitlines()
        parsed = (json.loads(line) for line in lines if line.startswith("{") and line.endswith("}"))
        return [line for line in parsed if line["event"] == name]

    @property
    def address(self) -> str:
        """Where its HTTP server is, once it is."""
        return self.wait_for('"url":').split('"url":"')[1].split('"')[0].rstrip("/")

    def get(self, path: str) -> bytes:
        """Return what the daemon's HTTP server answers."""
        with urlopen(self.address + path, timeout=10) as answer:  # noqa: S310 - our own address.
            return bytes(answer.read())

    @property
    def ready(self) -> bool:
        """Whether it has partitions and all of them are restored."""
        if '"url":' not in self.log.read_text(errors="replace"):
            return False
        try:
            self.get("/readyz")
        except OSError:  # Says 503, does not listen any more, or is stopped.
            return False
        return True

    @property
    def n_restored(self) -> int:
        """How many partitions it has; 0 until all of them are restored."""
        if not self.ready:
            return 0
        try:
            return len(json.loads(self.get("/status"))["partitions"])
        except OSError:
            return 0

    def send(self, number: int) -> None:
        """Send a signal, without waiting for what it does."""
        self._running.send_signal(number)

    def kill(self) -> None:
        """Kill it with no chance to do anything."""
        self._running.kill()
        self._running.wait()

    def stop(self, timeout_s: float = WAIT_S) -> int:
        """Ask it to stop in order; return its exit code."""
        self.send(signal.SIGTERM)
        return self.wait(timeout_s)

    def wait(self, timeout_s: float = WAIT_S) -> int:
        """Return its exit code once it has ended by itself."""
        return self._running.wait(timeout_s)

    @property
    def alive(self) -> bool:
        """Whether the process is there, be it stopped or starting."""
        return self.process is not None and self.process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How it ended; None before."""
        return None if self.process is None else self.process.poll()

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self.process is not None
        return self.process
