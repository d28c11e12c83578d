"""What the loop reports is what Prometheus reads."""

import math
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from streamae.metrics import Metric, Metrics, reference
from streamae.types import TopicPartition

A, B = TopicPartition("in", 0), TopicPartition("in", 10)
LABELS = {"topic": "in", "partition": "0"}


class Learned(NamedTuple):
    """A block as a detector reports it."""

    loss: float = 0.1
    nats: float = 0.2
    n_suspects: int = 2
    active_share: float = 0.25
    n_dead_latents: int = 1


class Clock:
    """Time that only moves when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry, clock: Clock) -> Metrics:
    metrics = Metrics(registry, ("empty", "invalid_json"), clock=clock, now=clock)
    metrics.assigned([A])
    return metrics


@pytest.fixture
def sample(registry: CollectorRegistry, metrics: Metrics) -> "Sample":
    return Sample(registry)


class Sample:
    """Reads one sample of the registry by its exposed name."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def __call__(self, name: str, /, **labels: str) -> float | None:
        return self._registry.get_sample_value(f"streamae_{name}", labels)


def partition_samples(registry: CollectorRegistry, partition: int) -> Iterator[str]:
    for family in registry.collect():
        for sample in family.samples:
            if sample.labels.get("partition") == str(partition):
                yield sample.name


def report_everything(metrics: Metrics, partition: TopicPartition) -> None:
    """Call every method once."""
    metrics.build("0.1.0", "2.4", "cpu", "abc")
    metrics.polled(0.01, {partition: 5})
    metrics.consumed(partition, 3, 300)
    metrics.invalid(partition, "empty")
    metrics.offsets_lost(partition, 4)
    metrics.scored(partition, np.array([1.0, 2.0, np.nan], np.float32), 1_700_000_000_000)
    metrics.judged(partition, 2, 1)
    metrics.threshold(partition, 1.5, 0.001)
    metrics.alerts(partition, "critical")
    metrics.warmup(partition, 1.0)
    metrics.learned(partition, 256, Learned())
    metrics.relearned(partition, 7)
    metrics.commit("committed", {"alerts": 1, "scores": 3})
    metrics.latency(np.array([0.2]))
    metrics.snapshot(partition, 4096)
    with metrics.stage("score"):
        pass


def test_series_start_at_zero(metrics: Metrics, sample: Sample) -> None:
    assert sample("records_consumed_total", **LABELS) == 0
    assert sample("records_invalid_total", **LABELS, reason="invalid_json") == 0
    assert sample("alerts_total", **LABELS, severity="warning") == 0
    assert sample("score_bucket", **LABELS, le="+Inf") == 0
    assert sample("commits_total", outcome="retried") == 0
    assert sample("stage_duration_seconds_count", stage="learn") == 0
    assert sample("outputs_total", channel="dead_letters") == 0


def test_gauges_wait_for_their_first_value(metrics: Metrics, sample: Sample) -> None:
    assert sample("threshold", **LABELS) is None
    assert sample("snapshot_last_success_timestamp_seconds", **LABELS) is None
    metrics.threshold(A, np.float32(12.5), 0.001)
    assert type(metrics.value(Metric.THRESHOLD, A)) is float
    assert sample("threshold", **LABELS) == 12.5
    assert sample("alert_rate_target", **LABELS) == 0.001


def test_removed_partitions_leave_no_series(registry: CollectorRegistry, metrics: Metrics) -> None:
    metrics.assigned([B])
    report_everything(metrics, A)
    report_everything(metrics, B)
    metrics.removed([A], "lost")
    assert list(partition_samples(registry, 0)) == []
    assert len(list(partition_samples(registry, 10))) == 50
    assert metrics.partitions == [B]


def test_every_metric_is_reported(registry: CollectorRegistry, metrics: Metrics) -> None:
    report_everything(metrics, A)
    exposed = {sample.name for family in registry.collect() for sample in family.samples}
    for metric in Metric:
        suffix = "_count" if metric.value.kind == "histogram" else ""
        assert metric.exposed + suffix in exposed


def test_assignment_is_counted(metrics: Metrics, sample: Sample) -> None:
    metrics.assigned([B])
    assert sample("partitions_assigned") == 2
    metrics.removed([A], "revoked")
    metrics.removed([B], "lost")
    assert sample("partitions_assigned") == 0
    assert sample("rebalances_total", event="assigned") == 2
    assert sample("rebalances_total", event="revoked") == 1
    assert sample("rebalances_total", event="lost") == 1


def test_assigned_again_starts_anew(metrics: Metrics, sample: Sample) -> None:
    metrics.consumed(A, 5, 50)
    metrics.removed([A], "revoked")
    metrics.assigned([A])
    assert sample("records_consumed_total", **LABELS) == 0


def test_polled(metrics: Metrics, sample: Sample) -> None:
    metrics.polled(0.02, {A: 17, B: 99})
    assert sample("consumer_lag_records", **LABELS) == 17
    assert sample("consumer_lag_records", topic="in", partition="10") is None
    assert sample("poll_seconds_sum") == 0.02


def test_consumed_and_invalid_add_up(metrics: Metrics, sample: Sample) -> None:
    metrics.consumed(A, 5, 500)
    metrics.consumed(A, 2, 20)
    metrics.invalid(A, "empty", 3)
    metrics.invalid(A, "empty")
    assert sample("records_consumed_total", **LABELS) == 7
    assert sample("consumed_bytes_total", **LABELS) == 520
    assert sample("records_invalid_total", **LABELS, reason="empty") == 4
    assert sample("batch_size_records_bucket", le="4.0") == 1


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


