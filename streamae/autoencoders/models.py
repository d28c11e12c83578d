"""The models by the names that `detector.model` has for them."""

import torch

from streamae.autoencoders.base import Autoencoder
from streamae.autoencoders.contractive import ContractiveAutoencoder
from streamae.autoencoders.denoising import DenoisingAutoencoder
from streamae.autoencoders.denoising_sparse import DenoisingSparseAutoencoder
from streamae.autoencoders.gradient import GradientAutoencoder
from streamae.autoencoders.k_sparse import KSparseAutoencoder
from streamae.autoencoders.l1_sparse import L1SparseAutoencoder
from streamae.autoencoders.online import OnlineAutoencoder
from streamae.autoencoders.shallow import ShallowAutoencoder
from streamae.autoencoders.sparse import SparseAutoencoder
from streamae.autoencoders.stacked import StackedDenoisingAutoencoder
from streamae.autoencoders.variational import VariationalAutoencoder
from streamae.config import DetectorConfig

MODELS: dict[str, type[Autoencoder]] = {
    "contractive": ContractiveAutoencoder,
    "denoising": DenoisingAutoencoder,
    "k_sparse": KSparseAutoencoder,
    "l1_sparse": L1SparseAutoencoder,
    "plain": ShallowAutoencoder,
    "sparse": SparseAutoencoder,
    "stacked_denoising": StackedDenoisingAutoencoder,
    "variational": VariationalAutoencoder,
}
"""Those that learn by gradient steps: a new one is a file, a line here and one in `config.models`,
which says what keys it takes."""


def build(config: DetectorConfig, n_features: int, device: torch.device) -> OnlineAutoencoder:
    """Return the autoencoder that `config` chooses; it scores nothing before `start`."""
    if config.model == "denoising_sparse":
        return DenoisingSparseAutoencoder(config, n_features, device)
    model = MODELS[config.model](device=device.type, **config.hyperparameters)
    return GradientAutoencoder(model, config, n_features, device)
