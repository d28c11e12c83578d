"""What stands out in one kind of evidence counts, however little the others show."""

import numpy as np
import pytest

from streamae.detector.prominence import DEVIATIONS, GAIN, SMALLEST_SPREAD, Prominence
from streamae.types import Doubles

ALIKE = np.ones(3)


def learnt(evidence: Doubles, memory: int = 8192) -> Prominence:
    prominence = Prominence(len(evidence), memory)
    for start in range(0, evidence.shape[1], 256):
        prominence.update(evidence[:, start : start + 256])
    return prominence


def normal(n: int, seed: int = 0) -> Doubles:
    """Return [3, n] kinds of their own level and spread."""
    noise = np.random.default_rng(seed).standard_normal((3, n))
    return np.array([[1.0], [5.0], [0.0]]) + np.array([[0.3], [1.0], [3.0]]) * noise


def test_nothing_stands_out_before_anything_was_learnt() -> None:
    assert not Prominence(3, 8192).of(normal(10), ALIKE).any()


def test_quantiles_are_those_of_what_was_learnt() -> None:
    found = learnt(normal(256 * 200))
    spread = np.array([0.3, 1.0, 3.0])
    np.testing.assert_allclose(found.median, [1.0, 5.0, 0.0], atol=0.1 * spread.max())
    assert (np.abs(found.median - [1.0, 5.0, 0.0]) < 0.1 * spread).all()
    np.testing.assert_allclose(found.deviation, 0.6745 * spread, rtol=0.1)


def test_the_start_is_forgotten() -> None:
    young = 50.0 + normal(256 * 8, seed=1)
    found = learnt(np.concatenate([young, normal(256 * 200)], axis=1))
    assert (np.abs(found.median - [1.0, 5.0, 0.0]) < [0.06, 0.2, 0.6]).all()


def test_how_far_beyond_the_quantiles_records_are_teaches_nothing() -> None:
    near, far = normal(256 * 20), normal(256 * 20)
    odd = np.arange(near.shape[1]) % 50 == 0
    near[:, odd], far[:, odd] = 1e2, 1e9
    np.testing.assert_array_equal(learnt(near).deviation, learnt(far).deviation)


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_one_kind_is_enough_in_its_own_units(kind: int) -> None:
    found = learnt(normal(256 * 100))
    evidence = np.repeat(found.median[:, None], 2, axis=1)
    evidence[kind, 1] += 20.0 * found.deviation[kind]
    usual, odd = found.of(evidence, ALIKE)
    assert usual == pytest.approx(0.0, abs=1e-12)
    assert odd == pytest.approx(DEVIATIONS * np.log1p((20.0 - np.log(3.0)) / DEVIATIONS), rel=1e-3)


def test_what_is_outvoted_has_to_stand_out_further() -> None:
    found = learnt(normal(256 * 100))
    evidence = found.median[:, None] + np.array([[20.0], [0.0], [0.0]]) * found.deviation[:, None]
    alike = found.of(evidence, ALIKE)[0]
    outvoted = found.of(evidence, np.array([np.exp(-8.0), 1.0, 1.0]))[0]
    beyond = np.array([20.0 - np.log(3.0), 12.0 - np.log(2.0)])
    expected = DEVIATIONS * np.log1p(beyond / DEVIATIONS)
    np.testing.assert_allclose([alike, outvoted], expected, rtol=1e-3)


def test_less_evidence_than_usual_is_no_evidence() -> None:
    found = learnt(normal(256 * 20))
    assert found.of(found.median[:, None] - 1e6, ALIKE)[0] == 0.0


def test_kinds_that_do_not_vary_leave_numbers() -> None:
    found = learnt(np.zeros((3, 1024)))
    assert (found.deviation == SMALLEST_SPREAD).all()
    assert np.isfinite(found.of(np.full((3, 1), 1e4), ALIKE)).all()


def test_the_gain_is_beyond_that_of_a_normal_distribution() -> None:
    """Robbins and Monro's best gain is one over the density, here of |u| at 1 in log u."""
    quartile = 0.6745
    density = 2.0 * quartile * np.exp(-(quartile**2) / 2.0) / np.sqrt(2.0 * np.pi)
    assert 1.0 / density == pytest.approx(2.33, abs=0.01)
    assert 1.0 / density < GAIN < 3.0 / density
