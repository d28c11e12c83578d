"""What the loop reports, once per batch, never per record."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from prometheus_client import CollectorRegistry, ProcessCollector

from streamae.metrics import machine
from streamae.metrics.families import CHOICES, Metric, Outcome, Rebalance, Stage, Where
from streamae.metrics.learned import LearnedBlock
from streamae.metrics.series import Labels, Series
from streamae.metrics.share import RecentShare
from streamae.records import Severity, Suppression
from streamae.types import Channel, TopicPartition

_OTHER = "other"
"""Stands for every feature without a series of its own."""


class Metrics:
    """The metrics of one process; series of a partition exist while the process owns it."""

    def __init__(
        self,
        registry: CollectorRegistry,
        reasons: Iterable[str] = (),
        clock: Callable[[], float] = time.perf_counter,
        now: Callable[[], float] = time.time,
        gpu_memory: Callable[[], Mapping[str, int]] = dict,
        max_features: int = 50,
    ) -> None:
        """Register on `registry`, with the metrics of the operating system's process.

        `reasons` are the values of the label `reason`; `clock` measures durations and `now` gives
        Unix time, both in seconds; `gpu_memory` gives bytes by kind; `max_features` is the number
        of features that have series of their own.
        """
        self._series = Series({**CHOICES, "reason": tuple(reasons)}, self._look)
        self._clock = clock
        self._now = now
        self._gpu_memory = gpu_memory
        self._left_waiting_at: float | None = None
        self._rates: dict[TopicPartition, RecentShare] = {}
        self._max_features = max_features
        self._features: dict[TopicPartition, frozenset[str]] = {}
        self._series.set(Metric.START_TIME_SECONDS, now())
        self._series.set(Metric.PARTITIONS_ASSIGNED, 0)
        registry.register(self._series)
        ProcessCollector(registry=registry)

    def build(self, version: str, torch: str, device: str, config_hash: str) -> None:
        """Say what runs."""
        self._series.set(Metric.BUILD_INFO, 1, (version, torch, device))
        self._configured(config_hash)

    def reloaded(self, config_hash: str | None) -> None:
        """Count a reload of the configuration; None says that it failed and changed nothing."""
        if config_hash is None:
            self._series.add(Metric.CONFIG_RELOADS, 1, ("failure",))
            self._series.set(Metric.CONFIG_LAST_RELOAD_SUCCESSFUL, 0)
            return
        self._series.add(Metric.CONFIG_RELOADS, 1, ("success",))
        self._configured(config_hash)

    def assigned(self, partitions: Iterable[TopicPartition]) -> None:
        """Start the series of `partitions`."""
        for partition in partitions:
            self._rates[partition] = RecentShare()
            self._series.open(_labels(partition))
            self._series.add(Metric.REBALANCES, 1, ("assigned",))
        self._series.set(Metric.PARTITIONS_ASSIGNED, len(self._rates))

    def removed(self, partitions: Iterable[TopicPartition], event: Rebalance) -> None:
        """End the series of `partitions`: their next owner shows them."""
        for partition in partitions:
            self._rates.pop(partition, None)
            self._features.pop(partition, None)
            self._series.close(_labels(partition))
            self._series.add(Metric.REBALANCES, 1, (event,))
        self._series.set(Metric.PARTITIONS_ASSIGNED, len(self._rates))

    def polled(self, seconds: float, lag: Mapping[TopicPartition, int]) -> None:
        """Count one poll, right after it, and note the records that wait behind it."""
        self._series.observe(Metric.POLL_SECONDS, seconds)
        now = self._clock()
        if self._left_waiting_at is not None:
            busy = max(now - seconds - self._left_waiting_at, 0.0)
            self._series.add(Metric.BACKPRESSURE_SECONDS, busy)
        self._left_waiting_at = now if any(lag.values()) else None
        for partition in lag.keys() & self._rates.keys():
            self._series.set(Metric.CONSUMER_LAG_RECORDS, lag[partition], _labels(partition))

    def consumed(self, partition: TopicPartition, n: int, n_bytes: int) -> None:
        """Count the records of one batch."""
        self._series.add(Metric.RECORDS_CONSUMED, n, _labels(partition))
        self._series.add(Metric.CONSUMED_BYTES, n_bytes, _labels(partition))
        self._series.observe(Metric.BATCH_SIZE_RECORDS, n)

    def invalid(self, partition: TopicPartition, reason: str, n: int = 1) -> None:
        """Count rejected records."""
        self._series.add(Metric.RECORDS_INVALID, n, (*_labels(partition), reason))

    def missing(self, partition: TopicPartition, n: int) -> None:
        """Count values that valid records lack."""
        self._series.add(Metric.VALUES_MISSING, n, _labels(partition))

    def nonfinite(self, partition: TopicPartition, where: Where, n: int = 1) -> None:
        """Count numbers that are infinite, or NaN where there should be one."""
        self._series.add(Metric.NONFINITE, n, (*_labels(partition), where))

    def offsets_lost(self, partition: TopicPartition, n: int) -> None:
        """Count offsets that retention deleted before they were read, or learnt again."""
        self._series.add(Metric.OFFSETS_LOST, n, _labels(partition))

    def scored(
        self, partition: TopicPartition, scores: npt.NDArray[np.floating[Any]], event_time_ms: int
    ) -> None:
        """Count the scores [n] of one batch, NaN for none; the event time is its latest or -1."""
        self._series.observe_all(Metric.SCORE, scores[np.isfinite(scores)], _labels(partition))
        latest = self._series.value(Metric.WATERMARK_TIMESTAMP_SECONDS, _labels(partition)) or 0.0
        if event_time_ms >= latest * 1000:
            watermark = event_time_ms / 1000
            self._series.set(Metric.WATERMARK_TIMESTAMP_SECONDS, watermark, _labels(partition))

    def judged(self, partition: TopicPartition, n: int, n_flagged: int) -> None:
        """Count records compared with the threshold, so none during warm-up."""
        labels = _labels(partition)
        self._series.add(Metric.RECORDS_JUDGED, n, labels)
        self._series.add(Metric.RECORDS_FLAGGED, n_flagged, labels)
        if partition in self._rates and n:
            rate = self._rates[partition].update(n, n_flagged)
            self._series.set(Metric.ALERT_RATE_OBSERVED, rate, labels)

    def threshold(
        self, partition: TopicPartition, value: float, alpha: float, target: float
    ) -> None:
        """Note the score that is flagged, its p-value, and the share the budget allows."""
        self._series.set(Metric.THRESHOLD, value, _labels(partition))
        self._series.set(Metric.ALERT_P_VALUE, alpha, _labels(partition))
        self._series.set(Metric.ALERT_RATE_TARGET, target, _labels(partition))

    def alerts(self, partition: TopicPartition, severity: Severity, n: int = 1) -> None:
        """Count alerts that open an episode."""
        self._series.add(Metric.ALERTS, n, (*_labels(partition), severity))

    def features(self, partition: TopicPartition, names: Sequence[str]) -> None:
        """Start the series of the first of these features, and of all others together."""
        if partition not in self._features:
            self._features[partition] = frozenset(names[: self._max_features])
            for name in (*names[: self._max_features], _OTHER):
                self._series.add(Metric.ALERTS_BY_FEATURE, 0, (*_labels(partition), name))

    def blamed(self, partition: TopicPartition, feature: str) -> None:
        """Count an alert for which `feature` is to blame most."""
        name = feature if feature in self._features.get(partition, ()) else _OTHER
        self._series.add(Metric.ALERTS_BY_FEATURE, 1, (*_labels(partition), name))

    def episodes(self, partition: TopicPartition, n_open: int) -> None:
        """Note the episodes that go on."""
        self._series.set(Metric.EPISODES_OPEN, n_open, _labels(partition))

    def keys(self, partition: TopicPartition, n_remembered: int, n_forgotten: int) -> None:
        """Note the keys whose past is remembered, and count those that made way for others."""
        self._series.set(Metric.KEYS_REMEMBERED, n_remembered, _labels(partition))
        self._series.add(Metric.KEYS_FORGOTTEN, n_forgotten, _labels(partition))

    def drift(self, partition: TopicPartition) -> None:
        """Count a lasting shift of level that has become normal."""
        self._series.add(Metric.DRIFT_EVENTS, 1, _labels(partition))

    def suppressed(self, partition: TopicPartition, reason: Suppression, n: int) -> None:
        """Count flagged records that raised no alert."""
        self._series.add(Metric.ALERTS_SUPPRESSED, n, (*_labels(partition), reason))

    def warmup(self, partition: TopicPartition, ratio: float) -> None:
        """Note the progress of the warm-up, 0 to 1."""
        self._series.set(Metric.WARMUP_PROGRESS_RATIO, ratio, _labels(partition))

    def learned(self, partition: TopicPartition, n_seen: int, block: LearnedBlock) -> None:
        """Note one learnt block and the records the model has seen by now."""
        labels = _labels(partition)
        self._series.add(Metric.TRAIN_STEPS, 1, labels)
        self._series.add(Metric.RECORDS_SUSPECTED, block.n_suspects, labels)
        self._series.add(Metric.RECORDS_WITHHELD, block.n_withheld, labels)
        self._series.set(Metric.SHIFTED_BLOCKS, block.n_shifted, labels)
        self._series.set(Metric.MODEL_RECORDS_SEEN, n_seen, labels)
        self._series.set(Metric.TRAIN_LOSS, block.loss, labels)
        if not math.isfinite(block.loss):
            self.nonfinite(partition, "loss")
        self._series.set(Metric.MODEL_GAIN_NATS, block.nats, labels)
        self._series.set(Metric.ACTIVE_LATENTS_RATIO, block.active_share, labels)
        self._series.set(Metric.DEAD_LATENTS, block.n_dead_latents, labels)

    def labelled(
        self, partition: TopicPartition, outcomes: Mapping[str, int], n_waiting: int
    ) -> None:
        """Count the labels taken at a block boundary; note how many wait for their record."""
        for outcome, n in outcomes.items():
            self._series.add(Metric.LABELS, n, (*_labels(partition), outcome))
        self._series.set(Metric.LABELS_WAITING, n_waiting, _labels(partition))

    def judged_head(self, partition: TopicPartition, log_loss: float, roc_auc: float) -> None:
        """Note how well labels were foretold."""
        self._series.set(Metric.HEAD_LOG_LOSS, log_loss, _labels(partition))
        self._series.set(Metric.HEAD_ROC_AUC, roc_auc, _labels(partition))

    def relearned(self, partition: TopicPartition, n: int) -> None:
        """Count records learnt again, silently, after a restore."""
        self._series.add(Metric.RECORDS_RELEARNED, n, _labels(partition))

    def commit(self, outcome: Outcome, n_outputs: Mapping[Channel, int]) -> None:
        """Count one commit and, when it succeeded, what became visible."""
        self._series.add(Metric.TRANSACTIONS, 1, (outcome,))
        if outcome == "committed":
            self._series.set(Metric.LAST_COMMIT_TIMESTAMP_SECONDS, self._now())
            for channel, n in n_outputs.items():
                self._series.add(Metric.OUTPUTS, n, (channel,))

    def latency(self, seconds: npt.NDArray[np.floating[Any]]) -> None:
        """Count latencies [n] of committed records, from event time to commit."""
        self._series.observe_all(Metric.END_TO_END_LATENCY_SECONDS, seconds)

    def checkpoint(self, partition: TopicPartition, n_bytes: int) -> None:
        """Note a committed snapshot."""
        labels = _labels(partition)
        self._series.add(Metric.CHECKPOINTS, 1, labels)
        self._series.set(Metric.CHECKPOINT_BYTES, n_bytes, labels)
        self._series.set(Metric.CHECKPOINT_LAST_SUCCESS_TIMESTAMP_SECONDS, self._now(), labels)

    def checkpoint_failed(self, partition: TopicPartition) -> None:
        """Count a snapshot whose commit was aborted."""
        self._series.add(Metric.CHECKPOINT_FAILURES, 1, _labels(partition))

    @contextmanager
    def stage(self, stage: Stage) -> Iterator[None]:
        """Measure the block of code inside, also when it raises."""
        started = self._clock()
        try:
            yield
        finally:
            self._series.observe(Metric.STAGE_DURATION_SECONDS, self._clock() - started, (stage,))

    @property
    def partitions(self) -> list[TopicPartition]:
        """The partitions assigned now, in order."""
        return sorted(self._rates.copy())

    def total(self, metric: Metric, partition: TopicPartition | None = None) -> float:
        """Return a counter or gauge, summed over the labels that are not given."""
        return self._series.total(metric, _labels(partition) if partition else ())

    def value(self, metric: Metric, partition: TopicPartition | None = None) -> float | None:
        """Return a gauge, of a partition if it is of one; None before its first value."""
        return self._series.value(metric, _labels(partition) if partition else ())

    def by_partition(self, metric: Metric, last: Sequence[str] = ()) -> dict[TopicPartition, float]:
        """Return a counter or gauge of each partition that has one, summed over further labels.

        With `last`, only series whose last label is one of them count.
        """
        found = self._series.by_partition(metric, last).items()
        return {TopicPartition(topic, int(number)): value for (topic, number), value in found}

    def _configured(self, config_hash: str) -> None:
        self._series.clear(Metric.CONFIG_HASH_INFO)
        self._series.set(Metric.CONFIG_HASH_INFO, 1, (config_hash,))
        self._series.set(Metric.CONFIG_LAST_RELOAD_SUCCESSFUL, 1)
        self._series.set(Metric.CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP_SECONDS, self._now())

    def _look(self) -> None:
        """Set what nobody reports; called for each scrape."""
        self._series.set(Metric.AVAILABLE_MEMORY_BYTES, machine.available_memory_bytes())
        self._series.set(Metric.CPU_CORES_AVAILABLE, machine.cpu_cores_available())
        for kind, n_bytes in self._gpu_memory().items():
            self._series.set(Metric.GPU_MEMORY_BYTES, n_bytes, (kind,))
        now = self._now()
        self._series.derive(
            Metric.CHECKPOINT_AGE_SECONDS,
            Metric.CHECKPOINT_LAST_SUCCESS_TIMESTAMP_SECONDS,
            lambda at: now - at,
        )


def _labels(partition: TopicPartition) -> Labels:
    return (partition.topic, str(partition.partition))
