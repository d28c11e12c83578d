"""A clock, a reader of samples, and a call of everything that can be reported."""

from typing import NamedTuple

import numpy as np
from prometheus_client import CollectorRegistry

from streamae.metrics import Metrics
from streamae.types import TopicPartition

A, B = TopicPartition("in", 0), TopicPartition("in", 10)
LABELS = {"topic": "in", "partition": "0"}


class Learned(NamedTuple):
    """A block as a detector reports it."""

    loss: float = 0.1
    nats: float = 0.2
    n_suspects: int = 2
    n_withheld: int = 3
    n_shifted: int = 0
    active_share: float = 0.25
    n_dead_latents: int = 1


class Clock:
    """Time that only moves when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Sample:
    """Reads one sample of the registry by its exposed name."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def __call__(self, name: str, /, **labels: str) -> float | None:
        return self._registry.get_sample_value(f"streamae_{name}", labels)


def report_everything(metrics: Metrics, partition: TopicPartition) -> None:
    """Call every method once."""
    metrics.build("0.1.0", "2.4", "cpu", "abc")
    metrics.reloaded("def")
    metrics.polled(0.01, {partition: 5})
    metrics.consumed(partition, 3, 300)
    metrics.invalid(partition, "empty")
    metrics.missing(partition, 9)
    metrics.nonfinite(partition, "input")
    metrics.offsets_lost(partition, 4)
    metrics.scored(partition, np.array([1.0, 2.0, np.nan], np.float32), 1_700_000_000_000)
    metrics.judged(partition, 2, 1)
    metrics.threshold(partition, 1.5, 0.002, 0.001)
    metrics.alerts(partition, "critical")
    metrics.features(partition, ["a", "b"])
    metrics.blamed(partition, "a")
    metrics.episodes(partition, 1)
    metrics.keys(partition, 9, 2)
    metrics.drift(partition)
    metrics.suppressed(partition, "cooldown", 2)
    metrics.warmup(partition, 1.0)
    metrics.learned(partition, 256, Learned())
    metrics.labelled(partition, {"matched": 3, "late": 1, "invalid": 0}, 2)
    metrics.judged_head(partition, 0.4, 0.9)
    metrics.relearned(partition, 7)
    metrics.commit("committed", {"alerts": 1, "scores": 3})
    metrics.latency(np.array([0.2]))
    metrics.checkpoint(partition, 4096)
    metrics.checkpoint_failed(partition)
    with metrics.stage("score"):
        pass
