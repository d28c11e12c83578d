import numpy as np
import pytest
import torch

from streamae.detector.moments import moments


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_sums_over_what_is_observed(share: float) -> None:
    rng = np.random.default_rng(0)
    x = (4.0 * rng.standard_normal((256, 3))).astype(np.float32)
    hidden = rng.random(x.shape) < share
    z = torch.from_numpy(np.where(hidden, 0.0, x).astype(np.float32))
    block = moments(z, torch.from_numpy(hidden) if share else None).of(slice(1, None))
    seen = np.where(hidden, np.nan, x.astype(np.float64))[:, 1:]
    assert block.n == 256
    n_seen = np.broadcast_to(block.n_seen, 2)
    np.testing.assert_array_equal(n_seen, np.count_nonzero(~np.isnan(seen), axis=0))
    np.testing.assert_allclose(block.first, np.nansum(seen, axis=0), rtol=1e-4)
    np.testing.assert_allclose(block.clipped, np.nansum(np.clip(seen, -5, 5), axis=0), rtol=1e-4)
    np.testing.assert_allclose(block.second, np.nansum(seen**2, axis=0), rtol=1e-5)
