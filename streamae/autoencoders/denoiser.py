"""The best linear denoiser of a stream, and how much better an autoencoder predicts."""

import torch
from torch import Tensor

from streamae.numerics.cholesky import cholesky
from streamae.numerics.state import Stateful


class LinearDenoiser(Stateful):
    """Ridge regression of the clean record on its corrupted copy, from decayed sums.

    With inputs F[n, 1 + d], clean values X[n, d], weights w and a share a of the block:

        G <- G + a (F' w F / n - G),   Q <- Q + a (F' w X / n - Q),   decoder = (G + ridge I)^-1 Q
    """

    learnt = ("gram", "cross", "decoder")

    def __init__(self, n_features: int, ridge: float, device: torch.device) -> None:
        k = 1 + n_features
        self._ridge = ridge
        self.gram = torch.zeros(k, k, device=device)
        self.cross = torch.zeros(k, n_features, device=device)
        self.decoder = torch.zeros(k, n_features, device=device)

    def recons(self, inputs: Tensor) -> Tensor:
        """Return the clean records [n, d] that inputs[n, 1 + d] let expect."""
        return torch.mm(inputs, self.decoder)

    def update(self, inputs: Tensor, clean: Tensor, weights: Tensor, rate: float) -> None:
        """Learn a block, whose share in the sums is `rate`."""
        weighted = (inputs * (weights / len(weights))[:, None]).T
        self.gram.lerp_(torch.mm(weighted, inputs), rate)
        self.cross.lerp_(torch.mm(weighted, clean), rate)
        factor = cholesky(self.gram, self._ridge)
        self.decoder = torch.cholesky_solve(self.cross.double(), factor).float().contiguous()


class Comparison(Stateful):
    """Nats per record by which an autoencoder predicts better than the best linear denoiser, or 0.

    (log det Cov(linear residual) - log det Cov(residual)) / 2, both on corrupted records that
    neither has learnt yet: the difference of their mean log-densities as normal distributions.
    """

    learnt = ("covariances", "nats")

    def __init__(self, n_features: int, ridge: float, device: torch.device) -> None:
        identity = torch.eye(n_features, device=device)
        self.covariances = identity.repeat(2, 1, 1)
        """[2, d, d], of the linear denoiser's residuals and of the autoencoder's."""
        self._ridge = ridge
        self.nats = 0.0

    def update(self, residuals: Tensor, weights: Tensor, rate: float) -> None:
        """Learn both residuals [2, n, d] of a block, whose share in the covariances is `rate`."""
        weighted = (residuals * weights[:, None]).mT
        self.covariances.baddbmm_(weighted, residuals, beta=1.0 - rate, alpha=rate / len(weights))
        diagonals = cholesky(self.covariances, self._ridge).diagonal(dim1=1, dim2=2)
        linear, own = diagonals.log().sum(1).tolist()
        self.nats = max(linear - own, 0.0)
