"""A detector at work on one partition: its feature names and its unfinished block."""

from typing import NamedTuple

import numpy as np

from streamae.config import DetectorConfig
from streamae.detector import Detector, Learned, Scores
from streamae.records import Attribution, Counterfactual, Reasons, significant
from streamae.transforms import Block, Inputs
from streamae.transforms.inputs import Arrays
from streamae.types import Floats, Headers, Longs, TopicPartition


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

    @property
    def last_ordinal(self) -> int:
        """Ordinal of the last new record."""
        return self.first_ordinal + int(self.slots.stop) - 1


class OnlineDetector:
    """Scores records as they come and learns from every block they complete."""

    def __init__(
        self, config: DetectorConfig, features: tuple[str, ...], partition: TopicPartition
    ) -> None:
        stream = f"{partition.topic}/{partition.partition}"
        self.features = features
        self.partition = partition
        self.detector = Detector(config, len(features), stream)
        self.block = Block(config, features)
        self.offsets: Longs = np.zeros(config.block_size, np.int64)
        """[block_size], those of the block's records."""

    @property
    def room(self) -> int:
        """Free slots of the block, at least 1."""
        return self.block.room

    @property
    def full(self) -> bool:
        """Whether the block waits to be learnt from."""
        return self.room == 0

    @property
    def n_learnt(self) -> int:
        """Records learnt from, the ordinal of slot 0."""
        return self.detector.n_blocks * len(self.block)

    def score(self, rows: Rows) -> Scored:
        """Put `rows` into the next slots, for which there must be room, and score them."""
        slots = self.block.append(rows.inputs)
        self.offsets[slots] = rows.offsets
        scores = self.detector.score(self.block.x, self.block.n)
        return Scored(rows, slots, scores, self.n_learnt)

    def learn(self, scores: Scores) -> Learned:
        """Learn from the full block, whose `scores` are given, and begin an empty one."""
        learned = self.detector.learn(self.block.complete(), scores)
        self.block.finish()
        return learned

    def codes(self, scored: Scored) -> Floats | None:
        """Return the codes [m, h] of the new records; None where there is no model yet."""
        evidence = scored.scores.evidence
        return None if evidence is None else self.detector.transform(evidence)[scored.slots]

    def reconstructions(self, scored: Scored) -> Floats | None:
        """Return the new records [m, d] as their codes have them; None without a model."""
        evidence = scored.scores.evidence
        return None if evidence is None else self.detector.reconstruct(evidence)[scored.slots]

    def state_dict(self) -> Arrays:
        """Return the state at the last block boundary."""
        return self.detector.state_dict() | self.block.transforms.state_dict()

    def load_state_dict(self, state: Arrays) -> None:
        """Continue at that boundary; raise ValueError when a name, shape or type differs."""
        self.detector.load_state_dict(self.block.transforms.load_state_dict(state))

    def explain(self, scored: Scored, slot: int, threshold: float, top: int) -> Reasons:
        """Return why the record in a slot scores above `threshold`, by `top` features at most."""
        x = self.block.x[slot]
        missing = np.isnan(x)
        observed, expected, share = self.detector.explain(x)
        ranked = [at for at in np.argsort(-share, kind="stable")[:top].tolist() if not missing[at]]
        names = self.block.transforms.names
        attribution = [
            Attribution(
                names[feature],
                significant(float(observed[feature])),
                significant(float(expected[feature])),
                significant(float(share[feature])),
            )
            for feature in ranked
        ]
        # Row i lacks the first i + 1 of them.
        without = np.repeat(x[None], len(ranked), axis=0)
        for row, feature in enumerate(ranked):
            without[row:, feature] = np.nan
        score = self.detector.rescore(without, scored.scores, slot)
        return Reasons(
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
