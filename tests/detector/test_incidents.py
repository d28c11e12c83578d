"""What guard and drift monitor are for, on built streams; the figures are what was measured."""

from typing import NamedTuple

import numpy as np
import pytest

from streamae.config import DetectorConfig
from streamae.detector import Detector
from streamae.detector.drift import Drift
from streamae.types import Bools, Doubles, Floats
from tests import checks
from tests.detector.incidents import (
    BACKGROUNDS,
    Background,
    correlated,
    independent,
    poisoned,
    shifted,
    slow,
)

pytestmark = pytest.mark.slow

BLOCK = 256
BUDGET = 1e-3


class Run(NamedTuple):
    score: Floats
    p_value: Doubles
    drifts: list[tuple[int, Drift]]
    """Each with the number of records learnt when it was accepted."""

    @property
    def flagged(self) -> Bools:
        return self.p_value <= BUDGET


def run(x: Floats) -> Run:
    """Score and learn x, whole blocks of it."""
    detector = Detector(DetectorConfig(device="cpu"), x.shape[1], "topic/0")
    answers, drifts = [], []
    for start in range(0, len(x) - BLOCK + 1, BLOCK):
        block = x[start : start + BLOCK]
        answers.append(detector.score(block, BLOCK))
        learned = detector.learn(block, answers[-1])
        if learned.drift is not None:
            drifts.append((start + BLOCK, learned.drift))
    score = np.concatenate([answer.score for answer in answers])
    return Run(score, np.concatenate([answer.p_value for answer in answers]), drifts)


@pytest.mark.parametrize("d", [20, 40])
@pytest.mark.parametrize("background", BACKGROUNDS)
def test_an_incident_that_comes_back_is_flagged_the_tenth_time(
    background: Background, d: int
) -> None:
    """64 of 64 records each time; without the guard 64, 54 to 61, and then 7 at most."""
    x = background(BLOCK * 150, d, 0)
    starts = range(5000, 5000 + 10 * 3300, 3300)
    odd = np.zeros(len(x), np.bool_)
    for start in starts:
        odd[start : start + 64] = True
    flagged = run(shifted(x, odd, 6.0, d // 4)).flagged
    assert min(flagged[start : start + 64].sum() for start in starts) >= 48


@pytest.mark.parametrize(("background", "d"), [(correlated, 20), (independent, 40)])
def test_a_slow_poison_is_not_learnt_as_normal(background: Background, d: int) -> None:
    """All of the anomalies of the last 10,000 records; without the guard none."""
    x, odd = poisoned(background(BLOCK * 200, d, 0), 0.05, 8.0, d // 4)
    poison = run(x)
    last = slice(len(x) - 10_000, None)
    assert poison.flagged[last][odd[last]].mean() > 0.8
    assert checks.roc_auc(odd[last], poison.score[last]) > 0.999


@pytest.mark.parametrize(("size", "share"), [(1.5, 0.0), (3.0, 0.5), (8.0, 0.0), (8.0, 1.0)])
@pytest.mark.parametrize("background", BACKGROUNDS)
@pytest.mark.parametrize("d", [5, 20])
def test_a_lasting_shift_is_drift_and_soon_normal(
    background: Background, d: int, size: float, share: float
) -> None:
    """924 or 1,180 records after it began; from then on one record in a thousand is flagged."""
    n_moved = max(1, int(share * d))
    x = background(BLOCK * 100, d, 0)
    at = BLOCK * 60 + 100
    shift = run(shifted(x, slice(at, None), size, n_moved))
    ((accepted, drift),) = shift.drifts
    assert accepted - at <= 1024 + 2 * BLOCK
    moved = np.flatnonzero(shifted(x, slice(at, None), size, n_moved)[-1] != x[-1])
    assert set(drift.features) == set(moved)
    sd, size_in_units = x[:, drift.features].std(0), np.abs(drift.after - drift.before)
    np.testing.assert_allclose(size_in_units / sd, size, atol=0.35)
    assert shift.flagged[accepted + BLOCK :].mean() < 3e-3


@pytest.mark.parametrize("background", [*BACKGROUNDS, slow])
@pytest.mark.parametrize("d", [5, 20])
def test_no_drift_where_nothing_lasts(background: Background, d: int) -> None:
    """Not in 100 blocks of noise, of a daily cycle, nor by a burst of 500 records."""
    x = background(BLOCK * 100, d, 1)
    assert run(x).drifts == []
    assert run(shifted(x, slice(15_000, 15_500), 10.0, d)).drifts == []


@pytest.mark.parametrize("length", [100, 500])
@pytest.mark.parametrize("background", BACKGROUNDS)
def test_a_burst_leaves_the_ranking_of_later_records_as_it_was(
    background: Background, length: int
) -> None:
    """ROC-AUC of the 10,000 records behind it: 1.000, with the burst as without."""
    x = background(BLOCK * 110, 20, 0)
    at = BLOCK * 60 + 100
    later = slice(at + length + BLOCK, at + length + BLOCK + 10_000)
    odd = np.zeros(len(x), np.bool_)
    odd[later] = np.random.default_rng(1).random(10_000) < 0.01
    quiet = shifted(x, odd, 4.0, 5, seed=1)
    burst = shifted(quiet, slice(at, at + length), 10.0, 20)
    without, behind = (checks.roc_auc(odd[later], run(y).score[later]) for y in (quiet, burst))
    assert without > 0.99
    assert behind > without - 0.005


def _constant(x: Floats, rows: slice) -> Floats:
    x[rows, 0] = x[rows.start or 0, 0]
    return x


def _missing(x: Floats, rows: slice) -> Floats:
    x[rows, 0] = np.nan
    return x


AT = BLOCK * 60 + 100


@pytest.mark.parametrize("background", BACKGROUNDS)
@pytest.mark.parametrize(
    ("change", "rows", "most"),
    [
        (_constant, slice(AT, AT + 5120), 20),
        (_constant, slice(0, AT), BLOCK),
        (_missing, slice(AT, AT + 5120), 10),
        (_missing, slice(0, AT), 10),
    ],
    ids=["constant for a day", "varies for the first time", "missing for a day", "appears"],
)
def test_a_feature_that_stops_or_begins_is_no_storm(
    background: Background, change: object, rows: slice, most: int
) -> None:
    """10 to 15 records of 10,000 are flagged, and 207 to 213 when a feature begins to vary.

    These are the rest of the block in which it does, and one episode.
    """
    x = background(BLOCK * 100, 20, 0)
    assert callable(change)
    usual, changed = run(x).flagged, run(change(x.copy(), rows)).flagged
    assert changed[AT:].sum() < usual[AT:].sum() + most
    assert changed[AT + 2 * BLOCK :].mean() < 3e-3
