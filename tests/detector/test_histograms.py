import math

import numpy as np
import pytest
import torch
from torch import Tensor

from streamae.config import DetectorConfig
from streamae.detector.histograms import N_BINS, MarginalHistograms
from streamae.numerics.seeds import generator


def histograms(d: int, memory: int = 10**6) -> MarginalHistograms:
    config = DetectorConfig(memory=memory)
    return MarginalHistograms(d, config, generator(0, "t/0", 0, "histograms"), torch.device("cpu"))


def feed(parts: MarginalHistograms, z: Tensor, missing: Tensor | None = None) -> None:
    for i in range(0, len(z), 256):
        hidden = None if missing is None else missing[i : i + 256]
        parts.update(parts.bins(z[i : i + 256]), hidden)


def test_bins_stay_within_their_histogram() -> None:
    parts = histograms(3)
    extremes = torch.tensor([-100.0, -3.0, -1e-30, 0.0, 1e-30, 3.0, 100.0])
    bins = parts.bins(extremes[:, None].expand(-1, 3))
    assert torch.equal(bins // N_BINS, torch.arange(32).expand(len(extremes), -1))
    assert (bins[1:] >= bins[:-1]).all()


def test_rare_values_in_the_middle_surprise() -> None:
    parts = histograms(2)
    rng = torch.Generator().manual_seed(0)
    two_sided = torch.where(torch.rand(5120, 2, generator=rng) < 0.5, -2.0, 2.0)
    feed(parts, two_sided)
    usual = parts.surprise(parts.bins(two_sided[:4]), None)
    rare = parts.surprise(parts.bins(torch.zeros(4, 2)), None)
    assert (usual < 1.5).all()
    assert (rare > 4.0).all()


def test_surprise_is_minus_log_p() -> None:
    parts = histograms(1)
    z = torch.zeros(512, 1)
    feed(parts, z)
    expected = -math.log((512 + 1) / (512 + 100))
    assert parts.surprise(parts.bins(z[:1]), None).item() == pytest.approx(expected, rel=1e-5)


def test_missing_values_neither_count_nor_surprise() -> None:
    z = torch.randn(1024, 2, generator=torch.Generator().manual_seed(1))
    missing = torch.zeros(1024, 2, dtype=torch.bool)
    missing[:, 1] = True
    alone, gappy = histograms(2), histograms(2)
    feed(gappy, z.masked_fill(missing, 0.0), missing)
    feed(alone, z)
    first = gappy.feature == 0
    counts = gappy.counts.view(-1, N_BINS)
    assert torch.equal(counts[first], alone.counts.view(-1, N_BINS)[first])
    assert (counts[~first] == 0).all()
    rows = z[:3].clone()
    hidden = torch.tensor([[False, False], [False, True], [True, True]])
    surprise = gappy.surprise(gappy.bins(rows), hidden)
    table = gappy.surprise(gappy.bins(rows[:, :1].expand(-1, 2)), None)
    assert surprise[2] == 0.0
    assert surprise[1] < surprise[0]
    assert torch.isfinite(table).all()


def test_memory_bounds_the_counts() -> None:
    parts = histograms(2, memory=1000)
    feed(parts, torch.zeros(25_600, 2))
    assert parts.total == pytest.approx(1000)
    assert parts.counts.view(-1, N_BINS).sum(1).max().item() == pytest.approx(1000)


@pytest.mark.parametrize("d", [1, 7, 32, 100])
def test_every_histogram_has_a_feature(d: int) -> None:
    feature = histograms(d).feature
    assert len(feature) == 32
    assert len(feature.unique()) == min(d, 32)


def test_values_of_a_forgotten_feature_are_equally_usual() -> None:
    parts = histograms(2)
    feed(parts, torch.zeros(5120, 2))
    kept = parts.surprise(parts.bins(torch.zeros(1, 2)), torch.tensor([[True, False]]))
    parts.forget(np.array([0]))
    only_first = torch.tensor([[False, True]]).expand(3, -1)
    z = torch.tensor([[-5.0, 0.0], [0.0, 0.0], [5.0, 0.0]])
    surprise = parts.surprise(parts.bins(z), only_first)
    torch.testing.assert_close(surprise, torch.full((3,), math.log(N_BINS)), atol=0.1, rtol=0.0)
    assert parts.surprise(parts.bins(z[:1] * 0), torch.tensor([[True, False]])) == kept
