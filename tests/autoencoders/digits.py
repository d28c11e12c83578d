"""Handwritten digits: those that ship with scikit-learn, and MNIST where the public sets are."""

from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_digits

from streamae.types import Floats, Longs
from tests.benchmarks.quality import shelf_with_data


class Digits(NamedTuple):
    """Training and test images, standardised by the mean and deviation of the training pixels."""

    x: Floats
    y: Longs
    x_test: Floats
    y_test: Longs


def small() -> Digits:
    """Return 1,797 images of 8 x 8 pixels, every fifth for testing."""
    x, y = load_digits(return_X_y=True)
    test = np.arange(len(x)) % 5 == 4
    learnt, held_out = standardised(x[~test], x[test])
    return Digits(learnt, y[~test], held_out, y[test])


def mnist(n: int | None = None) -> Digits | None:
    """Return the first n training images of 28 x 28 pixels and 10,000 for testing, if there."""
    pixels = mnist_pixels(n)
    if pixels is None:
        return None
    x, x_test = standardised(pixels.x, pixels.x_test)
    return Digits(x, pixels.y, x_test, pixels.y_test)


def mnist_pixels(n: int | None = None) -> Digits | None:
    """Return the same with the background 0 and the root mean square of the training pixels 1."""
    shelf = shelf_with_data()
    if shelf is None or not (shelf / "mnist_digits.npz").exists():
        return None
    with np.load(shelf / "mnist_digits.npz") as file:
        x, x_test = (file[name].astype(np.float32) for name in ("X_train", "X_test"))
        scale = np.sqrt(np.square(x).mean(dtype=np.float64)).astype(np.float32)
        y = file["y_train"][:n].astype(np.int64)
        return Digits(x[:n] / scale, y, x_test / scale, file["y_test"])


def standardised(x: np.ndarray, x_test: np.ndarray) -> tuple[Floats, Floats]:
    """Return both less the mean and over the standard deviation of all pixels of x."""
    mean, deviation = x.mean(dtype=np.float64), x.std(dtype=np.float64)
    first, second = (((part - mean) / deviation).astype(np.float32) for part in (x, x_test))
    return first, second
