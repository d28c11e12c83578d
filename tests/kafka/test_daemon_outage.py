"""Brokers that stop or hang and workers that freeze, under load: the output stays the same."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kafka.broker import Broker
from tests.kafka.cluster import Cluster, until
from tests.kafka.stream import RESTART, Run, Stream, assert_equal, undisturbed

N = 3000
OUTAGE_S = 15
SENT_S = 0.2
"""In it the broker takes what a worker had sent before it froze."""
SMALL_POLLS = {"source": {"max_poll_records": 50}}

pytestmark = [pytest.mark.slow, pytest.mark.kafka]


@pytest.fixture
def stream(fragile: Broker) -> Iterator[Stream]:
    with Cluster(fragile.bootstrap) as cluster:
        written = Stream(cluster, "vectors", N)
        written.write()
        yield written


def test_broker_that_is_away(fragile: Broker, stream: Stream, tmp_path: Path) -> None:
    """The worker may live through it or ask for a restart: its open transaction is too old."""
    with Run(stream, tmp_path, "outage", SMALL_POLLS) as run:
        daemon = run.daemon().start()
        until(lambda: bool(run.offsets()))
        daemon.send(signal.SIGSTOP)
        time.sleep(SENT_S)
        # Kafka 4.3.1 that stops before it has marked a commit in the topics forgets to where a
        # partition has no other replica, and the next transaction's end counts for both.
        until(lambda: not stream.cluster.transactions_ending())
        fragile.stop()
        daemon.send(signal.SIGCONT)
        time.sleep(OUTAGE_S)
        fragile.start()
        assert not run.done()
        assert run.complete([daemon]) <= 1
        assert_equal(run.result(), undisturbed(stream, tmp_path))


def test_broker_that_hangs(fragile: Broker, stream: Stream, tmp_path: Path) -> None:
    with Run(stream, tmp_path, "hang", {"watchdog_timeout": 5, **SMALL_POLLS}) as run:
        daemon = run.daemon().start()
        until(lambda: bool(run.offsets()))
        fragile.pause()
        assert daemon.wait() == RESTART
        fragile.resume()
        assert not run.done()
        run.complete([daemon.start()])
        assert_equal(run.result(), undisturbed(stream, tmp_path))


def test_worker_that_froze_writes_nothing(broker: Broker, cluster: Cluster, tmp_path: Path) -> None:
    stream = Stream(cluster, "frozen", N)
    with Run(stream, tmp_path, "zombie", SMALL_POLLS) as run:
        first, second = run.daemon("a"), run.daemon("b")
        with stream.feeding():
            first.start()
            until(lambda: len(run.offsets()) == len(stream.logs))
            first.send(signal.SIGSTOP)
            frozen_at = run.offsets()
            second.start()
            until(lambda: all(run.offsets()[one] > at for one, at in frozen_at.items()))
            first.send(signal.SIGCONT)
        assert run.complete([first, second]) <= 1
        assert_equal(run.result(), undisturbed(stream, tmp_path))
