"""What the loop reports is what Prometheus reads."""

import os

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from streamae.metrics import Metrics
from tests.metrics.reports import LABELS, A, B, Clock, Learned, Sample


def test_assignment_is_counted(metrics: Metrics, sample: Sample) -> None:
    metrics.assigned([B])
    assert sample("partitions_assigned") == 2
    metrics.removed([A], "revoked")
    metrics.removed([B], "lost")
    assert sample("partitions_assigned") == 0
    assert sample("rebalances_total", event="assigned") == 2
    assert sample("rebalances_total", event="revoked") == 1
    assert sample("rebalances_total", event="lost") == 1


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

    with pytest.raises(ArithmeticError), metrics.stage("train"):
        fail()
    assert sample("stage_duration_seconds_sum", stage="train") == pytest.approx(0.3)
    assert sample("stage_duration_seconds_count", stage="train") == 1


def test_commit_outcomes(metrics: Metrics, sample: Sample, clock: Clock) -> None:
    metrics.commit("aborted", {"alerts": 4})
    assert sample("last_commit_timestamp_seconds") is None
    assert sample("outputs_total", channel="alerts") == 0
    clock.now = 1234.5
    metrics.commit("committed", {"alerts": 4})
    assert sample("last_commit_timestamp_seconds") == 1234.5
    assert sample("outputs_total", channel="alerts") == 4
    assert sample("transactions_total", outcome="aborted") == 1
    assert sample("transactions_total", outcome="committed") == 1


def test_checkpoint(metrics: Metrics, sample: Sample, clock: Clock) -> None:
    assert sample("checkpoint_age_seconds", **LABELS) is None
    clock.now = 77.0
    metrics.checkpoint_failed(A)
    metrics.checkpoint(A, 4096)
    clock.now = 80.5
    assert sample("checkpoint_bytes", **LABELS) == 4096
    assert sample("checkpoint_last_success_timestamp_seconds", **LABELS) == 77
    assert sample("checkpoint_age_seconds", **LABELS) == 3.5
    assert sample("checkpoint_failures_total", **LABELS) == 1
    metrics.removed([A], "lost")
    assert sample("checkpoint_age_seconds", **LABELS) is None


def test_backpressure_is_time_spent_while_records_wait(
    metrics: Metrics, sample: Sample, clock: Clock
) -> None:
    for lag, busy_s in ((0, 5.0), (17, 0.25), (0, 3.0), (4, 0.5)):
        clock.now += 0.125
        metrics.polled(0.125, {A: lag})
        clock.now += busy_s
    clock.now += 0.125
    metrics.polled(0.125, {A: 0})
    assert sample("backpressure_seconds_total") == 0.75


def test_reloads(metrics: Metrics, sample: Sample, clock: Clock) -> None:
    assert sample("config_reloads_total", outcome="failure") == 0
    metrics.build("0.1.0", "2.4", "cpu", "abc")
    assert sample("config_last_reload_successful") == 1
    assert sample("config_last_reload_success_timestamp_seconds") == 1000
    clock.now = 1001.0
    metrics.reloaded(None)
    assert sample("config_last_reload_successful") == 0
    assert sample("config_last_reload_success_timestamp_seconds") == 1000
    assert sample("config_hash_info", hash="abc") == 1
    metrics.reloaded("def")
    assert sample("config_last_reload_successful") == 1
    assert sample("config_last_reload_success_timestamp_seconds") == 1001
    assert sample("config_hash_info", hash="def") == 1
    assert sample("config_hash_info", hash="abc") is None
    assert sample("config_reloads_total", outcome="failure") == 1
    assert sample("config_reloads_total", outcome="success") == 1


def test_features_beyond_the_limit_share_a_series(registry: CollectorRegistry) -> None:
    metrics, sample = Metrics(registry, max_features=2), Sample(registry)
    metrics.assigned([A])
    for _ in range(2):
        metrics.features(A, ["a", "b", "c", "d"])
    for feature in ("b", "c", "d", "d"):
        metrics.blamed(A, feature)
    series = {name: sample("alerts_by_feature_total", **LABELS, feature=name) for name in "abcd"}
    assert series == {"a": 0, "b": 1, "c": None, "d": None}
    assert sample("alerts_by_feature_total", **LABELS, feature="other") == 3
    metrics.removed([A], "revoked")
    assert sample("alerts_by_feature_total", **LABELS, feature="b") is None
    metrics.assigned([A])
    metrics.features(A, ["x"])
    assert sample("alerts_by_feature_total", **LABELS, feature="x") == 0


def test_a_loss_that_is_no_number_is_counted(metrics: Metrics, sample: Sample) -> None:
    metrics.learned(A, 256, Learned())
    assert sample("nonfinite_total", **LABELS, where="loss") == 0
    metrics.learned(A, 512, Learned(loss=float("nan")))
    assert sample("nonfinite_total", **LABELS, where="loss") == 1


def test_the_machine_is_looked_up_at_each_scrape(sample: Sample) -> None:
    memory, cores = sample("available_memory_bytes"), sample("cpu_cores_available")
    assert memory is not None
    assert memory > 1 << 28
    assert cores is not None
    assert 0 < cores <= (os.cpu_count() or 1)
    assert sample("gpu_memory_bytes", kind="allocated") == 7


def test_learned(metrics: Metrics, sample: Sample) -> None:
    metrics.learned(A, 256, Learned(loss=0.5))
    metrics.learned(A, 512, Learned(loss=0.4))
    assert sample("train_steps_total", **LABELS) == 2
    assert sample("records_suspected_total", **LABELS) == 4
    assert sample("model_records_seen", **LABELS) == 512
    assert sample("train_loss", **LABELS) == 0.4
    assert sample("active_latents_ratio", **LABELS) == 0.25


def test_process_metrics_are_there(registry: CollectorRegistry, metrics: Metrics) -> None:
    resident = registry.get_sample_value("process_resident_memory_bytes")
    assert resident is not None
    assert resident > 1e6


def test_two_processes_in_one(clock: Clock) -> None:
    for _ in range(2):
        registry = CollectorRegistry()
        Metrics(registry, clock=clock, now=clock)
        assert Sample(registry)("start_time_seconds") == 1000
