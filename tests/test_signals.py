"""What signals do to the daemon, at any stage of its life."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest

from streamae.config import CommitConfig, Duration, StateConfig
from streamae.local import MemorySink, MemorySource
from streamae.types import Commit
from streamae.worker import Worker
from tests.daemon import WAIT_S, Daemon
from tests.streams import values
from tests.test_worker import PARTITIONS, N, assert_equal, logs, run, settings, worker


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_stops_and_the_second_aborts(signum: signal.Signals) -> None:
    code = """
import time
from streamae.verbs.run import _stop_on_signal
_stop_on_signal(lambda: print("stopping", flush=True))
print("ready", flush=True)
time.sleep(30)
"""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for expected in ("ready\n", "stopping\n"):
            assert process.stdout.readline() == expected
            process.send_signal(signum)
        assert process.wait(20) == 128 + signum


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_before_the_start_a_signal_is_a_stop_or_nothing(
    tmp_path: Path, signum: signal.Signals
) -> None:
    fifo = tmp_path / "config.yaml"
    os.mkfifo(fifo)
    command = [sys.executable, "-m", "streamae", "run", "-c", str(fifo)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        with fifo.open("w"):  # Opens when the daemon does, which then waits for a first byte.
            for number in (signal.SIGHUP, signal.SIGUSR1, signum):
                process.send_signal(number)
        assert process.wait(20) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


@pytest.mark.slow
def test_a_checkpoint_on_the_way_and_then_a_stop(tmp_path: Path) -> None:
    lines = [value + b"\n" for value in values(200)]
    (tmp_path / "in.jsonl").write_bytes(b"".join(lines[:100]))
    settings = {
        "source": {"path": "in.jsonl", "follow": True},
        "output": {"scores": "scores.jsonl"},
        "detector": {"block_size": 64, "n_latents": 32},
        "state": {"snapshot_interval": "1h"},
        "log": {"format": "json"},
    }
    daemon = Daemon(tmp_path, settings).start()
    wait_for_scores(daemon, 100)
    with (tmp_path / "in.jsonl").open("ab") as file:
        file.writelines(lines[100:])
    wait_for_scores(daemon, 200)
    daemon.send(signal.SIGUSR1)
    daemon.wait_for("checkpoint as asked for")
    daemon.kill()
    daemon.start()
    assert json.loads(daemon.wait_for("detector restored"))["ordinal"] == 192
    daemon.send(signal.SIGUSR1)
    assert json.loads(daemon.wait_for("checkpoint as asked for"))["snapshots"] == []
    daemon.send(signal.SIGINT)
    daemon.wait_for('"stopped"')
    assert daemon.wait() == 0


def wait_for_scores(daemon: Daemon, n: int) -> None:
    scores = daemon.directory / "scores.jsonl"
    deadline = time.monotonic() + WAIT_S
    while not scores.exists() or scores.read_bytes().count(b"\n") < n:
        assert daemon.alive, daemon.log.read_text()
        assert time.monotonic() < deadline
        time.sleep(0.02)


class NotingSink(MemorySink):
    """Notes each commit; refuses the second one where it is to."""

    def __init__(self, *, refuse: bool) -> None:
        super().__init__()
        self.commits: list[Commit] = []
        self.refuse = refuse

    def commit(self, commit: Commit) -> bool:
        self.commits.append(commit)
        refused = self.refuse and len(self.commits) == 2
        return not refused and super().commit(commit)


class Asking(MemorySource):
    """Has somebody ask for a checkpoint once the partition has been read up to offset 600."""

    asked: Worker

    def poll(self, timeout_s: float) -> object:  # type: ignore[override]
        poll = super().poll(timeout_s)
        if self._positions[PARTITIONS[0]] == 600:
            self.asked.checkpoint()
        return poll


@pytest.mark.parametrize("refused", [False, True])
def test_a_checkpoint_comes_when_asked_for_and_changes_nothing(refused: bool) -> None:
    hour = Duration(3600)
    used = msgspec.structs.replace(
        settings(),
        state=StateConfig(snapshot_interval=hour),
        commit=CommitConfig(interval=hour, alert_interval=hour),
    )
    sink, source = NotingSink(refuse=refused), Asking(logs(1), 50)
    source.asked = worker(source, sink, used)
    source.asked.run(threading.Event())
    first, asked, *again, last = [commit.offsets[PARTITIONS[0]] for commit in sink.commits]
    assert (first, asked, last) == (50, 600, N)
    assert len(again) == refused
    assert all(commit.snapshots for commit in sink.commits)
    undisturbed = run(MemorySource(logs(1)), MemorySink(), used)
    assert_equal(sink, undisturbed)
