"""What the default configuration must reach, on real labelled streams."""

from pathlib import Path

import numpy as np
import pytest
from river.datasets import Shuttle

from streamae.config import Config
from streamae.evaluate import UNJUDGED_ROWS, evaluate
from streamae.numerics.ranking import roc_auc
from tests.benchmarks.quality import NOT_A_STREAM, ROWS, mahalanobis, public_sets, shelf_with_data

LEAST_ROC_AUC, LEAST_AVERAGE_PRECISION = 0.795, 0.405
"""Means over the 31 public sets: three seeds give 0.803 and 0.424, and differ by 0.003 at most."""


def test_shuttle() -> None:
    report = evaluate(Path(Shuttle().path), Config(), label="anomaly")
    assert report.rows == 49_097
    assert report.roc_auc is not None
    assert report.roc_auc >= 0.98


@pytest.mark.slow
def test_public_sets() -> None:
    """Both means, and three sets won for two lost against a running Mahalanobis distance."""
    shelf = shelf_with_data()
    if shelf is None:
        pytest.skip("the public sets are not in STREAMAE_DATA, nor in data beside the repository")
    paths = [path for path in sorted(shelf.glob("*.npz")) if path.stem not in NOT_A_STREAM]
    assert len(paths) == 31
    reports = [evaluate(path, Config(), rows=ROWS) for path in paths]
    assert np.mean([report.average_precision for report in reports]) >= LEAST_AVERAGE_PRECISION
    ours = np.array([report.roc_auc for report in reports])
    assert ours.mean() >= LEAST_ROC_AUC
    theirs = [
        roc_auc(mahalanobis(stream.x)[UNJUDGED_ROWS:], stream.anomalous[UNJUDGED_ROWS:])
        for _, stream in public_sets(shelf)
    ]
    gain = ours - np.array(theirs)
    assert 2 * (gain > 0.01).sum() >= 3 * (gain < -0.01).sum()
