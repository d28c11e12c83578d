"""How rare a record's single values are, by coarse histograms of single features."""

import numpy as np
import torch

from streamae.detector.state import Stateful
from streamae.types import Bools, Doubles, Floats, Longs

N_BINS = 28
"""u / width + offset + 13 lies in 0.5 to 26.5 for widths from 0.08 and u within +-1."""


class MarginalHistograms(Stateful):
    """Histograms of u = z / (1 + |z|), each of one feature, with random width and offset.

    They see what energies do not: rare values in the middle, and discrete ones. Several widths and
    offsets per feature replace the choice of a bin width (averaged shifted histograms, Scott 1985).
    """

    learnt = ("feature", "width", "offset", "counts", "total")

    def __init__(
        self, n_features: int, n_histograms: int, memory: int, generator: torch.Generator
    ) -> None:
        self._memory = memory
        order = torch.randperm(n_features, generator=generator).numpy()
        self.feature: Longs = np.resize(order, n_histograms)
        draw = torch.rand(2, n_histograms, generator=generator, dtype=torch.float64).numpy()
        self.width: Floats = (0.08 + 0.42 * draw[0]).astype(np.float32)
        self.offset: Floats = (draw[1] + (N_BINS - 2) / 2).astype(np.float32)
        self.counts: Doubles = np.zeros(n_histograms * N_BINS)
        self.total = 0.0
        self.refresh()

    def refresh(self) -> None:
        # -log p(bin) with p = (count + 1) / (total + 100): about one pseudo-record per bin.
        self._surprise: Doubles = np.log(self.total + 100.0) - np.log1p(self.counts)
        self._first = np.arange(len(self.feature), dtype=np.int64) * N_BINS
        self._inverse: Floats = 1.0 / self.width

    def bins(self, z: Floats) -> Longs:
        """Return the flat bin index [n, n_histograms] of each record of z[n, d]."""
        u = z / (1.0 + np.abs(z))
        place = u[:, self.feature] * self._inverse + self.offset
        return place.astype(np.int64) + self._first

    def surprise(self, bins: Longs, observed: Bools | None) -> Doubles:
        """Return the mean of -log p(bin) over the observed values, [n]; 0 if there are none."""
        surprise: Doubles = self._surprise[bins]
        if observed is None:
            return np.asarray(surprise.mean(1))
        seen = observed[:, self.feature]
        return np.asarray(np.where(seen, surprise, 0.0).sum(1) / np.maximum(seen.sum(1), 1))

    def update(self, bins: Longs, observed: Bools | None) -> None:
        """Count the bins of a block."""
        if observed is not None:
            bins = bins[observed[:, self.feature]]
        n = len(bins) if observed is None else float(observed.any(1).sum())
        keep = min(1.0, self._memory / (self.total + n)) if n else 1.0
        self.counts = keep * (self.counts + np.bincount(bins.ravel(), minlength=len(self.counts)))
        self.total = keep * (self.total + n)
        self.refresh()
