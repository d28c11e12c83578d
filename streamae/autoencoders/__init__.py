"""The autoencoder family with one contract, that of `Autoencoder`: arrays in, values out."""

from streamae.autoencoders.base import Autoencoder
from streamae.autoencoders.contractive import ContractiveAutoencoder
from streamae.autoencoders.denoising import DenoisingAutoencoder
from streamae.autoencoders.k_sparse import KSparseAutoencoder
from streamae.autoencoders.l1_sparse import L1SparseAutoencoder
from streamae.autoencoders.online import OnlineAutoencoder, build
from streamae.autoencoders.retrieval import NearestCodes
from streamae.autoencoders.shallow import ShallowAutoencoder
from streamae.autoencoders.sparse import SparseAutoencoder
from streamae.autoencoders.stacked import StackedDenoisingAutoencoder
from streamae.autoencoders.variational import VariationalAutoencoder

__all__ = [
    "MODELS",
    "Autoencoder",
    "ContractiveAutoencoder",
    "DenoisingAutoencoder",
    "KSparseAutoencoder",
    "L1SparseAutoencoder",
    "NearestCodes",
    "OnlineAutoencoder",
    "ShallowAutoencoder",
    "SparseAutoencoder",
    "StackedDenoisingAutoencoder",
    "VariationalAutoencoder",
    "build",
]

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
"""The models by name: a new one is a file and a line here."""
