"""Streams on which a running Mahalanobis distance is at home: nothing in them is curved.

Five factors make twenty features, which differ from them by noise of a tenth of their spread.
"""

import numpy as np

from streamae.detector.blockwise import numbered
from streamae.labelled import LabelledStream
from streamae.types import Bools, Doubles
from tests.benchmarks.quality import table

ROWS = 20_000
FEATURES = 20
ANOMALOUS_SHARE = 0.01
NOISE = 0.1


def run() -> list[str]:
    """Return ROC-AUC and average precision beside two running baselines."""
    return table(streams())


def streams(seed: int = 0) -> dict[str, LabelledStream]:
    """Return streams of rows [n, d] by what their anomalies are."""
    rng = np.random.default_rng(seed)
    anomalous = rng.random(ROWS) < ANOMALOUS_SHARE
    factors = rng.standard_normal((ROWS, 5))
    usual = factors @ rng.standard_normal((5, FEATURES)) / np.sqrt(5)
    noise = NOISE * rng.standard_normal(usual.shape)
    loud = np.where(anomalous[:, None], 2.0, 1.0)
    wide = np.where(anomalous[:, None], 1.5, 1.0)
    drawn = {
        "twice the noise": usual + loud * noise,
        "one feature off by four": usual + noise + 4 * NOISE * _one_of(rng, anomalous, FEATURES),
        "a fifth of the values of others": _torn(rng, usual + noise, anomalous),
        "a label of another group": _mislabelled(rng, anomalous),
        "independent, half as wide again": wide * rng.standard_normal(usual.shape),
    }
    return {
        name: LabelledStream(x.astype(np.float32), anomalous, numbered(x.shape[1]))
        for name, x in drawn.items()
    }


def _one_of(rng: np.random.Generator, anomalous: Bools, d: int) -> Doubles:
    """Return [n, d], +-1 in one column of each anomaly, 0 elsewhere."""
    chosen = np.eye(d)[rng.integers(0, d, len(anomalous))]
    return chosen * (anomalous * rng.choice([-1.0, 1.0], len(anomalous)))[:, None]


def _torn(rng: np.random.Generator, x: Doubles, anomalous: Bools) -> Doubles:
    """Take a fifth of an anomaly's values from records of their own."""
    moved = anomalous[:, None] & (rng.random(x.shape) < 0.2)
    return np.where(moved, rng.permuted(x, axis=0), x)


def _mislabelled(rng: np.random.Generator, anomalous: Bools) -> Doubles:
    """Draw eight numbers of five groups, and the group one-hot beside them; another's if odd."""
    group = rng.integers(0, 5, len(anomalous))
    numbers = rng.standard_normal((5, 8))[group] + 0.5 * rng.standard_normal((len(group), 8))
    label = (group + anomalous * rng.integers(1, 5, len(group))) % 5
    return np.hstack([numbers, np.eye(5)[label]])
