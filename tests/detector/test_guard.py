import numpy as np
import pytest

from streamae.detector.guard import n_suspects, row_weights


def test_suspects_count_less() -> None:
    energy = np.ones(100)
    energy[7] = 200.0
    weights = row_weights(energy, energy)
    assert weights.mean() == pytest.approx(1.0)
    assert weights[7] < 0.05 * weights[0]
    assert n_suspects(weights) == 1


def test_a_block_suspect_throughout_counts_fully() -> None:
    weights = row_weights(np.full(100, 1e6), np.full(100, 1e6))
    np.testing.assert_allclose(weights, 1.0)
    assert n_suspects(weights) == 0
