"""The alert budget as a share of records, and the p-value that keeps to it.

A share is itself. `20 per day` becomes 20 / (records per day), where the record rate is estimated
from event time over about the budget's own period, so it follows the stream's volume.

P-values compare a score with earlier ones, so they err while scores drift. Records are flagged at a
p-value that is moved after each block by how many were flagged: adaptive conformal inference (Gibbs
and Candes, 2021, arXiv:2106.00170), on the logarithm.
"""

import math
from typing import NamedTuple

import numpy as np

from streamae.config import Budget
from streamae.types import NO_TIMESTAMP, Longs

LEAST_SHARE = 1e-9
MOST_SHARE = 0.5
"""Beyond half of the records, "anomaly" has no meaning left."""

MOST_CORRECTION = math.log(2.0)
"""P-values are right within a factor of two under steady drift. More would make up for an incident
by overlooking the next one: what it flagged beyond the budget is forgiven instead."""

FLAGGED_PER_STEP = 10.0
"""Records flagged beyond the budget, or short of it, that move the correction by 1: few enough to
follow a drift, enough not to follow chance (a standard deviation of 1 / sqrt(20) in a steady
stream)."""

RECORDS_PER_STEP = 10_000.0
"""Records in which that many can move it, at least: a large budget is not followed by the block."""

DAY_MS = 86_400_000
"""Over which the record rate is estimated where the budget names no period. What is further behind
than that is no late record, but a clock that was set back."""

SPREADS = 4
"""A stream of few records is not silent for so many interquartile ranges of a block's times: evenly
spread, they are two."""


class Ledger(NamedTuple):
    """What finished blocks came to; part of the state."""

    correction: float = 0.0
    """Logarithm of `alpha` divided by `share`."""
    records: float = 0.0
    """Decayed count of records, as is the time they took."""
    elapsed_ms: float = 0.0
    latest_ms: int = NO_TIMESTAMP
    """Latest event time that finished blocks came to but for an eighth of their records: some
    clocks are ahead, and more of them have stopped."""


class AlertBudget:
    """The share of records that may be flagged, as of the last finished block."""

    def __init__(self, budget: Budget, ledger: Ledger | None = None) -> None:
        """Go on with what earlier blocks came to, under this budget or another."""
        self._share = budget.share
        self._count = budget.count or 0.0
        self._per_ms = budget.per_ms or DAY_MS
        self.ledger = ledger or Ledger()

    @property
    def share(self) -> float:
        """Return the share of records to flag; 0 while the record rate is unknown."""
        if self._share is not None:
            return self._share
        if self.ledger.elapsed_ms <= 0:
            return 0.0
        records_per_period = self.ledger.records / self.ledger.elapsed_ms * self._per_ms
        return min(max(self._count / records_per_period, LEAST_SHARE), MOST_SHARE)

    @property
    def alpha(self) -> float:
        """Return the p-value at which records are flagged."""
        return min(self.share * math.exp(self.ledger.correction), MOST_SHARE)

    def observe(self, timestamps_ms: Longs, n_flagged: int | None = None) -> None:
        """Take in a finished block: its event times, [block_size], in milliseconds.

        `n_flagged` of its records were flagged; None during warm-up, when none could be.
        """
        if n_flagged is not None:
            self._correct(len(timestamps_ms), n_flagged)
        # A share needs no record rate, but the budget that replaces it may.
        self._keep_pace(timestamps_ms)

    def _correct(self, n: int, n_flagged: int) -> None:
        per_step = max(FLAGGED_PER_STEP, self.share * RECORDS_PER_STEP)
        correction = self.ledger.correction + (self.share * n - n_flagged) / per_step
        bounded = min(max(correction, -MOST_CORRECTION), MOST_CORRECTION)
        self.ledger = self.ledger._replace(correction=bounded)

    def _keep_pace(self, timestamps_ms: Longs) -> None:
        known = timestamps_ms[timestamps_ms != NO_TIMESTAMP]
        if not known.size:
            return
        lower, upper, latest = np.sort(known)[known.size * np.array([2, 6, 7]) // 8].tolist()
        before = self.ledger.latest_ms
        if before == NO_TIMESTAMP or latest < before - DAY_MS:
            self.ledger = self.ledger._replace(latest_ms=latest)
            return
        # Event time that runs backwards adds records but no time. And silence makes no stream slow:
        # what comes after a night without records, or a clock that jumped, has the rate of before.
        longest = max(self._per_ms, SPREADS * (upper - lower))
        elapsed = min(max(latest - before, 0), longest)
        memory = math.exp(-elapsed / self._per_ms)
        self.ledger = self.ledger._replace(
            records=self.ledger.records * memory + known.size,
            elapsed_ms=self.ledger.elapsed_ms * memory + elapsed,
            latest_ms=max(before, latest),
        )
