"""What the autoencoder has to undo: Gaussian noise and masked features (Vincent et al., 2010)."""

import math

import torch
from torch import Tensor


def corrupt(z: Tensor, noise: float, masking: float, generator: torch.Generator) -> Tensor:
    """Return a corrupted copy of z[n, d].

    Every value gets noise of standard deviation `noise`; then a share `masking` of them becomes 0,
    which is also what a missing value looks like to the autoencoder.
    """
    corrupted = z.clone()
    if noise > 0:
        gaussian = torch.randn(z.shape, generator=generator).to(z.device)
        corrupted.add_(gaussian, alpha=noise)
    if masking > 0:
        # m places drawn with replacement from N leave one out with (1 - 1/N)^m, about exp(-m / N).
        n_draws = round(-math.log1p(-masking) * z.numel())
        places = torch.randint(z.numel(), (n_draws,), generator=generator)
        corrupted.view(-1).index_fill_(0, places.to(z.device), 0.0)
    return corrupted
