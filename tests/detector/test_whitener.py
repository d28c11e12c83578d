import numpy as np
import pytest
import torch
from torch import Tensor

from streamae.detector.whitener import CLIP, Whitener

CPU = torch.device("cpu")
N = 64


def correlated(n: int, d: int = 5, seed: int = 0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    mixing = torch.randn(d, d, generator=rng) / d**0.5
    return torch.randn(n, d, generator=rng) @ mixing


def learnt(v: Tensor, missing: Tensor | None = None, memory: int = 10**6) -> Whitener:
    whitener = Whitener(v.shape[1], 0.003, memory, CPU)
    for i in range(0, len(v), N):
        hidden = None if missing is None else missing[i : i + N]
        block = v[i : i + N]
        if hidden is not None:
            block = whitener.impute(block.masked_fill(hidden, 0.0), hidden)
        whitener.update(block, torch.ones(len(block)), hidden)
    return whitener


def test_energy_is_that_of_the_ridged_second_moments() -> None:
    v = correlated(640)
    whitener = learnt(v)
    clipped = v.double().clamp(-CLIP, CLIP)
    expected = clipped.T @ clipped / len(v)
    torch.testing.assert_close(whitener.covariance, expected, atol=1e-6, rtol=1e-5)
    precision = torch.linalg.inv(expected + 0.003 * torch.eye(5, dtype=torch.float64))
    energy = (v.double() @ precision * v.double()).sum(1).float()
    torch.testing.assert_close(whitener.energy(v), energy, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(
        whitener.gradient(v), (v.double() @ precision).float(), rtol=1e-3, atol=1e-3
    )


def test_weights_count() -> None:
    v = correlated(N)
    whitener = Whitener(5, 0.003, 1000, CPU)
    weights = torch.zeros(N)
    weights[:8] = N / 8
    whitener.update(v, weights, None)
    clipped = v[:8].double().clamp(-CLIP, CLIP)
    torch.testing.assert_close(whitener.covariance, clipped.T @ clipped / 8, atol=1e-6, rtol=1e-5)


def test_memory_forgets() -> None:
    v = torch.cat([10.0 * correlated(6400), correlated(6400, seed=1)])
    recent = learnt(v, memory=256).covariance
    torch.testing.assert_close(recent, learnt(v[6400:]).covariance, atol=0.3, rtol=0.3)
    assert learnt(v).covariance.trace() > 2 * recent.trace()


def test_one_missing_value_leaves_the_energy_of_the_others() -> None:
    v = correlated(6400)
    whitener = learnt(v)
    covariance = whitener.covariance + 0.003 * torch.eye(5, dtype=torch.float64)
    missing = torch.zeros(N, 5, dtype=torch.bool)
    missing[:, 2] = True
    imputed = whitener.impute(v[:N].masked_fill(missing, 0.0), missing)
    seen = [0, 1, 3, 4]
    precision = torch.linalg.inv(covariance[seen][:, seen])
    w = v[:N, seen].double()
    expected = (w @ precision * w).sum(1).float()
    torch.testing.assert_close(whitener.energy(imputed), expected, rtol=1e-3, atol=1e-3)


def test_imputing_never_raises_the_energy_nor_touches_what_was_observed() -> None:
    v = correlated(6400)
    whitener = learnt(v)
    missing = torch.rand(N, 5, generator=torch.Generator().manual_seed(3)) < 0.5
    before = v[:N].masked_fill(missing, 0.0)
    after = whitener.impute(before, missing)
    assert (whitener.energy(after) <= whitener.energy(before) * (1 + 1e-5) + 1e-5).all()
    assert torch.equal(after[~missing], before[~missing])


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_missing_values_do_not_shrink_the_variance(share: float) -> None:
    v = correlated(64_000)
    missing = torch.zeros(len(v), 5, dtype=torch.bool)
    missing[:, 1] = torch.rand(len(v), generator=torch.Generator().manual_seed(4)) < share
    complete, gappy = learnt(v).covariance, learnt(v, missing).covariance
    if share < 1.0:
        torch.testing.assert_close(gappy, complete, atol=0.05, rtol=0.1)
    else:
        assert 0.5 < gappy[1, 1] < 2.0
        assert np.isfinite(gappy.numpy()).all()


def test_forgotten_features_stand_alone() -> None:
    rng = np.random.default_rng(0)
    v = torch.from_numpy((rng.normal(size=(512, 3)) @ rng.normal(size=(3, 3))).astype(np.float32))
    whitener = Whitener(3, 0.01, 1000, torch.device("cpu"))
    whitener.update(v, torch.ones(512), None)
    kept = whitener.covariance[0, 0].item()
    whitener.forget(np.array([1, 2]))
    expected = torch.diag(torch.tensor([kept, 1.0, 1.0], dtype=torch.float64))
    torch.testing.assert_close(whitener.covariance, expected)
    energy = whitener.energy(torch.tensor([[0.0, 1.0, 0.0]])).item()
    assert energy == pytest.approx(1 / 1.01, rel=1e-5)
