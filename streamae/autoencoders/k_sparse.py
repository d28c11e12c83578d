"""The k-sparse autoencoder: every code has k non-zero units and no more."""

from dataclasses import dataclass

from torch import Tensor

from streamae.autoencoders.shallow import ShallowAutoencoder


@dataclass(eq=False, kw_only=True)
class KSparseAutoencoder(ShallowAutoencoder):
    """A linear code of which only the k largest units count.

        codes = top_k(x W + b),  recons = codes V + c

    Makhzani and Frey, k-sparse autoencoders, 2013; here the decoder has weights of its own.
    """

    activation: str = "linear"
    k: int = 8
    """Units kept per record, at most n_latents."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.k <= self.n_latents:
            raise ValueError(f"k must lie between 1 and n_latents {self.n_latents}, not {self.k}")

    def encode(self, x: Tensor) -> Tensor:
        codes = super().encode(x)
        kept = codes.topk(self.k, dim=1).indices
        return codes * codes.new_zeros(codes.shape).scatter(1, kept, 1.0)