def test_watermark_never_goes_back(metrics: Metrics, sample: Sample) -> None:
    none = np.empty(0, np.float32)
    metrics.scored(A, none, -1)
    assert sample("watermark_timestamp_seconds", **LABELS) is None
    metrics.scored(A, none, 5_000)
    metrics.scored(A, none, 4_000)
    assert sample("watermark_timestamp_seconds", **LABELS) == 5


def test_observed_rate_follows_the_recent_past(metrics: Metrics, sample: Sample) -> None:
    assert sample("alert_rate_observed", **LABELS) is None
    metrics.judged(A, 0, 0)
    assert sample("alert_rate_observed", **LABELS) is None
    metrics.judged(A, 1000, 1)
    assert sample("alert_rate_observed", **LABELS) == pytest.approx(0.001)
    for _ in range(500):
        metrics.judged(A, 1000, 20)
    assert sample("alert_rate_observed", **LABELS) == pytest.approx(0.02, rel=0.01)
    assert sample("records_flagged_total", **LABELS) == 10_001
    assert sample("records_judged_total", **LABELS) == 501_000


def test_judging_after_the_partition_went_is_harmless(metrics: Metrics) -> None:
    metrics.removed([A], "lost")
    metrics.judged(A, 100, 1)
    assert metrics.partitions == []


def test_stage_is_timed_even_when_it_raises(metrics: Metrics, sample: Sample, clock: Clock) -> None:
    def fail() -> None:
        clock.now += 0.3
        raise ArithmeticError

    with pytest.raises(ArithmeticError), metrics.stage("learn"):
        fail()
    assert sample("stage_duration_seconds_sum", stage="learn") == pytest.approx(0.3)
    assert sample("stage_duration_seconds_count", stage="learn") == 1


def test_commit_outcomes(metrics: Metrics, sample: Sample, clock: Clock) -> None:
    metrics.commit("retried", {"alerts": 4})
    assert sample("last_commit_timestamp_seconds") is None
    assert sample("outputs_total", channel="alerts") == 0
    clock.now = 1234.5
    metrics.commit("committed", {"alerts": 4})
    assert sample("last_commit_timestamp_seconds") == 1234.5
    assert sample("outputs_total", channel="alerts") == 4
    assert sample("commits_total", outcome="retried") == 1
    assert sample("commits_total", outcome="committed") == 1


def test_snapshot(metrics: Metrics, sample: Sample, clock: Clock) -> None:
    clock.now = 77.0
    metrics.snapshot(A, 4096)
    assert sample("snapshot_bytes", **LABELS) == 4096
    assert sample("snapshot_last_success_timestamp_seconds", **LABELS) == 77


def test_learned(metrics: Metrics, sample: Sample) -> None:
    metrics.learned(A, 256, Learned(loss=0.5))
    metrics.learned(A, 512, Learned(loss=0.4))
    assert sample("train_steps_total", **LABELS) == 2
    assert sample("records_suspected_total", **LABELS) == 4
    assert sample("model_records_seen", **LABELS) == 512
    assert sample("train_loss", **LABELS) == 0.4
    assert sample("active_latents_ratio", **LABELS) == 0.25


def test_totals(metrics: Metrics) -> None:
    metrics.assigned([B])
    metrics.alerts(A, "warning", 2)
    metrics.alerts(A, "critical")
    metrics.alerts(B, "critical")
    assert metrics.total(Metric.ALERTS) == 4
    assert metrics.total(Metric.ALERTS, A) == 3


def test_process_metrics_are_there(registry: CollectorRegistry, metrics: Metrics) -> None:
    resident = registry.get_sample_value("process_resident_memory_bytes")
    assert resident is not None
    assert resident > 1e6


def test_two_processes_in_one(clock: Clock) -> None:
    for _ in range(2):
        registry = CollectorRegistry()
        Metrics(registry, clock=clock, now=clock)
        assert Sample(registry)("start_time_seconds") == 1000


def test_open_metrics_parse(registry: CollectorRegistry, metrics: Metrics) -> None:
    report_everything(metrics, A)
    text = openmetrics.generate_latest(registry).decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert families["streamae_score"].type == "histogram"
    assert "_created" not in text


def test_non_finite_gauges_are_exposed(registry: CollectorRegistry, metrics: Metrics) -> None:
    metrics.threshold(A, math.inf, 0.001)
    exposed = generate_latest(registry).decode()
    assert 'streamae_threshold{partition="0",topic="in"} +Inf' in exposed


@pytest.mark.slow
def test_promtool_has_no_complaints(registry: CollectorRegistry, metrics: Metrics) -> None:
    report_everything(metrics, A)
    try:
        check = subprocess.run(
            ["promtool", "check", "metrics"],
            input=generate_latest(registry),
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        pytest.fail("promtool is missing: apt-get install prometheus")
    assert (check.returncode, check.stdout + check.stderr) == (0, b"")


def test_reference_lists_every_metric() -> None:
    rows = reference().splitlines()
    assert len(rows) == 2 + len(Metric)
    assert (
        "| `streamae_alerts_total` | counter | `topic`, `partition`, `severity` |"
        " Alerts raised, one per episode. |"
    ) in rows


def test_every_declaration_is_its_own() -> None:
    assert len({metric.value.help for metric in Metric}) == len(Metric) == len(set(Metric))
