"""What the default configuration must reach, on real labelled streams."""

from pathlib import Path

import numpy as np
import pytest
from river.datasets import Shuttle

from streamae.config import Config
from streamae.evaluate import Report, evaluate
from tests.benchmarks.quality import NOT_A_STREAM, ROWS, shelf_with_data

MAHALANOBIS_ROC_AUC, MAHALANOBIS_AVERAGE_PRECISION = 0.754, 0.340
"""Means of a running Mahalanobis distance over the 31 public sets, the baseline to reach."""


def test_shuttle() -> None:
    report = evaluate(Path(Shuttle().path), Config(), label="anomaly")
    assert report.rows == 49_097
    assert report.roc_auc is not None
    assert report.roc_auc >= 0.98


@pytest.mark.slow
def test_public_sets_reach_the_running_mahalanobis_distance() -> None:
    shelf = shelf_with_data()
    if shelf is None:
        pytest.skip("the public sets are not in STREAMAE_DATA, nor in data beside the repository")
    reports: list[Report] = [
        evaluate(path, Config(), rows=ROWS)
        for path in sorted(shelf.glob("*.npz"))
        if path.stem not in NOT_A_STREAM
    ]
    assert len(reports) == 31
    assert np.mean([report.roc_auc for report in reports]) >= MAHALANOBIS_ROC_AUC
    precision = np.mean([report.average_precision for report in reports])
    assert precision >= MAHALANOBIS_AVERAGE_PRECISION
