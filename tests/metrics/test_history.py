"""Ten minutes of samples: rates, what was counted lately, and where the lag goes."""

import pytest

from streamae.metrics.history import Counters, History, Sample


def sample(at: float, consumed: float = 0.0, lag: float = 0.0) -> Sample:
    return Sample(at, lag, Counters(consumed=consumed))


def test_rates_are_those_between_samples_also_after_a_pause() -> None:
    history = History()
    for at, consumed in ((0, 0), (5, 1000), (10, 1000), (40, 4000)):
        history.add(sample(at, consumed, lag=at))
    assert history.columns(42.0) == {
        "age_seconds": [37.0, 32.0, 2.0],
        "records_per_second": [200.0, 0.0, 100.0],
        "lag": [5, 10, 40],
    }


def test_nothing_is_drawn_of_what_is_older_than_ten_minutes() -> None:
    history = History()
    for at in range(0, 1000, 5):
        history.add(sample(at))
    assert history.columns(1000.0)["age_seconds"][0] == 595
    assert history.columns(5000.0)["age_seconds"] == []


def test_all_counts_as_lately_until_there_is_something_older() -> None:
    history = History()
    assert history.lately(sample(0, 7)).consumed == 7
    history.add(sample(0, 7))
    assert history.lately(sample(300, 10)).consumed == 10
    assert history.lately(sample(601, 10)).consumed == 3
    for at in range(5, 1000, 5):
        history.add(sample(at, 10 + at))
    assert history.lately(sample(1000, 1010)).consumed == 600


@pytest.mark.parametrize(("n", "growth"), [(0, None), (1, None), (2, 2.0), (100, 2.0)])
def test_the_lag_has_a_direction_after_a_while(n: int, growth: float | None) -> None:
    history = History()
    for at in range(n):
        history.add(sample(5.0 * at, lag=10.0 * at))
    last = 5.0 * max(n - 1, 0)
    assert history.lag_per_second(sample(last, lag=2 * last)) == growth
