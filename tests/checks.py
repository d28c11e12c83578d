"""What every detector must hold, whatever is inside it."""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from streamae.detector import Detector, Scores
from streamae.types import Bools, Doubles, Floats

N_FEATURES = 6


class Make(Protocol):
    def __call__(self, n_features: int) -> Detector: ...


def stream(n: int, d: int = N_FEATURES, seed: int = 0) -> Floats:
    """Correlated normal records with a curve in them, [n, d]."""
    rng = np.random.default_rng(seed)
    factors = rng.standard_normal((n, 2))
    x = factors @ rng.standard_normal((2, d)) + 0.1 * rng.standard_normal((n, d))
    x[:, 0] = factors[:, 0] ** 2 + 0.1 * rng.standard_normal(n)
    return x.astype(np.float32)


def block_size(detector: Detector) -> int:
    return detector._config.block_size


def feed(detector: Detector, x: Floats) -> list[Scores]:
    """Score and learn x in whole blocks; what is left over is dropped."""
    size = block_size(detector)
    answers = []
    for start in range(0, len(x) - size + 1, size):
        block = x[start : start + size]
        answers.append(detector.score(block, size))
        detector.learn(block, answers[-1])
    return answers


def trained(make: Make, x: Floats) -> Detector:
    detector = make(x.shape[1])
    feed(detector, x)
    return detector


def assert_same_state(a: Detector, b: Detector) -> None:
    left, right = a.state_dict(), b.state_dict()
    assert left.keys() == right.keys()
    for name, array in left.items():
        assert array.dtype == right[name].dtype, name
        assert array.tobytes() == right[name].tobytes(), name


def assert_same_scores(a: Scores, b: Scores, n: int) -> None:
    assert a.score[:n].tobytes() == b.score[:n].tobytes()
    assert a.p_value[:n].tobytes() == b.p_value[:n].tobytes()


def assert_finite(detector: Detector, x: Floats) -> None:
    """Scores, p-values, explanations and state are finite at every step of x."""
    size = block_size(detector)
    first = True
    for answer in feed(detector, x):
        assert first or np.isfinite(answer.score).all()
        assert np.isfinite(answer.p_value).all()
        assert (answer.p_value > 0).all()
        assert (answer.p_value <= 1).all()
        first = False
    assert all(np.isfinite(array).all() for array in detector.state_dict().values())
    assert np.isfinite(detector.score(x[-size:], size).score).all()
    explanation = detector.explain(x[-1])
    assert np.isfinite(explanation.expected).all()
    assert np.isfinite(explanation.share).all()
    assert np.isfinite(explanation.deviation[~np.isnan(x[-1])]).all()


def check_score_is_pure(make: Make) -> None:
    x = stream(3000)
    detector, twin = trained(make, x), trained(make, x)
    size = block_size(detector)
    first = detector.score(x[:size], size)
    assert_same_scores(first, detector.score(x[:size], size), size)
    assert_same_state(detector, twin)


def check_deterministic(make: Make) -> None:
    x = stream(3000)
    assert_same_state(trained(make, x), trained(make, x.copy()))


def check_row_is_alone(make: Make) -> None:
    """A row's bits do not depend on how many rows follow, nor on what the free slots hold."""
    x = stream(4000)
    detector = trained(make, x[:3000])
    size = block_size(detector)
    block = x[3000 : 3000 + size]
    whole = detector.score(block, size)
    for n in (1, 2, size // 3, size - 1):
        assert_same_scores(whole, detector.score(block, n), n)
        for garbage in (np.nan, np.inf, 3e38, -1e-30):
            other = block.copy()
            other[n:] = garbage
            assert_same_scores(whole, detector.score(other, n), n)


def check_extreme_values(make: Make) -> None:
    """Values from 1e-38 to 1e38, of either sign, one by one and together."""
    x = stream(3000)
    rng = np.random.default_rng(1)
    for size in (1e-38, 1e-30, 1e30, 3e38):
        wild = x.copy()
        wild[rng.random(x.shape) < 0.01] = size
        wild[rng.random(x.shape) < 0.01] = -size
        assert_finite(make(N_FEATURES), wild)
        assert_finite(make(N_FEATURES), x * np.float32(min(size, 1e37)))


def check_missing_values(make: Make) -> None:
    x = stream(3000)
    rng = np.random.default_rng(2)
    some = np.where(rng.random(x.shape) < 0.1, np.nan, x).astype(np.float32)
    some[rng.random(len(x)) < 0.05] = np.nan
    assert_finite(make(N_FEATURES), some)
    feature = x.copy()
    feature[:, 2] = np.nan
    assert_finite(make(N_FEATURES), feature)
    feature[1500:, 2] = x[1500:, 2]
    assert_finite(make(N_FEATURES), feature)
    assert_finite(make(N_FEATURES), np.full_like(x, np.nan))


def check_nothing_to_learn(make: Make) -> None:
    """Constant features, constant streams, a feature that begins to vary, one feature, many."""
    x = stream(3000)
    for value in (0.0, 5.0, 1e30):
        constant = x.copy()
        constant[:, 1] = value
        assert_finite(make(N_FEATURES), constant)
        constant[2000:, 1] += x[2000:, 1]
        assert_finite(make(N_FEATURES), constant)
        assert_finite(make(N_FEATURES), np.full_like(x, value))
    binary = (stream(3000, 1) > 1.9).astype(np.float32)
    assert_finite(make(1), binary)
    assert_finite(make(120), stream(1500, 120))


def check_state_round_trip(make: Make) -> None:
    """At any block a fresh detector continues to the last bit from the saved state."""
    x = stream(6000)
    whole = make(N_FEATURES)
    size = block_size(whole)
    for saved_at in (0, 1, 2, 1024 // size + 2):
        first = trained(make, x[: saved_at * size])
        state = first.state_dict()
        second = make(N_FEATURES)
        second.load_state_dict(state)
        rest = x[saved_at * size :]
        for a, b in zip(feed(first, rest), feed(second, rest), strict=True):
            assert_same_scores(a, b, size)
        assert_same_state(first, second)


def check_finds_anomalies(make: Make) -> None:
    """Records whose features come from different moments, which no single feature shows."""
    x = stream(6000)
    rng = np.random.default_rng(3)
    planted = rng.random(len(x)) < 0.02
    swapped = x[rng.permutation(len(x))]
    x[:, ::2] = np.where(planted[:, None], swapped[:, ::2], x[:, ::2])
    answers = feed(make(N_FEATURES), x)
    score = np.concatenate([a.score for a in answers])
    assert roc_auc(planted[: len(score)][2000:], score[2000:]) > 0.9


def roc_auc(positive: Bools, score: Floats) -> float:
    """Share of (positive, negative) pairs in the right order; ties count half."""
    negatives: Doubles = np.sort(score[~positive]).astype(np.float64)
    low = np.searchsorted(negatives, score[positive], side="left")
    high = np.searchsorted(negatives, score[positive], side="right")
    return float((low + high).mean() / 2 / len(negatives))


CHECKS: list[Callable[[Make], None]] = [
    check_score_is_pure,
    check_deterministic,
    check_row_is_alone,
    check_extreme_values,
    check_missing_values,
    check_nothing_to_learn,
    check_state_round_trip,
    check_finds_anomalies,
]
