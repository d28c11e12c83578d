"""Standardises every feature with its running mean and variance."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from streamae.detector.moments import Moments
from streamae.numerics.state import Stateful
from streamae.types import Bools, Doubles, Floats, Longs

Z_LIMIT = 100.0
"""Standardised values end here: far beyond any tail, yet its square is harmless in float32."""

RELATIVE_FLOOR = 1e-6
"""float32 resolves 6e-8 of the mean; a spread below some 16 such steps is rounding, not signal."""

ABSOLUTE_FLOOR = 1e-35
"""Keeps the reciprocal of a spread a normal float32 (largest 3.4e38)."""

LARGEST = float(np.finfo(np.float32).max)

WILD_SHARE = 1 / 16
"""Values beyond the limit are wild below this share of a block, a change of range above it."""


class Levels(NamedTuple):
    """Where the columns of a scaler are, [k] each."""

    mean: Doubles
    scale: Doubles


class Scaler(Stateful):
    """Mean and variance per feature over the last `memory` records, missing values left out.

    The first `n_scaled` columns have mean 0 and variance 1 by what they are, and keep them.
    The state lives on the host, where the records arrive.
    """

    learnt = ("mean", "variance", "count")

    def __init__(self, n_features: int, memory: int, n_scaled: int = 0) -> None:
        self._memory = memory
        self._scaled = slice(n_scaled)
        self.mean: Doubles = np.zeros(n_features)
        self.variance: Doubles = np.ones(n_features)
        self.count: Doubles = np.zeros(n_features)
        self.refresh()

    def refresh(self) -> None:
        self.mean[self._scaled] = 0.0
        self.variance[self._scaled] = 1.0
        floor = np.maximum(RELATIVE_FLOOR * np.abs(self.mean), ABSOLUTE_FLOOR)
        scale = np.maximum(np.sqrt(self.variance), floor)
        inverse = (1.0 / scale).astype(np.float32)
        self._center = self.mean.astype(np.float32)
        self.scale: Doubles = 1.0 / inverse.astype(np.float64)
        self._all_seen = bool(self.count.all())
        if not self._all_seen:
            inverse[self.count == 0] = np.nan
        self._inverse = torch.from_numpy(inverse)

    def transform(self, x: Floats) -> Tensor:
        """Return z = (x - mean) / sd within +-100, on the host. Any shape [.., d].

        NaN stays NaN, and so becomes all of a feature that was never seen before: there is nothing
        to judge it by. The memory is torch's own (see `state`).
        """
        if not x.flags.writeable:
            x = x.copy()  # `from_numpy` warns of others.
        z = torch.from_numpy(x) - torch.from_numpy(self._center)
        return z.mul_(self._inverse).clamp_(-Z_LIMIT, Z_LIMIT)

    def inverse(self, z: Doubles) -> Floats:
        """Return x = mean + sd z of the last k columns, z[..., k], kept within float32."""
        last = slice(len(self.mean) - z.shape[-1], None)
        x = self.mean[last] + self.scale[last] * z
        return np.clip(x, -LARGEST, LARGEST).astype(np.float32)

    def fit(self, x: Floats) -> None:
        """Begin with the records x[n, d]; their median and spread say which values are wild."""
        observed = ~np.isnan(x)
        self._place(x, observed, np.ones(len(self.mean), np.bool_))
        self._merge_far(x, observed, np.ones(len(x)))

    def update(self, x: Floats, block: Moments) -> Longs:
        """Learn the records x[n, d], whose transform has the moments of `block`.

        Return the features that vary for the first time: what was known of them is void.
        """
        if not self._all_seen:
            observed = ~np.isnan(x)
            new = (self.count == 0) & observed.any(0)
            if new.any():
                self._place(x, observed, new)
                return self._merge_far(x, observed, block.weights)
        # Where a single value reaches the limit it is, whatever the record's weight.
        if block.second.max() >= block.weights.min() * Z_LIMIT**2:
            return self._merge_far(x, ~np.isnan(x), block.weights)
        # z is relative to the float32 centre, which is half a step or less beside the mean.
        first = block.first * self.scale + block.n_seen * (self._center - self.mean)
        self._merge(block.n_seen, first, block.second * self.scale**2)
        return np.empty(0, np.int64)

    def levels(self, columns: slice) -> Levels:
        return Levels(self.mean[columns], self.scale[columns])

    def recenter(self, features: Longs, mean: Doubles) -> None:
        """Take mean[m] for that of features[m], as if it had been so from the start."""
        self.mean[features] = mean
        self.refresh()

    def _place(self, x: Floats, observed: Bools, features: Bools) -> None:
        """Put the mean of features[d] at the median of the records x[n, d], without a spread."""
        filled = np.where(observed, x, np.inf).astype(np.float64)
        rank = np.maximum(observed.sum(0) - 1, 0) // 2
        median = np.take_along_axis(np.sort(filled, axis=0), rank[None], axis=0)[0]
        self.mean = np.where(features & np.isfinite(median), median, self.mean)
        self.variance = np.where(features, 0.0, self.variance)
        self.refresh()

    def _merge_far(self, x: Floats, observed: Bools, weights: Doubles) -> Longs:
        """Merge values of any size; a few wild ones count as values at the limit.

        Without the cap one record of 1e30 would hide its feature for good. The cap is a hundred
        spreads, as known or as most of this block has it, so a real change of range passes.
        """
        d = np.where(observed, x - self.mean, 0.0)
        ranked = np.sort(np.abs(d), axis=0)
        usual = ranked[int(np.ceil((1 - WILD_SHARE) * len(d))) - 1]
        # The floor of the spread lies above it where nothing varied.
        constant = 2.0 * np.sqrt(self.variance) < self.scale
        cap = Z_LIMIT * np.maximum(np.where(self.variance > 0, self.scale, 0.0), usual)
        cap = np.where(cap > 0, cap, np.inf)
        d = np.clip(d, -cap, cap)
        begins = constant & (ranked[len(d) // 2] > Z_LIMIT * self.scale)
        self.count = np.where(begins, 0.0, self.count)
        self._merge(weights @ observed, weights @ d, weights @ np.square(d))
        return np.flatnonzero(begins)

    def _merge(self, count: Doubles | float, first: Doubles, second: Doubles) -> None:
        """Pairwise update of Chan, Golub and LeVeque (1979), sums taken about the old mean."""
        before = np.minimum(self.count, self._memory)
        total = np.maximum(before + count, 1.0)
        shift = first / total
        self.variance = np.maximum(self.variance * before + second - first * shift, 0.0) / total
        self.mean = self.mean + shift
        self.count = before + count
        self.refresh()
