"""Which features make a record anomalous, and what they were expected to be."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from streamae.autoencoders import OnlineAutoencoder
from streamae.detector.scaler import Scaler
from streamae.detector.whitener import Whitener
from streamae.types import Bools, Doubles, Floats


class Explanation(NamedTuple):
    """What of one record is anomalous, by feature."""

    observed: Floats
    """[d], in the features' own units; NaN where missing."""
    expected: Floats
    """[d], in the features' own units, given the record's other features."""
    deviation: Doubles
    """[d], observed minus expected, in standard deviations of the feature; NaN where missing."""
    share: Doubles
    """[d], of the anomaly; >= 0, sum 1, or all 0 when every feature is missing."""


def explain(
    x: Floats,
    scaler: Scaler,
    autoencoder: OnlineAutoencoder,
    whitener: Whitener,
    n_context: int = 0,
) -> Explanation:
    """Explain one record x[n_context + d] by leaving out each feature in turn.

    With the residual e and its precision P, the residual of feature j that the other residuals do
    not account for is (P e)_j / P_jj, and leaving j out lowers the energy e' P e by
    (P e)_j^2 / P_jj: the expected value and the share follow from these. The feature to blame most
    has misled the code as well, so its expected value is that of the record without it.
    """
    explanation = _leave_each_out(x, scaler, autoencoder, whitener, n_context)
    most = int(explanation.share.argmax())
    without = x.copy()
    without[n_context + most] = np.nan
    again = _leave_each_out(without, scaler, autoencoder, whitener, n_context)
    explanation.expected[most] = again.expected[most]
    off = explanation.observed[most] - again.expected[most]
    explanation.deviation[most] = off / scaler.scale[n_context + most]
    return explanation


def compare(
    x: Floats, scaler: Scaler, recons: Tensor, usual: Tensor, n_context: int = 0
) -> Explanation:
    """Explain one record x[n_context + d] by its recons[d] and the `usual` ones [d] most like it.

    For a record that its code reproduces well, but that lies where none is: `usual` is expected,
    and the shares are those of the squared distance.
    """
    features = slice(n_context, None)
    expected, apart = torch.stack([usual, recons - usual]).double().cpu().numpy()
    observed_z = (x[features] - scaler.mean[features]) / scaler.scale[features]
    return Explanation(
        x[features].copy(),
        scaler.inverse(expected),
        observed_z - expected,
        _shares(np.square(apart), ~np.isnan(x[features])),
    )


def _leave_each_out(
    x: Floats,
    scaler: Scaler,
    autoencoder: OnlineAutoencoder,
    whitener: Whitener,
    n_context: int,
) -> Explanation:
    features = slice(n_context, None)
    z = scaler.transform(x[None])
    observed = ~np.isnan(z[0, features].numpy())
    z = z.to(whitener.precision_diagonal.device)
    unobserved = torch.isnan(z[:, features])
    recons = autoencoder.recons(z.nan_to_num_(0.0))[:, features]
    residual = z[:, features] - recons
    if not observed.all():
        residual = whitener.impute(residual.masked_fill_(unobserved, 0.0), unobserved)
    gradient = whitener.gradient(residual)
    unaccounted = gradient / whitener.precision_diagonal
    rows = torch.cat([recons + residual - unaccounted, gradient * unaccounted])
    expected, relief = rows.double().cpu().numpy()
    scale = scaler.scale[features]
    observed_z = (x[features] - scaler.mean[features]) / scale
    return Explanation(
        x[features].copy(),
        scaler.inverse(expected),
        observed_z - expected,
        _shares(relief, observed),
    )


def _shares(relief: Doubles, observed: Bools) -> Doubles:
    """Return relief[d] as shares; equal ones over the observed features if there is no anomaly."""
    relief = relief * observed
    if relief.sum() <= 0.0:
        relief = observed.astype(np.float64)
    return relief / max(float(relief.sum()), 1e-300)
