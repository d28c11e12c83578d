import numpy as np
import pytest
import torch

from streamae.autoencoders import VariationalAutoencoder
from streamae.autoencoders.variational import kl_from_prior
from tests.streams import vectors

X = vectors(2000)
Z = ((X - X.mean(0)) / X.std(0)).astype(np.float32)


@pytest.fixture(scope="module")
def model() -> VariationalAutoencoder:
    return VariationalAutoencoder(n_latents=2, learning_rate=5e-3).fit(Z, 40, 128)


def test_the_divergence_is_that_of_normal_distributions() -> None:
    generator = torch.Generator().manual_seed(0)
    mean, log_variance = torch.randn(2, 5, 3, generator=generator)
    posterior = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    prior = torch.distributions.Normal(torch.zeros(5, 3), torch.ones(5, 3))
    expected = torch.distributions.kl_divergence(posterior, prior).sum(1)
    torch.testing.assert_close(kl_from_prior(mean, log_variance), expected)


def test_generated_records_are_like_the_learnt_ones(model: VariationalAutoencoder) -> None:
    new = model.generate(4000)
    assert new.shape == (4000, 6)
    assert not np.array_equal(new[:10], model.generate(10, draw=1))
    np.testing.assert_array_equal(new, model.generate(4000))
    clean = Z[np.abs(Z).max(1) < 4]
    alike = np.corrcoef(new.T) - np.corrcoef(clean.T)
    assert np.abs(alike).max() < 0.25
    assert np.median(model.score(new)) < np.percentile(model.score(clean), 75)


def test_the_reconstruction_probability_is_lower_off_the_manifold(
    model: VariationalAutoencoder,
) -> None:
    shuffled = np.stack([np.random.default_rng(j).permutation(Z[:, j]) for j in range(6)], 1)
    assert np.median(model.score(shuffled)) > np.percentile(model.score(Z), 90)


def test_the_cost_is_a_bound_on_the_likelihood(model: VariationalAutoencoder) -> None:
    """E[cost] >= -log p(x), which is -log E_prior[p(x | z)], estimated with many codes."""
    clean = Z[np.abs(Z).max(1) < 3][:50]
    batch = model._batch(clean)
    codes = torch.randn(20_000, 2, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        mu, variance = model._likelihood(codes)
        densities = torch.distributions.Normal(mu, variance.sqrt())
        log_p = torch.stack([densities.log_prob(row).sum(1).logsumexp(0) for row in batch.x])
    log_p -= np.log(len(codes))
    assert model.total_cost(clean) > -float(log_p.mean())
