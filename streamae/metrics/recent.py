"""What one partition did lately, beside its metrics."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from streamae.metrics.codes import RecentCodes, shown
from streamae.metrics.history import History
from streamae.metrics.trace import Point, Trace
from streamae.types import Bools, Floats

_RATE_WINDOW_S = 10.0
"""Long enough to be read, short enough to show that a stream has stopped."""

_RATE_STEP_S = 0.25

_WATCHED_S = 15.0
"""After its last request a page may be a tab in the background, which asks every ten seconds."""

_CODES_STEP_S = 2.0
"""Codes are worked out for a page alone; these and their plane take some milliseconds."""

_UNWATCHED_STEP_S = 30.0
"""So that a page opened later has some to begin with."""


class Recent:
    """What is shown of one partition."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.throughput = Throughput(clock)
        self.trace = Trace(clock)
        self.history = History()
        self.transforms: Mapping[str, Any] | None = None
        """What is done to which features."""
        self._codes = RecentCodes()
        self._plane: tuple[Floats, dict[str, Any] | None] | None = None
        self._coded_at = -np.inf
        self._watched_at = -np.inf

    @property
    def codes_due(self) -> bool:
        """Whether the codes are old enough to be worth new ones."""
        now = self._clock()
        watched = now - self._watched_at < _WATCHED_S
        return now - self._coded_at >= (_CODES_STEP_S if watched else _UNWATCHED_STEP_S)

    def coded(self, codes: Floats, flagged: Bools) -> None:
        """Note the codes [m, h] of records, and which of them were flagged, [m]."""
        self._coded_at = self._clock()
        self._codes.add(codes, flagged)

    def plane(self) -> dict[str, Any] | None:
        """Return the last codes as a plane shows them, for somebody who watches."""
        self._watched_at = self._clock()
        codes, flagged = self._codes.last()
        if self._plane is None or self._plane[0] is not codes:
            self._plane = (codes, shown(codes, flagged))
        return self._plane[1]


class Throughput:
    """Records per second over the last seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._started = clock()
        self._counts: deque[tuple[float, int]] = deque()

    def add(self, n: int) -> None:
        """Count n records."""
        now = self._clock()
        if self._counts and now - self._counts[-1][0] < _RATE_STEP_S:
            at, count = self._counts.pop()
            self._counts.append((at, count + n))
        else:
            self._counts.append((now, n))
        while self._counts[0][0] <= now - _RATE_WINDOW_S:
            self._counts.popleft()

    def per_second(self) -> float:
        """Return the rate as of now."""
        now = self._clock()
        n = sum(count for at, count in self._counts if at > now - _RATE_WINDOW_S)
        return n / min(max(now - self._started, 1.0), _RATE_WINDOW_S)


def columns(points: list[Point]) -> dict[str, list[Any]]:
    """Return points as columns of plain values; None where a number is not known."""
    return {
        "ordinal": [point.ordinal for point in points],
        "time_ms": [point.timestamp_ms if point.timestamp_ms >= 0 else None for point in points],
        "score": [_short(point.score) for point in points],
        "threshold": [_short(point.threshold) for point in points],
    }


def _short(number: float) -> float | None:
    return float(f"{number:.4g}") if np.isfinite(number) else None
