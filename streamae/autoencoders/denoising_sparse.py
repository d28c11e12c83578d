"""The denoising sparse autoencoder: its decoder is solved, its encoder descends through it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from streamae.autoencoders import loss
from streamae.autoencoders.network import Network, clip
from streamae.autoencoders.online import OnlineAutoencoder
from streamae.config import DetectorConfig
from streamae.numerics.cholesky import cholesky
from streamae.numerics.corruption import corrupt
from streamae.numerics.optimizer import Adam

N_GROUPS = 8
"""A lesson then solves for an eighth of the latents, at a fiftieth of the cost of all."""

SPACING = 2
"""Once its sums are filled every second record of a lesson stands for all: neighbours teach much
the same."""


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

    Once the sums are filled, fewer records are learnt, and a group of the decoder's rows is solved
    for at a time. The leading blocks of G and Q give the best linear denoiser, for `comparison`.

    Vincent, Larochelle, Lajoie, Bengio and Manzagol, Stacked denoising autoencoders, 2010, for the
    task; solving for the linear map as in Chen, Xu, Weinberger and Sha, Marginalized denoising
    autoencoders for domain adaptation, 2012.
    """

    learnt = (*OnlineAutoencoder.learnt, "network", "adam", "gram", "cross", "linear_decoder")

    def __init__(self, config: DetectorConfig, n_features: int, device: torch.device) -> None:
        h = Hyperparameters(**config.hyperparameters)
        super().__init__(config, n_features, h.n_latents, device)
        self._hyperparameters = h
        self._ridge = config.ridge
        self._block_size = config.block_size
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
        h, network, n = self._hyperparameters, self.network, len(z)
        rate = self._rate(n)
        if self.filled and n >= SPACING:
            # Were it another half each time, then of hosts that send their records in turn some
            # would never be learnt, as lessons choose rows in turn, too.
            rows = slice(self.adam.n_steps // N_GROUPS % SPACING, None, SPACING)
            z, weights = z[rows], weights[rows]
            missing = None if missing is None else missing[rows]
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
        self.comparison.update(torch.stack([linear, residual]), weights, rate)
        self.activity.update(network.active(latents), rate)
        error = loss.squared_error(residual, weights, missing)
        self._descend(inputs, latents, error.gradient, n / self._block_size)
        self._accumulate(features, clean, weights, rate)
        if self.filled:
            self._relax()
        else:
            self._solve()
        self.count = self._counted(n)

    def _descend(self, inputs: Tensor, latents: Tensor, gradient: Tensor, share: float) -> None:
        """Take a share of an Adam step on the encoder against d loss / d recons, decoder fixed.

        Adam's steps are as long for few records as for many, and the sums are of earlier codes.
        """
        network, h = self.network, self._hyperparameters
        gradient = torch.mm(gradient, network.decoder[inputs.shape[1] :].T)
        if h.activation == "sigmoid":
            rho, beta = h.sparsity_target, h.sparsity_weight
            gradient += loss.kl_penalty(latents, rho, beta).gradient
        elif h.l1_weight > 0:
            gradient += loss.l1_penalty(latents, h.l1_weight).gradient
        gradient = network.encoder_gradient(inputs, latents, gradient)
        network.encoder = self.adam.step(network.encoder, gradient, share)

    def _accumulate(self, features: Tensor, clean: Tensor, weights: Tensor, rate: float) -> None:
        """Update the sums with a block."""
        weighted = features.mul(weights[:, None]).T
        share = rate / len(features)
        self.gram.addmm_(weighted, features, beta=1.0 - rate, alpha=share)
        self.cross.addmm_(weighted, clean, beta=1.0 - rate, alpha=share)

    def _solve(self) -> None:
        """Solve for both decoders."""
        self.network.decoder = self._ridge_regression(self.gram, self.cross)
        self._solve_linear()

    def _relax(self) -> None:
        """Solve for the rows of one group of the decoder, the others held; groups take turns.

        The linear path is a group, the latents are divided among the others, and the linear decoder
        takes its turn. This is block Gauss-Seidel: it converges for any positive definite matrix,
        and between two turns of a group the sums hardly move.
        """
        turn = self.adam.n_steps % (2 + N_GROUPS)
        if turn == 1:
            self._solve_linear()
            return
        k, n_rows = len(self.linear_decoder), len(self.gram)
        size = -(-(n_rows - k) // N_GROUPS)
        first = k + (turn - 2) * size
        rows = slice(first, first + size) if turn else slice(k)
        decoder, own = self.network.decoder, self.gram[rows, rows]
        held = torch.mm(self.gram[rows], decoder) - torch.mm(own, decoder[rows])
        decoder[rows] = self._ridge_regression(own, self.cross[rows] - held)

    def _solve_linear(self) -> None:
        k = len(self.linear_decoder)
        self.linear_decoder = self._ridge_regression(self.gram[:k, :k], self.cross[:k])

    def _ridge_regression(self, gram: Tensor, cross: Tensor) -> Tensor:
        factor = cholesky(gram, self._ridge)
        return torch.cholesky_solve(cross.double(), factor).float().contiguous()
