"""The sparse autoencoder: many hidden units, each active on a small share of the records."""

from dataclasses import dataclass

import torch
from torch import Tensor

from streamae.autoencoders.batch import Batch, squared_error
from streamae.autoencoders.shallow import ShallowAutoencoder

SMALLEST_SHARE = 1e-6
"""Keeps the divergence finite for a unit whose activation is 0 or 1 to the last bit of float32."""


@dataclass(eq=False, kw_only=True)
class SparseAutoencoder(ShallowAutoencoder):
    """An overcomplete code held sparse by a divergence from a target activation.

        cost = squared error + lambda / 2 (|W|^2 + |V|^2) + beta sum_j KL(rho || r_j)

    with r_j the mean activation of unit j over the batch. A tanh unit is inactive at -1, so its
    activation counts as (1 + code) / 2 and its mean comes to 2 rho - 1. Ng, CS294A lecture notes:
    Sparse autoencoder, 2011.
    """

    n_latents: int = 100
    learning_rate: float = 1e-2
    weight_decay: float = 1e-4
    sparsity_target: float = 0.1
    """rho, the share a unit is to be active, from 0.0001 to 0.9999."""
    sparsity_weight: float = 3.0
    """beta."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.activation not in ("sigmoid", "tanh"):
            raise ValueError(f"the code is sigmoid or tanh, not {self.activation}")

    def _loss(self, batch: Batch, generator: torch.Generator) -> Tensor:  # noqa: ARG002
        codes = self.encode(batch.x)
        rate = batch.mean(self.activity(codes))
        sparsity = kl_divergence(self.sparsity_target, rate).sum()
        return squared_error(batch, self.decode(codes)) + self.sparsity_weight * sparsity


def kl_divergence(target: float, rate: Tensor) -> Tensor:
    """Return KL(target || rate) of Bernoulli variables, in the shape of rate."""
    rate = SMALLEST_SHARE + (1.0 - 2.0 * SMALLEST_SHARE) * rate
    active = target * (target / rate).log()
    return active + (1.0 - target) * ((1.0 - target) / (1.0 - rate)).log()
