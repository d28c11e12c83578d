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


class Sample(NamedTuple):
    """Counters since the start, and a gauge, at a moment."""

    at: float
    """Seconds, by the clock."""
    lag: float
    consumed: float
    invalid: float
    suspected: float
    withheld: float


class Trend(NamedTuple):
    """What became of the counters, and where the lag goes."""

    seconds: float
    """Between the oldest sample and now."""
    consumed: float
    """Records, as are the following."""
    invalid: float
    suspected: float
    withheld: float
    lag_per_second: float | None
    """How fast the lag grows; None until that can be said."""


class History:
    """Samples of one partition, `STEP_S` apart."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque(maxlen=int(SPAN_S / STEP_S) + 1)

    def add(self, sample: Sample) -> None:
        """Append a sample that is later than those before."""
        self._samples.append(sample)

    def trend(self, now: Sample) -> Trend:
        """Return what changed until `now`."""
        past = [sample for sample in self._samples if now.at - sample.at <= SPAN_S] or [now]
        first = past[0]
        before = next(sample for sample in [*past, now] if now.at - sample.at <= _TREND_S)
        passed = now.at - before.at
        return Trend(
            seconds=now.at - first.at,
            consumed=now.consumed - first.consumed,
            invalid=now.invalid - first.invalid,
            suspected=now.suspected - first.suspected,
            withheld=now.withheld - first.withheld,
            lag_per_second=(now.lag - before.lag) / passed if passed >= STEP_S else None,
        )

    def columns(self, now: float) -> dict[str, Sequence[float]]:
        """Return ages in seconds, records per second since the sample before, and the lag."""
        past = [sample for sample in self._samples if now - sample.at <= SPAN_S]
        pairs = list(pairwise(past))
        rates = [(b.consumed - a.consumed) / max(b.at - a.at, 1e-3) for a, b in pairs]
        return {
            "age_seconds": [round(now - sample.at, 1) for _, sample in pairs],
            "records_per_second": [float(f"{rate:.4g}") for rate in rates],
            "lag": [int(sample.lag) for _, sample in pairs],
        }
