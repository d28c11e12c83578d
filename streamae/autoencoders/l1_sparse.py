"""The L1-sparse autoencoder: rectified codes that cost what they add up to."""

from dataclasses import dataclass

import torch
from torch import Tensor

from streamae.autoencoders.batch import Batch, squared_error
from streamae.autoencoders.shallow import ShallowAutoencoder


@dataclass(eq=False, kw_only=True)
class L1SparseAutoencoder(ShallowAutoencoder):
    """An overcomplete code with exact zeros.

        cost = squared error + alpha / n sum of |codes| + lambda / 2 (|W|^2 + |V|^2)

    The weight decay keeps the penalty from being evaded by small codes and a large decoder. Glorot,
    Bordes and Bengio, Deep sparse rectifier neural networks, 2011; the penalty is that of sparse
    coding (Olshausen and Field, Sparse coding with an overcomplete basis set, 1997).
    """

    weight_decay: float = 1e-4
    activation: str = "relu"
    l1_weight: float = 1e-2
    """alpha."""

    def _loss(self, batch: Batch, generator: torch.Generator) -> Tensor:  # noqa: ARG002
        codes = self.encode(batch.x)
        penalty = batch.mean(codes.abs().sum(1))
        return squared_error(batch, self.decode(codes)) + self.l1_weight * penalty
