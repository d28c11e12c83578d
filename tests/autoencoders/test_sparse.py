import numpy as np
import pytest
import torch

from streamae.autoencoders import SparseAutoencoder
from streamae.autoencoders.loss import kl_penalty
from streamae.autoencoders.sparse import kl_divergence
from tests.streams import vectors

ONE_HOT = np.eye(4, dtype=np.float32)


def learn(activation: str) -> SparseAutoencoder:
    model = SparseAutoencoder(
        n_latents=100,
        activation=activation,
        sparsity_target=0.1,
        sparsity_weight=3.0,
        weight_decay=1e-4,
    )
    return model.fit(ONE_HOT, n_epochs=2000, batch_size=4)


@pytest.mark.slow
@pytest.mark.parametrize(("activation", "inactive"), [("sigmoid", 0.0), ("tanh", -1.0)])
def test_one_hot_inputs_through_a_hundred_sparse_units(activation: str, inactive: float) -> None:
    model = learn(activation)
    np.testing.assert_allclose(model.reconstruct(ONE_HOT), ONE_HOT, atol=0.05)
    share = (model.transform(ONE_HOT).mean(0) - inactive) / (1.0 - inactive)
    np.testing.assert_allclose(share, 0.1, atol=0.01)


def test_divergence_is_zero_at_the_target_alone() -> None:
    rate = torch.linspace(0.0, 1.0, 101)
    divergence = kl_divergence(0.1, rate)
    assert torch.isfinite(divergence).all()
    assert int(divergence.argmin()) == 10
    assert float(divergence[10]) == pytest.approx(0.0, abs=1e-6)


def test_divergence_gradient_is_the_closed_form() -> None:
    codes = torch.rand(20, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    leaf = codes.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(kl_divergence(0.1, leaf.mean(0)).sum(), leaf)
    rate = codes.mean(0)
    closed_form = (-0.1 / rate + 0.9 / (1.0 - rate)) / len(codes)
    torch.testing.assert_close(gradient, closed_form.expand_as(codes), rtol=1e-4, atol=1e-6)
    of_the_detector = kl_penalty(codes, 0.1, weight=codes.shape[1]).gradient
    torch.testing.assert_close(gradient, of_the_detector, rtol=1e-4, atol=1e-6)


def test_order_within_a_batch_does_not_matter() -> None:
    x = vectors(64)
    model = SparseAutoencoder(n_latents=20).partial_fit(x)

    def gradients(x: np.ndarray) -> tuple[torch.Tensor, ...]:
        cost = model._cost(model._batch(x), model._generator("batch", 0))
        return torch.autograd.grad(cost, list(model._parameters.values()))

    for one, other in zip(gradients(x), gradients(x[::-1]), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("wrong", [{"activation": "relu"}, {"sparsity_target": 1.0}])
def test_hyperparameters_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"relu|sparsity_target"):
        SparseAutoencoder(**wrong)
