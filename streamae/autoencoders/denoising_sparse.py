"""The denoising sparse autoencoder: its decoder is solved, its encoder descends through it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from streamae.autoencoders import loss
from streamae.autoencoders.network import Network, clip
from streamae.autoencoders.online import OnlineAutoencoder
from streamae.config import DetectorConfig
from streamae.numerics.corruption import corrupt
from streamae.numerics.optimizer import Adam


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """What the configuration calls them; it documents them and has their defaults."""

    n_latents: int
    activation: str
    learning_rate: float
    l1_weight: float
    sparsity_target: float
    sparsity_weight: float
    corruption_noise: float
    corruption_masking: float


class DenoisingSparseAutoencoder(OnlineAutoencoder):
    """Ridge regression of the clean record on the code of its corrupted copy, then an Adam step.

    With F[n, k] = [inputs, latents] of the corrupted block, X its clean values and w its weights:

        G <- G + a (F' w F / n - G),   Q <- Q + a (F' w X / n - Q),   decoder = (G + ridge I)^-1 Q

    The leading block of the same factorisation gives the best linear denoiser, for `comparison`.
    """

    learnt = (*OnlineAutoencoder.learnt, "network", "adam", "gram", "cross", "linear_decoder")

    def __init__(self, config: DetectorConfig, n_features: int, device: torch.device) -> None:
        h = Hyperparameters(**config.hyperparameters)
        super().__init__(config, n_features, h.n_latents, device)
        self._hyperparameters = h
        self._ridge = config.ridge
        self.network = Network(n_features, h.n_latents, h.activation, device)
        self.adam = Adam(self.network.encoder.shape, h.learning_rate, device)
        k, d = self.network.decoder.shape
        self.gram = torch.zeros(k, k, device=device)
        self.cross = torch.zeros(k, d, device=device)
        self.linear_decoder = torch.zeros(1 + d, d, device=device)

    def start(self, z: Tensor, generator: torch.Generator) -> None:
        self.network.init_encoder_(z, generator)

    def encode(self, z: Tensor) -> Tensor:
        return self.network.encode(self.network.inputs(z))

    def recons(self, z: Tensor) -> Tensor:
        return self.network.recons(z)

    def learn(
        self, z: Tensor, weights: Tensor, missing: Tensor | None, generator: torch.Generator
    ) -> None:
        h, network = self._hyperparameters, self.network
        clean = clip(z)
        corrupted = corrupt(clean, h.corruption_noise, h.corruption_masking, generator)
        inputs = torch.nn.functional.pad(corrupted, (1, 0), value=1.0)
        latents = network.encode(inputs)
        features = torch.cat([inputs, latents], dim=1)
        recons = torch.mm(features, network.decoder)
        linear = clean - torch.mm(inputs, self.linear_decoder)
        if missing is not None:
            # A missing target is what the decoder expects there: no loss, no pull.
            clean = torch.where(missing, recons, clean)
            linear = linear.masked_fill(missing, 0.0)
        residual = clean - recons
        rate = self._rate(len(z))
        self.comparison.update(torch.stack([linear, residual]), weights, rate)
        self.activity.update(network.active(latents), rate)
        error = loss.squared_error(residual, weights, missing)
        self._descend(inputs, latents, error.gradient)
        self._solve(features, clean, weights, rate)
        self.count = self._counted(len(z))

    def _descend(self, inputs: Tensor, latents: Tensor, gradient: Tensor) -> None:
        """Take one Adam step on the encoder against d loss / d recons, the decoder held fixed."""
        network, h = self.network, self._hyperparameters
        gradient = torch.mm(gradient, network.decoder[inputs.shape[1] :].T)
        if h.activation == "sigmoid":
            rho, beta = h.sparsity_target, h.sparsity_weight
            gradient += loss.kl_penalty(latents, rho, beta).gradient
        elif h.l1_weight > 0:
            gradient += loss.l1_penalty(latents, h.l1_weight).gradient
        gradient = network.encoder_gradient(inputs, latents, gradient)
        network.encoder = self.adam.step(network.encoder, gradient)

    def _solve(self, features: Tensor, clean: Tensor, weights: Tensor, rate: float) -> None:
        """Update the sums with the block and solve for both decoders."""
        n = len(features)
        weighted = features.mul(weights[:, None]).T
        self.cross.addmm_(weighted, clean, beta=1.0 - rate, alpha=rate / n)
        # Cholesky reads the lower triangle alone, so the corner above it is not kept.
        k = len(self.linear_decoder)
        for rows in (slice(0, k), slice(k, None)):
            self.gram[rows, : rows.stop].addmm_(
                weighted[rows], features[:, : rows.stop], beta=1.0 - rate, alpha=rate / n
            )
        ridged, cross = self.gram.double(), self.cross.double()
        ridged.diagonal().add_(self._ridge)
        cholesky = torch.linalg.cholesky(ridged)
        self.network.decoder = torch.cholesky_solve(cross, cholesky).float().contiguous()
        linear = torch.cholesky_solve(cross[:k], cholesky[:k, :k])
        self.linear_decoder = linear.float().contiguous()
