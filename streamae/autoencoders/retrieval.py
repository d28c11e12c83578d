"""Finds the stored records whose codes are nearest to that of a record."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from streamae.types import Floats, Longs


class Encoder(Protocol):
    """A fitted autoencoder, or a detector with one inside."""

    def transform(self, x: npt.ArrayLike, /) -> Floats:
        """Return the codes [n, h] of x[n, d]."""


class NearestCodes:
    """Records remembered by their codes, as one fitted model has them.

    What a model has learnt to tell apart is far apart in its code, whatever the records' features
    say. Krizhevsky and Hinton, Using very deep autoencoders for content-based image retrieval,
    2011.
    """

    def __init__(self, model: Encoder) -> None:
        self._model = model
        self._codes: list[Floats] = []

    def __len__(self) -> int:
        return sum(map(len, self._codes))

    def add(self, x: npt.ArrayLike) -> None:
        """Store the codes of x[n, d]; a record's place is how many were stored before it."""
        self._codes.append(self._model.transform(x))

    def nearest(self, x: npt.ArrayLike, k: int = 1) -> tuple[Longs, Floats]:
        """Return the places of the k nearest stored records, and their distances, [n, k] each.

        Distances are Euclidean, between codes; of equals the earlier comes first. Raise ValueError
        when fewer than k are stored.
        """
        if not 1 <= k <= len(self):
            raise ValueError(f"k must lie between 1 and the {len(self)} stored records, not {k}")
        codes = self._model.transform(x).astype(np.float64)
        stored = np.concatenate(self._codes).astype(np.float64)
        squares = (codes**2).sum(1)[:, None] - 2.0 * codes @ stored.T + (stored**2).sum(1)
        places = np.argsort(squares, axis=1, kind="stable")[:, :k]
        nearest = np.take_along_axis(squares, places, axis=1)
        return places, np.sqrt(np.maximum(nearest, 0.0)).astype(np.float32)
