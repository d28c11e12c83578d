"""The latest records of a partition, found again by what a label calls them."""

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from streamae.numerics.state import State
from streamae.records import text
from streamae.types import Doubles, Floats, Longs

KEYS_CACHED = 1 << 16


class Target(NamedTuple):
    """The record a label is about, and what it says."""

    offset: int
    """-1 when the label names a key and an event time instead."""
    timestamp_ms: int
    key: int
    """`key_digest` of the record key."""
    anomaly: bool


class Rows(NamedTuple):
    """Records as columns, [n] each and x[n, d], in log order."""

    x: Floats
    offsets: Longs
    timestamps_ms: Longs
    keys: Longs
    """`key_digest` of each record key."""
    score: Doubles
    """The anomaly score; NaN in the first block."""
    probability: Doubles
    """What the head gave the record before its label was known; NaN where there was no head."""

    @classmethod
    def none(cls, n: int = 0, d: int = 0) -> "Rows":
        """Return n rows that are no records."""
        nothing = np.full(n, -1, np.int64)
        x, unknown = np.zeros((n, d), np.float32), np.full(n, np.nan)
        return cls(x, nothing, nothing.copy(), nothing.copy(), unknown, unknown.copy())

    def at(self, rows: Any) -> "Rows":
        """Return the rows that a mask, a slice or indexes select."""
        return Rows(*(column[rows] for column in self))

    def followed_by(self, other: "Rows") -> "Rows":
        """Return both, one behind the other."""
        if not len(self.offsets):
            return other
        pairs: Iterator[tuple[Any, Any]] = zip(self, other, strict=True)
        return Rows(*(np.concatenate(pair) for pair in pairs))


class Recent:
    """The last `memory` records that were appended, in a ring of fixed size."""

    def __init__(self, memory: int) -> None:
        self._rows = Rows.none(memory)
        self._n = 0

    def append(self, rows: Rows) -> None:
        """Take in the next records; the oldest make room."""
        memory = len(self._rows.offsets)
        if self._n == 0:
            self._rows = Rows.none(memory, rows.x.shape[1])
        rows = rows.at(slice(-memory, None))
        n = len(rows.offsets)
        slots = (self._n + np.arange(n)) % memory
        pairs: Iterator[tuple[Any, Any]] = zip(self._rows, rows, strict=True)
        for column, new in pairs:
            column[slots] = new
        self._n += n

    def find(self, target: Target) -> Rows | None:
        """Return the record as one row, the latest where several have its key and event time."""
        held = self._rows
        if target.offset >= 0:
            hits = np.flatnonzero(held.offsets == target.offset)
        else:
            same = (held.timestamps_ms == target.timestamp_ms) & (held.keys == target.key)
            hits = np.flatnonzero(same & (held.offsets >= 0))
        if not len(hits):
            return None
        return held.at([int(hits[np.argmax(held.offsets[hits])])])

    def state_dict(self) -> State:
        """Return the records, oldest first: equal contents give equal arrays."""
        memory = len(self._rows.offsets)
        ordered = np.arange(max(self._n - memory, 0), self._n) % memory
        return self._rows.at(ordered)._asdict()

    def load_state_dict(self, state: State) -> None:
        """Hold what `state_dict` returned, or the latest of it that fit."""
        self.append(Rows(**{name: state[name] for name in Rows._fields}))


@lru_cache(KEYS_CACHED)
def key_digest(key: bytes | None) -> int:
    """Return 64 bits that stand for a key as scores and alerts write it; 0 for none."""
    return text_digest(text(key))


def text_digest(key: str | None) -> int:
    """Return 64 bits that stand for a key's text; 0 for none."""
    if key is None:
        return 0
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)
