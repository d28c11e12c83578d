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
from tests.metrics.reports import Clock

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
    assert of(document, A)["points"] == []


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


def test_points(status: Status) -> None:
    status.scored(A, 7, np.array([np.nan, 3.14159]), np.array([-1, 20]), math.inf)
    assert of(status.document(), A)["points"] == [(7, None, None, None), (8, 20, 3.142, None)]


def test_points_are_shared_among_many_partitions(clock: Clock) -> None:
    partitions = [TopicPartition("in", i) for i in range(40)]
    metrics = Metrics(CollectorRegistry())
    metrics.assigned(partitions)
    status = Status(metrics, clock)
    for partition in partitions:
        for _ in range(10):
            score(status, 64, partition)
    assert {len(p["points"]) for p in status.document()["partitions"]} == {120}


def test_alerts_newest_first_and_no_more_than_fifty(status: Status) -> None:
    status.alerted(alert(offset) for offset in range(60))
    status.alerted([recovered(60)])
    alerts = status.document()["recent_alerts"]
    assert len(alerts) == 50
    assert (alerts[0]["type"], alerts[0]["peak_score"]) == ("recovered", 40.0)
    assert (alerts[1]["type"], alerts[1]["source"]["offset"]) == ("anomaly", 59)
    assert alerts[1]["attribution"][0]["feature"] == "pressure"


def test_removed_partitions_are_not_shown(metrics: Metrics, status: Status) -> None:
    score(status, 10, A)
    status.alerted([alert(1)])
    status.transformed(A, {"lag": 1})
    assert of(status.document(), A)["transforms"] == {"lag": 1}
    metrics.removed([A], "revoked")
    status.removed([A])
    document = status.document()
    assert [p["partition"] for p in document["partitions"]] == [1]
    assert len(document["recent_alerts"]) == 1
    metrics.assigned([A])
    assert of(status.document(), A)["points"] == []
    assert of(status.document(), A)["transforms"] is None


def test_plain_json_without_nan(metrics: Metrics, status: Status) -> None:
    metrics.threshold(A, math.inf, 0.002, 0.001)
    metrics.warmup(A, math.nan)
    status.scored(A, 0, np.array([np.nan]), np.array([-1]), math.nan)
    text = msgspec.json.encode(status.document()).decode()
    assert "NaN" not in text
    assert "Infinity" not in text
    assert json.loads(text)["partitions"][0]["threshold"] is None


def test_codes_are_shown_in_a_plane(status: Status, clock: Clock) -> None:
    assert of(status.document(), A)["code_plane"] is None
    assert status.codes_due(A)
    codes = np.array([[0, 0, 3], [4, 0, 3], [0, 2, 3], [4, 2, 3]], np.float32)
    status.coded(A, codes, np.array([False, False, False, True]))
    plane = of(status.document(), A)["code_plane"]
    assert plane["variance"] == 1.0
    assert [point[2] for point in plane["points"]] == [False, False, False, True]
    assert [abs(point[0]) for point in plane["points"]] == [2.0] * 4
    assert [abs(point[1]) for point in plane["points"]] == [1.0] * 4
    assert not status.codes_due(A)
    assert status.codes_due(B)
    clock.now += 1.0
    assert status.codes_due(A)
    status.removed([A])
    assert of(status.document(), A)["code_plane"] is None


def test_codes_of_many_partitions_are_few_each(clock: Clock) -> None:
    metrics = Metrics(CollectorRegistry(), clock=clock, now=clock)
    many = [TopicPartition("in", number) for number in range(200)]
    metrics.assigned(many)
    status = Status(metrics, clock)
    for partition in many:
        status.coded(partition, np.eye(100, dtype=np.float32), np.zeros(100, bool))
    planes = [p["code_plane"]["points"] for p in status.document()["partitions"]]
    assert {len(points) for points in planes} == {20}
