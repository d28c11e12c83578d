import numpy as np
import pytest

from streamae.budget import LEAST_SHARE, MOST_SHARE, AlertBudget
from streamae.config import Budget, parse_budget
from streamae.types import NO_TIMESTAMP

HOUR_MS = 3_600_000


def tracked(text: float | str, step_ms: int, n_blocks: int = 10) -> AlertBudget:
    budget = AlertBudget(parse_budget(text))
    for block in range(n_blocks):
        budget.observe(np.arange(block * 100, block * 100 + 100) * step_ms)
    return budget


def test_share_is_itself() -> None:
    assert tracked(0.002, 1000).share == 0.002


def test_count_per_time_is_a_share_of_the_record_rate() -> None:
    assert tracked("36 per hour", 1000).share == pytest.approx(0.01, rel=0.02)
    assert tracked("36 per hour", 100).share == pytest.approx(0.001, rel=0.02)


def test_rate_follows_the_stream_within_the_budgets_period() -> None:
    budget = tracked("36 per hour", 1000)
    start = 1_000_000
    for block in range(100):
        budget.observe(start + np.arange(block * 100, block * 100 + 100) * 2000)
    assert budget.share == pytest.approx(0.02, rel=0.05)


def test_nothing_is_flagged_before_the_rate_is_known() -> None:
    budget = AlertBudget(parse_budget("20 per day"))
    assert budget.share == 0
    budget.observe(np.full(100, NO_TIMESTAMP))
    budget.observe(np.arange(100))
    assert budget.share == 0
    budget.observe(np.arange(100) + 1000)
    assert budget.share > 0


def test_time_that_runs_backwards_is_no_time() -> None:
    budget = tracked("20 per day", 1000)
    before = budget.ledger
    budget.observe(np.arange(100))
    assert budget.ledger.elapsed_ms == before.elapsed_ms
    assert budget.ledger.latest_ms == before.latest_ms


def seconds(n_blocks: int, start_s: int = 0) -> list[np.ndarray]:
    """Return the event times of blocks of a record per second."""
    return [1000 * (start_s + np.arange(at * 256, (at + 1) * 256)) for at in range(n_blocks)]


def test_wrong_clock_of_a_single_record_does_not_move_the_share() -> None:
    budget, year_9999 = AlertBudget(parse_budget("20 per day")), 253_402_300_799_000
    for number, times in enumerate(seconds(2000, start_s=1_700_000_000)):
        times[5] = (year_9999, 1, times[5])[min(number % 100, 2)]
        budget.observe(times)
    assert budget.share == pytest.approx(20 / 86_400, rel=0.01)


def test_stopped_clocks_of_most_records_do_not_move_the_share() -> None:
    budget, rng = AlertBudget(parse_budget("20 per day")), np.random.default_rng(0)
    for times in seconds(2000, start_s=1_700_000_000):
        times[rng.random(256) < 0.5] = 1000
        budget.observe(times)
    assert budget.share == pytest.approx(20 / 86_400, rel=0.01)


def test_clock_that_was_wrong_for_long_is_made_up_for() -> None:
    budget, now, year = AlertBudget(parse_budget("20 per hour")), 1_700_000_000, 365 * 86_400
    for times in (*seconds(50, now), *seconds(50, now + year), *seconds(1, now + 2 * 12_800)):
        budget.observe(times)
    assert budget.share < 4 * 20 / 3600
    for times in seconds(100, now + 3 * 12_800):
        budget.observe(times)
    assert budget.share == pytest.approx(20 / 3600, rel=0.02)


def test_silence_is_no_reason_to_flag_what_comes_after_it() -> None:
    budget, night = AlertBudget(parse_budget("20 per hour")), 8 * 3600
    for times in (*seconds(100), *seconds(1, 25_600 + night)):
        budget.observe(times)
    assert budget.share < 4 * 20 / 3600


def test_stream_of_few_records_is_slow_and_not_silent() -> None:
    assert tracked("20 per day", HOUR_MS).share == MOST_SHARE
    assert tracked("2 per day", HOUR_MS).share == pytest.approx(2 / 24, rel=0.01)


def test_share_stays_within_sense() -> None:
    assert tracked("1000000 per minute", HOUR_MS).share == MOST_SHARE
    dense = AlertBudget(parse_budget("1 per week"))
    dense.observe(np.zeros(100, dtype=np.int64))
    for _ in range(300):
        dense.observe(np.zeros(100_000, dtype=np.int64))
    dense.observe(np.ones(100, dtype=np.int64))
    assert dense.share == LEAST_SHARE


def test_ledger_continues_from_saved_state() -> None:
    one, other = tracked("20 per day", 1000), AlertBudget(parse_budget("20 per day"))
    other.ledger = one.ledger
    for budget in (one, other):
        budget.observe(np.arange(1000, 1100) * 1000)
    assert one.ledger == other.ledger


def closed_loop(p_values: np.ndarray, share: float = 1e-3, size: int = 256) -> np.ndarray:
    """Return which records [n] of whole blocks are flagged, each block by what came before it."""
    budget, flagged = AlertBudget(Budget(share=share)), []
    for block in p_values.reshape(-1, size):
        flagged.append(block <= budget.alpha)
        budget.observe(np.full(size, NO_TIMESTAMP), int(flagged[-1].sum()))
    return np.concatenate(flagged)


@pytest.mark.parametrize("factor", [0.6, 1.0, 1.7])
@pytest.mark.parametrize("share", [1e-3, 0.02])
def test_p_values_that_err_by_a_factor_are_made_up_for(share: float, factor: float) -> None:
    p = np.random.default_rng(1).random(1000 * 256) * factor
    observed = closed_loop(p, share)[50 * 256 :].mean()
    assert observed == pytest.approx(share, rel=0.1)
    if factor != 1.0:
        assert (p <= share).mean() != pytest.approx(share, rel=0.3)


def test_steady_p_values_are_hardly_corrected() -> None:
    rng = np.random.default_rng(2)
    budget, corrections = AlertBudget(Budget(share=1e-3)), []
    for _ in range(4000):
        n_flagged = int((rng.random(256) <= budget.alpha).sum())
        budget.observe(np.full(256, NO_TIMESTAMP), n_flagged)
        corrections.append(budget.ledger.correction)
    assert abs(np.mean(corrections)) < 0.1
    assert np.std(corrections) < 0.3


def test_no_incident_and_no_silence_moves_the_p_value_by_more_than_two() -> None:
    budget = AlertBudget(Budget(share=1e-3))
    for n_flagged, expected in ((256, 0.5e-3), (0, 2e-3)):
        for _ in range(100):
            budget.observe(np.full(256, NO_TIMESTAMP), n_flagged)
        assert budget.alpha == pytest.approx(expected)


def test_nothing_is_corrected_during_warm_up() -> None:
    budget = AlertBudget(Budget(share=1e-3))
    budget.observe(np.full(256, NO_TIMESTAMP))
    assert budget.alpha == 1e-3
