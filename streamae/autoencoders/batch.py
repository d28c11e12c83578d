"""Records as the autoencoders of the family learn them, and the cost all of them have."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from streamae.types import Floats


class Batch(NamedTuple):
    """n records of d features."""

    x: Tensor
    """[n, d], what the network reads: 0, the mean of a standardised feature, where missing."""
    whole: Tensor
    """[n, d], the same before it was cut to the model's `limit`."""
    observed: Tensor
    """[n, d], 1 where there is a value, else 0."""
    weights: Tensor
    """[n], how much each record counts; 1 for all unless some are suspect."""

    def rows(self, places: Tensor) -> "Batch":
        """Return the records at `places` [m]."""
        return Batch(*(part[places] for part in self))

    def mean(self, values: Tensor) -> Tensor:
        """Return the weighted mean over the records of values[n, ...]."""
        return (self.weights @ values) / self.weights.sum()


def squared_error(batch: Batch, recons: Tensor) -> Tensor:
    """Return half the squared error over the observed features, the mean over the records."""
    return 0.5 * batch.mean((batch.observed * (batch.x - recons).square()).sum(1))


def to_array(tensor: Tensor) -> Floats:
    """Return a copy."""
    return np.array(tensor.detach().cpu().numpy())


def as_records(x: npt.ArrayLike) -> Floats:
    """Return x as records [n, d]; raise ValueError when they are none."""
    with np.errstate(over="ignore"):  # Beyond float32 is infinite, which is what is refused.
        array = np.ascontiguousarray(x, dtype=np.float32)
    if array.ndim != 2 or 0 in array.shape:  # noqa: PLR2004
        raise ValueError(f"records must be [n >= 1, d >= 1], not {list(array.shape)}")
    if np.isinf(array).any():
        raise ValueError("a value is infinite")
    return array


def as_batch(x: Floats, limit: float, device: torch.device) -> Batch:
    """Return records [n, d], NaN = missing, as a batch of equal weights."""
    values = torch.tensor(x, device=device)
    whole = values.nan_to_num(nan=0.0)
    observed = (~values.isnan()).float()
    return Batch(whole.clamp(-limit, limit), whole, observed, torch.ones_like(whole[:, 0]))
