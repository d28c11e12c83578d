"""Test error of a stacked denoising autoencoder of three layers of 1,000 units on MNIST, one core.

Vincent et al. (2010) report 1.28 % for it, with hyperparameters and an epoch chosen on a validation
set, and without other images than those of the set. Here the epochs are fixed beforehand, the last
one counts, and the time is that of the process: other programs on the machine do not change it.
"""

import time
from typing import NamedTuple

import numpy as np

from streamae.autoencoders import StackedDenoisingAutoencoder
from streamae.detector import set_threads
from streamae.types import Floats
from tests.autoencoders import digits

N_UNITS = 1000
SIDE = 28
"""Pixels."""
MAX_SHIFT = 2
"""Pixels an image is moved by at most, to either side and up or down."""


class Recipe(NamedTuple):
    """What is done with the 60,000 images."""

    name: str
    n_pretraining_epochs: int
    n_fine_tuning_epochs: int


def run() -> list[str]:
    """Return test errors and times."""
    mnist = digits.mnist_pixels()
    if mnist is None:
        return ["stacked: skipped, mnist_digits.npz is not among the public sets"]
    set_threads(1)
    recipes = (
        Recipe("pre-trained", 2, 20),
        Recipe("not pre-trained", 0, 20),
    )
    return [
        f"MNIST, {len(mnist.x):,} images, three layers of {N_UNITS:,}, one thread",
        *(line(mnist, recipe) for recipe in recipes),
    ]


def line(images: digits.Digits, recipe: Recipe) -> str:
    """Return what a recipe comes to."""
    network = StackedDenoisingAutoencoder(n_latents=N_UNITS, activation="relu", device="cpu")
    started = time.process_time()
    network.fit(images.x, recipe.n_pretraining_epochs)
    pretrained = time.process_time()
    network.fine_tune(images.x, images.y, recipe.n_fine_tuning_epochs, augment=shifted)
    ended = time.process_time()
    share = (network.predict(images.x_test) != images.y_test).mean()
    return (
        f"{recipe.name}: error {share:.2%}, {ended - started:,.0f} s of one core,"
        f" {pretrained - started:,.0f} of them pre-training"
    )


def shifted(x: Floats, generator: np.random.Generator) -> Floats:
    """Return each image x[n, 784] moved by up to two pixels; what comes in is background."""
    n, size = len(x), SIDE + 2 * MAX_SHIFT
    wide = np.zeros((n, size, size), np.float32)
    inner = slice(MAX_SHIFT, MAX_SHIFT + SIDE)
    wide[:, inner, inner] = x.reshape(n, SIDE, SIDE)
    down, right = generator.integers(0, 2 * MAX_SHIFT + 1, (2, n, 1))
    rows, columns = down + np.arange(SIDE), right + np.arange(SIDE)
    moved = wide[np.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]
    return moved.reshape(n, SIDE * SIDE)
