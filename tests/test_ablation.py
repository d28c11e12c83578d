"""The parts that the ablation switches off: each matters, and is on again behind it."""

from contextlib import nullcontext

import numpy as np
import pytest

from streamae.config import Config, DetectorConfig
from streamae.evaluate import judge
from streamae.types import Floats
from tests.benchmarks.ablation import PARTS, Switch, figures, switched_off
from tests.benchmarks.curved import STREAMS
from tests.benchmarks.curved import stream as curved
from tests.streams import vectors

SMALL = DetectorConfig(block_size=64, n_latents=32, drift_records=256)
N = 1500


def stream() -> Floats:
    """Return [n, 7]: features of which one is another's square, one moves for good, one counts."""
    x = vectors(N)
    x[:, 2] = x[:, 0] ** 2
    x[N // 2 :, 1] += 5 * x[:, 1].std()
    counter = np.random.default_rng(0).gamma(4.0, 1.0, N).cumsum()
    return np.column_stack([x, counter]).astype(np.float32)


def scores(switch: Switch) -> Floats:
    with switched_off(switch, SMALL) as detector:
        return judge(stream(), Config(detector=detector), stream="t/0").score


@pytest.fixture(scope="module")
def whole() -> Floats:
    return scores(nullcontext)


@pytest.mark.parametrize("name", PARTS)
def test_each_part_matters_while_it_is_off(name: str, whole: Floats) -> None:
    without = scores(PARTS[name])
    assert not np.array_equal(without, whole, equal_nan=True)
    assert np.isfinite(without[SMALL.block_size :]).all()
    assert np.array_equal(scores(nullcontext), whole, equal_nan=True)


@pytest.mark.slow
def test_the_autoencoder_earns_on_curves() -> None:
    sets = {name: curved(STREAMS[name]) for name in ("a sphere", "products of factors")}
    with_it, without = (
        figures(sets, switch)[:, 0] for switch in (nullcontext, PARTS["autoencoder"])
    )
    assert (with_it - without > 0.15).all()
