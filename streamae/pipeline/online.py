"""A detector at work on one partition: its feature names and its unfinished block."""

import math
from typing import Any, NamedTuple

import numpy as np
from msgspec import UNSET, UnsetType

from streamae.alerting import Place
from streamae.config import DetectorConfig, LabelsConfig
from streamae.detector import Detector, Drift, Learned, Scores
from streamae.numerics.state import State, prefixed, within, without
from streamae.pipeline import recent
from streamae.pipeline.labels import Labelled, Supervision
from streamae.records import (
    Attribution,
    Counterfactual,
    Evidence,
    Head,
    Moved,
    Reasons,
    significant,
)
from streamae.transforms import Block, Inputs
from streamae.types import Doubles, Floats, Headers, LabelLog, Longs, TopicPartition

_LABELS = "labels"
"""Begins the names of the arrays that labels have taught."""


class Rows(NamedTuple):
    """Valid records that fall into one block, m of them."""

    inputs: Inputs
    offsets: Longs
    """[m]"""
    headers: list[Headers]


class Scored(NamedTuple):
    """New records in their slots, and the scores of the whole block so far."""

    rows: Rows
    slots: slice
    scores: Scores
    first_ordinal: int
    """Ordinal of the record in slot 0."""
    probability: Doubles | None = None
    """[block size], what labels say about the records; None until there are enough of them."""
    labels: int | None = None
    """Offset in the labels log behind the last label taken; None without a labels log."""

    @property
    def last_ordinal(self) -> int:
        """Ordinal of the last new record."""
        return self.first_ordinal + int(self.slots.stop) - 1

    def head(self, slot: int) -> Head | UnsetType:
        """Return what labels say about the record in a slot, as it is written."""
        if self.labels is None:
            return UNSET
        if self.probability is None:
            return Head(None, self.labels)
        return Head(significant(float(self.probability[slot])), self.labels)


