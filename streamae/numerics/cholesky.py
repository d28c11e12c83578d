"""The Cholesky factor of second moments that rounding may have left short of positive definite."""

import torch
from torch import Tensor

MAX_RAISES = 5
"""The ridge is raised to 100,000 times itself: far beyond what float32 rounds off."""


def cholesky(moments: Tensor, ridge: float) -> Tensor:
    """Return L[..., k, k] with L L' = moments[..., k, k] + ridge I, in double precision.

    Sums in float32 of collinear columns may have eigenvalues below zero, as small as their rounding
    but larger than a small ridge: then the ridge is the smallest of 10, 100, ... times `ridge` that
    makes up for it. Raise RuntimeError where none does, as for a NaN.
    """
    ridged = moments.to(torch.float64, copy=True)
    diagonal = ridged.diagonal(dim1=-2, dim2=-1)
    diagonal.add_(ridge)
    factor: Tensor
    for _ in range(MAX_RAISES):
        factor, failed = torch.linalg.cholesky_ex(ridged)
        if not failed.any():
            return factor
        diagonal.add_(9.0 * ridge)
        ridge *= 10.0
    factor = torch.linalg.cholesky(ridged)
    return factor
