"""Streams whose anomalies only a transform shows, each with and without it."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from streamae import Detector
from streamae.numerics.ranking import roc_auc
from streamae.pipeline import Pipeline
from streamae.records import Alert
from streamae.types import NO_TIMESTAMP, Bools, Floats
from tests.streams import PARTITION, config
from tests.transforms.streams import (
    as_log,
    categories,
    counters,
    daily,
    orders_of_magnitude,
    walks,
)

N = 6000
FIRST = 2000


def auc(x: Floats, anomalous: Bools, **options: object) -> float:
    """Return the prequential ROC-AUC of rows from `FIRST` on."""
    arrays = {name: options.pop(name, None) for name in ("keys", "timestamps_ms")}
    score = Detector(device="cpu", **options).score_learn(x, **arrays).score  # type: ignore[arg-type]
    area = roc_auc(score[FIRST:], anomalous[FIRST:])
    assert area is not None
    return area


def racing_counters(n: int) -> tuple[Floats, list[bytes], Bools]:
    """Return counters of three devices, of which 1 % of the records after 2,000 add six steps."""
    x, keys = counters(n)
    rng = np.random.default_rng(1)
    anomalous = (np.arange(n) > FIRST) & (rng.random(n) < 0.01)
    for row in np.flatnonzero(anomalous).tolist():
        later = np.array([key == keys[row] for key in keys])
        later[:row] = False
        x[later, 0] += 240.0
    return x, keys, anomalous


def test_a_counter_that_races_is_seen_in_its_change() -> None:
    x, keys, anomalous = racing_counters(N)
    assert auc(x, anomalous, keys=keys, diff=()) < 0.7
    assert auc(x, anomalous, keys=keys) > 0.95


def test_an_alert_names_the_change_in_the_unit_of_the_counter() -> None:
    x, keys, anomalous = racing_counters(N)
    pipeline = Pipeline(config(budget=0.01, block_size=256), PARTITION, 0)
    alerts = pipeline.process(as_log(x, keys).read(PARTITION, 0, N)).alerts
    right = [a for a in alerts if isinstance(a, Alert) and anomalous[a.source.offset]]
    assert len(right) >= 10
    blamed = [a for a in right if a.attribution[0].feature == "a (change)"]
    assert len(blamed) >= 0.9 * len(right)
    for alert in blamed:
        assert 240 < alert.attribution[0].observed < 400
        assert 0 < alert.attribution[0].expected < 150


def test_resets_raise_no_alerts() -> None:
    x, keys = counters(N)
    resets = np.zeros(N, np.bool_)
    for key in set(keys):
        rows = np.flatnonzero([one == key for one in keys])
        resets[rows[1:]] = np.diff(x[rows, 0]) < 0
    verdicts = Detector(device="cpu").score_learn(x, keys=keys)
    judged = resets & verdicts.warm
    assert judged.sum() >= 15
    assert (verdicts.p_value[judged] < 0.001).sum() == 0


def test_noon_at_night_is_seen_with_the_calendar_alone() -> None:
    x, times, anomalous = daily(N)
    assert auc(x, anomalous, timestamps_ms=times) < 0.8
    assert auc(x, anomalous, timestamps_ms=times, calendar=True) > 0.97
    assert auc(x, anomalous, calendar=True) < 0.8  # No event times, no calendar.


def test_a_day_seen_for_the_first_time_raises_no_storm() -> None:
    """One record a second: most of a block's calendar is new to the detector all day long."""
    x, times, _ = daily(12_000, step_ms=1000)
    verdicts = Detector(device="cpu", calendar=True).score_learn(x[:4000], times[:4000])
    assert (verdicts.p_value[verdicts.warm] <= 0.001).mean() < 0.005


def test_the_calendar_is_never_blamed() -> None:
    x, times, anomalous = daily(N)
    detector = Detector(device="cpu", calendar=True)
    detector.score_learn(x, times)
    assert detector.judged_by == ("x0", "x1", "x2")
    for row in np.flatnonzero(anomalous)[-10:].tolist():
        observed, expected, _, share = detector.explain(x[row], int(times[row]))
        assert len(observed) == len(expected) == len(share) == 3
        assert share[:2].sum() > 0.8
        assert (expected[:2] < observed[:2]).all()


def test_a_jump_within_the_usual_range_is_seen_with_the_lag_alone() -> None:
    x, keys, anomalous = walks(N)
    assert auc(x, anomalous, keys=keys) < 0.6
    assert auc(x, anomalous, keys=keys, lag=1) > 0.95
    assert auc(x, anomalous, lag=1) < 0.7  # Before a record comes another device's.


