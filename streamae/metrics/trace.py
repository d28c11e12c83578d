"""The recent past of one partition's scores, as few points as a chart can show."""

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from streamae.types import Longs

N_POINTS = 600
"""About one per pixel column of a small chart."""

SPAN_S = 540.0
"""Nine minutes: what an operator who was just called wants to see."""

_POINT_S = 1.0
"""No point grows for longer: 600 of them cover the span with a tenth to spare."""

_POINTS_PER_BATCH = 64
"""Keeps the cost of a batch of any size below 0.1 ms."""


class Point(NamedTuple):
    """Consecutive records, shown as their highest score."""

    ordinal: int
    """Of the last of them."""
    timestamp_ms: int
    """Event time of the last of them, negative for none."""
    score: float
    """NaN when none of them had one."""
    threshold: float
    n: int
    at: float
    """When the first of them arrived, by the clock."""


class Trace:
    """At most `N_POINTS` points over at least the last `SPAN_S` seconds, or since the start.

    Points start as single records. When they are too many for the span, neighbours are merged in
    pairs and later points hold twice as many records, so both one record a second and 100,000 fill
    the chart.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._points: deque[Point] = deque()
        self._stride = 1

    def add(
        self,
        ordinal: int,
        scores: npt.NDArray[np.floating[Any]],
        timestamps_ms: Longs,
        threshold: float,
    ) -> None:
        """Append the scores [n] and event times [n] of the records from `ordinal` on."""
        n = len(scores)
        if not n:
            return
        now = self._clock()
        starts = np.arange(0, n, max(self._stride, -(-n // _POINTS_PER_BATCH)))
        peaks = np.fmax.reduceat(scores, starts).tolist()
        ends = [*starts[1:].tolist(), n]
        for start, end, peak in zip(starts.tolist(), ends, peaks, strict=True):
            time_ms = int(timestamps_ms[end - 1])
            self._append(Point(ordinal + end - 1, time_ms, peak, threshold, end - start, now))

    def points(self, limit: int = N_POINTS) -> list[Point]:
        """Return the latest points, oldest first."""
        return list(self._points)[-limit:]

    def _append(self, point: Point) -> None:
        last = self._points[-1] if self._points else None
        fits = last is not None and last.n + point.n <= self._stride
        if last is not None and fits and point.at - last.at < _POINT_S:
            self._points[-1] = _merged(last, point)
        else:
            self._points.append(point)
        if len(self._points) > N_POINTS:
            self._thin(point.at)

    def _thin(self, now: float) -> None:
        if now - self._points[1].at >= SPAN_S:
            self._points.popleft()
            return
        points = list(self._points)
        merged = [_merged(*pair) for pair in zip(points[::2], points[1::2], strict=False)]
        self._points = deque(merged + points[len(merged) * 2 :])
        self._stride *= 2


def _merged(first: Point, second: Point) -> Point:
    return second._replace(
        score=float(np.fmax(first.score, second.score)), n=first.n + second.n, at=first.at
    )
