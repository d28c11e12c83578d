"""How far a record's reconstruction is from those of earlier records."""

import torch
from torch import Tensor

from streamae.detector.whitener import CLIP
from streamae.numerics.state import Stateful
from streamae.types import Longs

N_STORED = 256
"""As many as a block, so that a score costs one more small product; 512 find little more."""


class Neighbours(Stateful):
    """A sample of the reconstructions of about the last `memory` records learnt.

    The residual is a record's distance from the surface that normal records lie on, but on that
    surface not every place is normal: between two modes, or inside a ring, the code follows the
    record. So this is the distance along the surface, as robust principal components have both an
    orthogonal and a score distance (Hubert, Rousseeuw and Vanden Branden, 2005). The nearest of few
    records drawn at random serve as well as the nearest of all (Sugiyama and Borgwardt, 2013).
    Values end at +-2.5: how extreme one is others say.
    """

    learnt = ("stored", "count")

    def __init__(self, n_features: int, memory: int, device: torch.device) -> None:
        self._memory = float(memory)
        self.stored = torch.zeros(N_STORED, n_features, device=device)
        self.count = 0.0
        """Records learnt, `memory` at most."""
        self.refresh()

    def refresh(self) -> None:
        self._minus_twice = self.stored.T.mul(-2.0).contiguous()
        self._square = self.stored.square().sum(1)

    def distance(self, recons: Tensor) -> Tensor:
        """Return the distance [n] of recons[n, d] to the nearest stored ones."""
        recons = recons.clamp(-CLIP, CLIP)
        nearest = self._squares(recons).amin(1).add_(recons.square().sum(1))
        return nearest.clamp_(min=0.0).sqrt_()

    def nearest(self, recons: Tensor) -> Tensor:
        """Return the nearest stored reconstruction of each of recons[n, d], [n, d]."""
        return self.stored[self._squares(recons.clamp(-CLIP, CLIP)).argmin(1)]

    def update(self, recons: Tensor, weights: Tensor, generator: torch.Generator) -> None:
        """Store some of recons[n, d], drawn by weights[n], in place of stored ones."""
        n = len(recons)
        self.count = min(self.count + n, self._memory)
        n_drawn = max(round(N_STORED * min(n / self.count, 1.0)), 1)
        drawn = torch.multinomial(weights.cpu(), n_drawn, replacement=True, generator=generator)
        places = torch.randperm(N_STORED, generator=generator)[:n_drawn]
        self.stored[places] = recons[drawn].clamp_(-CLIP, CLIP)
        self.refresh()

    def _squares(self, recons: Tensor) -> Tensor:
        """Return the squared distances [n, N_STORED], less the square of each of recons[n, d]."""
        return torch.addmm(self._square, recons, self._minus_twice)

    def forget(self, features: Longs) -> None:
        """Take features[m] for what they were at the start: always at their mean."""
        self.stored[:, features] = 0.0
        self.refresh()
