"""Streams with one thing happening in them, for the tests of guard and drift."""

from collections.abc import Callable

import numpy as np

from streamae.types import Bools, Floats

Background = Callable[[int, int, int], Floats]


def independent(n: int, d: int, seed: int) -> Floats:
    """Return [n, d] normal features that know nothing of each other, each of its own scale."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d)) * np.exp(rng.normal(size=d)) + 10.0 * rng.normal(size=d)
    return x.astype(np.float32)


def correlated(n: int, d: int, seed: int) -> Floats:
    """Return [n, d] features of which d / 3 factors explain nine tenths."""
    rng = np.random.default_rng(seed)
    loadings = rng.normal(size=(max(d // 3, 1), d))
    loadings /= np.sqrt(np.square(loadings).sum(0))
    x = rng.standard_normal((n, len(loadings))) @ loadings + rng.normal(size=(n, d)) / 3.0
    return (x * np.exp(rng.normal(size=d)) + 10.0 * rng.normal(size=d)).astype(np.float32)


def slow(n: int, d: int, seed: int) -> Floats:
    """Return [n, d] features with a daily cycle of 5,000 records and noise that remembers."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((n, d))
    for i in range(1, n):
        noise[i] += 0.9 * noise[i - 1]
    phase = 2.0 * np.pi * (np.arange(n)[:, None] / 5000.0 + rng.random(d))
    return (noise * 0.44 + np.sin(phase)).astype(np.float32)


BACKGROUNDS: tuple[Background, ...] = (independent, correlated)


def shifted(x: Floats, rows: slice | Bools, size: float, n_features: int, seed: int = 0) -> Floats:
    """Return x with n_features features of `rows` moved by `size` standard deviations."""
    rng = np.random.default_rng(seed)
    d = x.shape[1]
    direction = np.zeros(d)
    direction[rng.permutation(d)[:n_features]] = size
    moved = x.copy()
    moved[rows] += (direction * rng.choice([-1.0, 1.0], d) * x.std(0)).astype(np.float32)
    return moved


def poisoned(
    x: Floats, share: float, size: float, n_features: int, seed: int = 0
) -> tuple[Floats, Bools]:
    """Return x with anomalies of one kind, their share rising from 0, and which rows they are."""
    rng = np.random.default_rng(seed + 100)
    odd = rng.random(len(x)) < share * np.arange(len(x)) / len(x)
    return shifted(x, odd, size, n_features, seed), odd
