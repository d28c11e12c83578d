import numpy as np
import pytest

from streamae.config import DeadLetterConfig
from streamae.pipeline.limits import RejectCounts, RejectLimit

BAD, GOOD = True, False


def flags(*values: bool) -> np.ndarray:
    return np.array(values, dtype=bool)


def test_consecutive_rejects_are_counted_across_batches() -> None:
    limit = RejectLimit(DeadLetterConfig(max_consecutive=3))
    limit.observe(flags(GOOD, BAD, BAD))
    assert limit.excess(flags(GOOD, BAD, BAD)) is None
    excess = limit.excess(flags(BAD, GOOD))
    assert excess is not None
    assert excess.row == 0
    assert "max_consecutive" in excess.message


def test_excess_changes_nothing() -> None:
    limit = RejectLimit(DeadLetterConfig(max_consecutive=2))
    limit.excess(flags(BAD, BAD))
    assert limit.counts == RejectCounts()


def test_share_counts_whole_windows() -> None:
    limit = RejectLimit(DeadLetterConfig(max_consecutive=None, max_share=0.5, window=4))
    assert limit.excess(flags(BAD, BAD, GOOD, GOOD, BAD, BAD, GOOD, GOOD)) is None
    excess = limit.excess(flags(GOOD, BAD, BAD, BAD))
    assert excess is not None
    assert excess.row == 3


@pytest.mark.parametrize("size", [1, 2, 5, 40])
def test_counts_do_not_depend_on_batching(size: int) -> None:
    rejected = np.random.default_rng(7).random(40) < 0.4
    config = DeadLetterConfig(window=9)
    whole, pieces = RejectLimit(config), RejectLimit(config)
    whole.observe(rejected)
    for start in range(0, 40, size):
        pieces.observe(rejected[start : start + size])
    assert pieces.counts == whole.counts


def test_no_limit_never_stops() -> None:
    limit = RejectLimit(DeadLetterConfig(max_consecutive=None, max_share=None))
    assert limit.excess(np.ones(100_000, dtype=bool)) is None
