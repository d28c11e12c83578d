"""The document behind /status: few numbers, all of them plain."""

import json
import math
from typing import Any

import msgspec
import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from streamae.metrics import Metrics, Status
from streamae.types import TopicPartition
from tests.alerts import alert, recovered
from tests.metrics.reports import Clock, Learned

A, B = TopicPartition("in", 0), TopicPartition("in", 1)


@pytest.fixture
def metrics(clock: Clock) -> Metrics:
    metrics = Metrics(CollectorRegistry(), clock=clock, now=clock)
    metrics.assigned([A, B])
    return metrics


@pytest.fixture
def status(metrics: Metrics, clock: Clock) -> Status:
    return Status(metrics, clock)


def score(status: Status, n: int, partition: TopicPartition = A, threshold: float = 9.0) -> None:
    status.scored(partition, 0, np.ones(n), np.full(n, -1), threshold)


def of(document: dict[str, Any], partition: TopicPartition) -> dict[str, Any]:
    (found,) = [p for p in document["partitions"] if p["partition"] == partition.partition]
    return dict(found)


def test_before_anything_happened(status: Status) -> None:
    document = status.document()
    assert document["records"] == document["alerts"] == document["lag"] == 0
    assert document["warmup"] == 0.0
    assert document["alert_rate_observed"] is None
    assert of(document, A)["threshold"] is None
    chart = status.chart("in-0") or {}
    assert chart["scores"]["ordinal"] == chart["throughput"]["lag"] == []
    assert chart["code_plane"] is None


def test_without_partitions(clock: Clock) -> None:
    document = Status(Metrics(CollectorRegistry()), clock).document()
    assert document["partitions"] == []
    assert document["records"] == 0


def test_numbers_come_from_the_metrics(metrics: Metrics, status: Status, clock: Clock) -> None:
    metrics.polled(0.1, {A: 1_234_567_891, B: 2})
    metrics.consumed(A, 100, 1000)
    metrics.consumed(B, 50, 500)
    metrics.invalid(B, "empty", 3)
    metrics.warmup(A, 1.0)
    metrics.warmup(B, 0.25)
    metrics.threshold(A, 8.25, 0.002, 0.001)
    metrics.alerts(A, "warning", 2)
    clock.now = 1_700_000_000.25
    metrics.checkpoint(A, 81_920)
    document = status.document()
    assert document["records"] == 150
    assert document["lag"] == 1_234_567_893
    assert document["invalid"] == 3
    assert document["alerts"] == 2
    assert document["warmup"] == 0.25
    assert document["alert_rate_target"] == 0.001
    assert of(document, A)["threshold"] == 8.25
    assert of(document, A)["checkpoint_timestamp_seconds"] == 1_700_000_000.25
    assert of(document, A)["checkpoint_bytes"] == 81_920
    assert of(document, B)["checkpoint_timestamp_seconds"] is None


def test_observed_rate_is_weighted_by_records(metrics: Metrics, status: Status) -> None:
    metrics.judged(A, 3000, 3)
    metrics.judged(B, 1000, 5)
    assert status.document()["alert_rate_observed"] == pytest.approx(0.002)
    assert status.document()["flagged"] == 8


def test_throughput_over_the_last_seconds(status: Status, clock: Clock) -> None:
    for _ in range(400):
        score(status, 50)
        clock.now += 0.1
    assert status.document()["records_per_second"] == pytest.approx(500, rel=0.05)
    clock.now += 5.0
    assert status.document()["records_per_second"] == pytest.approx(250, rel=0.1)
    clock.now += 5.0
    assert status.document()["records_per_second"] == 0


def test_throughput_of_the_first_moment_is_no_spike(status: Status, clock: Clock) -> None:
    score(status, 100)
    clock.now += 0.001
    assert status.document()["records_per_second"] == 100


def test_scores_are_drawn(status: Status) -> None:
    status.scored(A, 7, np.array([np.nan, 3.14159]), np.array([-1, 20]), math.inf)
    chart = status.chart("in-0")
    assert chart is not None
    assert chart["scores"] == {
        "ordinal": [7, 8],
        "time_ms": [None, 20],
        "score": [None, 3.142],
        "threshold": [None, None],
    }
    assert status.chart("elsewhere-0") is None


def test_throughput_and_lag_are_drawn(metrics: Metrics, status: Status, clock: Clock) -> None:
    for _ in range(300):
        metrics.consumed(A, 500, 1)
        metrics.polled(0.0, {A: 7})
        status.turned()
        clock.now += 2.5
    drawn = (status.chart("in-0") or {})["throughput"]
    assert drawn["age_seconds"] == list(range(595, 0, -5))
    assert set(drawn["records_per_second"]) == {200}
    assert set(drawn["lag"]) == {7}


