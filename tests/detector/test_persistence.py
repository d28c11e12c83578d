import numpy as np
import pytest

from streamae.detector.persistence import DECAY, Persistence


def recursive(level: float, energy: np.ndarray) -> list[float]:
    levels = []
    for t in energy:
        level = DECAY * level + (1 - DECAY) * t
        levels.append(level)
    return levels


@pytest.mark.parametrize("block_size", [16, 256, 4096])
def test_levels_follow_the_recursion(block_size: int) -> None:
    rng = np.random.default_rng(0)
    persistence = Persistence(block_size, 10_000)
    persistence.level = 3.0
    energy = rng.exponential(size=block_size) * 100
    np.testing.assert_allclose(persistence.levels(energy), recursive(3.0, energy), rtol=1e-12)


def test_a_level_depends_on_no_later_record() -> None:
    rng = np.random.default_rng(0)
    persistence = Persistence(256, 10_000)
    energy = rng.exponential(size=256)
    other = energy.copy()
    other[100:] = 1e6
    a, b = persistence.levels(energy)[:100], persistence.levels(other)[:100]
    assert a.tobytes() == b.tobytes()


def test_autocorrelation_tells_incidents_from_shuffled_records() -> None:
    rng = np.random.default_rng(0)
    energy = 1.0 + 5.0 * np.repeat(rng.random(400) < 0.1, 64)
    found = []
    for values in (energy, rng.permutation(energy)):
        persistence = Persistence(256, 25_600)
        for block in values.reshape(-1, 256):
            persistence.update(block, persistence.levels(block))
        found.append(persistence.autocorrelation)
    assert found[0] > 0.7
    assert found[1] < 0.05


def test_constant_energy_has_no_autocorrelation() -> None:
    persistence = Persistence(64, 1000)
    assert persistence.autocorrelation == 0.0
    for _ in range(5):
        persistence.update(np.full(64, 7.3), persistence.levels(np.full(64, 7.3)))
    assert persistence.autocorrelation == 0.0
