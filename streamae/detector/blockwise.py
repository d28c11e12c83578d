"""A detector with its unfinished block: rows come in any number, blocks are cut inside."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch

from streamae.config import DetectorConfig
from streamae.config.document import fill
from streamae.detector.detector import Detector
from streamae.detector.explain import Explanation
from streamae.detector.scores import Learned, Scores
from streamae.numerics.state import State, prefixed, within, without
from streamae.transforms import Block, Inputs
from streamae.transforms.history import keys_from_arrays, keys_to_arrays
from streamae.types import Bools, Doubles, Floats

_WAITING = "unfinished"
"""Begins the names of the arrays of records behind the last block boundary."""


class Verdicts(NamedTuple):
    """What the detector says about n rows."""

    score: Floats
    """[n], higher is more anomalous; NaN in the stream's first block, which has no model yet."""
    p_value: Doubles
    """[n], share of earlier scores at least as high; 1 until warm."""
    warm: Bools
    """[n], whether the p-value means something."""


def config_of(hyperparameters: dict[str, Any]) -> DetectorConfig:
    """Return the configuration; raise ValueError for an unknown key or a value out of range."""
    config = fill(DetectorConfig, hyperparameters)
    for key, text in config.violations():
        raise ValueError(f"{key}: {text}")
    return config


def numbered(n_features: int) -> tuple[str, ...]:
    """Return `x0`, `x1`, ...: the names of features that have none."""
    return tuple(f"x{j}" for j in range(n_features))


class BlockwiseDetector:
    """Scores and learns records as the daemon does: by ordinal, not by call.

    It pickles to plain values and arrays, from which the detector is built anew.
    """

    def __init__(self, config: DetectorConfig, features: Sequence[str], stream: str) -> None:
        self._identity = (config, tuple(features), stream)
        self._threads = config.threads
        self._block = Block(config, features)
        self.detector = Detector(config, len(features), stream, self._block.context)

    @property
    def n_learnt(self) -> int:
        """Rows taken in by `learn`, those of the unfinished block included."""
        return self.detector.n_blocks * len(self._block) + self._block.n

    @property
    def names(self) -> tuple[str, ...]:
        """[d], what each feature is judged by."""
        return self._block.transforms.names

    @property
    def unfinished(self) -> Floats:
        """Copy of the rows [m, d] that wait for their block to be complete."""
        return self._block.inputs.x.copy()

    def score(self, inputs: Inputs) -> Verdicts:
        """Score the next records of the stream, all with the present model; change nothing."""
        verdicts = _empty(len(inputs.x))
        verdicts.warm[:] = self.detector.warm
        x, block, first = self._block.columns(inputs), self._block.x.copy(), self._block.n
        with _threads(self._threads):
            for rows in self._pieces(len(x)):
                slots = slice(first, first + rows.stop - rows.start)
                block[slots] = x[rows]
                _take(self.detector.score(block, slots.stop), slots, verdicts, rows)
                first = 0
        return verdicts

    def learn(self, inputs: Inputs) -> list[Learned]:
        """Take in records and learn each block they complete; return what these taught."""
        learned = []
        with _threads(self._threads):
            for rows in self._pieces(len(inputs.x)):
                self._block.append(inputs.rows(rows))
                if not self._block.room:
                    learned.append(self._finish(self._score()))
        return learned

    def score_learn(self, inputs: Inputs) -> Verdicts:
        """Score each record, then learn it."""
        verdicts = _empty(len(inputs.x))
        with _threads(self._threads):
            for rows in self._pieces(len(inputs.x)):
                slots = self._block.append(inputs.rows(rows))
                block = self._score()
                _take(block, slots, verdicts, rows)
                verdicts.warm[rows] = self.detector.warm
                if not self._block.room:
                    self._finish(block)
        return verdicts

    def explain(self, inputs: Inputs) -> Explanation:
        """Explain one record as the next; raise ValueError before the first block is learnt."""
        with _threads(self._threads):
            judged = self.detector.explain(self._columns(inputs)[0])
        original = self._block.transforms.original
        return judged._replace(
            observed=original(judged.observed), expected=original(judged.expected)
        )

    def codes(self, inputs: Inputs) -> Floats:
        """Return the codes [n, h] of records, each as the next one; ValueError without a model."""
        with _threads(self._threads):
            return self.detector.codes(self._columns(inputs))

    def reconstruct(self, inputs: Inputs) -> Floats:
        """Return what the codes stand for, [n, d]; ValueError without a model."""
        with _threads(self._threads):
            recons = self.detector.reconstruct(self._columns(inputs))
        return self._block.transforms.original(recons)

    def _columns(self, inputs: Inputs) -> Floats:
        if self.detector.n_blocks == 0:
            raise ValueError(f"there is no model before {len(self._block)} records are learnt")
        return self._block.columns(inputs)

    def state_dict(self) -> State:
        """Return the state at the last block boundary, and the records behind it."""
        waiting = self._block.inputs
        rows = keys_to_arrays(waiting.keys)
        rows |= {"x": waiting.x.copy(), "timestamps_ms": waiting.timestamps_ms.copy()}
        state = self.detector.state_dict() | self._block.transforms.state_dict()
        return state | prefixed(_WAITING, rows)

    def load_state_dict(self, state: State) -> None:
        """Continue where `state_dict` was called; rows may be absent, as in a daemon's snapshot.

        Raise ValueError when a name, shape or type differs.
        """
        waiting = self._waiting(state)
        learnt = self._block.transforms.load_state_dict(without(_WAITING, state))
        self.detector.load_state_dict(learnt)
        self._block.drop()
        self._block.append(waiting)

    def _waiting(self, state: State) -> Inputs:
        """Return the records behind the boundary, none where the state has none."""
        empty = np.empty((0, self._block.features.shape[1]), np.float32)
        waiting = within(_WAITING, state)
        rows = waiting.get("x", empty)
        if rows.dtype != empty.dtype or rows.shape[1:] != empty.shape[1:]:
            raise ValueError(f"state 'unfinished.x' is {rows.dtype}{list(rows.shape)}")
        if len(rows) >= len(self._block):
            raise ValueError(f"state 'unfinished.x' has {len(rows)} rows, a whole block or more")
        if len(rows) == 0:
            return Inputs.of(rows)
        try:
            return Inputs(rows, waiting["timestamps_ms"], keys_from_arrays(waiting))
        except KeyError as error:
            raise ValueError(f"state lacks '{_WAITING}.{error.args[0]}'") from None

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
        start, room = 0, self._block.room
        while start < n:
            stop = min(start + room, n)
            yield slice(start, stop)
            start, room = stop, len(self._block)

    def _score(self) -> Scores:
        return self.detector.score(self._block.x, self._block.n)

    def _finish(self, scores: Scores) -> Learned:
        learned = self.detector.learn(self._block.complete(), scores)
        self._block.finish()
        return learned


def _empty(n: int) -> Verdicts:
    return Verdicts(np.empty(n, np.float32), np.empty(n), np.empty(n, np.bool_))


def _take(block: Scores, slots: slice, verdicts: Verdicts, rows: slice) -> None:
    verdicts.score[rows] = block.score[slots]
    verdicts.p_value[rows] = block.p_value[slots]


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
