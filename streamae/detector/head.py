"""A logistic regression on the autoencoder's code, learnt from labelled records."""

import torch
from torch import Tensor

from streamae.types import Bools, Doubles, Floats

RIDGE = 100.0
"""Precision of the weights' normal prior: a weight of 0.1 costs half a nat. There are about as many
units as labels, and only what many labels agree on should move them."""

MAX_STEPS = 20
"""Newton's method needs about six from zero, and one or two from the last solution."""

TOLERANCE = 1e-6
"""Largest entry of the gradient that counts as none; it is a sum over the labels, of order 1."""


class LogisticHead:
    """P(anomaly | code) = sigmoid(b + code w), with the classes weighted to equal shares.

    What is to be believed with few labels comes as a column of large numbers: the prior is the same
    for all.

        cost = - sum_i s_i log P(y_i | code_i) + RIDGE / 2 |w|^2,   s_i = n / (2 n_(y_i))

    The cost is convex, and Newton's method (iteratively reweighted least squares; Hastie,
    Tibshirani and Friedman, The Elements of Statistical Learning, 2009, section 4.4) finds its
    minimum. Equal shares (King and Zeng, Logistic regression in rare events data, 2001) keep a
    few anomalies among many normal records from being ignored; so 0.5 is where a record is as
    typical of the labelled anomalies as of the labelled normal records, whatever their numbers.
    """

    def __init__(self) -> None:
        self.weights: Doubles | None = None
        """[1 + h], b first; None until fitted."""

    def probability(self, codes: Floats) -> Doubles:
        """Return P(anomaly) of each row of codes[n, h]; raise ValueError before `fit`."""
        if self.weights is None:
            raise ValueError("nothing was fitted yet")
        weights = torch.tensor(self.weights)
        logits = _design(codes) @ weights
        return logits.sigmoid().numpy()

    def fit(self, codes: Floats, anomalous: Bools) -> None:
        """Find the minimum for codes[n, h] of which anomalous[n] says the class; both must occur.

        It starts from the last solution, so that a few new labels take a step or two.
        """
        design = _design(codes)
        y = torch.tensor(anomalous).double()
        n, n_anomalous = len(y), float(y.sum())
        share = y * (0.5 * n / n_anomalous) + (1.0 - y) * (0.5 * n / (n - n_anomalous))
        weights = torch.zeros(design.shape[1], dtype=torch.float64)
        if self.weights is not None and len(self.weights) == len(weights):
            weights = torch.tensor(self.weights)
        for _ in range(MAX_STEPS):
            gradient, hessian = _derivatives(design, y, share, weights)
            if float(gradient.abs().max()) <= TOLERANCE:
                break
            step = torch.cholesky_solve(gradient[:, None], torch.linalg.cholesky(hessian))[:, 0]
            weights = _descended(design, y, share, weights, step)
        self.weights = weights.numpy()


def _design(codes: Floats) -> Tensor:
    """Return [1, code], [n, 1 + h]; the memory is torch's own (see `numerics.state`)."""
    return torch.nn.functional.pad(torch.tensor(codes).double(), (1, 0), value=1.0)


def _cost(design: Tensor, y: Tensor, share: Tensor, weights: Tensor) -> float:
    signed = (1.0 - 2.0 * y) * (design @ weights)
    surprise = torch.nn.functional.softplus(signed)
    return float(share @ surprise + 0.5 * RIDGE * weights[1:].square().sum())


def _derivatives(
    design: Tensor, y: Tensor, share: Tensor, weights: Tensor
) -> tuple[Tensor, Tensor]:
    """Return gradient [1 + h] and Hessian [1 + h, 1 + h] of the cost."""
    p = (design @ weights).sigmoid()
    ridge = torch.full_like(weights, RIDGE)
    ridge[0] = 0.0
    gradient = design.T @ (share * (p - y)) + ridge * weights
    hessian = design.T @ (design * (share * p * (1.0 - p))[:, None])
    # Where all p are 0 or 1 the intercept has no curvature of its own.
    hessian.diagonal().add_(ridge + 1e-9)
    return gradient, hessian


def _descended(design: Tensor, y: Tensor, share: Tensor, weights: Tensor, step: Tensor) -> Tensor:
    """Return the weights after the step, halved until the cost does not rise."""
    before = _cost(design, y, share, weights)
    for _ in range(MAX_STEPS):
        moved = weights - step
        if _cost(design, y, share, moved) <= before:
            return moved
        step = 0.5 * step
    return weights