class OnlineDetector:
    """Scores records as they come and learns from every block they complete."""

    def __init__(
        self, config: DetectorConfig, features: tuple[str, ...], partition: TopicPartition
    ) -> None:
        stream = f"{partition.topic}/{partition.partition}"
        self._supervision: Supervision | None = None
        self.features = features
        self.partition = partition
        self.block = Block(config, features)
        self.detector = Detector(config, len(features), stream, self.block.context)
        self.offsets: Longs = np.zeros(config.block_size, np.int64)
        """[block_size], those of the block's records."""

    @property
    def room(self) -> int:
        """Free slots of the block; none while it is `full`."""
        return self.block.room

    @property
    def full(self) -> bool:
        """Whether the block waits to be learnt from."""
        return self.room == 0

    @property
    def n_learnt(self) -> int:
        """Records learnt from, the ordinal of slot 0."""
        return self.detector.n_blocks * len(self.block)

    @property
    def labels_offset(self) -> int:
        """Offset in the labels log behind the last label taken; 0 without one."""
        return 0 if self._supervision is None else self._supervision.offset

    def supervise(self, config: LabelsConfig, log: LabelLog) -> None:
        """Take labels from `log` from now on."""
        self._supervision = Supervision(config, self.partition, self.detector, log)

    def rewind_labels(self) -> None:
        """Read the labels log from its start; what labels have taught stays."""
        if self._supervision is not None:
            self._supervision.offset = 0

    @property
    def decisions(self) -> dict[str, Any]:
        """What is done to which features, as plain values."""
        return self.block.transforms.decisions

    def score(self, rows: Rows) -> Scored:
        """Put `rows` into the next slots, for which there must be room, and score them."""
        slots = self.block.append(rows.inputs)
        self.offsets[slots] = rows.offsets
        scores = self.detector.score(self.block.x, self.block.n)
        if self._supervision is None:
            return Scored(rows, slots, scores, self.n_learnt)
        probability = self._supervision.predict(self.block.x, scores.score)
        return Scored(rows, slots, scores, self.n_learnt, probability, self._supervision.offset)

    def learn(self, scores: Scores) -> Learned:
        """Learn from the full block, whose `scores` are given; it stays until it is finished."""
        return self.detector.learn(self.block.complete(), scores)

    def places(self) -> tuple[Place, Place]:
        """Return where the first and the last record of the block just learnt stand."""
        size, times = len(self.block), self.block.timestamps_ms
        first, last = (
            Place(self.n_learnt - size + slot, int(self.offsets[slot]), int(times[slot]))
            for slot in (0, size - 1)
        )
        return first, last

    def moved(self, drift: Drift) -> list[Moved]:
        """Return the features of a drift by name."""
        names = self.block.transforms.names
        levels = np.zeros((2, len(names)), np.float32)
        levels[:, drift.features] = drift.before, drift.after
        before, after = self.block.transforms.original(levels).tolist()
        return [
            Moved(names[feature], significant(before[feature]), significant(after[feature]))
            for feature in drift.features.tolist()
        ]

    def learn_labels(self, scored: Scored, alpha: float, *, take: bool) -> list[Labelled]:
        """Learn the labels of this and earlier blocks, behind the full block.

        Records with a p-value up to `alpha` were flagged. Return what was learnt: nothing without a
        labels log.
        """
        if self._supervision is None:
            return []
        block, probability = self.block, scored.probability
        rows = recent.Rows(
            block.x,
            self.offsets,
            block.timestamps_ms,
            np.fromiter(map(recent.key_digest, block.keys), np.int64, len(block)),
            scored.scores.score.astype(np.float64),
            np.full(len(block), np.nan) if probability is None else probability,
        )
        flagged = scored.scores.p_value <= alpha
        return [self._supervision.close_block(rows, flagged, take=take)]

    def threshold(self, alpha: float) -> float:
        """Return the score whose p-value is `alpha`; NaN for 0, by which nothing is flagged."""
        return self.detector.threshold(alpha) if alpha else math.nan

    def codes(self, slots: slice) -> Floats | None:
        """Return the codes [m, h] of records of the block; None where there is no model yet."""
        return self.detector.codes(self.block.x)[slots] if self.detector.n_blocks else None

    def reconstructions(self, slots: slice) -> Floats | None:
        """Return records [m, d] of the block as their codes have them; None without a model."""
        if self.detector.n_blocks == 0:
            return None
        return self.block.transforms.original(self.detector.reconstruct(self.block.x)[slots])

    def state_dict(self) -> State:
        """Return the state at the last block boundary."""
        state = self.detector.state_dict() | self.block.transforms.state_dict()
        if self._supervision is not None:
            state |= prefixed(_LABELS, self._supervision.state_dict())
        return state

    def load_state_dict(self, state: State) -> None:
        """Continue at that boundary; raise ValueError when a name, shape or type differs.

        Labels may have been learnt then and not now, or now and not then.
        """
        labels = within(_LABELS, state)
        if self._supervision is not None and labels:
            self._supervision.load_state_dict(labels)
        own = self.block.transforms.load_state_dict(without(_LABELS, state))
        self.detector.load_state_dict(own)

    def explain(self, scored: Scored, slot: int, threshold: float, top: int) -> Reasons:
        """Return why the record in a slot scores above `threshold`, by `top` features at most."""
        x = self.block.x[slot]
        first = self.block.context.n_columns
        missing = np.isnan(x[first:])
        observed, expected, deviation, share = self.detector.explain(x)
        observed, expected = map(self.block.transforms.original, (observed, expected))
        ranked = [at for at in np.argsort(-share, kind="stable")[:top].tolist() if not missing[at]]
        names = self.block.transforms.names
        attribution = [
            Attribution(
                names[feature],
                significant(float(observed[feature])),
                significant(float(expected[feature])),
                significant(float(deviation[feature])),
                significant(float(share[feature])),
            )
            for feature in ranked
        ]
        # Row i lacks the first i + 1 of them.
        without = np.repeat(x[None], len(ranked), axis=0)
        for row, feature in enumerate(ranked):
            without[row:, first + feature] = np.nan
        score = self.detector.rescore(without, scored.scores, slot)
        stands_out = self.detector.deviations(scored.scores.known).items()
        return Reasons(
            Evidence(**{kind: significant(float(by[slot])) for kind, by in stands_out}),
            attribution,
            [names[at] for at in np.flatnonzero(missing).tolist()],
            _counterfactual([names[at] for at in ranked], score, threshold),
        )


def _counterfactual(ranked: list[str], score: Floats, threshold: float) -> Counterfactual | None:
    below = np.flatnonzero(score < threshold)
    if not len(below):
        return None
    fewest = int(below[0])
    return Counterfactual(ranked[: fewest + 1], significant(float(score[fewest])))
