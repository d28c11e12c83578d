"""A real Kafka, the daemon beside it as a process of its own, and what both are asked."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from prometheus_client.parser import text_string_to_metric_families

from tests.daemon import Daemon
from tests.kafka.broker import Broker
from tests.kafka.cluster import Cluster

TOPIC = "vectors"


class Sample(NamedTuple):
    """How far a process was at a moment."""

    at: float
    """Seconds of a clock that all samples share."""
    n_records: int
    cpu_s: float
    """User and system time of all its threads."""
    resident_bytes: int


@contextmanager
def directory() -> Iterator[Path]:
    """Yield a directory that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="streamae-bench-") as path:
        yield Path(path)


@contextmanager
def kafka() -> Iterator[Cluster]:
    """Yield a client of a fresh broker, all tiers of its compiler on, with an empty `TOPIC`."""
    with (
        directory() as path,
        Broker(path / "kafka", jvm=()) as broker,
        Cluster(broker.bootstrap) as cluster,
    ):
        cluster.create(TOPIC)
        yield cluster


def settings(cluster: Cluster, name: str, **output: Any) -> dict[str, Any]:
    """Return the default configuration, reading `TOPIC`, with output topics made for `name`."""
    alerts, rejected, state = f"{name}.alerts", f"{name}.rejected", f"{name}.state"
    cluster.create(alerts, rejected)
    cluster.create(state, compact=True)
    return {
        "name": name,
        "source": {"kind": "kafka", "topics": [TOPIC]},
        "output": {"alerts": alerts, "dead_letters": rejected, **output},
        "state": {"topic": state},
        "kafka": {"bootstrap_servers": [cluster.bootstrap]},
    }


def sample(daemon: Daemon) -> Sample:
    """Ask a running daemon how far it is."""
    assert daemon.process is not None
    process = psutil.Process(daemon.process.pid)
    n_records = metric(daemon, "streamae_records_consumed_total")
    with process.oneshot():
        times, memory = process.cpu_times(), process.memory_info()
    return Sample(time.perf_counter(), int(n_records), times.user + times.system, memory.rss)


def metric(daemon: Daemon, name: str) -> float:
    """Return the sum over all series of one of the daemon's metrics."""
    families = text_string_to_metric_families(daemon.get("/metrics").decode())
    return sum(one.value for family in families for one in family.samples if one.name == name)
