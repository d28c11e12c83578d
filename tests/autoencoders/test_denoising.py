import numpy as np
import pytest

from streamae.autoencoders import DenoisingAutoencoder, ShallowAutoencoder
from streamae.autoencoders.batch import to_array
from tests.autoencoders import digits
from tests.streams import vectors

X = vectors(5000)


def corrupted(**hyperparameters: float) -> np.ndarray:
    settings = {"corruption_masking": 0.0} | hyperparameters
    return DenoisingAutoencoder(n_latents=2, **settings).partial_fit(X).corrupted(X)


def test_gaussian_noise() -> None:
    noise = corrupted(corruption_noise=0.5) - X
    assert noise.std() == pytest.approx(0.5, rel=0.02)
    assert abs(noise.mean()) < 0.01


def test_masking_leaves_the_rest_alone() -> None:
    masked = corrupted(corruption_masking=0.3)
    assert (masked == 0).mean() == pytest.approx(0.3, abs=0.01)
    np.testing.assert_array_equal(masked[masked != 0], X[masked != 0])


def test_salt_and_pepper() -> None:
    peppered = corrupted(corruption_salt_and_pepper=0.2, extremes=(-50.0, 70.0))
    assert (peppered == -50).mean() == pytest.approx(0.1, abs=0.01)
    assert (peppered == 70).mean() == pytest.approx(0.1, abs=0.01)
    untouched = (peppered != -50) & (peppered != 70)
    np.testing.assert_array_equal(peppered[untouched], X[untouched])


def test_missing_values_stay_missing() -> None:
    holes = X.copy()
    holes[:, 1] = np.nan
    model = DenoisingAutoencoder(corruption_noise=1.0, corruption_salt_and_pepper=0.5).partial_fit(
        holes
    )
    assert (model.corrupted(holes)[:, 1] == 0).all()


def test_every_batch_is_corrupted_anew() -> None:
    model = DenoisingAutoencoder(n_latents=2).partial_fit(X)
    assert not np.array_equal(model.corrupted(X, draw=0), model.corrupted(X, draw=1))
    masks = [
        to_array(model._corrupt(model._batch(X), model._generator("batch", n))) for n in (0, 1)
    ]
    assert not np.array_equal(*masks)


def test_the_chain_moves_among_the_records() -> None:
    z = (X - X.mean(0)) / X.std(0)
    model = DenoisingAutoencoder(n_latents=40, learning_rate=1e-2, corruption_noise=0.3).fit(
        z, 5, 128
    )
    chain = model.generate(z[:300], n_steps=20)
    assert chain.shape == (20, 300, 6)
    assert not np.allclose(chain[-1], chain[-2], atol=0.1)
    rng = np.random.default_rng(0)
    shuffled = np.stack([rng.permutation(z[:, j]) for j in range(6)], 1)
    assert np.median(model.score(chain[-1])) < 0.5 * np.median(model.score(shuffled))


@pytest.mark.slow
def test_cost_falls_and_it_beats_a_plain_autoencoder_on_small_digits() -> None:
    check(digits.small(), batch_size=64, learning_rate=1e-3)


@pytest.mark.slow
def test_cost_falls_and_it_beats_a_plain_autoencoder_on_mnist() -> None:
    mnist = digits.mnist(10_000)
    if mnist is None:
        pytest.skip("MNIST is not in STREAMAE_DATA, nor in data beside the repository")
    check(mnist, batch_size=100, learning_rate=3e-4)


def check(images: digits.Digits, batch_size: int, learning_rate: float) -> None:
    """Require a falling cost over 20 epochs and the better repair of 30 % masked pixels."""
    settings = {"n_latents": 200, "learning_rate": learning_rate, "activation": "softplus"}
    denoising = DenoisingAutoencoder(corruption_masking=0.3, **settings)
    costs = []
    for _ in range(20):
        denoising.fit(images.x, n_epochs=1, batch_size=batch_size)
        costs.append(denoising.total_cost(images.x))
    assert (np.diff(costs) < 0).all(), costs
    plain = ShallowAutoencoder(**settings).fit(images.x, 20, batch_size)
    broken = denoising.corrupted(images.x_test)
    repaired, copied = (
        np.square(model.reconstruct(broken) - images.x_test).mean() for model in (denoising, plain)
    )
    assert repaired < 0.7 * copied, (repaired, copied)
