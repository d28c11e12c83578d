"""What the autoencoder is worth where normal records lie on curves, surfaces or several modes.

Anomalies are within the usual range of every feature and, on the whole, of their covariance; they
lie beside the curve, or between the modes.
"""

from collections.abc import Callable
from contextlib import nullcontext

import numpy as np

from streamae.detector.blockwise import numbered
from streamae.labelled import LabelledStream
from streamae.types import Bools, Doubles
from tests.benchmarks.ablation import PARTS, figures

ROWS = 20_000
FEATURES = 20
ANOMALOUS_SHARE = 0.01
NOISE = 0.1
"""Standard deviation beside the curve, whose own is about 1."""

Draw = Callable[[np.random.Generator, Bools], Doubles]


def run() -> list[str]:
    """Return a Markdown table: ROC-AUC of each stream with the autoencoder and without."""
    streams = {name: stream(draw) for name, draw in STREAMS.items()}
    with_it = figures(streams, nullcontext)[:, 0]
    without = figures(streams, PARTS["autoencoder"])[:, 0]
    rows = [*zip(streams, with_it, without, strict=True), ("mean", with_it.mean(), without.mean())]
    return [
        "| normal records | with the autoencoder | without |",
        "| --- | --- | --- |",
        *(f"| {name} | {whole:.3f} | {part:.3f} |" for name, whole, part in rows),
    ]


def stream(draw: Draw) -> LabelledStream:
    """Return rows [n, d] in which a curve's coordinates are mixed, and which are anomalies."""
    rng = np.random.default_rng(0)
    anomalous = rng.random(ROWS) < ANOMALOUS_SHARE
    curve = draw(rng, anomalous)
    mixed = curve @ rng.standard_normal((curve.shape[1], FEATURES)) / np.sqrt(curve.shape[1])
    x = mixed + NOISE * rng.standard_normal(mixed.shape)
    return LabelledStream(x.astype(np.float32), anomalous, numbered(FEATURES))


def _sphere(dimensions: int) -> Draw:
    """Draw from the surface of a sphere; anomalies from its inside."""

    def draw(rng: np.random.Generator, anomalous: Bools) -> Doubles:
        directions = rng.standard_normal((len(anomalous), dimensions))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        radius = np.where(anomalous, 0.4, 1.0)
        return np.sqrt(dimensions) * radius[:, None] * directions

    return draw


def _modes(n: int) -> Draw:
    """Draw from `n` modes; anomalies half-way between two of them."""

    def draw(rng: np.random.Generator, anomalous: Bools) -> Doubles:
        centres = rng.standard_normal((n, 8))
        one = rng.integers(0, n, len(anomalous))
        other = np.where(anomalous, (one + rng.integers(1, n, len(anomalous))) % n, one)
        within = 0.2 * rng.standard_normal((len(anomalous), 8))
        return (centres[one] + centres[other]) / 2 + within

    return draw


def _sheet(rng: np.random.Generator, anomalous: Bools) -> Doubles:
    """Draw waves of two hidden coordinates; anomalies take each wave from another record."""
    hidden = rng.uniform(-1.5, 1.5, (len(anomalous), 2))
    waves = np.sin(2.0 * hidden @ rng.standard_normal((2, 8)))
    return _torn(rng, np.sqrt(2.0) * waves, anomalous)


def _product(rng: np.random.Generator, anomalous: Bools) -> Doubles:
    """Draw four factors and their six products; anomalies take each from another record."""
    factors = rng.standard_normal((len(anomalous), 4))
    first, second = np.triu_indices(4, 1)
    return _torn(rng, np.hstack([factors, factors[:, first] * factors[:, second]]), anomalous)


def _torn(rng: np.random.Generator, curve: Doubles, anomalous: Bools) -> Doubles:
    """Take every coordinate of an anomaly from a record of its own."""
    others = rng.permuted(curve, axis=0)
    return np.where(anomalous[:, None], others, curve)


STREAMS: dict[str, Draw] = {
    "a ring": _sphere(2),
    "a sphere": _sphere(3),
    "4 modes": _modes(4),
    "12 modes": _modes(12),
    "a sheet in waves": _sheet,
    "products of factors": _product,
}
