"""What /status and the status page show: the metrics now, and what was seen lately."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from threading import Lock
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from streamae.metrics.codes import RecentCodes, shown
from streamae.metrics.families import Metric
from streamae.metrics.metrics import Metrics
from streamae.metrics.trace import Point, Trace
from streamae.records import Event, significant
from streamae.types import Bools, Floats, Longs, TopicPartition

_N_ALERTS = 50

_RATE_WINDOW_S = 10.0
"""Long enough to be read, short enough to show that a stream has stopped."""

_RATE_STEP_S = 0.25

_MAX_POINTS = 4800
"""Points of all partitions together: about 150 kB of JSON each time the page asks."""

_MIN_POINTS = 60

_CODES_STEP_S = 0.25

_MAX_CODES = 4096
"""Codes of all partitions together; a plane of 256 takes about 10 ms."""

_MIN_CODES = 16


class Status:
    """Told by the loop once per batch, read by the threads of the HTTP server."""

    def __init__(self, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        """Show `metrics`; `clock` gives seconds."""
        self._metrics = metrics
        self._clock = clock
        self._started = clock()
        self._lock = Lock()
        self._rates: dict[TopicPartition, _Throughput] = {}
        self._traces: dict[TopicPartition, Trace] = {}
        self._codes: dict[TopicPartition, RecentCodes] = {}
        self._next_codes: dict[TopicPartition, float] = {}
        self._transforms: dict[TopicPartition, Mapping[str, Any]] = {}
        self._alerts: deque[Event] = deque(maxlen=_N_ALERTS)

    def scored(
        self,
        partition: TopicPartition,
        ordinal: int,
        scores: npt.NDArray[np.floating[Any]],
        timestamps_ms: Longs,
        threshold: float,
    ) -> None:
        """Note the scores [n] and event times [n] of consecutive records from `ordinal` on."""
        with self._lock:
            self._rates.setdefault(partition, _Throughput(self._clock)).add(len(scores))
            trace = self._traces.setdefault(partition, Trace(self._clock))
            trace.add(ordinal, scores, timestamps_ms, threshold)

    def codes_due(self, partition: TopicPartition) -> bool:
        """Return whether the codes shown are old enough to be worth new ones."""
        return self._clock() >= self._next_codes.get(partition, -np.inf)

    def coded(self, partition: TopicPartition, codes: Floats, flagged: Bools) -> None:
        """Note the codes [m, h] of recent records, and which of these were flagged, [m]."""
        with self._lock:
            self._next_codes[partition] = self._clock() + _CODES_STEP_S
            self._codes.setdefault(partition, RecentCodes()).add(codes, flagged)

    def alerted(self, alerts: Iterable[Event]) -> None:
        """Note alerts, in log order."""
        with self._lock:
            self._alerts.extend(alerts)

    def transformed(self, partition: TopicPartition, decisions: Mapping[str, Any]) -> None:
        """Note what is done to which features, as plain values."""
        with self._lock:
            self._transforms[partition] = decisions

    def removed(self, partitions: Iterable[TopicPartition]) -> None:
        """Forget the scores of `partitions`; their alerts happened and stay."""
        with self._lock:
            for partition in partitions:
                self._rates.pop(partition, None)
                self._traces.pop(partition, None)
                self._codes.pop(partition, None)
                self._next_codes.pop(partition, None)
                self._transforms.pop(partition, None)

    def document(self) -> dict[str, Any]:
        """Return everything as plain values; None where a number is not known yet."""
        with self._lock:
            owned = self._metrics.partitions
            limit = max(_MIN_POINTS, _MAX_POINTS // max(1, len(owned)))
            partitions = [self._partition(partition, limit) for partition in owned]
            alerts = [msgspec.to_builtins(alert) for alert in reversed(self._alerts)]
            n_codes = max(_MIN_CODES, _MAX_CODES // max(1, len(owned)))
            recent = [self._codes[tp].last(n_codes) if tp in self._codes else None for tp in owned]
        # The loop must not wait for this.
        for partition, codes in zip(partitions, recent, strict=True):
            partition["code_plane"] = shown(*codes) if codes else None
        return {
            "uptime_seconds": round(self._clock() - self._started, 3),
            "records": _sum(partitions, "records"),
            "records_per_second": significant(_sum(partitions, "records_per_second")),
            "lag": _sum(partitions, "lag"),
            "invalid": _sum(partitions, "invalid"),
            "flagged": _sum(partitions, "flagged"),
            "alerts": _sum(partitions, "alerts"),
            "drifts": _sum(partitions, "drifts"),
            "warmup": min((p["warmup"] for p in partitions), default=0.0),
            "alert_rate_target": _mean(partitions, "alert_rate_target"),
            "alert_rate_observed": _mean(partitions, "alert_rate_observed"),
            "partitions": partitions,
            "recent_alerts": alerts,
        }

    def line(self) -> str:
        """Return the most important numbers in one line; cheap enough for the loop."""
        metrics = self._metrics
        warm = [metrics.value(Metric.WARMUP_PROGRESS_RATIO, one) for one in metrics.partitions]
        return (
            f"{metrics.total(Metric.RECORDS_CONSUMED):,.0f} records read,"
            f" {metrics.total(Metric.CONSUMER_LAG_RECORDS):,.0f} waiting,"
            f" {metrics.total(Metric.ALERTS):,.0f} alerts,"
            f" warm-up {min((w or 0.0 for w in warm), default=0.0):.0%}"
        )

    def _partition(self, partition: TopicPartition, n_points: int) -> dict[str, Any]:
        def total(metric: Metric) -> int:
            return int(self._metrics.total(metric, partition))

        def value(metric: Metric) -> float | None:
            number = self._metrics.value(metric, partition)
            return None if number is None or not np.isfinite(number) else number

        rate, trace = self._rates.get(partition), self._traces.get(partition)
        return {
            "topic": partition.topic,
            "partition": partition.partition,
            "records": total(Metric.RECORDS_CONSUMED),
            "records_per_second": significant(rate.per_second()) if rate else 0.0,
            "lag": int(value(Metric.CONSUMER_LAG_RECORDS) or 0),
            "invalid": total(Metric.RECORDS_INVALID),
            "judged": total(Metric.RECORDS_JUDGED),
            "flagged": total(Metric.RECORDS_FLAGGED),
            "alerts": total(Metric.ALERTS),
            "drifts": total(Metric.DRIFT_EVENTS),
            "warmup": value(Metric.WARMUP_PROGRESS_RATIO) or 0.0,
            "ordinal": int(value(Metric.MODEL_RECORDS_SEEN) or 0),
            "threshold": value(Metric.THRESHOLD),
            "alert_p_value": value(Metric.ALERT_P_VALUE),
            "alert_rate_target": value(Metric.ALERT_RATE_TARGET),
            "alert_rate_observed": value(Metric.ALERT_RATE_OBSERVED),
            "checkpoint_timestamp_seconds": value(Metric.CHECKPOINT_LAST_SUCCESS_TIMESTAMP_SECONDS),
            "checkpoint_bytes": value(Metric.CHECKPOINT_BYTES),
            "transforms": self._transforms.get(partition),
            "points": [_shown(point) for point in trace.points(n_points)] if trace else [],
        }


class _Throughput:
    """Records per second over the last seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._started = clock()
        self._counts: deque[tuple[float, int]] = deque()

    def add(self, n: int) -> None:
        now = self._clock()
        if self._counts and now - self._counts[-1][0] < _RATE_STEP_S:
            at, count = self._counts.pop()
            self._counts.append((at, count + n))
        else:
            self._counts.append((now, n))
        while self._counts[0][0] <= now - _RATE_WINDOW_S:
            self._counts.popleft()

    def per_second(self) -> float:
        now = self._clock()
        n = sum(count for at, count in self._counts if at > now - _RATE_WINDOW_S)
        return n / min(max(now - self._started, 1.0), _RATE_WINDOW_S)


def _shown(point: Point) -> tuple[int, int | None, float | None, float | None]:
    """Return ordinal, event time in ms, score and threshold."""
    score, threshold = (
        float(f"{number:.4g}") if np.isfinite(number) else None
        for number in (point.score, point.threshold)
    )
    return point.ordinal, point.timestamp_ms if point.timestamp_ms >= 0 else None, score, threshold


def _sum(partitions: list[dict[str, Any]], name: str) -> Any:
    return sum(partition[name] for partition in partitions)


def _mean(partitions: list[dict[str, Any]], name: str) -> float | None:
    """Return the mean over partitions, weighted by the records they judged."""
    known = [(p[name], max(p["judged"], 1)) for p in partitions if p[name] is not None]
    if not known:
        return None
    return significant(sum(value * n for value, n in known) / sum(n for _, n in known))
