"""The terms of the training loss, each with its gradient in closed form."""

from typing import NamedTuple

import torch
from torch import Tensor

SMALLEST_SHARE = 1e-4
"""Bounds the slope of the KL divergence, which is infinite for a latent that is never active."""


class Term(NamedTuple):
    value: Tensor
    """Scalar."""
    gradient: Tensor
    """d value / d argument, of the argument's shape."""


def squared_error(residual: Tensor, weights: Tensor, missing: Tensor | None) -> Term:
    """Return the mean of w_i (x_ij - recons_ij)^2 over the observed values and d / d recons.

    residual[n, d] = x - recons; missing[n, d] entries add neither loss nor gradient.
    """
    if missing is not None:
        residual = residual.masked_fill(missing, 0.0)
    n_observed = residual.numel() if missing is None else int((~missing).sum())
    weighted = residual * (weights / max(n_observed, 1))[:, None]
    return Term((weighted * residual).sum(), -2.0 * weighted)


def l1_penalty(latents: Tensor, weight: float) -> Term:
    """Return weight times the mean of |latents[n, h]|, and d / d latents."""
    scale = weight / latents.numel()
    return Term(scale * latents.abs().sum(), scale * latents.sign())


def kl_penalty(latents: Tensor, target: float, weight: float) -> Term:
    """Return weight times the mean over latents of KL(target || mean activation), and its gradient.

    With rho the target and r_j the mean of latents[n, h] in (0, 1) over the rows (Ng, CS294A notes
    on sparse autoencoders):

        KL_j      = rho log(rho / r_j) + (1 - rho) log((1 - rho) / (1 - r_j))
        dKL_j/dr_j = -rho / r_j + (1 - rho) / (1 - r_j)
    """
    n, n_latents = latents.shape
    rate = latents.mean(0).clamp(SMALLEST_SHARE, 1.0 - SMALLEST_SHARE)
    log_ratio = target * torch.log(target / rate)
    log_ratio = log_ratio + (1.0 - target) * torch.log((1.0 - target) / (1.0 - rate))
    slope = (1.0 - target) / (1.0 - rate) - target / rate
    scale = weight / n_latents
    return Term(scale * log_ratio.sum(), (scale / n * slope).expand_as(latents))
