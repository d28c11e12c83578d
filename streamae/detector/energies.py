"""How the energies of a record become one: each on the scale of Student's t, each with a vote."""

import math

import numpy as np
from torch import Tensor

from streamae.detector.whitener import CLIP
from streamae.types import Doubles

STUDENT_T = 3.0
"""Degrees of freedom of the energies: extremes rank by their logarithm (1.5 to 5 do as well)."""

NATS_PER_VOTE = 1.5
"""The vote of z falls to 1/e when the autoencoder predicts so many nats better than a line."""

EXTREME = STUDENT_T * math.log1p(CLIP**2 / STUDENT_T)
"""The energy of a value that covariances clip."""

SMALLEST = 1e-300


def votes(nats: float, independence: float) -> Doubles:
    """Return the votes v, v k and 1 of the energies of z whitened, by feature, and of the residual.

    The first two judge z itself, so v = exp(-nats / 1.5) outvotes both as the autoencoder proves
    itself. Whitening gives each principal direction the same say, so noise in the many narrow ones
    hides what happens in the wide ones; the energy by feature sees it, and counts for the share
    k = `independence` of the features that it is an average over.
    """
    vote = math.exp(-nats / NATS_PER_VOTE)
    return np.maximum([vote, vote * independence, 1.0], SMALLEST)


def combined(energies: Doubles, votes: Doubles) -> Doubles:
    """Return twice the mean of the Student t energies [k, b], weighted by votes[k]; [b]."""
    return votes @ energies * (2.0 / float(votes.sum()))


def student_t(energy: Doubles) -> Doubles:
    """Return 3 log(1 + energy / 3): minus a Student t's log-density, up to constants."""
    scaled: Doubles = STUDENT_T * np.log1p(energy / STUDENT_T)
    return scaled


def coordinatewise(squares: Tensor) -> Tensor:
    """Return 3 log(1 + square / 3) of the squares of coordinates, of the same shape.

    Row j of an inverse Cholesky factor is feature j less what the features before it say about it,
    so for whitened ones this is the chain rule with one Student t per feature. One wild coordinate,
    common in data as it comes, adds the logarithm of its own square and leaves the others their
    say; in the energy of them all it drowns them. The residual, from which the usual is gone, is
    judged as a whole.
    """
    return squares.div(STUDENT_T).log1p_().mul_(STUDENT_T)


def extremes(energies: Tensor) -> Tensor:
    """Return by how much coordinatewise energies[b, d] exceed that of a value at `CLIP`, summed.

    A mean over many features hides that one of them is where it never was. Values the covariances
    have clipped are such; among independent features their sum varies as the root of d.
    """
    return energies.sub(EXTREME).relu_().sum(1)


def independence(covariance: Tensor) -> float:
    """Return tr(C)^2 / (d tr(C^2)) of a covariance C[d, d].

    1 for equal variances without correlation, 1/d when all features are one, 0 when none varies.
    The sum of d correlated squares varies like one of d times so many independent squares
    (Satterthwaite, 1946); in physics, the participation ratio of the eigenvalues.
    """
    trace = float(covariance.diagonal().sum())
    return trace**2 / max(len(covariance) * float(covariance.square().sum()), SMALLEST)


def n_observed(missing: Tensor | None, n_features: int) -> Doubles | float:
    """Return the observed values per record, [b]; infinite where there is nothing to judge by."""
    if missing is None:
        return float(n_features)
    count = n_features - missing.sum(1).cpu().numpy()
    return np.where(count > 0, count, np.inf)
