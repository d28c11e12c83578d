"""Kill workers at random moments: what readers of committed records see is what they always see.

It is also what `streamae replay` computes from the input.

`python -m tests.kafka.test_kill 1000` runs a thousand kills.
"""

import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from streamae.cli import main
from tests.daemon import Daemon
from tests.kafka.broker import Broker
from tests.kafka.cluster import Cluster
from tests.kafka.stream import CHANNELS, RESTART, Run, Stream, assert_equal, undisturbed

N_KILLS = 25
KILLS_PER_STREAM = 50
RECORDS_PER_KILL = 500
"""Per partition; more than a worker gets done between its start and its end."""
EXPECTED = (None, 0, RESTART, -signal.SIGKILL, -signal.SIGTERM)
"""How a worker may end: not yet, told to, asking for a restart, killed, told to while it started
and did not listen yet."""
SMALL_POLLS = {"source": {"max_poll_records": 20}}


class Kills(NamedTuple):
    """How hard it was."""

    n: int
    under_load: int
    """Kills of a worker that had partitions while records waited."""
    discarded: int
    """Outputs of transactions that were open at the time."""

    def __str__(self) -> str:
        return (
            f"{self.n} kills, {self.under_load} of them under load; equal outputs and states;"
            f" {self.discarded} outputs were discarded with their transactions"
        )


class Workers:
    """Two workers of which the second comes and goes."""

    def __init__(self, run: Run, chance: random.Random) -> None:
        self._run = run
        self._chance = chance
        self._first, self._second = run.daemon("a"), run.daemon("b")
        self._leaving = False
        """Whether the second one was told to stop."""

    def kill_one(self) -> bool:
        """Start what does not run, and kill a worker at some moment; return whether it was busy."""
        self._ensure(self._first)
        if not self._second.alive and self._chance.random() < 0.3:
            self._ensure(self._second)
            self._leaving = False
        victim = self._chance.choice([one for one in (self._first, self._second) if one.alive])
        if self._chance.random() < 0.2:
            time.sleep(self._chance.uniform(0, 3))  # It starts, or restores.
        elif self._assigned(victim):
            time.sleep(self._chance.uniform(0, 0.6))
        if self._second.alive and not self._leaving and self._chance.random() < 0.3:
            self._second.send(signal.SIGTERM)
            self._leaving = True
        busy = victim.alive and self._busy(victim)
        victim.kill()
        return busy

    def complete(self) -> None:
        """Let those that stay finish the input."""
        self._ensure(self._first)
        if self._leaving:
            assert self._second.wait() in EXPECTED
        self._run.complete([one for one in (self._first, self._second) if one.alive])

    def _ensure(self, worker: Daemon) -> None:
        """Start the worker if it does not run, as a supervisor does."""
        if not worker.alive:
            assert worker.exit_code in EXPECTED, worker.log.read_text()[-4000:]
            worker.start()

    def _assigned(self, worker: Daemon) -> bool:
        """Wait until the worker got partitions; return False if it ends before."""
        while worker.alive and not got_partitions(worker):
            time.sleep(0.01)
        return worker.alive

    def _busy(self, worker: Daemon) -> bool:
        return got_partitions(worker) and not self._run.done()


def got_partitions(worker: Daemon) -> bool:
    return "partition assigned" in worker.log.read_text(errors="replace")


def check(
    cluster: Cluster, directory: Path, n_kills: int, seed: int, client: str = "kafka-python"
) -> Kills:
    """Compare a run of `client` with `n_kills` kills to an undisturbed one of the same input."""
    stream = Stream(cluster, f"killed-{seed}", n_kills * RECORDS_PER_KILL)
    chance = random.Random(seed)  # noqa: S311 - a schedule, not a secret.
    sections = {**SMALL_POLLS, "kafka": {"client": client}}
    under_load = 0
    with Run(stream, directory, "killed", sections) as run:
        workers = Workers(run, chance)
        for _ in range(n_kills):
            stream.write(RECORDS_PER_KILL)
            under_load += workers.kill_one()
        workers.complete()
        assert main(["replay", "--compare", "-c", str(run.settings())]) == 0
    found, expected = run.result(), undisturbed(stream, directory)
    assert_equal(found, expected)
    assert all(expected.messages(channel) for channel in CHANNELS)
    return Kills(n_kills, under_load, run.n_discarded())


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_kill_changes_nothing(broker: Broker, cluster: Cluster, tmp_path: Path) -> None:
    kills = check(cluster, tmp_path, N_KILLS, seed=1)
    print(kills)
    assert kills.under_load >= N_KILLS // 3


def repeat(n_kills: int) -> None:
    """Kill in rounds, each with an input of its own."""
    with tempfile.TemporaryDirectory() as name, Broker(Path(name) / "broker") as broker:
        for first in range(0, n_kills, KILLS_PER_STREAM):
            with Cluster(broker.bootstrap) as cluster:
                n = min(KILLS_PER_STREAM, n_kills - first)
                print(check(cluster, Path(name), n, seed=first + n_kills), flush=True)


if __name__ == "__main__":
    repeat(int(sys.argv[1]) if len(sys.argv) > 1 else N_KILLS)
