import numpy as np
import pytest

from streamae.budget import LEAST_SHARE, MOST_SHARE, AlertBudget
from streamae.config import parse_budget
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
    before = budget.pace
    budget.observe(np.arange(100))
    assert budget.pace.elapsed_ms == before.elapsed_ms
    assert budget.pace.latest_ms == before.latest_ms


def test_share_stays_within_sense() -> None:
    assert tracked("1000000 per minute", HOUR_MS).share == MOST_SHARE
    dense = AlertBudget(parse_budget("1 per week"))
    dense.observe(np.zeros(100, dtype=np.int64))
    for _ in range(300):
        dense.observe(np.zeros(100_000, dtype=np.int64))
    dense.observe(np.ones(100, dtype=np.int64))
    assert dense.share == LEAST_SHARE


def test_pace_continues_from_saved_state() -> None:
    one, other = tracked("20 per day", 1000), AlertBudget(parse_budget("20 per day"))
    other.pace = one.pace
    for budget in (one, other):
        budget.observe(np.arange(1000, 1100) * 1000)
    assert one.pace == other.pace
