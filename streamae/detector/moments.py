"""The sums over a block's records that the scaler and the drift monitor learn from."""

from typing import NamedTuple

import torch
from torch import Tensor

from streamae.types import Doubles

CLIP = 5.0
"""Of single values: a fifth of a block has to be wild to look like a shift of level."""


class Moments(NamedTuple):
    """Sums over the n records of a block z[n, k], on the host; missing values add nothing."""

    n: int
    n_seen: Doubles | int
    """[k], values observed; n where none is missing."""
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
        return Moments(self.n, n_seen, *sums)


def moments(z: Tensor, missing: Tensor | None) -> Moments:
    """Return the moments of z[n, k], 0 where missing[n, k]."""
    n = len(z)
    sums = torch.stack([z.sum(0), z.clamp(-CLIP, CLIP).sum(0), z.square().sum(0)])
    n_seen = n if missing is None else n - missing.sum(0).double().cpu().numpy()
    return Moments(n, n_seen, *sums.double().cpu().numpy())
