"""The autoencoder family with one contract, that of `Autoencoder`: arrays in, values out."""

from streamae.autoencoders.base import Autoencoder
from streamae.autoencoders.contractive import ContractiveAutoencoder
from streamae.autoencoders.denoising import DenoisingAutoencoder
from streamae.autoencoders.k_sparse import KSparseAutoencoder
from streamae.autoencoders.l1_sparse import L1SparseAutoencoder
from streamae.autoencoders.models import MODELS, build
from streamae.autoencoders.online import OnlineAutoencoder
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
