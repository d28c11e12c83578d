"""Learns the autoencoder: the decoder in closed form, the encoder by gradient steps through it."""

import torch
from torch import Tensor

from streamae.config import DetectorConfig
from streamae.detector import loss
from streamae.detector.autoencoder import Autoencoder, clip
from streamae.detector.corruption import corrupt
from streamae.detector.optimizer import Adam
from streamae.detector.state import Stateful

DEAD_SHARE = 1e-3
"""A latent active on fewer of the records learnt lately is dead: under one row in four blocks."""


class Trainer(Stateful):
    """Ridge regression of the clean record on the code of its corrupted copy, then an Adam step.

    With F[n, k] = [inputs, latents] of the corrupted block, X its clean values and w its weights:

        G <- G + a (F' w F / n - G),   Q <- Q + a (F' w X / n - Q),   decoder = (G + ridge I)^-1 Q

    The leading block of the same factorisation gives the best linear denoiser. `nats` compares the
    two on data neither has learnt: log det Cov(linear residual) - log det Cov(residual).
    """

    learnt = (
        "gram",
        "cross",
        "count",
        "linear_decoder",
        "residual_covariance",
        "linear_covariance",
        "activity",
        "active_share",
        "nats",
    )

    def __init__(
        self, config: DetectorConfig, autoencoder: Autoencoder, device: torch.device
    ) -> None:
        self._config = config
        self._autoencoder = autoencoder
        k, d = autoencoder.decoder.shape
        self.adam = Adam(autoencoder.encoder.shape, config.learning_rate, device)
        self._ridge = config.ridge * torch.eye(k, dtype=torch.float64, device=device)
        self._floor = config.covariance_ridge * torch.eye(d, dtype=torch.float64, device=device)
        self.gram = torch.zeros(k, k, device=device)
        self.cross = torch.zeros(k, d, device=device)
        self.count = 0.0
        self.linear_decoder = torch.zeros(1 + d, d, device=device)
        self.residual_covariance = torch.eye(d, device=device)
        self.linear_covariance = torch.eye(d, device=device)
        self.activity = torch.zeros(k - 1 - d, device=device)
        self.active_share = 0.0
        """Share of the latents active per record of the last block learnt (`sigmoid`: mean)."""
        self.nats = 0.0
        """How much better than the best linear denoiser it predicts; 0 when it is not better."""

    @property
    def filled(self) -> bool:
        """Whether the sums have seen as many records as they remember."""
        return self.count >= self._config.autoencoder_memory

    @property
    def n_dead_latents(self) -> int:
        return int((self.activity < DEAD_SHARE).sum())

    def learn(
        self, z: Tensor, weights: Tensor, missing: Tensor | None, generator: torch.Generator
    ) -> None:
        """Learn the block z[n, d], 0 where missing, with weights[n] of mean 1."""
        config, autoencoder = self._config, self._autoencoder
        clean = clip(z)
        corrupted = corrupt(clean, config.corruption_noise, config.corruption_masking, generator)
        inputs = torch.nn.functional.pad(corrupted, (1, 0), value=1.0)
        latents = autoencoder.encode(inputs)
        features = torch.cat([inputs, latents], dim=1)
        recons = torch.mm(features, autoencoder.decoder)
        linear = clean - torch.mm(inputs, self.linear_decoder)
        if missing is not None:
            # A missing target is what the decoder expects there: no loss, no pull.
            clean = torch.where(missing, recons, clean)
            linear = linear.masked_fill(missing, 0.0)
        residual = clean - recons
        self._compare(residual, linear, weights)
        self._observe_activity(latents)
        error = loss.squared_error(residual, weights, missing)
        self._descend(inputs, latents, error.gradient)
        self._solve(features, clean, weights)

    def _descend(self, inputs: Tensor, latents: Tensor, gradient: Tensor) -> None:
        """Take one Adam step on the encoder against d loss / d recons, the decoder held fixed."""
        autoencoder, config = self._autoencoder, self._config
        if config.activation == "relu":
            penalty = loss.l1_penalty(latents, config.l1_weight)
        else:
            penalty = loss.kl_penalty(latents, config.sparsity_target, config.sparsity_weight)
        gradient = torch.mm(gradient, autoencoder.decoder[inputs.shape[1] :].T) + penalty.gradient
        gradient = autoencoder.encoder_gradient(inputs, latents, gradient)
        autoencoder.encoder = self.adam.step(autoencoder.encoder, gradient)

    def _observe_activity(self, latents: Tensor) -> None:
        active = (latents > 0).float() if self._config.activation == "relu" else latents
        share = active.mean(0)
        self.activity = torch.lerp(self.activity, share, self._rate(len(latents)))
        self.active_share = float(share.mean())

    def _compare(self, residual: Tensor, linear: Tensor, weights: Tensor) -> None:
        """Update `nats` from both residuals [n, d] of a block that is not yet learnt."""
        rate = self._rate(len(residual))
        self.residual_covariance = self._moved(self.residual_covariance, residual, weights, rate)
        self.linear_covariance = self._moved(self.linear_covariance, linear, weights, rate)
        both = torch.stack([self.linear_covariance, self.residual_covariance]).double()
        logdet = torch.linalg.slogdet(both + self._floor).logabsdet.tolist()
        self.nats = max(logdet[0] - logdet[1], 0.0)

    def _moved(self, covariance: Tensor, residual: Tensor, weights: Tensor, rate: float) -> Tensor:
        weighted = residual * weights[:, None]
        return torch.addmm(
            covariance, weighted.T, residual, beta=1.0 - rate, alpha=rate / len(residual)
        )

    def _solve(self, features: Tensor, clean: Tensor, weights: Tensor) -> None:
        """Update the sums with the block and solve for both decoders."""
        n = len(features)
        rate = self._rate(n)
        self.count = min(self.count + n, float(self._config.autoencoder_memory))
        weighted = (features * weights[:, None]).T
        self.gram = torch.addmm(self.gram, weighted, features, beta=1.0 - rate, alpha=rate / n)
        self.cross = torch.addmm(self.cross, weighted, clean, beta=1.0 - rate, alpha=rate / n)
        cholesky = torch.linalg.cholesky(self.gram.double() + self._ridge)
        cross = self.cross.double()
        self._autoencoder.decoder = torch.cholesky_solve(cross, cholesky).float().contiguous()
        k = len(self.linear_decoder)
        linear = torch.cholesky_solve(cross[:k], cholesky[:k, :k])
        self.linear_decoder = linear.float().contiguous()

    def _rate(self, n: int) -> float:
        """Share of a block of n in the running sums."""
        return n / min(self.count + n, self._config.autoencoder_memory)
