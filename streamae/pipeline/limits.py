"""How many rejected records are too many: the limit on dead letters.

A limit only ever stops the daemon; it never changes what is written for a record. Its counts are
part of the state, so a restarted daemon stops again at the next reject instead of starting over.
"""

from typing import NamedTuple

import numpy as np

from streamae.config import DeadLetterConfig
from streamae.types import Bools


class RejectCounts(NamedTuple):
    """What the limit remembers."""

    consecutive: int = 0
    """Rejects since the last valid record."""
    seen: int = 0
    """Records of the current window."""
    rejected: int = 0
    """Rejects among them."""


class Excess(NamedTuple):
    """The reject that exceeded a limit."""

    row: int
    message: str


class RejectLimit:
    """Counts rejects in a row and per window of `window` records, windows one after the other."""

    def __init__(self, config: DeadLetterConfig) -> None:
        self.config = config
        """May be exchanged at any time."""
        self.counts = RejectCounts()

    def excess(self, rejected: Bools) -> Excess | None:
        """Return the first of the next records that exceeds a limit; changes nothing."""
        counts = self.counts
        start = 0
        for index in np.flatnonzero(rejected).tolist():
            counts = self._after(counts, rejected[start : index + 1])
            message = self._exceeded(counts)
            if message is not None:
                return Excess(index, message)
            start = index + 1
        return None

    def observe(self, rejected: Bools) -> None:
        """Count the next records, True for each reject."""
        self.counts = self._after(self.counts, rejected)

    def _after(self, counts: RejectCounts, rejected: Bools) -> RejectCounts:
        n = len(rejected)
        if not n:
            return counts
        valid = np.flatnonzero(~rejected)
        consecutive = n - 1 - int(valid[-1]) if valid.size else counts.consecutive + n
        seen = counts.seen + n
        window = self.config.window
        if seen <= window:
            return RejectCounts(consecutive, seen, counts.rejected + int(rejected.sum()))
        in_window = (seen - 1) % window + 1
        return RejectCounts(consecutive, in_window, int(rejected[n - in_window :].sum()))

    def _exceeded(self, counts: RejectCounts) -> str | None:
        config = self.config
        if config.max_consecutive is not None and counts.consecutive >= config.max_consecutive:
            return (
                f"{counts.consecutive} records in a row were rejected"
                f" (dead_letters.max_consecutive = {config.max_consecutive})"
            )
        if config.max_share is not None and counts.rejected > config.max_share * config.window:
            return (
                f"{counts.rejected} of {config.window} records were rejected"
                f" (dead_letters.max_share = {config.max_share})"
            )
        return None
