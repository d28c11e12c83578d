"""The distance of a reconstruction from a sample of earlier ones."""

import numpy as np
import pytest
import torch
from torch import Tensor

from streamae.config import Config
from streamae.detector.neighbours import Neighbours
from streamae.detector.whitener import CLIP
from streamae.evaluate import judge
from streamae.numerics.ranking import roc_auc
from streamae.numerics.seeds import generator
from tests.benchmarks.curved import STREAMS
from tests.benchmarks.curved import stream as curved

CPU = torch.device("cpu")
N = 256


def taught(*blocks: Tensor, memory: int = 8192, weights: Tensor | None = None) -> Neighbours:
    neighbours = Neighbours(blocks[0].shape[1], memory, CPU)
    for i, block in enumerate(blocks):
        counted = torch.ones(len(block)) if weights is None else weights
        neighbours.update(block, counted, generator(0, "stream", i, "neighbours"))
    return neighbours


def drawn(n: int, d: int = 5, seed: int = 0) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def test_distance_is_that_to_the_nearest_stored_one() -> None:
    neighbours = taught(drawn(N), drawn(N, seed=1))
    recons = 2.0 * drawn(N, seed=2)
    within = recons.double().clamp(-CLIP, CLIP)
    apart = torch.cdist(within, neighbours.stored.double())
    expected = apart.amin(1).float()
    torch.testing.assert_close(neighbours.distance(recons), expected, atol=1e-3, rtol=1e-3)


def test_what_is_stored_is_where_it_is() -> None:
    neighbours = taught(drawn(N))
    assert neighbours.distance(neighbours.stored).max() < 2e-3
    torch.testing.assert_close(neighbours.nearest(neighbours.stored), neighbours.stored)


@pytest.mark.parametrize("n", [8, N, 2 * N])
def test_the_first_block_fills_it_whatever_its_size(n: int) -> None:
    neighbours = taught(1.0 + drawn(n).abs())
    assert (neighbours.stored > 0.9).all()


def test_records_are_stored_as_often_as_they_count() -> None:
    block = torch.cat([torch.zeros(N // 2, 1), torch.ones(N // 2, 1)])
    weights = torch.where(block[:, 0] == 1.0, 0.1, 1.9)
    shares = [float(taught(block, weights=weights).stored.mean())]
    shares += [float(taught(*[block] * k, weights=weights).stored.mean()) for k in (20, 60)]
    assert np.mean(shares) == pytest.approx(0.05, abs=0.03)


@pytest.mark.parametrize("n_blocks", [8, 32])
def test_what_is_older_than_the_memory_is_forgotten(n_blocks: int) -> None:
    memory = 16 * N
    old, new = [torch.zeros(N, 1)] * 100, [torch.ones(N, 1)] * n_blocks
    share = float(taught(*old, *new, memory=memory).stored.mean())
    assert share == pytest.approx(1.0 - np.exp(-n_blocks / 16), abs=0.1)


def test_young_it_is_a_fair_sample_of_all() -> None:
    blocks = [torch.full((N, 1), float(i % 2)) for i in range(10)]
    assert float(taught(*blocks).stored.mean()) == pytest.approx(0.5, abs=0.1)


def test_a_feature_forgotten_is_where_it_was_at_the_start() -> None:
    neighbours = taught(1.0 + drawn(N).abs())
    neighbours.forget(np.array([1, 3]))
    assert not neighbours.stored[:, [1, 3]].any()
    assert neighbours.stored[:, [0, 2, 4]].all()


def test_how_extreme_a_value_is_does_not_matter() -> None:
    neighbours = taught(drawn(N))
    extreme, usual = torch.tensor([1e30, -1e30, 0.0]), torch.tensor([CLIP, -CLIP, 0.0])
    rest = torch.tensor([0.5, -0.5])
    far, near = neighbours.distance(torch.stack([torch.cat([v, rest]) for v in (extreme, usual)]))
    assert far == near


@pytest.mark.parametrize("name", ["a ring", "12 modes"])
def test_places_between_normal_records_are_found(name: str) -> None:
    """Without it a ring gives 0.986 and twelve modes 0.54; a linear detector 0.91 and 0.38."""
    stream = curved(STREAMS[name])
    score = judge(stream.x, Config(), stream="benchmark/0").score
    roc = roc_auc(score[2_000:], stream.anomalous[2_000:])
    assert roc is not None
    assert roc > 0.95
