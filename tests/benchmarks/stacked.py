"""Test error of a stacked denoising autoencoder of three layers of 1,000 units on MNIST.

Vincent et al. (2010) report 1.28 % for it, with hyperparameters and an epoch chosen on a validation
set. Here nothing is chosen, and the epochs are so few that a CPU is done in minutes.
"""

import time

from streamae.autoencoders import StackedDenoisingAutoencoder
from streamae.numerics.device import resolve_device
from tests.autoencoders import digits

N_UNITS = 1000
N_PRETRAINING_EPOCHS = 2
N_FINE_TUNING_EPOCHS = 5


def run() -> list[str]:
    """Return the test error with and without pre-training, and the time of each."""
    mnist = digits.mnist()
    if mnist is None:
        return ["stacked: skipped, mnist_digits.npz is not among the public sets"]
    return [
        f"MNIST, three layers of {N_UNITS:,}, {N_FINE_TUNING_EPOCHS} epochs of fine-tuning",
        *(error(mnist, n_epochs) for n_epochs in (N_PRETRAINING_EPOCHS, 0)),
    ]


def error(images: digits.Digits, n_epochs: int) -> str:
    """Return one line on a network pre-trained for n_epochs per layer."""
    network = StackedDenoisingAutoencoder(
        n_latents=N_UNITS, learning_rate=3e-4, device=resolve_device("auto")
    )
    started = time.perf_counter()
    network.fit(images.x, n_epochs)
    network.fine_tune(images.x, images.y, N_FINE_TUNING_EPOCHS)
    seconds = time.perf_counter() - started
    share = (network.predict(images.x_test) != images.y_test).mean()
    return f"{n_epochs:>3} epochs of pre-training per layer: error {share:.2%}, {seconds:,.0f} s"
