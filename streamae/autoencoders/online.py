"""The replaceable part of the detector: an autoencoder with its way of learning from a stream."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from streamae.autoencoders.activity import Activity
from streamae.autoencoders.denoiser import Comparison
from streamae.config import DetectorConfig
from streamae.numerics.state import Stateful


class OnlineAutoencoder(Stateful, ABC):
    """Reconstructs standardised records z[n, d], 0 where missing, and learns block by block.

    What it computes is a function of its configuration and the calls of `start` and `learn`, to the
    last bit; `encode` and `recons` change nothing, and a row of theirs does not depend on the
    others. All randomness comes from the generators it is given.
    """

    learnt: ClassVar[tuple[str, ...]] = ("count", "comparison", "activity")

    def __init__(
        self, config: DetectorConfig, n_features: int, n_latents: int, device: torch.device
    ) -> None:
        self._memory = float(config.autoencoder_memory)
        self.count = 0.0
        self.comparison = Comparison(n_features, config.covariance_ridge, device)
        self.activity = Activity(n_latents, device)

    @abstractmethod
    def start(self, z: Tensor, generator: torch.Generator) -> None:
        """Draw the first parameters for records like z[n, d]; nothing is learnt yet."""

    @abstractmethod
    def encode(self, z: Tensor) -> Tensor:
        """Return the codes [n, h] of z[n, d]."""

    @abstractmethod
    def recons(self, z: Tensor) -> Tensor:
        """Return the reconstruction [n, d] of z[n, d]."""

    @abstractmethod
    def learn(
        self, z: Tensor, weights: Tensor, missing: Tensor | None, generator: torch.Generator
    ) -> None:
        """Learn the block z[n, d] with weights[n] of mean 1; missing[n, d] values teach nothing."""

    @property
    def filled(self) -> bool:
        """Whether it has learnt as many records as it remembers, and may learn less often."""
        return self.count >= self._memory

    @property
    def nats(self) -> float:
        """How much better than the best linear denoiser it predicts; 0 when it is not better."""
        return self.comparison.nats

    def _rate(self, n: int) -> float:
        """Share of a block of n in running sums."""
        return min(n / self._counted(n), 1.0)

    def _counted(self, n: int) -> float:
        """Return `count` behind a block of n."""
        return min(self.count + n, self._memory)
