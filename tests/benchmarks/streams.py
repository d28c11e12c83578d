"""Labelled streams made of data that ships with dependencies, so they are always there."""

from collections.abc import Iterator

import numpy as np
from sklearn import datasets

from streamae.detector.blockwise import numbered
from streamae.labelled import LabelledStream
from streamae.types import Floats, Longs
from tests.benchmarks.quality import ROWS, public_sets, shelf_with_data, shuttle

DRAWN = 5_000
ANOMALOUS_SHARE = 0.03
JITTER = 0.1
"""In standard deviations of a feature: rows drawn twice are not the same point."""


def every_stream() -> Iterator[tuple[str, LabelledStream]]:
    """Yield the public sets, where there are any, and the shipped ones, by name."""
    shelf = shelf_with_data()
    if shelf is not None:
        yield from public_sets(shelf)
    yield from shipped()


def shipped() -> Iterator[tuple[str, LabelledStream]]:
    """Yield NASA's Shuttle from river and two outlier streams of scikit-learn's classes."""
    whole = shuttle()
    yield "shuttle (river)", whole._replace(x=whole.x[:ROWS], anomalous=whole.anomalous[:ROWS])
    # Malignant among benign, and the digit 8 among the others.
    yield "breast_cancer", _outliers(*datasets.load_breast_cancer(return_X_y=True), rare=0)
    yield "digits", _outliers(*datasets.load_digits(return_X_y=True), rare=8)


def _outliers(x: Floats, y: Longs, rare: int) -> LabelledStream:
    """Draw rows of all classes but `rare`, and a few of that one, with a fixed seed."""
    rng = np.random.default_rng(0)
    anomalous = rng.random(DRAWN) < ANOMALOUS_SHARE
    usual, odd = np.flatnonzero(y != rare), np.flatnonzero(y == rare)
    places = np.where(anomalous, rng.choice(odd, DRAWN), rng.choice(usual, DRAWN))
    noise = JITTER * x.std(axis=0) * rng.standard_normal((DRAWN, x.shape[1]))
    return LabelledStream((x[places] + noise).astype(np.float32), anomalous, numbered(x.shape[1]))
