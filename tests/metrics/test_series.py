"""Series start at 0, end with their partition, and are exposed as they are."""

import math
from collections.abc import Iterator

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from streamae.metrics import Metric, Metrics
from tests.metrics.reports import LABELS, A, B, Clock, Sample, report_everything


def partition_samples(registry: CollectorRegistry, partition: int) -> Iterator[str]:
    for family in registry.collect():
        for sample in family.samples:
            if sample.labels.get("partition") == str(partition):
                yield sample.name


def test_series_start_at_zero(metrics: Metrics, sample: Sample) -> None:
    assert sample("records_consumed_total", **LABELS) == 0
    assert sample("records_invalid_total", **LABELS, reason="invalid_json") == 0
    assert sample("alerts_total", **LABELS, severity="warning") == 0
    assert sample("score_bucket", **LABELS, le="+Inf") == 0
    assert sample("transactions_total", outcome="aborted") == 0
    assert sample("stage_duration_seconds_count", stage="train") == 0
    assert sample("outputs_total", channel="dead_letters") == 0
    assert sample("alerts_suppressed_total", **LABELS, reason="open_episode") == 0
    assert sample("alerts_suppressed_total", **LABELS, reason="invalid_json") is None
    assert sample("nonfinite_total", **LABELS, where="score") == 0
    assert sample("backpressure_seconds_total") == 0


def test_gauges_wait_for_their_first_value(metrics: Metrics, sample: Sample) -> None:
    assert sample("threshold", **LABELS) is None
    assert sample("checkpoint_last_success_timestamp_seconds", **LABELS) is None
    metrics.threshold(A, np.float32(12.5), 0.002, 0.001)
    assert type(metrics.value(Metric.THRESHOLD, A)) is float
    assert sample("threshold", **LABELS) == 12.5
    assert sample("alert_rate_target", **LABELS) == 0.001


def test_removed_partitions_leave_no_series(registry: CollectorRegistry, metrics: Metrics) -> None:
    metrics.assigned([B])
    report_everything(metrics, A)
    report_everything(metrics, B)
    metrics.removed([A], "lost")
    assert list(partition_samples(registry, 0)) == []
    assert len(list(partition_samples(registry, 10))) == 76
    assert metrics.partitions == [B]


def test_assigned_again_starts_anew(metrics: Metrics, sample: Sample) -> None:
    metrics.consumed(A, 5, 50)
    metrics.removed([A], "revoked")
    metrics.assigned([A])
    assert sample("records_consumed_total", **LABELS) == 0


def test_scores_fall_into_inclusive_buckets(metrics: Metrics, sample: Sample) -> None:
    scores = np.array([-1.0, 0.1, 0.10001, 1000.0, 1000.5, np.nan, np.inf], np.float64)
    metrics.scored(A, scores, -1)
    assert sample("score_bucket", **LABELS, le="0.1") == 2
    assert sample("score_bucket", **LABELS, le="0.158") == 3
    assert sample("score_bucket", **LABELS, le="1000.0") == 4
    assert sample("score_bucket", **LABELS, le="+Inf") == 5
    assert sample("score_count", **LABELS) == 5
    assert sample("score_sum", **LABELS) == pytest.approx(1999.70001)


def test_one_value_and_many_land_alike(metrics: Metrics, sample: Sample, clock: Clock) -> None:
    values = np.array([0.0, 0.005, 0.0051, 30.0, 31.0])
    metrics.latency(values)
    for value in values:
        clock.now = 0.0
        with metrics.stage("commit"):
            clock.now = float(value)
    for le in ("0.005", "0.01", "30.0", "+Inf"):
        in_stage = sample("stage_duration_seconds_bucket", stage="commit", le=le)
        assert sample("end_to_end_latency_seconds_bucket", le=le) == in_stage


def test_totals(metrics: Metrics) -> None:
    metrics.assigned([B])
    metrics.alerts(A, "warning", 2)
    metrics.alerts(A, "critical")
    metrics.alerts(B, "critical")
    assert metrics.total(Metric.ALERTS) == 4
    assert metrics.total(Metric.ALERTS, A) == 3


def test_open_metrics_parse(registry: CollectorRegistry, metrics: Metrics) -> None:
    report_everything(metrics, A)
    text = openmetrics.generate_latest(registry).decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert families["streamae_score"].type == "histogram"
    assert "_created" not in text


def test_non_finite_gauges_are_exposed(registry: CollectorRegistry, metrics: Metrics) -> None:
    metrics.threshold(A, math.inf, 0.002, 0.001)
    exposed = generate_latest(registry).decode()
    assert 'streamae_threshold{partition="0",topic="in"} +Inf' in exposed