def test_the_record_after_an_anomaly_is_not_one() -> None:
    x, keys, anomalous = walks(N)
    p_value = Detector(device="cpu", lag=1).score_learn(x, keys=keys).p_value
    after = np.zeros(N, np.bool_)
    for key in set(keys):
        rows = np.flatnonzero([one == key for one in keys])
        after[rows[1:]] = anomalous[rows[:-1]]
    assert (p_value[anomalous] <= 0.01).mean() > 0.6
    assert (p_value[after & ~anomalous] <= 0.01).mean() < 0.1


def test_broken_dependence_across_powers_of_ten_is_seen_with_heavy_tails() -> None:
    x, anomalous = orders_of_magnitude(N)
    assert auc(x, anomalous) < 0.7
    assert auc(x, anomalous, heavy_tails="auto") > 0.9


def test_values_are_explained_in_their_own_unit() -> None:
    x, anomalous = orders_of_magnitude(N)
    detector = Detector(device="cpu", heavy_tails="auto")
    detector.score_learn(x)
    row = x[np.flatnonzero(~anomalous)[-1]].copy()
    row[2] = 5e6
    observed, expected, _, share = detector.explain(row)
    assert share.argmax() == 2
    np.testing.assert_allclose(observed, row, rtol=1e-4)
    assert abs(expected[2]) < 1e5


def test_reconstructions_are_of_the_features_in_their_own_unit() -> None:
    x, _ = orders_of_magnitude(1000)
    settings = config(emit=("codes", "reconstruction"))
    options = {"heavy_tails": "auto", "calendar": True, "lag": 1}
    detector = msgspec.structs.replace(settings.detector, **options)
    pipeline = Pipeline(msgspec.structs.replace(settings, detector=detector), PARTITION, 0)
    outputs = pipeline.process(as_log(x).read(PARTITION, 0, 1000)).outputs
    scores = [msgspec.json.decode(o.value or b"") for o in outputs if o.channel == "scores"]
    recons = np.array([list(score["reconstruction"].values()) for score in scores[500:]])
    assert recons.shape == (500, 4)
    wide = np.abs(x[500:]) > 100 * np.array([1, 10, 100, 1000])
    assert np.corrcoef(np.arcsinh(x[500:][wide]), np.arcsinh(recons[wide]))[0, 1] > 0.95


@pytest.mark.parametrize("missing_share", [0.0, 0.02])
def test_categories_that_do_not_exist_or_do_not_fit(missing_share: float) -> None:
    x, anomalous = categories(N)
    x[np.random.default_rng(9).random(x.shape) < missing_share] = np.nan
    assert auc(x, anomalous) > 0.95


def with_holes(x: Floats) -> Floats:
    """Return x[n, d] with 5 % of the values missing."""
    return np.where(np.random.default_rng(3).random(x.shape) < 0.05, np.float32(np.nan), x)


@pytest.mark.parametrize("n", [511, 512, 513])
def test_a_detector_can_be_asked_and_saved_wherever_a_block_ends(n: int, tmp_path: Path) -> None:
    x, times, _ = daily(n + 1)
    x[:, 2] = np.arange(n + 1)  # A counter.
    taught = Detector(device="cpu", calendar=True, lag=2, heavy_tails="auto")
    taught.learn(x[:n], times[:n])
    taught.save(tmp_path / "state")
    detector = Detector.load(tmp_path / "state", device="cpu")
    row, time = x[n:], times[n:]
    asked, parts = detector.score(row, time), detector.explain(row[0], int(time[0]))
    assert parts.observed[2] == 1.0
    assert detector.score(row[:0]).score.shape == (0,)
    np.testing.assert_array_equal(detector.score_learn(row, time).score, asked.score)


def test_missing_values_through_each_transform() -> None:
    x, keys, anomalous = racing_counters(N)
    assert auc(with_holes(x), anomalous, keys=keys) > 0.9
    x, times, anomalous = daily(N)
    times[::20] = NO_TIMESTAMP
    assert auc(with_holes(x), anomalous, timestamps_ms=times, calendar=True) > 0.9
    x, keys, anomalous = walks(N)
    assert auc(with_holes(x), anomalous, keys=keys, lag=1) > 0.85
    x, anomalous = orders_of_magnitude(N)
    assert auc(with_holes(x), anomalous, heavy_tails="auto") > 0.9
