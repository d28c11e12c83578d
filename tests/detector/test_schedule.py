"""What is learnt of which block."""

import pytest

from streamae.detector.schedule import EVERY, due

N = 64


@pytest.mark.parametrize("interval", [1, 2, 3, 5, 7, 8, 9, 16, 100])
def test_one_record_in_an_interval_is_learnt_whichever_place_it_has(interval: int) -> None:
    n_blocks = 40 * interval
    places = [0] * N
    for block in range(n_blocks):
        rows = due(block, interval, filled=True).lesson
        for place in range(N)[rows] if rows else ():
            places[place] += 1
    expected = n_blocks * N / interval
    assert sum(places) == pytest.approx(expected, rel=0.15)
    assert max(places) - min(places) <= 0.1 * max(places)


@pytest.mark.parametrize("interval", [8, 16])
def test_no_block_is_learnt_by_two_of_them(interval: int) -> None:
    parts = [due(block, interval, filled=True) for block in range(2 * interval)]
    assert max((one.lesson is not None) + one.covariance + one.neighbours for one in parts) == 1
    for learnt in ([one.covariance for one in parts], [one.neighbours for one in parts]):
        assert sum(learnt) == 4


def test_every_block_is_learnt_until_the_memory_is_filled() -> None:
    for block in range(20):
        assert due(block, 8, filled=False) == (EVERY, True, True)
