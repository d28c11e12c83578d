"""The denoising autoencoder: reconstructs a record from a corrupted copy of it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from streamae.autoencoders.batch import Batch, squared_error, to_array
from streamae.autoencoders.shallow import ShallowAutoencoder
from streamae.numerics.corruption import corrupt
from streamae.types import Floats


@dataclass(eq=False, kw_only=True)
class DenoisingAutoencoder(ShallowAutoencoder):
    """Learns what the features say about each other, since it cannot copy what was destroyed.

        cost = 1 / (2 n) sum of (x - recons(corrupted x))^2 + lambda / 2 (|W|^2 + |V|^2)

    Corruption is Gaussian noise, then masking, then salt and pepper; each may be 0. Vincent,
    Larochelle, Lajoie, Bengio and Manzagol, Stacked denoising autoencoders, 2010.
    """

    n_latents: int = 200
    activation: str = "softplus"
    corruption_noise: float = 0.0
    """Standard deviation of the noise added to every value."""
    corruption_masking: float = 0.3
    """Share of the values set to 0."""
    corruption_salt_and_pepper: float = 0.0
    """Share of the values set to one of `extremes`, by the toss of a coin."""
    extremes: tuple[float, float] = (-1.0, 1.0)
    """Pepper and salt: the least and the greatest value of a feature, as good as one knows them."""

    def corrupted(self, x: npt.ArrayLike, draw: int = 0) -> Floats:
        """Return a corrupted copy of x[n, d], another one for each `draw`; NaN becomes 0."""
        return to_array(self._corrupt(self._batch(x), self._generator("corruption", draw)))

    @torch.no_grad()
    def generate(self, x: npt.ArrayLike, n_steps: int = 100) -> Floats:
        """Return n_steps of a Markov chain from each record of x[n, d], [n_steps, n, d].

        A step corrupts and reconstructs, and adds no noise of its own, so the chain wanders over
        the modes of the records. Bengio, Yao, Alain and Vincent, Generalized denoising
        auto-encoders as generative models, 2013.
        """
        batch = self._batch(x)
        batch = batch._replace(observed=torch.ones_like(batch.x))
        steps = []
        for step in range(n_steps):
            corrupted = self._corrupt(batch, self._generator("chain", step))
            batch = batch._replace(x=self.decode(self.encode(corrupted)))
            steps.append(to_array(batch.x))
        return np.stack(steps)

    def _loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        corrupted = self._corrupt(batch, generator)
        return squared_error(batch, self.decode(self.encode(corrupted)))

    def _corrupt(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return a corrupted copy of the batch, [n, d], still 0 where missing."""
        x = corrupt(batch.x, self.corruption_noise, self.corruption_masking, generator)
        share = self.corruption_salt_and_pepper
        if share > 0:
            # One draw says both which values go and, halving what it fell into, what they become.
            draw = torch.rand(x.shape, generator=generator).to(x.device)
            pepper, salt = self.extremes
            x = torch.where(draw < share, salt, x)
            x = torch.where(draw < 0.5 * share, pepper, x)
        return x * batch.observed
