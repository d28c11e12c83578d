"""Detection quality beside two running baselines, on labelled streams, causal and in one pass.

The public sets are read from the directory in STREAMAE_DATA, or from `data` in or beside the
repository. Only `river.datasets.Shuttle`, which a dependency ships, is always there.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from river import datasets

from streamae.config import Config
from streamae.evaluate import UNJUDGED_ROWS, judge
from streamae.labelled import LabelledStream, read
from streamae.numerics.ranking import average_precision, roc_auc
from streamae.types import Doubles, Floats

ROWS = 20_000
BLOCK = 256
ROOT = Path(__file__).parents[2]
SHELVES = (ROOT / "data", ROOT.parent / "data", ROOT.parent / "shared" / "data")
NOT_A_STREAM = ("mnist_digits",)

Scorer = Callable[[Floats], Floats | Doubles]


def run() -> list[str]:
    """Return a table of ROC-AUC and average precision per set, with means and paired wins."""
    shelf = shelf_with_data()
    if shelf is None:
        return [
            "quality: public sets skipped, none in STREAMAE_DATA or "
            + ", ".join(str(path) for path in SHELVES),
            *table({"shuttle (river)": shuttle()}),
        ]
    return table(dict(public_sets(shelf)))


def shelf_with_data() -> Path | None:
    """Return the first directory that holds `.npz` files."""
    named = os.environ.get("STREAMAE_DATA")
    for path in (Path(named),) if named else SHELVES:
        if any(path.glob("*.npz")):
            return path
    return None


def public_sets(shelf: Path) -> Iterator[tuple[str, LabelledStream]]:
    """Yield the first `ROWS` rows of each set by name."""
    for path in sorted(shelf.glob("*.npz")):
        if path.stem not in NOT_A_STREAM:
            yield path.stem, read(path, rows=ROWS)


def shuttle() -> LabelledStream:
    """Return the whole of Statlog (Shuttle) in its shipped order."""
    pairs = list(datasets.Shuttle())
    x = np.array([list(features.values()) for features, _ in pairs], np.float32)
    return LabelledStream(x, np.array([y == 1 for _, y in pairs]), tuple(pairs[0][0]))


def streamae(x: Floats) -> Floats:
    """Return the scores of the default configuration, [n]."""
    return judge(x, Config(), stream="benchmark/0").score


def mahalanobis(x: Floats) -> Doubles:
    """Return squared Mahalanobis distances to the mean of all earlier blocks, [n].

    Missing values count as the mean. The ridge on the correlations keeps constant and collinear
    features from deciding.
    """
    return _running(x, lambda z, r: np.einsum("ij,ij->i", z @ np.linalg.inv(r), z))


def z_score(x: Floats) -> Doubles:
    """Return the mean squared z-score against all earlier blocks, [n]."""
    return _running(x, lambda z, _: np.mean(z**2, axis=1))


def _running(x: Floats, score: Callable[[Doubles, Doubles], Doubles]) -> Doubles:
    """Score each block of `x` with `score(z, correlation + ridge)` of the rows before it."""
    n, d = x.shape
    scores = np.full(n, np.nan)
    count, total, products = 0, np.zeros(d), np.zeros((d, d))
    origin = np.nan_to_num(np.nanmean(x[:BLOCK], axis=0), nan=0.0)
    for start in range(0, n, BLOCK):
        block = x[start : start + BLOCK].astype(np.float64) - origin
        block = np.where(np.isnan(block), total / max(count, 1), block)
        if count:
            mean = total / count
            covariance = products / count - np.outer(mean, mean)
            sd = np.sqrt(np.maximum(np.diag(covariance), 1e-12))
            ridge = 1e-3 * np.eye(d)
            scores[start : start + BLOCK] = score(
                (block - mean) / sd, covariance / np.outer(sd, sd) + ridge
            )
        count += len(block)
        total += block.sum(axis=0)
        products += block.T @ block
    return scores


SCORERS: dict[str, Scorer] = {"streamae": streamae, "Mahalanobis": mahalanobis, "z-score": z_score}


def table(sets: dict[str, LabelledStream]) -> list[str]:
    """Return one line per set, then the means, then streamae's wins and losses."""
    figures = np.array(
        [[_figures(s, scorer) for scorer in SCORERS.values()] for s in sets.values()]
    )
    width = max(len(name) for name in (*sets, "mean of 99"))
    lines = [" " * width + "".join(f"{name:>18}" for name in SCORERS)]
    lines += [" " * width + f"{'AUC':>9}{'AP':>9}" * len(SCORERS)]
    rows = [*zip(sets, figures, strict=True), (f"mean of {len(sets)}", figures.mean(axis=0))]
    for name, row in rows:
        lines.append(f"{name:<{width}}" + "".join(f"{a:>9.3f}{p:>9.3f}" for a, p in row))
    for place, name in enumerate(SCORERS):
        if place:
            gain = figures[:, 0] - figures[:, place]
            (wins, losses) = (gain > 0.01).sum(axis=0), (gain < -0.01).sum(axis=0)
            lines.append(
                f"won : lost by more than 0.01 against {name}:"
                f" AUC {wins[0]} : {losses[0]}, AP {wins[1]} : {losses[1]}"
            )
    return lines


def _figures(stream: LabelledStream, scorer: Scorer) -> tuple[float | None, float | None]:
    scores = scorer(stream.x)[UNJUDGED_ROWS:]
    labels = stream.anomalous[UNJUDGED_ROWS:]
    return roc_auc(scores, labels), average_precision(scores, labels)
