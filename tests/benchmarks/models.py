"""Every autoencoder that `detector.model` chooses, with its own values, on the same streams."""

import time
from typing import get_args

import numpy as np

from streamae.config import Config, DetectorConfig
from streamae.config.models import ModelName
from streamae.evaluate import UNJUDGED_ROWS, judge
from streamae.labelled import LabelledStream
from streamae.numerics.ranking import average_precision, roc_auc
from tests.benchmarks.quality import public_sets, shelf_with_data, shuttle


def run() -> list[str]:
    """Return a Markdown table: Shuttle, the mean of the public sets, `syn_modes`, and speed."""
    shelf = shelf_with_data()
    sets = {} if shelf is None else dict(public_sets(shelf))
    whole = shuttle()
    head = ["`detector.model`", "Shuttle ROC-AUC", "AP", f"{len(sets)} sets ROC-AUC", "AP"]
    lines = [_row([*head, "`syn_modes` ROC-AUC", "records/s"]), "| --- " * (len(head) + 2) + "|"]
    for model in get_args(ModelName):
        *figures, rate = _judge(model, whole)
        rows = {name: _judge(model, stream) for name, stream in sets.items()}
        if rows:
            figures += np.mean([row[:2] for row in rows.values()], axis=0).tolist()
            figures.append(rows["syn_modes"][0])
        else:
            figures += [float("nan")] * 3
        shown = [f"{figure:.3f}" for figure in figures]
        lines.append(_row([f"`{model}`", *shown, f"{rate:,.0f}"]))
        print(lines[-1], flush=True)
    return lines


def _judge(model: ModelName, stream: LabelledStream) -> tuple[float, float, float]:
    """Return ROC-AUC, average precision and records per second of CPU time."""
    config = Config(detector=DetectorConfig(model=model))
    started = time.process_time()
    scores = judge(stream.x, config, stream="benchmark/0").score[UNJUDGED_ROWS:]
    seconds = time.process_time() - started
    labels = stream.anomalous[UNJUDGED_ROWS:]
    auc, precision = roc_auc(scores, labels), average_precision(scores, labels)
    assert auc is not None
    assert precision is not None
    return auc, precision, len(stream.x) / seconds


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
