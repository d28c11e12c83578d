"""Which features make a record anomalous, and what they were expected to be."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from streamae.detector.scaler import Scaler
from streamae.detector.scores import Evidence
from streamae.detector.whitener import Whitener
from streamae.types import Bools, Doubles, Floats


class Explanation(NamedTuple):
    """What of one record is anomalous, by feature."""

    observed: Floats
    """[d], in the features' own units; NaN where missing."""
    expected: Floats
    """[d], in the features' own units: given the record's other features, or by `compare`."""
    deviation: Doubles
    """[d], observed minus expected, in standard deviations of the feature; NaN where missing."""
    share: Doubles
    """[d], of the anomaly; >= 0, sum 1, or all 0 when every feature is missing."""


def explain(
    x: Floats,
    evidence: Evidence,
    weigh: Callable[[Floats, int], Evidence],
    scaler: Scaler,
    whitener: Whitener,
) -> Explanation:
    """Explain one record x[k] by leaving out each feature in turn.

    `weigh` gives the evidence for records x[n, k] and their number.

    With the residual e and its precision P, the residual of feature j that the other residuals do
    not account for is (P e)_j / P_jj, and leaving j out lowers the energy e' P e by
    (P e)_j^2 / P_jj: the expected value and the share follow from these. The feature to blame most
    has misled the code as well, so its expected value is that of the record without it.
    """
    explanation = _leave_each_out(x, evidence, scaler, whitener)
    most = int(explanation.share.argmax())
    at = most - len(explanation.share)
    without = x.copy()
    without[at] = np.nan
    again = _leave_each_out(without, weigh(without[None], 1), scaler, whitener)
    explanation.expected[most] = again.expected[most]
    explanation.deviation[most] = (x[at] - again.expected[most]) / scaler.scale[at]
    return explanation


def compare(x: Floats, evidence: Evidence, usual: Tensor, scaler: Scaler) -> Explanation:
    """Explain one record x[k] by the reconstruction usual[1, d] that its own is nearest to.

    For a record that its code reproduces well, but that lies where no other does: `usual` is
    expected, and the shares are those of the squared distance.
    """
    apart = (evidence.recons - usual).square()
    return _explanation(x, evidence, torch.cat([usual, apart]), scaler)


def _leave_each_out(
    x: Floats, evidence: Evidence, scaler: Scaler, whitener: Whitener
) -> Explanation:
    gradient = whitener.gradient(evidence.residual)
    unaccounted = gradient / whitener.precision_diagonal
    expected = evidence.recons + evidence.residual - unaccounted
    return _explanation(x, evidence, torch.cat([expected, gradient * unaccounted]), scaler)


def _explanation(x: Floats, evidence: Evidence, rows: Tensor, scaler: Scaler) -> Explanation:
    """Return that of the record x[k] from the expected z and the relief of its features [2, d]."""
    expected, relief = rows.double().cpu().numpy()
    unobserved = evidence.unobserved
    observed = np.ones(len(expected), np.bool_)
    if unobserved is not None:  # Not only NaN: a feature never seen before is missing too.
        observed = ~unobserved[0].cpu().numpy()
    features = slice(-len(expected), None)
    mean, scale = (level[features] for level in (scaler.mean, scaler.scale))
    return Explanation(
        x[features].copy(),
        scaler.inverse(expected),
        (x[features] - mean) / scale - expected,
        _shares(relief, observed),
    )


def _shares(relief: Doubles, observed: Bools) -> Doubles:
    """Return relief[d] as shares; equal ones over the observed features if there is no anomaly."""
    relief = relief * observed
    if relief.sum() <= 0.0:
        relief = observed.astype(np.float64)
    return relief / max(float(relief.sum()), 1e-300)
