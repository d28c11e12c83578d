"""Tells a lasting shift of level from an incident: the level of a feature, block by block.

river's detectors (ADWIN, Page-Hinkley) test one stream of independent values and keep it in
objects that only pickle saves; features here are many, remember their past and have daily cycles.
So a shift is judged against how far this feature's level has wandered from block to block before,
as in a Shewhart chart of batch means with a run rule (Runger and Willemain, 1996; Western Electric,
1956): five numbers per feature.
"""

import math
from typing import NamedTuple

import numpy as np

from streamae.config import DetectorConfig
from streamae.detector.moments import Moments
from streamae.detector.scaler import Levels
from streamae.numerics.state import Stateful
from streamae.types import Bools, Doubles, Longs

SMALLEST = 1.0
"""In standard deviations of the feature: less is no other level for anybody."""

WANDERING = 3.0
"""Times the usual distance of a block's level from the mean."""

FEWEST = 1 / 16
"""Share of a block that has to be observed to have a level."""

PRIOR_BLOCKS = 4.0
PRIOR_SQUARE = 0.25
"""Levels wander by half a standard deviation, until seen otherwise."""


class Drift(NamedTuple):
    """A shift of level that lasted and is normal from now on."""

    n_blocks: int
    """Blocks it lasted, the present one included."""
    features: Longs
    """[m], those that moved, the furthest first."""
    before: Doubles
    """[m], their means before, in their own units."""
    after: Doubles
    """[m], since."""


class DriftMonitor(Stateful):
    """Finds features whose level is shifted to the same side in `patience` blocks in a row.

    With the first such feature go those that have been shifted for half as many blocks.

    Of a block's z clipped to +-5, m_j is the mean; a block is shifted in j when |m_j| > c_j with
    c_j = max(1, 3 sqrt(v_j)), and v_j is the mean of min(|m_j|, c_j)^2 over earlier blocks.
    """

    learnt = ("square", "count", "run", "total", "before")

    def __init__(self, n_features: int, config: DetectorConfig) -> None:
        self._patience = max(math.ceil(config.drift_records / config.block_size), 2)
        self._memory = max(config.memory / config.block_size, PRIOR_BLOCKS)
        self.square: Doubles = np.full(n_features, PRIOR_SQUARE)
        """v_j."""
        self.count: Doubles = np.full(n_features, PRIOR_BLOCKS)
        """Blocks in v_j."""
        self.run: Longs = np.zeros(n_features, np.int64)
        """Blocks shifted in a row, negative downwards."""
        self.total: Doubles = np.zeros(n_features)
        """Sum of the block means since the run's second block, in the feature's own unit."""
        self.before: Doubles = np.zeros(n_features)
        """Mean when the run began, in the feature's own unit."""

    @property
    def n_shifted(self) -> int:
        """Blocks in a row in which some feature was shifted."""
        return int(np.abs(self.run).max())

    def update(self, block: Moments, levels: Levels) -> Drift | None:
        """Learn the moments of a block z[n, d]; return the drift that it completes.

        `levels` are those z is relative to.
        """
        n_seen = np.maximum(block.n_seen, 1)
        known = block.n_seen >= FEWEST * len(block.weights)
        level = block.clipped / n_seen
        square = np.square(level)
        limit = np.maximum(SMALLEST**2, WANDERING**2 * self.square)
        shifted = (square > limit) & known
        self._observe(np.minimum(square, limit), known)
        if not (shifted.any() or self.run.any()):
            return None
        side = np.where(shifted, np.sign(level), 0.0).astype(np.int64)
        self._count(side, levels.mean + levels.scale * (block.first / n_seen), levels.mean)
        return self._accepted(levels) if self.n_shifted >= self._patience else None

    def _count(self, side: Longs, mean: Doubles, usual: Doubles) -> None:
        goes_on = (side != 0) & (np.sign(self.run) == side)
        # The first block of a run may hold both levels.
        self.total = np.where(goes_on, self.total + mean, 0.0)
        self.before = np.where(goes_on, self.before, usual)
        self.run = np.where(goes_on, self.run + side, side)

    def _observe(self, square: Doubles, known: Bools | bool) -> None:
        self.count = np.minimum(self.count + known, self._memory)
        self.square = self.square + known / self.count * (square - self.square)

    def _accepted(self, levels: Levels) -> Drift:
        length = np.abs(self.run)
        moved = np.flatnonzero(length >= max(self._patience // 2, 2))
        after = self.total[moved] / (length[moved] - 1)
        before = self.before[moved]
        order = np.argsort(-np.abs(after - before) / levels.scale[moved], kind="stable")
        drift = Drift(int(length.max()), moved[order], before[order], after[order])
        self.run[moved] = 0
        return drift
