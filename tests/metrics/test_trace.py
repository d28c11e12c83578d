"""Few points, whatever the rate, and no peak lost."""

import numpy as np
import pytest

from streamae.metrics.trace import N_POINTS, SPAN_S, Trace
from tests.metrics.reports import Clock


@pytest.fixture
def trace(clock: Clock) -> Trace:
    return Trace(clock)


def add(trace: Trace, ordinal: int, scores: list[float], threshold: float = 9.0) -> int:
    n = len(scores)
    times = np.arange(ordinal, ordinal + n) * 10
    trace.add(ordinal, np.array(scores, np.float32), times, threshold)
    return ordinal + n


def test_single_records(trace: Trace) -> None:
    add(trace, 5, [1.0, 3.0, 2.0], threshold=2.5)
    points = [(p.ordinal, p.timestamp_ms, p.score, p.threshold) for p in trace.points()]
    assert points == [(5, 50, 1.0, 2.5), (6, 60, 3.0, 2.5), (7, 70, 2.0, 2.5)]


def test_empty_batch(trace: Trace) -> None:
    add(trace, 0, [])
    assert trace.points() == []


def test_missing_scores_are_kept_as_such(trace: Trace) -> None:
    add(trace, 0, [float("nan")] * 128)
    add(trace, 128, [float("nan"), 4.0])
    assert np.isnan(trace.points()[0].score)
    assert trace.points()[-1].score == 4.0


@pytest.mark.parametrize("batch", [1, 7, 256, 5000])
def test_a_fast_stream_is_thinned_and_keeps_its_peaks(trace: Trace, batch: int) -> None:
    n = 60_000
    scores = np.random.default_rng(0).random(n)
    scores[[0, 31_234, n - 1]] = [5.0, 7.0, 6.0]
    for start in range(0, n, batch):
        add(trace, start, scores[start : start + batch].tolist())
    points = trace.points()
    assert N_POINTS / 4 <= len(points) <= N_POINTS
    assert sum(point.n for point in points) == n
    ordinals = [point.ordinal for point in points]
    assert ordinals == sorted(set(ordinals))
    assert ordinals[-1] == n - 1
    assert [point.score for point in points if point.score > 1] == [5.0, 7.0, 6.0]


def test_a_slow_stream_shows_single_records(trace: Trace, clock: Clock) -> None:
    for ordinal in range(2000):
        clock.now += 1.0
        add(trace, ordinal, [float(ordinal)])
    points = trace.points()
    assert len(points) == N_POINTS
    assert {point.n for point in points} == {1}
    assert points[-1].score == 1999.0


def test_a_backlog_does_not_coarsen_what_follows(trace: Trace, clock: Clock) -> None:
    for start in range(0, 3_000_000, 5000):
        clock.now += 0.05
        add(trace, start, [1.0] * 5000)
    for ordinal in range(3_000_000, 3_000_000 + 1200):
        clock.now += 1.0
        add(trace, ordinal, [2.0])
    points = trace.points()
    assert points[-1].at - points[0].at >= SPAN_S - 2
    assert max(point.n for point in points[-500:]) == 1


def test_the_span_is_covered(trace: Trace, clock: Clock) -> None:
    ordinal, started = 0, clock.now
    for _ in range(4000):
        ordinal = add(trace, ordinal, [1.0] * 100)
        points = trace.points()
        assert points[-1].at - points[0].at >= min(clock.now - started, SPAN_S) - 1
        clock.now += 0.5


def test_limit(trace: Trace) -> None:
    add(trace, 0, [1.0, 2.0, 3.0])
    assert [point.score for point in trace.points(2)] == [2.0, 3.0]
