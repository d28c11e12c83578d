import numpy as np
import pytest

from streamae.detector.guard import Guard, at_least_half, n_suspects, row_weights


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


def test_no_record_counts_less_than_half_for_the_scale() -> None:
    energy = np.ones(100)
    energy[7] = 200.0
    weights = at_least_half(row_weights(energy, energy))
    assert weights.mean() == pytest.approx(1.0)
    assert weights[7] == pytest.approx(0.5 * weights[0], rel=0.05)


def shares(guard: Guard, *alien: float) -> list[float]:
    """Return the share of aliens that counts, block by block, for their shares of each block."""
    counted = []
    for share in alien:
        block = np.arange(256) < round(256 * share)
        admitted = guard.admit(block, block)
        assert admitted[~block].all()
        counted.append(float(admitted[block].mean()) if block.any() else 1.0)
    return counted


def used(*alien: float) -> Guard:
    """Return a guard that has seen these shares of aliens in its first eight blocks."""
    guard = Guard()
    assert shares(guard, *alien) == [1.0] * 8
    return guard


def test_aliens_do_not_count_while_they_are_an_incident() -> None:
    assert shares(used(*[0.0] * 8), *[1.0, 0.25] * 2) == [0.0] * 4
    assert shares(used(*[0.0] * 8), *[0.05] * 200) == [1.0] * 2 + [0.0] * 198


def test_aliens_that_a_stream_begins_with_are_usual() -> None:
    assert shares(used(*[0.05] * 8), *[0.05] * 300) == [1.0] * 300
    assert shares(used(*[0.05] * 8), *[0.11] * 300)[-200:] == [0.0] * 200


def test_a_group_that_a_young_model_sees_nearer_is_usual() -> None:
    guard, group = Guard(), np.arange(256) < 4
    for _ in range(8):
        assert guard.admit(np.zeros_like(group), group).all()
    assert all(guard.admit(group, group).all() for _ in range(200))


def test_an_early_incident_does_not_make_aliens_usual() -> None:
    assert shares(used(0.0, 0.5, 1.0, 0.5, *[0.0] * 4), *[0.05] * 200)[-180:] == [0.0] * 180


def test_one_here_and_there_is_the_tail_of_the_usual() -> None:
    assert shares(used(*[0.0] * 8), *[1 / 256, 0.0, 0.0] * 50) == [1.0] * 150


def test_the_way_out_is_bounded() -> None:
    assert shares(used(*[0.0] * 8), *[1.0] * 8) == [0.0] * 4 + [1.0] * 4


def test_a_share_that_lasts_is_usual_until_it_has_ceased() -> None:
    guard = used(*[0.0] * 8)
    lasting = shares(guard, *[0.05] * 400)
    assert lasting[2:256] == [0.0] * 254
    assert lasting[260:] == [1.0] * 140
    assert shares(guard, *[0.01] * 100, *[0.05] * 20) == [1.0] * 120
    shares(guard, *[0.0] * 200)
    assert shares(guard, *[0.05] * 20)[2:] == [0.0] * 18


def test_a_tail_that_thins_out_is_usual() -> None:
    guard = used(*[0.0] * 8)
    alien, tail = np.arange(256) < 12, np.arange(256) < 30
    assert all(guard.admit(alien, tail).all() for _ in range(200))
