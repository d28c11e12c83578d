"""The unfinished block of a partition, and the records that go into it."""

from typing import NamedTuple

import numpy as np

from streamae.types import Floats, Headers, Longs


class Rows(NamedTuple):
    """Valid records that fall into one block, [m] each and [m, d]."""

    x: Floats
    offsets: Longs
    timestamps_ms: Longs
    keys: list[bytes | None]
    headers: list[Headers]


class Block:
    """The unfinished block; a record's slot is its ordinal modulo the block size."""

    def __init__(self, size: int, n_features: int) -> None:
        self.x: Floats = np.zeros((size, n_features), dtype=np.float32)
        self.offsets: Longs = np.zeros(size, dtype=np.int64)
        self.timestamps_ms: Longs = np.zeros(size, dtype=np.int64)
        self.n = 0

    def __len__(self) -> int:
        """Return the number of slots."""
        return len(self.x)

    def append(self, rows: Rows) -> slice:
        """Fill the next slots and return them."""
        slots = slice(self.n, self.n + len(rows.x))
        self.x[slots] = rows.x
        self.offsets[slots] = rows.offsets
        self.timestamps_ms[slots] = rows.timestamps_ms
        self.n = slots.stop
        return slots

    def clear(self) -> None:
        """Empty every slot, so that what an unused one holds is always the same."""
        self.x[:] = 0
        self.n = 0
