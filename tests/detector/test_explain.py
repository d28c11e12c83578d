import numpy as np
import pytest

from streamae.config import DetectorConfig
from streamae.detector import Detector
from streamae.types import Floats
from tests.checks import feed


def stream(n: int, seed: int = 0) -> Floats:
    """Feature 1 is twice feature 0, feature 2 their sum plus 100, feature 3 on its own."""
    rng = np.random.default_rng(seed)
    a, noise = rng.standard_normal(n), 0.05 * rng.standard_normal((n, 4))
    x = np.stack([a, 2 * a, 3 * a + 100, rng.standard_normal(n)], axis=1) + noise
    return x.astype(np.float32)


@pytest.fixture(scope="module")
def detector() -> Detector:
    detector = Detector(DetectorConfig(n_latents=32, device="cpu"), 4, "t/0")
    feed(detector, stream(8192))
    return detector


@pytest.mark.parametrize("feature", [0, 1, 2, 3])
def test_the_broken_feature_comes_first(detector: Detector, feature: int) -> None:
    x = stream(1, seed=1)[0]
    before = x[feature]
    x[feature] += 6.0 if feature == 3 else 2.0
    explanation = detector.explain(x)
    assert explanation.share.argmax() == feature
    assert explanation.share.sum() == pytest.approx(1.0)
    assert (explanation.share >= 0).all()
    np.testing.assert_array_equal(explanation.observed, x)
    if feature != 3:
        assert abs(explanation.expected[feature] - before) < 0.4 * abs(x[feature] - before)


def test_a_missing_feature_is_expected_but_not_blamed(detector: Detector) -> None:
    x = stream(1, seed=2)[0]
    before = x[1]
    x[1] = np.nan
    explanation = detector.explain(x)
    assert explanation.share[1] == 0.0
    assert explanation.share.sum() == pytest.approx(1.0)
    assert explanation.expected[1] == pytest.approx(before, abs=0.4)
    assert np.isnan(explanation.observed[1])


def test_nothing_observed(detector: Detector) -> None:
    explanation = detector.explain(np.full(4, np.nan, np.float32))
    assert (explanation.share == 0.0).all()
    assert np.isfinite(explanation.expected).all()


def test_extreme_records(detector: Detector) -> None:
    for value in (3e38, -3e38, 1e-38):
        explanation = detector.explain(np.full(4, value, np.float32))
        assert np.isfinite(explanation.expected).all()
        assert explanation.share.sum() == pytest.approx(1.0)


def test_the_record_is_copied(detector: Detector) -> None:
    x = stream(1)[0]
    explanation = detector.explain(x)
    x[:] = 0.0
    assert explanation.observed[2] > 50.0
