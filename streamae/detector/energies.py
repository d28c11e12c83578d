"""How the energies of a record become one: each on the scale of Student's t, each with a vote."""

import math

import numpy as np
from torch import Tensor

from streamae.types import Doubles

STUDENT_T = 3.0
"""Degrees of freedom of the energies: extremes rank by their logarithm (1.5 to 5 do as well)."""

NATS_PER_VOTE = 1.5
"""The vote of z falls to 1/e when the autoencoder predicts so many nats better than a line."""

SMALLEST = 1e-300


def combined(
    linear: Doubles, marginal: Doubles, residual: Doubles, nats: float, independence: float
) -> Doubles:
    """Return 2 (v linear + v k marginal + residual) / (v + v k + 1) of Student t energies [b].

    `linear` and `marginal` judge z itself, so v = exp(-nats / 1.5) outvotes both as the autoencoder
    proves itself. Whitening gives each principal direction the same say, so noise in the many
    narrow ones hides what happens in the wide ones; the marginal energy sees it, and counts for
    the share k = `independence` of the features that it is an average over.
    """
    vote = math.exp(-nats / NATS_PER_VOTE)
    total = vote + vote * independence + 1.0
    return (vote * linear + vote * independence * marginal + residual) * (2.0 / total)


def student_t(energy: Doubles) -> Doubles:
    """Return 3 log(1 + energy / 3): minus twice a Student t's log-density, but for constants."""
    scaled: Doubles = STUDENT_T * np.log1p(energy / STUDENT_T)
    return scaled


def coordinatewise(squares: Tensor) -> Tensor:
    """Return the sum over the last axis of 3 log(1 + square / 3), for whitened coordinates.

    Row j of an inverse Cholesky factor is feature j less what the features before it say about it,
    so this is the chain rule with one Student t per feature. One wild coordinate, common in data as
    it comes, adds the logarithm of its own square and leaves the others their say; in the energy of
    them all it drowns them. The residual, from which the usual is gone, is judged as a whole.
    """
    return squares.div(STUDENT_T).log1p_().sum(-1).mul_(STUDENT_T)


def independence(covariance: Tensor) -> float:
    """Return tr(C)^2 / (d tr(C^2)) of a covariance C[d, d].

    1 for equal variances without correlation, 1/d when all features are one, 0 when none varies.
    The sum of d correlated squares varies like one of d times so many independent squares
    (Satterthwaite, 1946); in physics, the participation ratio of the eigenvalues.
    """
    trace = float(covariance.diagonal().sum())
    return trace**2 / max(len(covariance) * float(covariance.square().sum()), SMALLEST)
