"""A model of the family at work on a stream: a few steps of Adam per block."""

import torch
from torch import Tensor

from streamae.autoencoders.base import Autoencoder
from streamae.autoencoders.batch import Batch
from streamae.autoencoders.denoiser import LinearDenoiser
from streamae.autoencoders.online import OnlineAutoencoder
from streamae.config import DetectorConfig
from streamae.numerics.corruption import corrupt

MINI_BATCH = 32
"""Records per step: eight steps per default block, for one teaches next to nothing in a stream."""

INPUT_LIMIT = 3.0
"""Inputs end at three standard deviations: what saturates is blamed on the feature it is in."""

NOISE = 0.3
MASKING = 0.02
"""Corruption under which each model is compared with a linear denoiser, that of the default."""


class GradientAutoencoder(OnlineAutoencoder):
    """Learns a block by steps down the gradient of the model's own cost."""

    learnt = (*OnlineAutoencoder.learnt, "model", "linear")

    def __init__(
        self, model: Autoencoder, config: DetectorConfig, n_features: int, device: torch.device
    ) -> None:
        super().__init__(config, n_features, model.n_latents, device)
        self.model = model
        self.linear = LinearDenoiser(n_features, config.ridge, device)
        # The parameters have their shapes from now on; `start` draws those of this stream.
        model.begin(n_features, torch.Generator())

    @torch.inference_mode(False)
    def start(self, z: Tensor, generator: torch.Generator) -> None:
        self.model.begin(z.shape[1], generator)

    def encode(self, z: Tensor) -> Tensor:
        return self.model.encode(z.clamp(-INPUT_LIMIT, INPUT_LIMIT))

    def recons(self, z: Tensor) -> Tensor:
        return self.model.decode(self.encode(z))

    @torch.inference_mode(False)
    def learn(
        self, z: Tensor, weights: Tensor, missing: Tensor | None, generator: torch.Generator
    ) -> None:
        # Autograd takes no tensor of inference mode.
        clean, weights = z.clamp(-INPUT_LIMIT, INPUT_LIMIT), weights.clone()
        observed = torch.ones_like(clean) if missing is None else (~missing).float()
        batch = Batch(clean, clean, observed, weights)
        self._judge(batch, generator)
        order = torch.randperm(len(z), generator=generator).to(z.device)
        for rows in torch.split(order, MINI_BATCH):
            self.model.learn(batch.rows(rows), generator)
        self.count = self._counted(len(z))

    @torch.inference_mode()
    def _judge(self, batch: Batch, generator: torch.Generator) -> None:
        """Compare with the best linear denoiser on a block that neither has learnt."""
        rate = self._rate(len(batch.x))
        corrupted = corrupt(batch.x, NOISE, MASKING, generator) * batch.observed
        inputs = torch.nn.functional.pad(corrupted, (1, 0), value=1.0)
        expected = torch.stack([self.linear.recons(inputs), self.recons(corrupted)])
        self.comparison.update((batch.x - expected) * batch.observed, batch.weights, rate)
        self.activity.update(self.model.activity(self.encode(batch.x)), rate)
        self.linear.update(inputs, batch.x, batch.weights, rate)
