"""The replaceable part of the detector: an autoencoder with its way of learning from a stream."""

from typing import Protocol

import torch
from torch import Tensor

from streamae.autoencoders.denoising_sparse import DenoisingSparseAutoencoder
from streamae.config import DetectorConfig
from streamae.numerics.state import State


class OnlineAutoencoder(Protocol):
    """Reconstructs standardised records z[n, d], 0 where missing, and learns block by block.

    What it computes is a function of its configuration and the calls of `start` and `learn`, to the
    last bit; `encode` and `recons` change nothing, and a row of theirs does not depend on the
    others. All randomness comes from the generators it is given.
    """

    active_share: float
    """Share of the latents active per record of the last block learnt."""
    n_dead_latents: int
    """Latents that hardly any record learnt lately made active."""
    nats: float
    """How much better than the best linear denoiser it predicts; 0 when it is not better."""

    @property
    def filled(self) -> bool:
        """Whether it has learnt so many records that it may learn less often."""

    def start(self, z: Tensor, generator: torch.Generator) -> None:
        """Begin for records like z[n, d], without learning them."""

    def encode(self, z: Tensor) -> Tensor:
        """Return the codes [n, h] of z[n, d]."""

    def recons(self, z: Tensor) -> Tensor:
        """Return the reconstruction [n, d] of z[n, d]."""

    def learn(
        self, z: Tensor, weights: Tensor, missing: Tensor | None, generator: torch.Generator
    ) -> None:
        """Learn the block z[n, d] with weights[n] of mean 1; missing[n, d] values teach nothing."""

    def state_dict(self) -> State:
        """Return copies of all it has learnt; names, shapes and types are those of a new one."""

    def load_state_dict(self, state: State) -> None:
        """Continue, to the last bit, where `state_dict` was called."""


def build(config: DetectorConfig, n_features: int, device: torch.device) -> OnlineAutoencoder:
    """Return the autoencoder that the configuration asks for, as yet without `start`."""
    return DenoisingSparseAutoencoder(config, n_features, device)
