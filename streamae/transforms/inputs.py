"""What transforms read, and what they make of it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from streamae.types import NO_TIMESTAMP, Floats, Longs


class Inputs(NamedTuple):
    """Consecutive valid records of a partition, m of them."""

    x: Floats
    """[m, d], NaN = missing."""
    timestamps_ms: Longs
    """[m], event times; `NO_TIMESTAMP` where there is none."""
    keys: Sequence[bytes | None]
    """m keys: each has its own history."""

    @classmethod
    def of(
        cls,
        x: Floats,
        timestamps_ms: Longs | None = None,
        keys: Sequence[bytes | None] | None = None,
    ) -> "Inputs":
        """Return rows x[m, d] that may have neither event times nor keys."""
        n = len(x)
        times = np.full(n, NO_TIMESTAMP, np.int64) if timestamps_ms is None else timestamps_ms
        return cls(x, times, [None] * n if keys is None else keys)

    def rows(self, rows: slice) -> "Inputs":
        return Inputs(self.x[rows], self.timestamps_ms[rows], self.keys[rows])


class Context(NamedTuple):
    """Columns to the left of the features: what they say explains a record, and is never judged."""

    n_columns: int = 0
    n_scaled: int = 0
    """The first of them, which have mean 0 and variance 1 by what they are."""
