"""What the autoencoder has to undo: Gaussian noise and masked features (Vincent et al., 2010)."""

import torch
from torch import Tensor


def corrupt(z: Tensor, noise: float, masking: float, generator: torch.Generator) -> Tensor:
    """Return a corrupted copy of z[n, d].

    Every value gets noise of standard deviation `noise`; then a share `masking` of them becomes 0,
    which is also what a missing value looks like to the autoencoder.
    """
    corrupted = torch.randn(z.shape, generator=generator).to(z.device).mul_(noise).add_(z)
    if masking > 0:
        keep = torch.rand(z.shape, generator=generator).ge_(masking)
        corrupted.mul_(keep.to(z.device))
    return corrupted
