"""The alert budget as a share of records, also when it is given per unit of event time.

A share is itself. `20 per day` becomes 20 / (records per day), where the record rate is estimated
from event time over about the budget's own period, so it follows the stream's volume.
"""

import math
from typing import NamedTuple

from streamae.config import Budget
from streamae.types import NO_TIMESTAMP, Longs

LEAST_SHARE = 1e-9
MOST_SHARE = 0.5
"""Beyond half of the records, "anomaly" has no meaning left."""


class Pace(NamedTuple):
    """Decayed sums over finished blocks; part of the state."""

    records: float = 0.0
    elapsed_ms: float = 0.0
    latest_ms: int = NO_TIMESTAMP
    """Latest event time of a finished block."""


class AlertBudget:
    """The share of records that may be flagged, as of the last finished block."""

    def __init__(self, budget: Budget) -> None:
        self._share = budget.share
        self._count = budget.count or 0.0
        self._per_ms = budget.per_ms or 1
        self.pace = Pace()

    @property
    def share(self) -> float:
        """Return the p-value at which records are flagged; 0 while the record rate is unknown."""
        if self._share is not None:
            return self._share
        if self.pace.elapsed_ms <= 0:
            return 0.0
        records_per_period = self.pace.records / self.pace.elapsed_ms * self._per_ms
        return min(max(self._count / records_per_period, LEAST_SHARE), MOST_SHARE)

    def observe(self, timestamps_ms: Longs) -> None:
        """Take in the event times of a finished block, [block_size], milliseconds."""
        if self._share is not None:
            return
        known = timestamps_ms[timestamps_ms != NO_TIMESTAMP]
        if not known.size:
            return
        first, latest = self.pace.latest_ms, int(known.max())
        if first == NO_TIMESTAMP:
            self.pace = Pace(latest_ms=latest)
            return
        # Event time that runs backwards adds records but no time.
        elapsed = max(latest - first, 0)
        memory = math.exp(-elapsed / self._per_ms)
        self.pace = Pace(
            records=self.pace.records * memory + known.size,
            elapsed_ms=self.pace.elapsed_ms * memory + elapsed,
            latest_ms=max(first, latest),
        )
