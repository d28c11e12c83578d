"""A running covariance and the energy of a vector under it."""

import torch
from torch import Tensor

from streamae.numerics.cholesky import cholesky
from streamae.numerics.state import Stateful
from streamae.types import Longs

CLIP = 2.5
"""Second moments are taken of values within +-2.5: a wild record must not stretch the ellipsoid."""


class Whitener(Stateful):
    """Covariance C[d, d] over the last `memory` records and P = (C + ridge I)^-1.

    P is kept as the inverse Cholesky factor L^-1, so that an energy is a sum of squares: the first
    k are the energy of the first k columns alone, the others that of the rest given these. C is
    kept, and inverted, in double precision: collinear features leave it nearly singular.
    """

    learnt = ("covariance", "count")

    def __init__(self, n_features: int, ridge: float, memory: int, device: torch.device) -> None:
        self._ridge = ridge
        self._memory = float(memory)
        self._identity = torch.eye(n_features, dtype=torch.float64, device=device)
        self.covariance = self._identity.clone()
        self.count = 0.0
        self.refresh()

    def refresh(self) -> None:
        factor = cholesky(self.covariance, self._ridge)
        inverse = torch.linalg.solve_triangular(factor, self._identity, upper=False)
        self._factor: Tensor = inverse.T.float().contiguous()

    @property
    def precision_diagonal(self) -> Tensor:
        """The diagonal of P, [d]."""
        return self._factor.square().sum(1)

    def whiten(self, v: Tensor) -> Tensor:
        """Return L^-1 v of each row of v[n, d], [n, d]: uncorrelated, of variance 1."""
        return torch.mm(v, self._factor)

    def energy(self, v: Tensor) -> Tensor:
        """Return v' P v of each row of v[n, d], [n]."""
        return self.whiten(v).square_().sum(1)

    def gradient(self, v: Tensor) -> Tensor:
        """Return P v of each row of v[n, d]: half the gradient of the energy."""
        return torch.mm(self.whiten(v), self._factor.T)

    def impute(self, v: Tensor, missing: Tensor) -> Tensor:
        """Return v[n, d] with the missing entries moved to where the energy is lower.

        One step of preconditioned steepest descent with exact line search over the missing entries
        of each row. For a single missing entry it ends at the conditional mean given the others, so
        the energy is that of the observed part alone; for several it never raises the energy.
        """
        gradient = self.gradient(v) * missing
        step = gradient / self.precision_diagonal
        curvature = self.energy(step)
        length = (gradient * step).sum(1) / torch.clamp(curvature, min=1e-30)
        return torch.where(missing, v - length[:, None] * step, v)

    def update(self, v: Tensor, weights: Tensor, missing: Tensor | None) -> None:
        """Learn the rows v[n, d] (imputed where missing) with weights[n] of mean 1.

        A missing entry adds its conditional variance, 1 / P_jj less the ridge, as in the EM
        algorithm for the normal distribution; imputed values alone would shrink the variance.
        """
        n = len(v)
        v = v.clamp(-CLIP, CLIP)
        moment = torch.mm((v * (weights / n).unsqueeze(1)).T, v).double()
        if missing is not None:
            share = (missing * weights[:, None]).sum(0) / n
            conditional = torch.clamp(1.0 / self.precision_diagonal - self._ridge, min=0.0)
            moment += torch.diag((share * conditional).double())
        self.count = min(self.count + n, self._memory)
        self.covariance.lerp_(moment, min(n / self.count, 1.0))
        self.refresh()

    def forget(self, features: Longs) -> None:
        """Take features[m] for what they were at the start: of variance 1, on their own."""
        self.covariance[features] = 0.0
        self.covariance[:, features] = 0.0
        self.covariance[features, features] = 1.0
        self.refresh()
