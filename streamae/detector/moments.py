"""The sums over a block's records that the scaler and the drift monitor learn from."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from streamae.types import Doubles

CLIP = 5.0
"""Of single values: a fifth of a block has to be wild to look like a shift of level."""


class Moments(NamedTuple):
    """Weighted sums over the records of a block z[n, k], on the host, missing values left out."""

    weights: Doubles
    """[n], of mean 1."""
    n_seen: Doubles | int
    """[k], the weight of the values observed; n where none is missing."""
    first: Doubles
    """[k], of z."""
    clipped: Doubles
    """[k], of z within +-5."""
    second: Doubles
    """[k], of the square of z."""

    def of(self, columns: slice) -> "Moments":
        """Return those of some columns."""
        n_seen = self.n_seen if isinstance(self.n_seen, int) else self.n_seen[columns]
        sums = (self.first[columns], self.clipped[columns], self.second[columns])
        return Moments(self.weights, n_seen, *sums)


def moments(z: Tensor, missing: Tensor | None, weights: Doubles) -> Moments:
    """Return the moments of z[n, k], 0 where missing[n, k], with weights[n] of mean 1."""
    weight = torch.from_numpy(weights.astype(np.float32)).to(z.device)
    sums = torch.matmul(weight, torch.stack([z, z.clamp(-CLIP, CLIP), z.square()]))
    n_seen: Doubles | int = len(z)
    if missing is not None:
        n_seen = torch.matmul(weight, (~missing).float()).double().cpu().numpy()
    return Moments(weights, n_seen, *sums.double().cpu().numpy())
