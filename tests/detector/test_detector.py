from collections.abc import Callable

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
