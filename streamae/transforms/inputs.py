"""What transforms read, and what each of them is."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from streamae.types import NO_TIMESTAMP, Floats, Longs

Arrays: TypeAlias = dict[str, npt.NDArray[Any]]


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


class Transform(Protocol):
    """One step from features to columns.

    What it remembers of earlier records is of two kinds: what is kept is that of the last block
    boundary, and what came since is given up by `drop` or kept by `keep`.
    """

    def fit(self, inputs: Inputs) -> None:
        """Decide what `auto` left open, from the features of the first block."""

    def apply(self, inputs: Inputs) -> Floats:
        """Return columns [m, ...] for the next records and remember these."""

    def keep(self) -> None:
        """Begin a block: what is remembered now is the state from here on."""

    def drop(self) -> None:
        """Go back to the last `keep`."""

    def state_dict(self) -> Arrays:
        """Return what was decided and what is kept, as arrays."""

    def load_state_dict(self, state: Arrays) -> None:
        """Continue where `state_dict` was called."""
