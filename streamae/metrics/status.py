"""What /status, /alerts and the status page show: the metrics now, and what was seen lately."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from threading import Lock
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from streamae.metrics.families import Metric
from streamae.metrics.history import STEP_S, Counters, Sample
from streamae.metrics.metrics import Metrics
from streamae.metrics.recent import Recent, columns
from streamae.records import Event, significant
from streamae.types import Bools, Floats, Longs, TopicPartition

_N_ALERTS = 50

_LONGEST = 200
"""Characters of a key or a name that are shown: both can be of any length."""

_MOST = 20
"""Names of a list that are shown."""

_WRONG = ("score", "loss")
"""Where an infinite number is no fault of the input."""

_SAMPLED = (
    (Metric.RECORDS_CONSUMED, ()),
    (Metric.RECORDS_INVALID, ()),
    (Metric.RECORDS_SUSPECTED, ()),
    (Metric.RECORDS_WITHHELD, ()),
    (Metric.NONFINITE, _WRONG),
    (Metric.OFFSETS_LOST, ()),
)
"""In the order of `Counters`, with the values of the last label that count."""

_COUNTS: Mapping[str, tuple[Metric, tuple[str, ...]]] = {
    "records": (Metric.RECORDS_CONSUMED, ()),
    "lag": (Metric.CONSUMER_LAG_RECORDS, ()),
    "invalid": (Metric.RECORDS_INVALID, ()),
    "nonfinite": (Metric.NONFINITE, _WRONG),
    "offsets_lost": (Metric.OFFSETS_LOST, ()),
    "judged": (Metric.RECORDS_JUDGED, ()),
    "flagged": (Metric.RECORDS_FLAGGED, ()),
    "alerts": (Metric.ALERTS, ()),
    "suppressed": (Metric.ALERTS_SUPPRESSED, ()),
    "drifts": (Metric.DRIFT_EVENTS, ()),
    "episodes_open": (Metric.EPISODES_OPEN, ()),
    "shifted_blocks": (Metric.SHIFTED_BLOCKS, ()),
    "ordinal": (Metric.MODEL_RECORDS_SEEN, ()),
    "labels": (Metric.LABELS, ()),
    "labels_matched": (Metric.LABELS, ("matched",)),
}
"""Whole numbers, 0 until counted, and the values of the last label that count."""

_GAUGES: Mapping[str, Metric] = {
    "warmup": Metric.WARMUP_PROGRESS_RATIO,
    "watermark_timestamp_seconds": Metric.WATERMARK_TIMESTAMP_SECONDS,
    "threshold": Metric.THRESHOLD,
    "alert_p_value": Metric.ALERT_P_VALUE,
    "alert_rate_target": Metric.ALERT_RATE_TARGET,
    "alert_rate_observed": Metric.ALERT_RATE_OBSERVED,
    "train_loss": Metric.TRAIN_LOSS,
    "model_gain_nats": Metric.MODEL_GAIN_NATS,
    "active_latents_ratio": Metric.ACTIVE_LATENTS_RATIO,
    "dead_latents": Metric.DEAD_LATENTS,
    "head_log_loss": Metric.HEAD_LOG_LOSS,
    "head_roc_auc": Metric.HEAD_ROC_AUC,
    "checkpoint_timestamp_seconds": Metric.CHECKPOINT_LAST_SUCCESS_TIMESTAMP_SECONDS,
    "checkpoint_bytes": Metric.CHECKPOINT_BYTES,
}
"""Numbers that are None until known."""

_PROCESS: Mapping[str, Metric] = {
    "start_time_seconds": Metric.START_TIME_SECONDS,
    "last_commit_timestamp_seconds": Metric.LAST_COMMIT_TIMESTAMP_SECONDS,
    "config_last_reload_successful": Metric.CONFIG_LAST_RELOAD_SUCCESSFUL,
    "config_last_reload_success_timestamp_seconds": (
        Metric.CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP_SECONDS
    ),
}
"""Gauges of the process."""

_SUMS = (
    "records",
    "records_per_second",
    "lag",
    "invalid",
    "flagged",
    "alerts",
    "episodes_open",
    "drifts",
)


class Status:
    """Told by the loop once per batch, read by the threads of the HTTP server."""

    def __init__(self, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        """Show `metrics`; `clock` gives seconds."""
        self._metrics = metrics
        self._clock = clock
        self._lock = Lock()
        self._recent: dict[TopicPartition, Recent] = {}
        self._next_sample = clock()
        self._events: deque[Event] = deque(maxlen=_N_ALERTS)
        self._n_events = 0

    def turned(self) -> None:
        """Note a turn of the loop; every few seconds this takes a sample of all counters."""
        now = self._clock()
        if now < self._next_sample:
            return
        self._next_sample = now + STEP_S
        with self._lock:
            for partition, sample in self._samples(now).items():
                self._of(partition).history.add(sample)

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
            recent = self._of(partition)
            recent.throughput.add(len(scores))
            recent.trace.add(ordinal, scores, timestamps_ms, threshold)

    def codes_due(self, partition: TopicPartition) -> bool:
        """Return whether the codes shown are old enough to be worth new ones."""
        with self._lock:
            return self._of(partition).codes_due

    def coded(self, partition: TopicPartition, codes: Floats, flagged: Bools) -> None:
        """Note the codes [m, h] of recent records, and which of these were flagged, [m]."""
        with self._lock:
            self._of(partition).coded(codes, flagged)

    def alerted(self, alerts: Iterable[Event]) -> None:
        """Note alerts, in log order."""
        with self._lock:
            for alert in alerts:
                self._events.append(alert)
                self._n_events += 1

    def transformed(self, partition: TopicPartition, decisions: Mapping[str, Any]) -> None:
        """Note what is done to which features, as plain values."""
        with self._lock:
            self._of(partition).transforms = _brief(dict(decisions))

    def removed(self, partitions: Iterable[TopicPartition]) -> None:
        """Forget the scores of `partitions`; their alerts happened and stay."""
        with self._lock:
            for partition in partitions:
                self._recent.pop(partition, None)

    def document(self) -> dict[str, Any]:
        """Return the numbers as plain values; None where a number is not known yet."""
        with self._lock:
            partitions = self._partitions()
            n_events = self._n_events
        return {
            **{name: self._metrics.value(metric) for name, metric in _PROCESS.items()},
            **{name: sum(p[name] for p in partitions) for name in _SUMS},
            "warmup": min((p["warmup"] for p in partitions), default=0.0),
            "alert_rate_target": _mean(partitions, "alert_rate_target"),
            "alert_rate_observed": _mean(partitions, "alert_rate_observed"),
            "events": n_events,
            "partitions": partitions,
        }

    def alerts(self) -> list[dict[str, Any]]:
        """Return the latest alerts, ends of episodes and drifts, newest first; long texts cut."""
        with self._lock:
            events = list(self._events)
        return [_brief(msgspec.to_builtins(event)) for event in reversed(events)]

    def chart(self, name: str) -> dict[str, Any] | None:
        """Return the scores, codes and throughput of the partition of that name, if it is owned."""
        with self._lock:
            owned = {str(partition): partition for partition in self._metrics.partitions}
            if name not in owned:
                return None
            recent = self._of(owned[name])
            points, throughput = recent.trace.points(), recent.history.columns(self._clock())
        # The loop must not wait for these.
        drawn = {"scores": columns(points), "code_plane": recent.plane()}
        return {"partition": name, "throughput": throughput, **drawn}

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

    def _of(self, partition: TopicPartition) -> Recent:
        if partition not in self._recent:
            self._recent[partition] = Recent(self._clock)
        return self._recent[partition]

    def _samples(self, now: float) -> dict[TopicPartition, Sample]:
        lag = self._metrics.by_partition(Metric.CONSUMER_LAG_RECORDS)
        read = [self._metrics.by_partition(metric, last) for metric, last in _SAMPLED]
        return {
            tp: Sample(now, lag.get(tp, 0.0), Counters(*(values.get(tp, 0.0) for values in read)))
            for tp in self._metrics.partitions
        }

    def _partitions(self) -> list[dict[str, Any]]:
        read = self._metrics.by_partition
        counts = {name: read(metric, last) for name, (metric, last) in _COUNTS.items()}
        gauges = {name: read(metric) for name, metric in _GAUGES.items()}
        samples = self._samples(self._clock())
        documents = []
        for partition, sample in samples.items():
            own = {name: int(values.get(partition, 0)) for name, values in counts.items()}
            known = {name: _finite(values.get(partition)) for name, values in gauges.items()}
            known["warmup"] = known["warmup"] or 0.0
            names = {"topic": partition.topic, "partition": partition.partition}
            documents.append(names | own | known | _lately(self._of(partition), sample))
        return documents


def _lately(recent: Recent, sample: Sample) -> dict[str, Any]:
    """Return what is not in the metrics: rates, shares of the last minutes, decisions."""
    lately = recent.history.lately(sample)
    shares = {
        "invalid_share": lately.invalid,
        "suspected_share": lately.suspected,
        "withheld_share": lately.withheld,
    }
    whole = lately.consumed
    return {
        "records_per_second": significant(recent.throughput.per_second()),
        "lag_per_second": recent.history.lag_per_second(sample),
        **{name: significant(part / whole) if whole else None for name, part in shares.items()},
        "nonfinite_lately": int(lately.nonfinite),
        "offsets_lost_lately": int(lately.offsets_lost),
        "transforms": recent.transforms,
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None


def _brief(value: Any) -> Any:
    """Return plain values with long texts and long lists of names cut."""
    if isinstance(value, str):
        return value if len(value) <= _LONGEST else f"{value[:_LONGEST]}…"
    if isinstance(value, dict):
        return {name: _brief(each) for name, each in value.items()}
    if isinstance(value, list):
        kept = [_brief(each) for each in value[:_MOST]]
        names = bool(value) and isinstance(value[0], str)
        return [*kept, f"{len(value) - _MOST} more"] if names and len(value) > _MOST else kept
    return value


def _mean(partitions: list[dict[str, Any]], name: str) -> float | None:
    """Return the mean over partitions, weighted by the records they judged."""
    known = [(p[name], max(p["judged"], 1)) for p in partitions if p[name] is not None]
    if not known:
        return None
    return significant(sum(value * n for value, n in known) / sum(n for _, n in known))
