"""A quiet day of the real worker with the default configuration, as Prometheus would scrape it.

Its clock is the test's. Records come once a second, none come for six hours of the night, and at
two in the afternoon the daemon is restarted.
"""

import threading
from collections import defaultdict
from itertools import groupby

import numpy as np
from prometheus_client import CollectorRegistry

from streamae.config import Config
from streamae.decode import Reason
from streamae.local import MemoryLog, MemorySink, MemorySource
from streamae.metrics import Metrics, Status
from streamae.observer import Observer
from streamae.types import Poll, TopicPartition
from streamae.watchdog import Watchdog
from streamae.worker import Worker

HOUR_S = 3600
NIGHT = (1 * HOUR_S, 7 * HOUR_S)
RESTART_S = 14 * HOUR_S
END_S = 24 * HOUR_S
SCRAPE_S = 60
POLL_S = 60
"""Time between two polls; each takes what came meanwhile."""

PARTITION = TopicPartition("in", 0)
JOB = {"job": "streamae", "instance": "a:9109"}


class Scrapes:
    """Values of every series, one a minute; None where it was not there."""

    def __init__(self) -> None:
        self._values: dict[str, dict[int, float]] = defaultdict(dict)
        self.n = 0

    def add(self, registry: CollectorRegistry | None) -> None:
        """Take one scrape; of a daemon that is down nothing but that."""
        self._values[series("up", JOB)][self.n] = 1.0 if registry else 0.0
        for family in registry.collect() if registry else ():
            for one in family.samples:
                self._values[series(one.name, JOB | one.labels)][self.n] = one.value
        self.n += 1

    def names(self) -> set[str]:
        """Return the names of all series."""
        return {one.partition("{")[0] for one in self._values}

    def written(self) -> dict[str, str]:
        """Return all series in promtool's notation: `7x2` is 7 7 7, and `_x2` two gaps."""
        return {
            name: " ".join(
                f"{value}x{len(list(run)) - (value != '_')}"
                for value, run in groupby(values.get(at, "_") for at in range(self.n))
            )
            for name, values in self._values.items()
        }


class Arrivals(MemorySource):
    """Gives each record when the clock has reached its event time; polls move the clock."""

    def __init__(self, log: MemoryLog, day: "Day", until_s: int) -> None:
        super().__init__({PARTITION: log})
        self._log = log
        self._day = day
        self._until_s = until_s

    def poll(self, timeout_s: float) -> Poll:  # noqa: ARG002 - the day decides.
        if not self._positions and self._listener is not None:
            self._listener.on_assign([PARTITION])
        self._day.wait(POLL_S)
        arrived = int(np.searchsorted(self._log.timestamps_ms, 1000 * self._day.now))
        position = self._positions[PARTITION]
        batch = self._log.read(PARTITION, position, arrived - position)
        self._positions[PARTITION] = batch.next_offset
        return Poll([batch] if len(batch) else [], {PARTITION: 0}, self._day.now >= self._until_s)


class Day:
    """Runs it; `scrapes` is what is left of it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.scrapes = Scrapes()
        self.sink = MemorySink()
        self._registry: CollectorRegistry | None = None
        log = _quiet_log()
        self._run(Arrivals(log, self, RESTART_S))
        self.wait(2 * SCRAPE_S)
        self._run(Arrivals(log, self, END_S))

    def wait(self, seconds: float) -> None:
        """Let time pass, and Prometheus come by."""
        self.now += seconds
        while self.scrapes.n * SCRAPE_S < self.now:
            self.scrapes.add(self._registry)

    def _run(self, source: Arrivals) -> None:
        self._registry = CollectorRegistry()
        reasons = [reason.value for reason in Reason]
        metrics = Metrics(self._registry, reasons, lambda: self.now, lambda: self.now)
        metrics.build("0.1.0", "2.4", "cpu", "abc")
        watchdog = Watchdog(60, lambda: self.now)
        observer = Observer(metrics, Status(metrics), watchdog, lambda: self.now)
        worker = Worker(Config(), source, self.sink, observer, lambda: self.now)
        worker.run(threading.Event())
        self._registry = None


def series(name: str, labels: dict[str, str]) -> str:
    """Return a series as PromQL has it."""
    return name + "{" + ",".join(f'{label}="{value}"' for label, value in labels.items()) + "}"


def _quiet_log() -> MemoryLog:
    """Return records of six correlated features, a few values of which are missing."""
    seconds = np.arange(END_S)
    seconds = seconds[(seconds < NIGHT[0]) | (seconds >= NIGHT[1])]
    rng = np.random.default_rng(0)
    x = rng.normal(size=(len(seconds), 2)) @ rng.normal(size=(2, 6))
    x += 0.1 * rng.normal(size=x.shape)
    x[rng.random(x.shape) < 0.01] = np.nan
    values = [str(row).replace("nan", "null").encode() for row in x.round(5).tolist()]
    return MemoryLog(values, timestamps_ms=(1000 * seconds).tolist())
