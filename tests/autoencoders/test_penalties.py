"""What sets the L1-sparse, k-sparse and contractive autoencoder apart from the plain one."""

import numpy as np
import pytest
import torch

from streamae.autoencoders import (
    ContractiveAutoencoder,
    KSparseAutoencoder,
    L1SparseAutoencoder,
    ShallowAutoencoder,
)
from tests.streams import vectors

X = vectors(256)


def test_l1_makes_codes_sparse() -> None:
    dense, sparse = (
        L1SparseAutoencoder(n_latents=30, l1_weight=weight, learning_rate=1e-2).fit(X, 60, 64)
        for weight in (0.0, 0.1)
    )
    assert (sparse.transform(X) > 0).mean() < 0.5 * (dense.transform(X) > 0).mean()
    without = ShallowAutoencoder(n_latents=30, activation="relu", weight_decay=1e-4)
    without.load_state_dict(sparse.state_dict())
    size = np.abs(sparse.transform(X)).sum(1).mean()
    assert sparse.total_cost(X) - without.total_cost(X) == pytest.approx(0.1 * size, rel=1e-4)


@pytest.mark.parametrize("k", [1, 3, 10])
def test_k_sparse_codes_keep_the_k_largest(k: int) -> None:
    model = KSparseAutoencoder(n_latents=10, k=k).fit(X, 2, 64)
    codes = model.transform(X)
    assert ((codes != 0).sum(1) == k).all()
    whole = X @ model.weights[0] + model.biases[0]
    rank = np.sort(whole, axis=1)[:, -k, None]
    np.testing.assert_allclose(codes, np.where(whole >= rank, whole, 0), rtol=1e-4, atol=1e-5)


def test_k_is_checked() -> None:
    with pytest.raises(ValueError, match="k must lie"):
        KSparseAutoencoder(n_latents=4, k=5)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_the_jacobian_in_closed_form_is_that_of_autograd(activation: str) -> None:
    model = ContractiveAutoencoder(n_latents=9, activation=activation).fit(X, 3, 64)
    batch = model._batch(X[:20])
    closed_form = model._squared_jacobian(model.encode(batch.x))
    for row, squared in zip(batch.x, closed_form, strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda x: model.encode(x[None])[0], row)
        torch.testing.assert_close(jacobian.square().sum(), squared.detach())


def test_contraction_makes_the_code_move_less() -> None:
    free, contracted = (
        ContractiveAutoencoder(n_latents=9, contraction_weight=weight, learning_rate=1e-2).fit(
            X, 30, 64
        )
        for weight in (0.0, 30.0)
    )
    nudged = X + 0.01 * np.random.default_rng(0).normal(size=X.shape).astype(np.float32)
    moved = [np.abs(m.transform(nudged) - m.transform(X)).sum() for m in (free, contracted)]
    assert moved[1] < 0.5 * moved[0]


def test_the_code_must_have_a_slope() -> None:
    with pytest.raises(ValueError, match="relu"):
        ContractiveAutoencoder(activation="relu")


def test_an_unknown_activation_is_named() -> None:
    with pytest.raises(ValueError, match="cubic"):
        ShallowAutoencoder(output="cubic")
