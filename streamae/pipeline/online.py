"""A detector at work on one partition: its feature names and its unfinished block."""

from typing import NamedTuple

import numpy as np

from streamae.config import DetectorConfig
from streamae.detector import Detector, Learned, Scores
from streamae.pipeline.block import Block, Rows
from streamae.records import Attribution, Counterfactual, Reasons, significant
from streamae.types import Floats, TopicPartition


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
        self.detector = Detector(config, len(features), stream)
        self.block = Block(config.block_size, len(features))

    @property
    def room(self) -> int:
        """Free slots of the block, at least 1."""
        return len(self.block) - self.block.n

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
        slots = self.block.append(rows)
        scores = self.detector.score(self.block.x, self.block.n)
        return Scored(rows, slots, scores, self.n_learnt)

    def learn(self, scores: Scores) -> Learned:
        """Learn from the full block, whose `scores` are given, and begin an empty one."""
        learned = self.detector.learn(self.block.x, scores)
        self.block.clear()
        return learned

    def explain(self, scored: Scored, slot: int, threshold: float, top: int) -> Reasons:
        """Return why the record in a slot scores above `threshold`, by `top` features at most."""
        x = self.block.x[slot]
        missing = np.isnan(x)
        observed, expected, share = self.detector.explain(x)
        ranked = [at for at in np.argsort(-share, kind="stable")[:top].tolist() if not missing[at]]
        attribution = [
            Attribution(
                self.features[feature],
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
            [self.features[at] for at in np.flatnonzero(missing).tolist()],
            self._counterfactual(ranked, score, threshold),
        )

    def _counterfactual(
        self, ranked: list[int], score: Floats, threshold: float
    ) -> Counterfactual | None:
        below = np.flatnonzero(score < threshold)
        if not len(below):
            return None
        fewest = int(below[0])
        names = [self.features[at] for at in ranked[: fewest + 1]]
        return Counterfactual(names, significant(float(score[fewest])))
