"""The bound on what other weights of the score's parts would reach."""

import numpy as np

from streamae.config import Config
from streamae.evaluate import UNJUDGED_ROWS, judge
from streamae.labelled import LabelledStream
from streamae.numerics.ranking import roc_auc
from tests.benchmarks.oracle import figures, parts_of, scored


def stream() -> LabelledStream:
    """Return four pairs of features that go together; in anomalies one pair does not."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2_000, 8)).astype(np.float32)
    x[:, 1::2] = x[:, ::2] + 0.1 * x[:, 1::2]
    anomalous = np.arange(len(x)) % 50 == 0
    x[anomalous, 1] = -x[anomalous, 0]
    return LabelledStream(x, anomalous, tuple("abcdefgh"))


def test_each_energy_sees_what_it_is_for() -> None:
    x, anomalous, *_ = stream()
    parts = parts_of(x)
    whitened, by_feature, residual = (
        roc_auc(scored(parts, *weights, 0.0)[UNJUDGED_ROWS:], anomalous[UNJUDGED_ROWS:]) or 0.0
        for weights in np.eye(3)
    )
    assert min(whitened, residual) > 0.85
    assert by_feature < 0.65


def test_the_best_weights_are_no_worse_than_the_default() -> None:
    default, *others = figures(stream())
    assert (np.max(others, axis=0) >= default).all()


def test_the_scores_are_those_of_the_default_and_stay_so() -> None:
    x = stream().x
    score = judge(x, Config(), stream="benchmark/0").score
    np.testing.assert_array_equal(parts_of(x).score, np.nan_to_num(score))
    again = judge(x, Config(), stream="benchmark/0").score
    np.testing.assert_array_equal(again, score)
