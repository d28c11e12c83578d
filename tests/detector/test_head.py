import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from streamae.detector import LogisticHead
from streamae.detector.head import RIDGE

RNG = np.random.default_rng(0)
CODES = RNG.normal(size=(300, 5)).astype(np.float32)
ANOMALOUS = CODES[:, 0] + 0.5 * RNG.normal(size=300) > 1.5


def fitted(codes: np.ndarray = CODES, anomalous: np.ndarray = ANOMALOUS) -> LogisticHead:
    head = LogisticHead()
    head.fit(codes, anomalous)
    return head


def test_solution_is_that_of_scikit_learn() -> None:
    """Its balanced classes have the same weights, and its C is the inverse of the ridge."""
    known = LogisticRegression(C=1.0 / RIDGE, class_weight="balanced", tol=1e-10, max_iter=1000)
    expected = known.fit(CODES.astype(np.float64), ANOMALOUS).predict_proba(CODES)[:, 1]
    np.testing.assert_allclose(fitted().probability(CODES), expected, atol=1e-5)


def test_few_anomalies_are_not_outvoted() -> None:
    few = ANOMALOUS & (np.cumsum(ANOMALOUS) <= 10)
    kept = few | ~ANOMALOUS
    head = fitted(CODES[kept], few[kept])
    assert (head.probability(CODES[few]) > 0.5).mean() >= 0.9


def test_fit_from_another_solution_ends_at_the_same_one() -> None:
    head = fitted(CODES[:150], ANOMALOUS[:150])
    head.fit(CODES, ANOMALOUS)
    assert head.weights is not None
    np.testing.assert_allclose(head.weights, fitted().weights, atol=1e-6)


def test_classes_that_can_be_told_apart_get_finite_weights() -> None:
    codes = np.array([[-1e4], [1e4]], np.float32).repeat(20, axis=0)
    probability = fitted(codes, codes[:, 0] > 0).probability(codes)
    assert np.isfinite(probability).all()
    np.testing.assert_allclose(probability, (codes[:, 0] > 0), atol=0.01)


def test_codes_that_say_nothing_give_one_half() -> None:
    codes = np.zeros((30, 4), np.float32)
    np.testing.assert_allclose(fitted(codes, np.arange(30) < 5).probability(codes), 0.5)


def test_row_does_not_depend_on_the_others() -> None:
    head, codes = fitted(), torch.randn(64, 5).numpy()
    whole = head.probability(codes)
    codes[1:] = 0.0
    assert head.probability(codes)[0] == whole[0]


def test_probability_before_the_first_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="fitted"):
        LogisticHead().probability(CODES)
