"""How well scores rank anomalies above clean rows."""

import numpy as np

from streamae.types import Bools, Doubles, Floats


def roc_auc(scores: Floats | Doubles, anomalous: Bools) -> float | None:
    """Return the Mann-Whitney statistic of `scores` [n] over its maximum; None for one class.

    Tied scores take their average rank. Raise ValueError for a score that is not finite.
    """
    positives, negatives = _tally(scores, anomalous)
    n_positive, n_negative = int(positives.sum()), int(negatives.sum())
    if not n_positive or not n_negative:
        return None
    below = np.cumsum(negatives) - negatives
    return float(positives @ (below + negatives / 2) / (n_positive * n_negative))


def average_precision(scores: Floats | Doubles, anomalous: Bools) -> float | None:
    """Return the sum of precision times gained recall over falling thresholds; None for one class.

    Tied scores share one threshold. Raise ValueError for a score that is not finite.
    """
    positives, negatives = _tally(scores, anomalous)
    if not positives.sum() or not negatives.sum():
        return None
    hits, gained = np.cumsum(positives[::-1]), positives[::-1]
    flagged = np.cumsum((positives + negatives)[::-1])
    return float((hits / flagged) @ gained / hits[-1])


def _tally(scores: Floats | Doubles, anomalous: Bools) -> tuple[Doubles, Doubles]:
    """Return the anomalies and the clean rows at each distinct score, rising."""
    if not np.isfinite(scores).all():
        raise ValueError("a score is not a finite number")
    values, place = np.unique(scores, return_inverse=True)
    everyone = np.bincount(place, minlength=len(values)).astype(np.float64)
    positives = np.bincount(place[anomalous], minlength=len(values)).astype(np.float64)
    return positives, everyone - positives
