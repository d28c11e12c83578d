"""The share of records flagged, on streams of the length it is promised for."""

from collections.abc import Callable

import numpy as np
import pytest

from streamae.autoencoders import MODELS
from streamae.config import Config, DetectorConfig
from streamae.config.models import ModelName
from streamae.evaluate import flag, judge
from streamae.types import Bools, Floats

N, BUDGET = 120_000, 1e-3


def flagged(x: Floats, model: ModelName = "denoising_sparse") -> Bools:
    """Return which rows [n] of the stream x[n, d] the daemon flags, none in the warm-up."""
    config = Config(detector=DetectorConfig(model=model))
    first, hits = flag(judge(x, config, "stream/0").p_value, config, BUDGET)
    return np.concatenate([np.zeros(first, np.bool_), hits])


def correlated(n: int, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 3)) @ rng.standard_normal((3, 8))
    return (x + 0.3 * rng.standard_normal((n, 8))).astype(np.float32)


def wandering_level() -> Floats:
    rng = np.random.default_rng(3)
    level = np.cumsum(0.01 * rng.standard_normal((N, 8)), axis=0)
    return (level + rng.standard_normal((N, 8))).astype(np.float32)


def wandering_spread() -> Floats:
    """Return rows whose standard deviation changes by 15 % every 500 records."""
    rng = np.random.default_rng(3)
    spread = np.exp(np.cumsum(0.15 * rng.standard_normal(N // 500))).repeat(500)
    return (spread[:, None] * rng.standard_normal((N, 5))).astype(np.float32)


@pytest.mark.slow
def test_steady_stream_is_flagged_at_the_budget() -> None:
    assert 0.8e-3 < flagged(correlated(N, 0)).mean() < 1.25e-3


@pytest.mark.slow
@pytest.mark.parametrize("model", sorted(MODELS))
def test_steady_stream_is_flagged_at_the_budget_whatever_the_model(model: ModelName) -> None:
    assert 0.8e-3 < flagged(correlated(N, 0), model).mean() < 1.25e-3


@pytest.mark.slow
@pytest.mark.parametrize("stream", [wandering_level, wandering_spread])
def test_drifting_stream_is_flagged_within_a_factor_of_two(
    stream: Callable[[], Floats],
) -> None:
    assert 0.5e-3 < flagged(stream()).mean() < 2e-3


@pytest.mark.parametrize("gap", [1_000, 8_000])
@pytest.mark.parametrize("seed", range(3))
def test_a_long_incident_does_not_hide_the_next(seed: int, gap: int) -> None:
    """Two of 2,000 records, one in twenty of them far off."""
    x, rng = correlated(24_000 + 4_000 + gap, seed), np.random.default_rng(seed)
    incidents = np.zeros((2, len(x)), np.bool_)
    for place, start in enumerate((24_000, 26_000 + gap)):
        incidents[place, start : start + 2_000] = rng.random(2_000) < 0.05
    odd = incidents.any(axis=0)
    x[odd] += 1.5 * rng.standard_normal((int(odd.sum()), 8)).astype(np.float32)
    found = flagged(x)
    first, second = (int(found[incident].sum()) for incident in incidents)
    assert first >= 10
    assert second >= 2
