"""The real server, metrics and status, told what a worker would tell them."""

import time

import numpy as np
from prometheus_client import CollectorRegistry

from streamae.config import HttpConfig
from streamae.http import Server, Views
from streamae.metrics import Metrics, Status
from streamae.types import TopicPartition

A, B = TopicPartition("in", 0), TopicPartition("in", 1)


class Feed:
    """What feeds the page, without a worker; `now` is the loop's clock, and passes when told."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self.now = 0.0
        self.past = 0.0
        """How long ago what is reported happened, by the clock on the wall."""
        self.metrics = Metrics(registry, now=lambda: time.time() - self.past)
        self.status = Status(self.metrics, lambda: self.now)
        self.unready: list[str] = []
        views = Views(
            status=self.status.document,
            chart=self.status.chart,
            alerts=self.status.alerts,
            alive=lambda: True,
            unready=lambda: self.unready,
            version={"name": "pump-7", "streamae": "0.1.0", "torch": "2.4", "device": "cpu"},
            config=dict,
        )
        self.server = Server(HttpConfig(port=0), registry, views)
        self.server.start()

    def score(self, partition: TopicPartition, scores: list[float], threshold: float) -> None:
        """Report records of the one event time after the other, a second apart."""
        n = len(scores)
        self.metrics.consumed(partition, n, 100 * n)
        times = 1_700_000_000_000 + 1000 * np.arange(n)
        self.status.scored(partition, 0, np.array(scores), times, threshold)

    def watched(self, *partitions: TopicPartition) -> None:
        """Own partitions that are past their warm-up."""
        self.metrics.assigned(partitions)
        for partition in partitions:
            self.metrics.warmup(partition, 1.0)
