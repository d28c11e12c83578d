import pytest
import torch

from streamae.autoencoders.denoiser import Comparison, LinearDenoiser

CPU = torch.device("cpu")
N, D = 512, 4


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_linear_denoiser_is_a_weighted_ridge_regression() -> None:
    clean, weights = normal(N, D) @ normal(D, D, seed=1), normal(N, seed=2).abs()
    inputs = torch.cat([torch.ones(N, 1), clean + 0.3 * normal(N, D, seed=3)], dim=1)
    denoiser = LinearDenoiser(D, 0.1, CPU)
    denoiser.update(inputs, clean, weights, rate=1.0)
    f, x, w = inputs.double(), clean.double(), weights.double()[:, None]
    gram = f.T @ (w * f) / N + 0.1 * torch.eye(1 + D, dtype=torch.float64)
    expected = torch.linalg.solve(gram, f.T @ (w * x) / N)
    torch.testing.assert_close(denoiser.decoder.double(), expected, rtol=1e-4, atol=1e-5)


def test_nats_are_the_difference_of_mean_log_densities() -> None:
    linear, own = normal(N, D), 0.4 * normal(N, D, seed=1) @ normal(D, D, seed=2)
    comparison = Comparison(D, 1e-6, CPU)
    comparison.update(torch.stack([linear, own]), torch.ones(N), rate=1.0)
    densities = []
    for residual in (linear.double(), own.double()):
        zero = torch.zeros(D, dtype=torch.float64)
        fitted = torch.distributions.MultivariateNormal(zero, residual.T @ residual / N)
        densities.append(float(fitted.log_prob(residual).mean()))
    assert comparison.nats == pytest.approx(densities[1] - densities[0], rel=1e-3)
    comparison.update(torch.stack([own, linear]), torch.ones(N), rate=1.0)
    assert comparison.nats == 0.0
