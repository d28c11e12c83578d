"""The last ten minutes of one partition in numbers, so that a page opened now shows a trend."""

from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

STEP_S = 5.0
"""Between samples: 120 of them fill a small chart."""

SPAN_S = 600.0

_TREND_S = 60.0
"""What is waiting rises and falls within a poll; over a minute it has a direction."""


class Counters(NamedTuple):
    """What is counted of a partition since it was assigned."""

    consumed: float = 0.0
    invalid: float = 0.0
    suspected: float = 0.0
    withheld: float = 0.0
    nonfinite: float = 0.0
    offsets_lost: float = 0.0


class Sample(NamedTuple):
    """Counters and a gauge at a moment."""

    at: float
    """Seconds, by the clock."""
    lag: float
    counters: Counters


class History:
    """Samples of one partition, `STEP_S` apart."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque(maxlen=int(SPAN_S / STEP_S) + 1)

    def add(self, sample: Sample) -> None:
        """Append a sample that is later than those before."""
        self._samples.append(sample)

    def lately(self, now: Sample) -> Counters:
        """Return what was counted in the last ten minutes before `now`."""
        past = [sample for sample in self._samples if now.at - sample.at <= SPAN_S]
        whole = len(past) == len(self._samples) < (self._samples.maxlen or 0)
        first = Counters() if whole else (past[0] if past else self._samples[-1]).counters
        return Counters(*(b - a for a, b in zip(first, now.counters, strict=True)))

    def lag_per_second(self, now: Sample) -> float | None:
        """Return how fast the lag has grown in the last minute; None until that can be said."""
        near = [sample for sample in self._samples if STEP_S <= now.at - sample.at <= _TREND_S]
        return (now.lag - near[0].lag) / (now.at - near[0].at) if near else None

    def columns(self, now: float) -> dict[str, Sequence[float]]:
        """Return ages in seconds, records per second since the sample before, and the lag."""
        past = [sample for sample in self._samples if now - sample.at <= SPAN_S]
        pairs = list(pairwise(past))
        rates = [
            (b.counters.consumed - a.counters.consumed) / max(b.at - a.at, 1e-3) for a, b in pairs
        ]
        return {
            "age_seconds": [round(now - sample.at, 1) for _, sample in pairs],
            "records_per_second": [float(f"{rate:.4g}") for rate in rates],
            "lag": [int(sample.lag) for _, sample in pairs],
        }
