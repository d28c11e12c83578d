import numpy as np
import pytest
import torch

from streamae.detector.moments import moments


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_weighted_sums_over_what_is_observed(share: float) -> None:
    rng = np.random.default_rng(0)
    x = (4.0 * rng.standard_normal((256, 3))).astype(np.float32)
    hidden = rng.random(x.shape) < share
    z = torch.from_numpy(np.where(hidden, 0.0, x).astype(np.float32))
    weights = rng.random(256)
    weights /= weights.mean()
    block = moments(z, torch.from_numpy(hidden) if share else None, weights).of(slice(1, None))
    seen = np.where(hidden, np.nan, x.astype(np.float64))[:, 1:]
    weight = weights[:, None]
    n_seen = np.broadcast_to(block.n_seen, 2)
    np.testing.assert_allclose(n_seen, (weight * ~np.isnan(seen)).sum(axis=0), rtol=1e-5)
    for found, values in (
        (block.first, seen),
        (block.clipped, np.clip(seen, -5.0, 5.0)),
        (block.second, seen**2),
    ):
        sums = np.nansum(weight * values, axis=0)
        np.testing.assert_allclose(found, sums, rtol=1e-4, atol=1e-2)
