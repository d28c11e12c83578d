"""What choosing among the detector's own parts by the labels would reach: a bound, no detector.

For each public set the weights of the three energies and of the surprise in the sum are those that
rank its anomalies best, ROC-AUC and average precision each by weights of its own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from typing import NamedTuple
from unittest.mock import patch

import numpy as np

from streamae.config import Config, DetectorConfig
from streamae.detector.detector import Detector
from streamae.detector.persistence import Persistence
from streamae.detector.scores import Scores
from streamae.evaluate import UNJUDGED_ROWS, judge
from streamae.labelled import LabelledStream
from streamae.numerics.ranking import average_precision, roc_auc
from streamae.types import Doubles, Floats
from tests.benchmarks.quality import SHELVES, public_sets, shelf_with_data

WEIGHTS = (0.0, 0.5, 1.0)


class Parts(NamedTuple):
    """What the scores [n] of a stream are made of."""

    score: Doubles
    energies: Doubles
    """[3, n]: of z, whitened and by feature, and of the residual."""
    surprise: Doubles


def run() -> list[str]:
    """Return the means over the public sets: the default's, and those of the best weights."""
    shelf = shelf_with_data()
    if shelf is None:
        return [f"oracle: skipped, no public sets in STREAMAE_DATA or {SHELVES[0]}"]
    reached = np.array([figures(stream) for _, stream in public_sets(shelf)])
    best = reached.mean(axis=0).argmax(axis=0)
    rows = {
        "default": reached[:, 0],
        "best weights for each set": reached.max(axis=1),
        "best weights for all sets": reached[:, best, [0, 1]],
    }
    return [
        f"{name:<26}ROC-AUC {row[:, 0].mean():.3f}, average precision {row[:, 1].mean():.3f}"
        for name, row in rows.items()
    ]


def figures(stream: LabelledStream) -> Doubles:
    """Return both figures [k, 2] of the default's scores, then of each choice of weights."""
    parts = parts_of(stream.x)
    labels = stream.anomalous[UNJUDGED_ROWS:]
    candidates = [parts.score, *(scored(parts, *weights) for weights in product(WEIGHTS, repeat=4))]
    judged = (scores[UNJUDGED_ROWS:] for scores in candidates)
    return np.array([(roc_auc(s, labels), average_precision(s, labels)) for s in judged], float)


def scored(
    parts: Parts, linear: float, marginal: float, residual: float, surprise: float
) -> Doubles:
    """Return the score [n] with these weights, the recent level being that of this sum."""
    weights = np.array([linear, marginal, residual])
    energy = weights @ parts.energies * (2.0 / max(weights.sum(), 1.0))
    block = DetectorConfig().block_size
    persistence = Persistence(block, DetectorConfig().autoencoder_memory)
    score = energy + surprise * parts.surprise
    for start in range(block, len(energy), block):
        piece = slice(start, start + block)
        levels = persistence.levels(energy[piece])
        score[piece] += persistence.autocorrelation * levels
        if len(levels) == block:
            persistence.update(energy[piece], levels)
    return score


def parts_of(x: Floats) -> Parts:
    """Score the stream x[n, d] and keep what the scores are made of, 0 in the first block."""
    with _kept() as blocks:
        score = judge(x, Config(), stream="benchmark/0").score
    made_of = np.concatenate(blocks, axis=1)
    made_of = np.pad(made_of, ((0, 0), (len(x) - made_of.shape[1], 0)))
    return Parts(np.nan_to_num(score.astype(np.float64)), made_of[:3], made_of[3])


@contextmanager
def _kept() -> Iterator[list[Doubles]]:
    """Keep the kinds of evidence, [4, n] of each block that is scored."""
    blocks: list[Doubles] = []
    score = Detector.score

    def scoring(self: Detector, x: Floats, n: int) -> Scores:
        scores = score(self, x, n)
        if scores.evidence is not None:
            blocks.append(scores.evidence.kinds[:, :n])
        return scores

    with patch.object(Detector, "score", scoring):
        yield blocks
