from collections.abc import Callable

import numpy as np
import pytest

from streamae.config import DetectorConfig
from streamae.detector import Detector
from tests import checks


def maker(activation: str) -> checks.Make:
    config = DetectorConfig(activation=activation, n_latents=32, block_size=128, device="cpu")

    def make(n_features: int) -> Detector:
        return Detector(config, n_features, "topic/0")

    return make


@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
@pytest.mark.parametrize("check", checks.CHECKS)
def test_contract(check: Callable[[checks.Make], None], activation: str) -> None:
    check(maker(activation))


def test_state_keeps_its_form_when_every_memory_is_full() -> None:
    config = DetectorConfig(
        block_size=32, n_latents=8, memory=100, residual_memory=100, autoencoder_memory=100
    )
    detector, fresh = Detector(config, 3, "topic/0"), Detector(config, 3, "topic/0")
    rng = np.random.default_rng(5)
    for _ in range(8):
        x = rng.normal(size=(32, 3)).astype(np.float32)
        detector.learn(x, detector.score(x, 32))
    fresh.load_state_dict(detector.state_dict())
    x = rng.normal(size=(32, 3)).astype(np.float32)
    np.testing.assert_array_equal(fresh.score(x, 32).score, detector.score(x, 32).score)
