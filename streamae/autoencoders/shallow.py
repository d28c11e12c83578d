"""One hidden layer: what most of the family adds a term or a constraint to."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from streamae.autoencoders.base import Autoencoder, linear
from streamae.autoencoders.batch import Batch, squared_error

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda a: a,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "softplus": torch.nn.functional.softplus,
    "tanh": torch.tanh,
}


def check_activations(*names: str) -> None:
    """Raise ValueError for a name that is none of `ACTIVATIONS`."""
    for name in names:
        if name not in ACTIVATIONS:
            raise ValueError(f"no activation {name!r}; there are {', '.join(ACTIVATIONS)}")


@dataclass(eq=False, kw_only=True)
class ShallowAutoencoder(Autoencoder):
    """A plain autoencoder with one hidden layer.

        codes  = activation(x W + b)      W[d, h]
        recons = output(codes V + c)      V[h, d]
        cost   = 1 / (2 n) sum of (x - recons)^2 + lambda / 2 (|W|^2 + |V|^2)

    Rumelhart, Hinton and Williams, Learning internal representations by error propagation, 1986.
    """

    activation: str = "sigmoid"
    """Of the code: one of linear, relu, sigmoid, softplus, tanh."""
    output: str = "linear"
    """Of the reconstruction: the same names; linear for standardised features."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_activations(self.activation, self.output)

    def _initial(self, n_features: int, generator: torch.Generator) -> dict[str, Tensor]:
        return {
            **linear("encoder", n_features, self.n_latents, generator),
            **linear("decoder", self.n_latents, n_features, generator),
        }

    def encode(self, x: Tensor) -> Tensor:
        return ACTIVATIONS[self.activation](self._linear("encoder", x))

    def decode(self, codes: Tensor) -> Tensor:
        return ACTIVATIONS[self.output](self._linear("decoder", codes))

    def activity(self, codes: Tensor) -> Tensor:
        if self.activation == "tanh":  # Inactive at -1.
            return 0.5 * (1.0 + codes)
        return codes if self.activation == "sigmoid" else super().activity(codes)

    def _loss(self, batch: Batch, generator: torch.Generator) -> Tensor:  # noqa: ARG002
        return squared_error(batch, self.decode(self.encode(batch.x)))
