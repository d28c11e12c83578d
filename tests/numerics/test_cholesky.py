import pytest
import torch

from streamae.numerics.cholesky import cholesky


def moments(n_columns: int, rank: int, seed: int = 0) -> torch.Tensor:
    """Return the second moments of collinear columns, summed in float32."""
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(500, rank, generator=rng) @ torch.randn(rank, n_columns, generator=rng)
    return x.T @ x / len(x)


def test_it_is_the_factor_of_the_ridged_moments() -> None:
    a = torch.stack([moments(6, 6), moments(6, 6, seed=1)])
    before = a.clone()
    expected = torch.linalg.cholesky(a.double() + 0.1 * torch.eye(6, dtype=torch.float64))
    assert torch.equal(cholesky(a, 0.1), expected)
    assert torch.equal(a, before)


@pytest.mark.parametrize("ridge", [1e-6, 1e-9])
def test_what_rounding_took_away_is_made_up_for(ridge: float) -> None:
    a = moments(200, 3)
    assert float(torch.linalg.eigvalsh(a.double())[0]) < -ridge
    factor = cholesky(a, ridge)
    off = (factor @ factor.T - a).abs()
    assert float(off.max()) < 1e-3 * float(a.abs().max())
    assert float((off - off.diagonal().diag()).max()) < 1e-9


def test_nothing_makes_up_for_a_nan() -> None:
    with pytest.raises(RuntimeError, match="cholesky"):
        cholesky(moments(4, 4).fill_(float("nan")), 1e-3)
