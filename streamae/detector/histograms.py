"""How rare a record's single values are, by coarse histograms of single features."""

import math

import torch
from torch import Tensor

from streamae.config import DetectorConfig
from streamae.numerics.state import Stateful
from streamae.types import Longs

N_BINS = 28
"""u / width + offset + 13 lies in 0.5 to 26.5 for widths from 0.08 and u within +-1."""

PSEUDO_RECORDS = 100.0
"""Added to the total, so that before anything is seen no bin has more than 1 %."""


class MarginalHistograms(Stateful):
    """Histograms of u = z / (1 + |z|), each of one feature, with random width and offset.

    They see what energies do not: rare values in the middle, and discrete ones. Several widths and
    offsets per feature replace the choice of a bin width (averaged shifted histograms, Scott 1985).
    """

    learnt = ("feature", "width", "offset", "counts", "total")

    def __init__(
        self,
        n_features: int,
        config: DetectorConfig,
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        n_histograms = config.n_histograms
        self._memory = config.memory
        order = torch.randperm(n_features, generator=generator)
        order = order.repeat(1 + n_histograms // n_features)[:n_histograms]
        self.feature = order.to(device)
        self.width = 0.08 + 0.42 * torch.rand(n_histograms, generator=generator).to(device)
        self.offset = torch.rand(n_histograms, generator=generator).to(device)
        self.counts = torch.zeros(n_histograms * N_BINS, device=device)
        self.total = 0.0
        self.refresh()

    def refresh(self) -> None:
        self._scale = 1.0 / self.width
        first = torch.arange(len(self.feature), device=self.feature.device) * N_BINS
        self._start = first + self.offset + (N_BINS - 2) / 2
        self._tabulate()

    def _tabulate(self) -> None:
        # -log p(bin), p = (count + 1) / (total + 100).
        log_total = math.log(self.total + PSEUDO_RECORDS)
        self._surprise = self.counts.log1p().neg_().add_(log_total)

    def bins(self, z: Tensor) -> Tensor:
        """Return the flat bin index [n, n_histograms] of each record of z[n, d]."""
        z = z.index_select(1, self.feature)
        u = z.div_(z.abs().add_(1.0))
        return torch.addcmul(self._start, u, self._scale).int()

    def surprise(self, bins: Tensor, missing: Tensor | None) -> Tensor:
        """Return the mean of -log p(bin) over the observed values, [n]; 0 if there are none."""
        surprise = self._surprise.index_select(0, bins.view(-1)).view(bins.shape)
        if missing is None:
            return surprise.mean(1)
        unseen = missing.index_select(1, self.feature)
        n_seen = (~unseen).sum(1).clamp_(min=1)
        return surprise.masked_fill_(unseen, 0.0).sum(1) / n_seen

    def update(self, bins: Tensor, missing: Tensor | None) -> None:
        """Count the bins of a block."""
        n = len(bins)
        if missing is not None:
            bins = bins[~missing.index_select(1, self.feature)]
        keep = min(1.0, self._memory / (self.total + n))
        counted = torch.bincount(bins.view(-1), minlength=len(self.counts))
        self.counts.add_(counted).mul_(keep)
        self.total = keep * (self.total + n)
        self._tabulate()

    def forget(self, features: Longs) -> None:
        """Take every value of features[m] for equally usual."""
        void = torch.isin(self.feature, torch.from_numpy(features).to(self.feature.device))
        self.counts.view(-1, N_BINS)[void] = self.total / N_BINS
        self._tabulate()
