"""The last records of every key, for transforms that look back."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from streamae.numerics.state import State
from streamae.types import Floats, Longs

LONGEST_KEY = 32
"""Bytes; longer keys are told apart by a digest, so that a key costs no more than its values."""

Key = bytes | None


class History:
    """The last `depth` rows of each of the `max_keys` keys seen last; NaN where there are fewer.

    Which keys are forgotten is decided at block boundaries, by the order of their last records.
    """

    def __init__(self, depth: int, n_columns: int, max_keys: int) -> None:
        self._nothing: Floats = np.full((depth, n_columns), np.nan, np.float32)
        self._max_keys = max_keys
        self._kept: dict[Key, Floats] = {}
        """Rows [depth, n_columns] per key at the last boundary, the oldest key first."""
        self._since: dict[Key, Floats] = {}
        """Those of the keys seen since, in the order of their last records."""

    def before(self, x: Floats, keys: Sequence[Key]) -> Floats:
        """Return the rows [m, depth, n_columns] before each of x[m, ...] of its key, latest first.

        Then remember x.
        """
        depth, n_columns = self._nothing.shape
        places: dict[Key, int] = {}
        place = np.array([places.setdefault(key, len(places)) for key in keys], np.int64)
        # Each key's earlier rows, then its rows of x: what is k rows further up came k before.
        order = np.argsort(place, kind="stable")
        position = np.empty(len(x), np.int64)
        position[order] = np.arange(len(x)) + depth * (place[order] + 1)
        counts = np.bincount(place, minlength=len(places))
        ends = np.cumsum(counts + depth)
        joined = np.empty((len(x) + depth * len(places), n_columns), np.float32)
        starts = ends - counts - depth
        identities = [_identity(key) for key in places]
        for identity, start in zip(identities, starts.tolist(), strict=True):
            joined[start : start + depth] = self._last(identity)
        joined[position] = x
        for at in np.argsort(order[np.cumsum(counts) - 1]).tolist():
            self._since.pop(identities[at], None)
            self._since[identities[at]] = joined[ends[at] - depth : ends[at]].copy()
        return joined[position[:, None] - np.arange(1, depth + 1)]

    @property
    def n_keys(self) -> int:
        """Keys remembered at the last boundary."""
        return len(self._kept)

    def keep(self) -> int:
        """Make what came since the last boundary part of the state, and forget the oldest keys.

        Return how many were forgotten.
        """
        for key, rows in self._since.items():
            self._kept.pop(key, None)
            self._kept[key] = rows
        self._since = {}
        oldest = list(self._kept)[: max(len(self._kept) - self._max_keys, 0)]
        for key in oldest:
            del self._kept[key]
        return len(oldest)

    def drop(self) -> None:
        """Forget what came since the last boundary."""
        self._since = {}

    def state_dict(self) -> State:
        """Return rows and keys of the last boundary, the oldest key first."""
        rows = np.stack(list(self._kept.values())) if self._kept else self._nothing[None][:0]
        return {"rows": rows} | keys_to_arrays(list(self._kept))

    def load_state_dict(self, state: State) -> None:
        """Take over what `state_dict` returned; raise ValueError where it does not fit."""
        keys, rows = keys_from_arrays(state), state["rows"]
        if rows.dtype != np.float32 or rows.shape != (len(keys), *self._nothing.shape):
            raise ValueError(f"history is {rows.dtype}{list(rows.shape)} for {len(keys)} keys")
        self._kept = dict(zip(keys, rows.copy(), strict=True))
        self._since = {}

    def _last(self, key: Key) -> Floats:
        rows = self._since.get(key)
        return self._kept.get(key, self._nothing) if rows is None else rows


def keys_to_arrays(keys: Sequence[Key]) -> State:
    """Return keys as their bytes in a row, and the length of each, -1 for None."""
    lengths: Longs = np.array([-1 if key is None else len(key) for key in keys], np.int64)
    text = np.frombuffer(b"".join(filter(None, keys)), np.uint8)
    return {"keys": text, "key_lengths": lengths}


def keys_from_arrays(state: State) -> list[Key]:
    """Return what `keys_to_arrays` was given.

    Raise KeyError for an array that is absent, and ValueError where the two do not fit.
    """
    lengths: npt.NDArray[Any] = state["key_lengths"]
    text = state["keys"].tobytes()
    ends = np.cumsum(np.maximum(lengths, 0)).tolist()
    if (ends[-1] if ends else 0) != len(text):
        raise ValueError("state 'keys' has another length than its keys together")
    pairs = zip(lengths.tolist(), ends, strict=True)
    return [None if length < 0 else text[end - length : end] for length, end in pairs]


def _identity(key: Key) -> Key:
    if key is None or len(key) <= LONGEST_KEY:
        return key
    return hashlib.blake2b(key, digest_size=LONGEST_KEY).digest()
