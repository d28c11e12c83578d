"""Counters, gauges and histograms as plain numbers, shown to Prometheus only when it asks.

An update costs a dictionary access; prometheus_client's own objects cost several times that and
cannot take a batch. Updates come from one thread, scrapes from any.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Exposed
from prometheus_client.registry import Collector

from streamae.metrics.families import Metric

Labels = tuple[str, ...]


class _Histogram:
    """Counts per bucket, the last one beyond every limit, and the sum of the values."""

    __slots__ = ("counts", "sum")

    def __init__(self, n_buckets: int) -> None:
        self.counts = np.zeros(n_buckets + 1, dtype=np.int64)
        self.sum = 0.0


class Series(Collector):
    """The numbers of every metric, by label values."""

    def __init__(
        self, choices: Mapping[str, Sequence[str]], refresh: Callable[[], None] = lambda: None
    ) -> None:
        """Start the series of no partition; `choices` are the known values of other labels.

        `refresh` sets what is only looked up when Prometheus asks.
        """
        self._choices = choices
        self._refresh = refresh
        self._lock = Lock()
        self._values: dict[Metric, dict[Labels, float]] = {metric: {} for metric in Metric}
        self._histograms: dict[Metric, dict[Labels, _Histogram]] = {
            metric: {} for metric in Metric if metric.value.kind == "histogram"
        }
        self._start([metric for metric in Metric if not metric.value.per_partition], ())

    def open(self, partition: Labels) -> None:
        """Start the series of a partition, (topic, partition), at 0."""
        self._start([metric for metric in Metric if metric.value.per_partition], partition)

    def close(self, partition: Labels) -> None:
        """End the series of a partition."""
        with self._lock:
            for values in self._values.values():
                _drop(values, partition)
            for histograms in self._histograms.values():
                _drop(histograms, partition)

    def add(self, metric: Metric, n: float, labels: Labels = ()) -> None:
        """Increase a counter."""
        with self._lock:
            series = self._values[metric]
            series[labels] = series.get(labels, 0.0) + n

    def set(self, metric: Metric, value: float, labels: Labels = ()) -> None:
        """Set a gauge."""
        with self._lock:
            self._values[metric][labels] = float(value)

    def clear(self, metric: Metric) -> None:
        """End all series of a counter or gauge."""
        with self._lock:
            self._values[metric].clear()

    def derive(self, metric: Metric, source: Metric, of: Callable[[float], float]) -> None:
        """Set a gauge wherever another has a value, to a function of that."""
        with self._lock:
            found = self._values[source].items()
            self._values[metric] = {labels: of(value) for labels, value in found}

    def observe(self, metric: Metric, value: float, labels: Labels = ()) -> None:
        """Put one value into a histogram."""
        with self._lock:
            histogram = self._histogram(metric, labels)
            histogram.counts[bisect_left(metric.value.buckets, value)] += 1
            histogram.sum += value

    def observe_all(
        self, metric: Metric, values: npt.NDArray[np.floating[Any]], labels: Labels = ()
    ) -> None:
        """Put finite values [n] into a histogram; a value equal to a limit is below it."""
        buckets = metric.value.buckets
        indexes = np.searchsorted(np.asarray(buckets), values, side="left")
        counts = np.bincount(indexes, minlength=len(buckets) + 1)
        total = float(values.sum(dtype=np.float64))
        with self._lock:
            histogram = self._histogram(metric, labels)
            histogram.counts += counts
            histogram.sum += total

    def value(self, metric: Metric, labels: Labels = ()) -> float | None:
        """Return a counter or gauge, None where there is no such series."""
        return self._values[metric].get(labels)

    def total(self, metric: Metric, labels: Labels = ()) -> float:
        """Return the sum of all series of a counter or gauge whose first labels are `labels`."""
        with self._lock:
            series = self._values[metric].items()
            return sum(value for key, value in series if key[: len(labels)] == labels)

    def by_partition(self, metric: Metric, last: Sequence[str] = ()) -> dict[Labels, float]:
        """Return the sums of all series of each (topic, partition), of those labels if given."""
        sums: dict[Labels, float] = {}
        with self._lock:
            for key, value in self._values[metric].items():
                if not last or key[-1] in last:
                    sums[key[:2]] = sums.get(key[:2], 0.0) + value
        return sums

    def collect(self) -> Iterator[Exposed]:
        """Yield the families as of now, without `_created` series."""
        self._refresh()
        for metric in Metric:
            yield (
                self._exposed_histogram(metric)
                if metric in self._histograms
                else (self._exposed_values(metric))
            )

    def _start(self, metrics: Sequence[Metric], prefix: Labels) -> None:
        """Start series at 0, where 0 is true: a gauge waits for its first value."""
        with self._lock:
            for metric in metrics:
                own = metric.value.labels[len(prefix) :]
                known = metric.value.choices or self._choices.get(own[0], ()) if own else ()
                values = known if own else ("",)
                for labels in [(*prefix, value) if own else prefix for value in values]:
                    if metric.value.kind == "counter":
                        self._values[metric][labels] = 0.0
                    elif metric.value.kind == "histogram":
                        self._histogram(metric, labels)

    def _histogram(self, metric: Metric, labels: Labels) -> _Histogram:
        series = self._histograms[metric]
        if labels not in series:
            series[labels] = _Histogram(len(metric.value.buckets))
        return series[labels]

    def _exposed_values(self, metric: Metric) -> Exposed:
        kind = CounterMetricFamily if metric.value.kind == "counter" else GaugeMetricFamily
        family = kind(metric.exposed, metric.value.help, labels=metric.value.labels)
        with self._lock:
            series = list(self._values[metric].items())
        for labels, value in series:
            family.add_metric(labels, value)
        return family

    def _exposed_histogram(self, metric: Metric) -> Exposed:
        family = HistogramMetricFamily(
            metric.exposed, metric.value.help, labels=metric.value.labels
        )
        limits = [*(str(float(limit)) for limit in metric.value.buckets), "+Inf"]
        with self._lock:
            series = [(k, h.counts.cumsum(), h.sum) for k, h in self._histograms[metric].items()]
        for labels, counts, total in series:
            family.add_metric(labels, list(zip(limits, counts.tolist(), strict=True)), total)
        return family


def _drop(series: dict[Labels, Any], partition: Labels) -> None:
    for labels in [labels for labels in series if labels[:2] == partition]:
        del series[labels]
