"""The denoising sparse autoencoder: its decoder is solved, its encoder descends through it."""

import torch
from torch import Tensor

from streamae.autoencoders import loss
from streamae.autoencoders.network import Network, clip
from streamae.config import DetectorConfig
from streamae.numerics.corruption import corrupt
from streamae.numerics.optimizer import Adam
from streamae.numerics.state import Stateful

DEAD_SHARE = 1e-3
"""A latent active on fewer of the records learnt lately is dead: under one row in four blocks."""


class DenoisingSparseAutoencoder(Stateful):
    """Ridge regression of the clean record on the code of its corrupted copy, then an Adam step.

    With F[n, k] = [inputs, latents] of the corrupted block, X its clean values and w its weights:

        G <- G + a (F' w F / n - G),   Q <- Q + a (F' w X / n - Q),   decoder = (G + ridge I)^-1 Q

    The leading block of the same factorisation gives the best linear denoiser. `nats` compares the
    two on data neither has learnt: log det Cov(linear residual) - log det Cov(residual).
    """

    learnt = (
        "network",
        "adam",
        "gram",
        "cross",
        "count",
        "linear_decoder",
        "error_covariances",
        "activity",
        "active_share",
        "n_dead_latents",
        "nats",
    )

    def __init__(self, config: DetectorConfig, n_features: int, device: torch.device) -> None:
        self._config = config
        network = Network(n_features, config.effort.n_latents, config.activation, device)
        self.network = network
        k, d = network.decoder.shape
        self.adam = Adam(network.encoder.shape, config.learning_rate, device)
        self.gram = torch.zeros(k, k, device=device)
        self.cross = torch.zeros(k, d, device=device)
        self.count = 0.0
        self.linear_decoder = torch.zeros(1 + d, d, device=device)
        self.error_covariances = torch.eye(d, device=device).repeat(2, 1, 1)
        """[2, d, d], of the residuals of the linear denoiser and of the autoencoder."""
        self._ridge_identity = config.covariance_ridge * torch.eye(
            d, dtype=torch.float64, device=device
        )
        self.activity = torch.zeros(k - 1 - d, device=device)
        self.active_share = 0.0
        """Share of the latents active per record of the last block learnt (`sigmoid`: mean)."""
        self.n_dead_latents = 0
        self.nats = 0.0
        """How much better than the best linear denoiser it predicts; 0 when it is not better."""

    @property
    def filled(self) -> bool:
        """Whether the sums have seen as many records as they remember."""
        return self.count >= self._config.autoencoder_memory

    def start(self, z: Tensor, generator: torch.Generator) -> None:
        """Draw an encoder for records like z[n, d]; nothing is learnt yet."""
        self.network.init_encoder_(z, generator)

    def encode(self, z: Tensor) -> Tensor:
        """Return the codes [n, h] of z[n, d]."""
        return self.network.encode(self.network.inputs(z))

    def recons(self, z: Tensor) -> Tensor:
        """Return the reconstruction [n, d] of z[n, d]."""
        return self.network.recons(z)

    def learn(
        self, z: Tensor, weights: Tensor, missing: Tensor | None, generator: torch.Generator
    ) -> None:
        """Learn the block z[n, d], 0 where missing, with weights[n] of mean 1."""
        config, network = self._config, self.network
        clean = clip(z)
        corrupted = corrupt(clean, config.corruption_noise, config.corruption_masking, generator)
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
        self._compare(torch.stack([linear, residual]), weights)
        self._observe_activity(latents)
        error = loss.squared_error(residual, weights, missing)
        self._descend(inputs, latents, error.gradient)
        self._solve(features, clean, weights)

    def _descend(self, inputs: Tensor, latents: Tensor, gradient: Tensor) -> None:
        """Take one Adam step on the encoder against d loss / d recons, the decoder held fixed."""
        network, config = self.network, self._config
        gradient = torch.mm(gradient, network.decoder[inputs.shape[1] :].T)
        if config.activation == "sigmoid":
            rho, beta = config.sparsity_target, config.sparsity_weight
            gradient += loss.kl_penalty(latents, rho, beta).gradient
        elif config.l1_weight > 0:
            gradient += loss.l1_penalty(latents, config.l1_weight).gradient
        gradient = network.encoder_gradient(inputs, latents, gradient)
        network.encoder = self.adam.step(network.encoder, gradient)

    def _observe_activity(self, latents: Tensor) -> None:
        active = latents.sign() if self._config.activation == "relu" else latents
        share = active.mean(0)
        self.activity.lerp_(share, self._rate(len(latents)))
        self.active_share = float(share.mean())
        self.n_dead_latents = int((self.activity < DEAD_SHARE).sum())

    def _compare(self, errors: Tensor, weights: Tensor) -> None:
        """Update `nats` from both residuals [2, n, d] of a block that is not yet learnt."""
        n = len(weights)
        rate = self._rate(n)
        weighted = (errors * weights[:, None]).mT
        self.error_covariances.baddbmm_(weighted, errors, beta=1.0 - rate, alpha=rate / n)
        cholesky = torch.linalg.cholesky(self.error_covariances + self._ridge_identity)
        linear, own = cholesky.diagonal(dim1=1, dim2=2).log().sum(1).tolist()
        self.nats = max(2.0 * (linear - own), 0.0)

    def _solve(self, features: Tensor, clean: Tensor, weights: Tensor) -> None:
        """Update the sums with the block and solve for both decoders."""
        n = len(features)
        rate = self._rate(n)
        self.count = min(self.count + n, float(self._config.autoencoder_memory))
        weighted = features.mul(weights[:, None]).T
        self.cross.addmm_(weighted, clean, beta=1.0 - rate, alpha=rate / n)
        # Cholesky reads the lower triangle alone, so the corner above it is not kept.
        k = len(self.linear_decoder)
        for rows in (slice(0, k), slice(k, None)):
            self.gram[rows, : rows.stop].addmm_(
                weighted[rows], features[:, : rows.stop], beta=1.0 - rate, alpha=rate / n
            )
        ridged, cross = self.gram.double(), self.cross.double()
        ridged.diagonal().add_(self._config.ridge)
        cholesky = torch.linalg.cholesky(ridged)
        self.network.decoder = torch.cholesky_solve(cross, cholesky).float().contiguous()
        linear = torch.cholesky_solve(cross[:k], cholesky[:k, :k])
        self.linear_decoder = linear.float().contiguous()

    def _rate(self, n: int) -> float:
        """Share of a block of n in the running sums."""
        return min(n / min(self.count + n, self._config.autoencoder_memory), 1.0)
