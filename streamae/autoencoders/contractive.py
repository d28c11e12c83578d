"""The contractive autoencoder: a code that hardly moves when the record does."""

from dataclasses import dataclass

import torch
from torch import Tensor

from streamae.autoencoders.batch import Batch, squared_error
from streamae.autoencoders.shallow import ShallowAutoencoder


@dataclass(eq=False, kw_only=True)
class ContractiveAutoencoder(ShallowAutoencoder):
    """Penalises the squared Frobenius norm of the encoder's Jacobian J = d codes / d x.

        cost     = squared error + gamma / n sum_i |J(x_i)|^2 + lambda / 2 (|W|^2 + |V|^2)
        |J(x)|^2 = sum_j f'(a_j)^2 sum_i W_ij^2,  f' = f (1 - f) for sigmoid, 1 - f^2 for tanh

    Rifai, Vincent, Muller, Glorot and Bengio, Contractive auto-encoders, 2011.
    """

    contraction_weight: float = 1e-2
    """gamma."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.activation not in ("sigmoid", "tanh"):
            raise ValueError(f"the code is sigmoid or tanh, not {self.activation}")

    def _loss(self, batch: Batch, generator: torch.Generator) -> Tensor:  # noqa: ARG002
        codes = self.encode(batch.x)
        contraction = batch.mean(self._squared_jacobian(codes))
        return squared_error(batch, self.decode(codes)) + self.contraction_weight * contraction

    def _squared_jacobian(self, codes: Tensor) -> Tensor:
        """Return |J|^2 of each record from its codes[n, h], [n]."""
        slopes = codes * (1.0 - codes) if self.activation == "sigmoid" else 1.0 - codes.square()
        return slopes.square() @ self._parameters["encoder.weight"].square().sum(0)
