"""Streams whose anomalies only a transform shows, each with and without it."""

import numpy as np

from streamae import Detector
from streamae.evaluate import roc_auc
from streamae.pipeline import Pipeline
from streamae.records import Alert
from streamae.types import Bools, Floats
from tests.streams import PARTITION, config
from tests.transforms.streams import as_log, counters

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
    assert len(right) >= 20
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
