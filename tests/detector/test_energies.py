import numpy as np
import pytest
import torch

from streamae.detector.energies import (
    combined,
    coordinatewise,
    extremes,
    independence,
    student_t,
    votes,
)
from streamae.detector.whitener import CLIP

LOW, HIGH = np.array([1.0]), np.array([40.0])


def test_student_t_is_the_energy_of_the_density_and_for_small_ones_the_energy() -> None:
    energy = np.array([0.0, 1e-6, 3.0, 1e4])
    np.testing.assert_allclose(student_t(energy), -3.0 * np.log(1.0 / (1.0 + energy / 3.0)))
    assert student_t(energy)[1] == pytest.approx(1e-6, rel=1e-6)


def test_equal_energies_give_twice_their_value_whatever_the_votes() -> None:
    for nats in (0.0, 2.0, 50.0):
        for k in (0.1, 1.0):
            energy = combined(np.stack([HIGH, HIGH, HIGH]), votes(nats, k))
            np.testing.assert_allclose(energy, 2.0 * HIGH)


def test_coordinatewise_is_a_student_t_per_coordinate_whatever_the_size() -> None:
    squares = np.array([[0.0, 1.0, 3.0, 1e4], [1e-6, 1e-3, 1e8, 1e12]])
    own = coordinatewise(torch.tensor(squares, dtype=torch.float32))
    np.testing.assert_allclose(own, student_t(squares), rtol=1e-5)


def test_one_wild_coordinate_leaves_the_others_their_say() -> None:
    squares = torch.tensor([[1e4, 0.0, 0.0], [1e4, 4.0, 4.0]])
    alone, joined = coordinatewise(squares).sum(1).tolist()
    total = student_t(squares.double().numpy().sum(1))
    assert joined - alone == pytest.approx(2 * student_t(np.array([4.0]))[0], rel=1e-4)
    assert total[1] - total[0] < 0.01


def test_votes_in_closed_form() -> None:
    vote = np.exp(-0.75 / 1.5)
    total = vote + 0.25 * vote + 1.0
    for place, own in enumerate((vote, 0.25 * vote, 1.0)):
        energies = np.stack([HIGH if i == place else LOW for i in range(3)])
        expected = 2.0 * (own * HIGH + (total - own) * LOW) / total
        np.testing.assert_allclose(combined(energies, votes(0.75, 0.25)), expected)


def test_an_autoencoder_that_proves_itself_outvotes_both_energies_of_z() -> None:
    proven = combined(np.stack([HIGH, HIGH, LOW]), votes(nats=100.0, independence=1.0))
    np.testing.assert_allclose(proven, 2.0 * LOW, rtol=1e-9)


def test_votes_are_positive_whatever_is_known() -> None:
    for nats in (0.0, 1e9):
        assert (votes(nats, independence=0.0) > 0.0).all()


def test_only_values_that_covariances_clip_are_extreme() -> None:
    z = torch.tensor([[0.0, CLIP, -CLIP], [0.0, 1.0, 8.0], [0.0, -8.0, 8.0]])
    usual, one, two = extremes(coordinatewise(z.square())).tolist()
    assert usual == 0.0
    beyond = student_t(np.array([64.0, CLIP**2]))
    assert one == pytest.approx(beyond[0] - beyond[1], rel=1e-5)
    assert two == pytest.approx(2.0 * one)


def test_independence_of_uncorrelated_features_and_of_copies() -> None:
    assert independence(torch.eye(7, dtype=torch.float64)) == pytest.approx(1.0)
    assert independence(torch.ones(7, 7, dtype=torch.float64)) == pytest.approx(1 / 7)
    assert independence(torch.zeros(7, 7, dtype=torch.float64)) == 0.0
    groups = torch.block_diag(*[torch.ones(2, 2, dtype=torch.float64)] * 3)
    assert independence(groups) == pytest.approx(1 / 2)


def test_independence_does_not_depend_on_the_axes_nor_the_unit() -> None:
    draws = torch.randn(6, 50, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    covariance = draws @ draws.T
    rotation, _ = torch.linalg.qr(draws[:, :6])
    rotated = independence(9.0 * rotation @ covariance @ rotation.T)
    assert rotated == pytest.approx(independence(covariance))


def test_independence_counts_the_squares_that_vary_alike() -> None:
    mixing = torch.randn(8, 8, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    covariance = mixing @ mixing.T
    draws = torch.randn(200_000, 8, generator=torch.Generator().manual_seed(3)).double()
    totals = (draws @ mixing.T).square().sum(1)
    # A chi-squared variable with k degrees of freedom has mean^2 / variance = k / 2.
    matched = 2.0 * totals.mean() ** 2 / totals.var() / 8
    assert independence(covariance) == pytest.approx(float(matched), rel=0.02)
