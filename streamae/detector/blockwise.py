"""A detector with its unfinished block: rows come in any number, blocks are cut inside."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec
import numpy as np
import torch

from streamae.config import DetectorConfig
from streamae.detector.detector import Detector
from streamae.detector.explain import Explanation
from streamae.detector.scores import Learned, Scores
from streamae.numerics.state import State
from streamae.types import Bools, Doubles, Floats


class RowScores(NamedTuple):
    score: Floats
    """[n], higher is more anomalous; NaN in the stream's first block, which has no model yet."""
    p_value: Doubles
    """[n], share of earlier scores at least as high; 1 until warm."""


def config_of(hyperparameters: dict[str, Any]) -> DetectorConfig:
    """Return the configuration; raise ValueError for an unknown key or a value out of range."""
    known = set(DetectorConfig.__struct_fields__)
    if unknown := sorted(hyperparameters.keys() - known):
        raise ValueError(f"unknown hyperparameter {unknown[0]!r}; there are {sorted(known)}")
    try:
        return msgspec.convert(hyperparameters, DetectorConfig)
    except msgspec.ValidationError as error:
        raise ValueError(f"hyperparameter out of range: {error}") from error


class BlockwiseDetector:
    """Scores and learns rows x[n, d], NaN = missing, as the daemon does: by ordinal, not by call.

    It pickles to plain values and arrays, from which the detector is built anew.
    """

    def __init__(self, config: DetectorConfig, n_features: int, stream: str) -> None:
        self._identity = (config, n_features, stream)
        self._threads = config.threads
        self.detector = Detector(config, n_features, stream)
        self._x: Floats = np.zeros((config.block_size, n_features), np.float32)
        self._n = 0

    @property
    def n_learnt(self) -> int:
        """Rows taken in by `learn`, those of the unfinished block included."""
        return self.detector.n_blocks * len(self._x) + self._n

    @property
    def unfinished(self) -> Floats:
        """Copy of the rows [m, d] that wait for their block to be complete."""
        return self._x[: self._n].copy()

    def score(self, x: Floats) -> RowScores:
        """Score x as the next rows of the stream, all with the present model; change nothing."""
        scores = _empty(len(x))
        block, first = self._x.copy(), self._n
        with _threads(self._threads):
            for rows in self._pieces(len(x)):
                slots = slice(first, first + rows.stop - rows.start)
                block[slots] = x[rows]
                _take(self.detector.score(block, slots.stop), slots, scores, rows)
                first = 0
        return scores

    def learn(self, x: Floats) -> list[Learned]:
        """Take in x and learn each block it completes; return what these taught."""
        learned = []
        with _threads(self._threads):
            for rows in self._pieces(len(x)):
                self._append(x[rows])
                if self._n == len(self._x):
                    learned.append(self._finish(self.detector.score(self._x, self._n)))
        return learned

    def score_learn(self, x: Floats) -> tuple[RowScores, Bools]:
        """Score each row, then learn it; also say [n] which were scored by a warm detector."""
        scores, warm = _empty(len(x)), np.empty(len(x), np.bool_)
        with _threads(self._threads):
            for rows in self._pieces(len(x)):
                slots = self._append(x[rows])
                block = self.detector.score(self._x, self._n)
                _take(block, slots, scores, rows)
                warm[rows] = self.detector.warm
                if self._n == len(self._x):
                    self._finish(block)
        return scores, warm

    def explain(self, x: Floats) -> Explanation:
        """Explain the row x[d]; raise ValueError before the first block is learnt."""
        if self.detector.n_blocks == 0:
            raise ValueError(f"nothing to explain with before {len(self._x)} records are learnt")
        with _threads(self._threads):
            return self.detector.explain(x)

    def state_dict(self) -> State:
        """Return the detector's state at the last block boundary, and the rows behind it."""
        return self.detector.state_dict() | {"unfinished.x": self.unfinished}

    def load_state_dict(self, state: State) -> None:
        """Continue where `state_dict` was called; rows may be absent, as in a daemon's snapshot.

        Raise ValueError when a name, shape or type differs.
        """
        empty = np.empty((0, self._x.shape[1]), np.float32)
        rows = state.get("unfinished.x", empty)
        if rows.dtype != empty.dtype or rows.shape[1:] != empty.shape[1:]:
            raise ValueError(f"state 'unfinished.x' is {rows.dtype}{list(rows.shape)}")
        if len(rows) >= len(self._x):
            raise ValueError(f"state 'unfinished.x' has {len(rows)} rows, a whole block or more")
        self.detector.load_state_dict({k: v for k, v in state.items() if k != "unfinished.x"})
        self._clear()
        self._append(rows)

    def __getstate__(self) -> tuple[Any, State]:
        """Return what `__init__` took, and the arrays."""
        return self._identity, self.state_dict()

    def __setstate__(self, state: tuple[Any, State]) -> None:
        """Build the detector anew: tensors in memory of torch's own give the same bits."""
        identity, arrays = state
        self.__init__(*identity)  # type: ignore[misc]
        self.load_state_dict(arrays)

    def _pieces(self, n: int) -> Iterator[slice]:
        """Cut n further rows at the block boundaries."""
        start, room = 0, len(self._x) - self._n
        while start < n:
            stop = min(start + room, n)
            yield slice(start, stop)
            start, room = stop, len(self._x)

    def _append(self, x: Floats) -> slice:
        slots = slice(self._n, self._n + len(x))
        self._x[slots] = x
        self._n = slots.stop
        return slots

    def _finish(self, scores: Scores) -> Learned:
        learned = self.detector.learn(self._x, scores)
        self._clear()
        return learned

    def _clear(self) -> None:
        self._x[:] = 0
        self._n = 0


def _empty(n: int) -> RowScores:
    return RowScores(np.empty(n, np.float32), np.empty(n))


def _take(block: Scores, slots: slice, scores: RowScores, rows: slice) -> None:
    scores.score[rows] = block.score[slots]
    scores.p_value[rows] = block.p_value[slots]


@contextmanager
def _threads(n: int) -> Iterator[None]:
    """Compute with n threads, which bits depend on, and leave the caller's number as it was."""
    before = torch.get_num_threads()
    if before == n:
        yield
        return
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