def test_shares_are_those_of_the_last_minutes(
    metrics: Metrics, status: Status, clock: Clock
) -> None:
    assert of(status.document(), A)["suspected_share"] is None
    for at in range(300):
        metrics.consumed(A, 100, 1)
        if at < 100:
            metrics.invalid(A, "empty", 50)
        metrics.learned(A, 100 * at, Learned(n_suspects=10, n_withheld=2 * (at > 250)))
        metrics.polled(0.0, {A: 40 * at})
        status.turned()
        clock.now += 5.0
    shown = of(status.document(), A)
    assert shown["suspected_share"] == pytest.approx(0.1)
    assert shown["withheld_share"] == pytest.approx(0.0083, rel=0.05)
    assert shown["invalid_share"] == 0.0
    assert shown["lag_per_second"] == pytest.approx(8.0, rel=0.1)


def test_what_was_lost_long_ago_is_not_lately(
    metrics: Metrics, status: Status, clock: Clock
) -> None:
    metrics.offsets_lost(A, 7)
    metrics.nonfinite(A, "score", 2)
    metrics.nonfinite(A, "input", 9)
    for late in (7, 0):
        shown = of(status.document(), A)
        assert (shown["offsets_lost"], shown["offsets_lost_lately"]) == (7, late)
        assert (shown["nonfinite"], shown["nonfinite_lately"]) == (2, 2 if late else 0)
        for _ in range(130):
            status.turned()
            clock.now += 5.0


def test_alerts_newest_first_and_no_more_than_fifty(status: Status) -> None:
    status.alerted(alert(offset) for offset in range(60))
    status.alerted([recovered(60)])
    alerts = status.alerts()
    assert len(alerts) == 50
    assert (alerts[0]["type"], alerts[0]["peak_score"]) == ("recovered", 40.0)
    assert (alerts[1]["type"], alerts[1]["source"]["offset"]) == ("anomaly", 59)
    assert alerts[1]["attribution"][0]["feature"] == "pressure"
    assert status.document()["events"] == 61


def test_no_name_makes_an_alert_long(status: Status) -> None:
    status.alerted(
        alert(at, key="k" * 10**6, feature="f" * 10**6, missing=["m" * 1000] * 10_000)
        for at in range(50)
    )
    assert len(msgspec.json.encode(status.alerts())) < 500_000
    assert status.alerts()[0]["missing"][-1] == "9980 more"
    status.transformed(A, {"decided": True, "diff": [f"f{at}" for at in range(5000)]})
    assert len(of(status.document(), A)["transforms"]["diff"]) == 21


def test_a_thousand_partitions_are_quick_to_tell(clock: Clock) -> None:
    metrics = Metrics(CollectorRegistry(), clock=clock, now=clock)
    metrics.assigned([TopicPartition("in", at) for at in range(1000)])
    status = Status(metrics, clock)
    status.turned()
    assert len(status.document()["partitions"]) == 1000


def test_removed_partitions_are_not_shown(metrics: Metrics, status: Status) -> None:
    score(status, 10, A)
    status.alerted([alert(1)])
    status.transformed(A, {"lag": 1})
    assert of(status.document(), A)["transforms"] == {"lag": 1}
    metrics.removed([A], "revoked")
    status.removed([A])
    document = status.document()
    assert [p["partition"] for p in document["partitions"]] == [1]
    assert len(status.alerts()) == 1
    assert status.chart("in-0") is None
    metrics.assigned([A])
    assert of(status.document(), A)["transforms"] is None


def test_plain_json_without_nan(metrics: Metrics, status: Status) -> None:
    metrics.threshold(A, math.inf, 0.002, 0.001)
    metrics.warmup(A, math.nan)
    status.scored(A, 0, np.array([np.nan]), np.array([-1]), math.nan)
    text = msgspec.json.encode(status.document()).decode()
    text += msgspec.json.encode(status.chart("in-0")).decode()
    assert "NaN" not in text
    assert "Infinity" not in text
    assert json.loads(msgspec.json.encode(status.document()))["partitions"][0]["threshold"] is None


def test_codes_are_shown_in_a_plane(status: Status, clock: Clock) -> None:
    assert status.codes_due(A)
    codes = np.array([[0, 0, 3], [4, 0, 3], [0, 2, 3], [4, 2, 3]], np.float32)
    status.coded(A, codes, np.array([False, False, False, True]))
    clock.now += 5.0
    assert not status.codes_due(A)
    plane = (status.chart("in-0") or {})["code_plane"]
    assert plane["variance"] == 1.0
    assert [point[2] for point in plane["points"]] == [False, False, False, True]
    assert [abs(point[0]) for point in plane["points"]] == [2.0] * 4
    assert [abs(point[1]) for point in plane["points"]] == [1.0] * 4
    # Somebody watches now, so new ones are worth their time.
    assert status.codes_due(A)
    assert status.codes_due(B)
    status.coded(A, codes, np.zeros(4, bool))
    assert not status.codes_due(A)
    clock.now += 16.0
    assert not status.codes_due(A)
    clock.now += 15.0
    assert status.codes_due(A)
