from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from streamae.autoencoders.loss import Term, kl_penalty, l1_penalty, squared_error

RNG = torch.Generator().manual_seed(0)


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=RNG, dtype=torch.float64)


def finite_differences(term: Callable[[Tensor], Term], at: Tensor, step: float = 1e-6) -> Tensor:
    gradient = torch.empty_like(at)
    for i in range(at.numel()):
        delta = torch.zeros(at.numel(), dtype=at.dtype)
        delta[i] = step
        delta = delta.view_as(at)
        difference = term(at + delta).value - term(at - delta).value
        gradient.view(-1)[i] = difference / (2 * step)
    return gradient


def check_gradient(term: Callable[[Tensor], Term], at: Tensor) -> None:
    leaf = at.clone().requires_grad_()
    (by_autograd,) = torch.autograd.grad(term(leaf).value, leaf)
    gradient = term(at).gradient
    torch.testing.assert_close(gradient, by_autograd)
    torch.testing.assert_close(gradient, finite_differences(term, at), atol=1e-7, rtol=1e-5)


@pytest.mark.parametrize("some_missing", [False, True])
def test_squared_error_gradient(some_missing: bool) -> None:
    x, recons, weights = draw(7, 3), draw(7, 3), draw(7).abs()
    missing = draw(7, 3) > 0.5 if some_missing else None
    check_gradient(lambda r: squared_error(x - r, weights, missing), recons)


def test_missing_values_have_no_loss_and_no_gradient() -> None:
    residual, weights = draw(7, 3), torch.ones(7, dtype=torch.float64)
    missing = torch.zeros(7, 3, dtype=torch.bool)
    missing[2, 1] = missing[5] = True
    term = squared_error(residual, weights, missing)
    assert (term.gradient[missing] == 0).all()
    assert (term.gradient[~missing] != 0).all()
    assert term.value.item() == pytest.approx(residual[~missing].square().mean().item())
    other = residual.masked_fill(missing, 1e9)
    assert squared_error(other, weights, missing).value.item() == term.value.item()


def test_nothing_observed() -> None:
    term = squared_error(draw(4, 2), torch.ones(4), torch.ones(4, 2, dtype=torch.bool))
    assert term.value.item() == 0.0
    assert (term.gradient == 0).all()


def test_l1_gradient() -> None:
    check_gradient(lambda latents: l1_penalty(latents, 0.3), draw(6, 4))


def test_kl_gradient() -> None:
    check_gradient(lambda latents: kl_penalty(latents, 0.1, 0.7), torch.sigmoid(draw(6, 4)))


def test_kl_closed_form() -> None:
    latents = torch.tensor([[0.2, 0.9], [0.4, 0.7]], dtype=torch.float64)
    bernoulli = torch.distributions.Bernoulli
    expected = torch.distributions.kl_divergence(
        bernoulli(torch.tensor([0.1, 0.1], dtype=torch.float64)), bernoulli(latents.mean(0))
    )
    torch.testing.assert_close(kl_penalty(latents, 0.1, 2.0).value, 2.0 * expected.mean())


def test_kl_is_zero_at_the_target() -> None:
    term = kl_penalty(torch.full((5, 3), 0.1, dtype=torch.float64), 0.1, 1.0)
    assert term.value.item() == pytest.approx(0.0, abs=1e-12)
    assert term.gradient.abs().max().item() == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("activation", [0.0, 1.0])
def test_kl_of_a_stuck_latent_is_finite(activation: float) -> None:
    term = kl_penalty(torch.full((5, 3), activation), 0.1, 1.0)
    assert torch.isfinite(term.value)
    assert torch.isfinite(term.gradient).all()
