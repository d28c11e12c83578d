from collections.abc import Callable

import numpy as np
import pytest

from streamae.detector.calibrator import Calibrator


def calibrated(scores: np.ndarray, memory: int = 20_000) -> Calibrator:
    calibrator = Calibrator(memory)
    for start in range(0, len(scores), 256):
        calibrator.update(scores[start : start + 256])
    return calibrator


def gamma(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).gamma(4.0, 1.0, n)


def test_nothing_is_anomalous_before_a_score_was_seen() -> None:
    calibrator = Calibrator(1000)
    np.testing.assert_array_equal(calibrator.p_value(np.array([0.0, 1e9])), 1.0)
    assert calibrator.threshold(0.5) == np.inf


def test_p_values_of_the_same_distribution_are_uniform() -> None:
    p = calibrated(gamma(20_000)).p_value(gamma(200_000, seed=1))
    for alpha, tolerance in ((0.5, 0.05), (0.1, 0.1), (0.01, 0.2), (0.001, 0.5)):
        assert (p <= alpha).mean() == pytest.approx(alpha, rel=tolerance)


@pytest.mark.parametrize(("n", "repetitions"), [(1024, 400), (4096, 200), (20_480, 40)])
def test_one_in_a_thousand_however_few_scores_were_seen(n: int, repetitions: int) -> None:
    rng = np.random.default_rng(n)
    thresholds = np.array(
        [calibrated(3.0 + rng.exponential(size=n)).threshold(1e-3) for _ in range(repetitions)]
    )
    assert np.exp(3.0 - thresholds).mean() == pytest.approx(1e-3, rel=0.2)


def light(rng: np.random.Generator, n: int) -> np.ndarray:
    return 3.0 * np.log1p(rng.gamma(4.0, 1.0, n))


def heavy(rng: np.random.Generator, n: int) -> np.ndarray:
    return 1.0 + rng.pareto(2.0, n)


def far_cluster(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.gamma(4.0, 1.0, n) + 40.0 * (rng.random(n) < 0.01)


def two_groups(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.gamma(4.0, 1.0, n) * np.where(rng.random(n) < 0.03, 0.2, 1.0) + 1.0


def autoregressive(rng: np.random.Generator, n: int) -> np.ndarray:
    noise = rng.standard_normal(n + 39)
    return np.exp(0.3 * np.convolve(noise, 0.8 ** np.arange(40), mode="valid"))


@pytest.mark.parametrize("scores_of", [light, heavy, far_cluster, two_groups, autoregressive])
def test_one_in_a_thousand_whatever_the_tail(
    scores_of: Callable[[np.random.Generator, int], np.ndarray],
) -> None:
    calibrator = Calibrator(20_000)
    flagged = []
    for block in scores_of(np.random.default_rng(0), 800 * 256).reshape(800, 256):
        flagged.append(np.mean(calibrator.p_value(block) < 1e-3))
        calibrator.update(block)
    assert 0.8e-3 < np.mean(flagged[8:]) < 1.25e-3


def test_p_value_never_rises_with_the_score() -> None:
    score = np.linspace(0.0, 600.0, 400_001)
    p = calibrated(gamma(5000)).p_value(score)
    assert (np.diff(p) <= 0).all()
    assert p[0] == 1.0
    assert p[-1] > 0.0


@pytest.mark.parametrize("alpha", [0.9, 0.3, 0.05, 0.02, 0.0199, 1e-3, 1e-6, 1e-100])
def test_threshold_is_the_inverse(alpha: float) -> None:
    calibrator = calibrated(gamma(5000))
    threshold = calibrator.threshold(alpha)
    around = threshold * np.array([1 - 1e-9, 1.0, 1 + 1e-9])
    p = calibrator.p_value(around)
    assert p[1] == pytest.approx(alpha, rel=1e-9)
    assert p[0] >= alpha >= p[2]


def test_float32_scores_decide_alike_by_p_value_and_by_threshold() -> None:
    calibrator = calibrated(gamma(5000))
    score = (gamma(100_000, seed=2) * 1.5).astype(np.float32)
    for alpha in (0.1, 1e-2, 1e-3, 1e-4):
        flagged = score >= calibrator.threshold(alpha)
        np.testing.assert_array_equal(flagged, calibrator.p_value(score) <= alpha)


@pytest.mark.parametrize("alpha", [1e-30, 1e-100, 1e-250])
def test_smallest_p_values_of_float32_scores(alpha: float) -> None:
    calibrator = calibrated(gamma(5000))
    score = np.array([calibrator.threshold(alpha)], np.float32)
    assert calibrator.p_value(score)[0] == pytest.approx(alpha, rel=1e-3)


def test_old_scores_fade() -> None:
    scores = np.concatenate([gamma(20_000) + 50.0, gamma(20_000)])
    assert calibrated(scores, memory=2000).p_value(np.array([40.0]))[0] < 1e-6
    assert calibrated(scores, memory=10**6).p_value(np.array([40.0]))[0] == pytest.approx(
        0.125, abs=0.01
    )


def test_equal_scores() -> None:
    calibrator = calibrated(np.full(5000, 3.0))
    p = calibrator.p_value(np.array([2.9, 3.0, 3.1, 5.0]))
    assert (np.diff(p) < 0).all()
    assert p[0] == 1.0
    assert p[-1] < 1e-9
    assert np.isfinite(calibrator.threshold(1e-9))


def test_aliens_lie_beyond_any_usual_score() -> None:
    alien = calibrated(gamma(20_000)).alien_score
    assert gamma(10**6, seed=1).max() < alien < 40.0
    assert Calibrator(1000).alien_score == np.inf
