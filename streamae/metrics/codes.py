"""The codes of recent records, laid out in a plane for the eye."""

from typing import Any, NamedTuple

import numpy as np

from streamae.types import Bools, Doubles, Floats

N_RECENT = 256
"""Codes shown: a default block, enough to see clusters and few enough to draw each second."""

_LEAST = 3
"""Fewer points lie in a plane whatever they are."""


class Plane(NamedTuple):
    """Codes along their two principal components."""

    points: Doubles
    """[n, 2]"""
    variance: float
    """Share of the codes' variance that the plane shows."""


class RecentCodes:
    """The last codes of one partition."""

    def __init__(self) -> None:
        self._codes: Floats = np.empty((0, 0), np.float32)
        self._flagged: Bools = np.empty(0, np.bool_)

    def add(self, codes: Floats, flagged: Bools) -> None:
        """Remember codes[m, h] and which of their records were flagged, [m]."""
        if self._codes.shape[1] != codes.shape[1]:
            self._codes, self._flagged = codes[:0], flagged[:0]
        self._codes = np.concatenate([self._codes, codes])[-N_RECENT:]
        self._flagged = np.concatenate([self._flagged, flagged])[-N_RECENT:]

    def last(self) -> tuple[Floats, Bools]:
        """Return the last codes [<= N_RECENT, h] and which were flagged, never changed again."""
        return self._codes, self._flagged


def principal_plane(codes: Floats) -> Plane | None:
    """Return codes[n, h] along their two principal components; None where there are none.

    Components are found from the n x n inner products: n is small whatever h is. A component points
    to where the latent with the largest share in it is active, so that a view drawn again and again
    does not flip. Pearson, On lines and planes of closest fit to systems of points in space, 1901.
    """
    if len(codes) < _LEAST:
        return None
    centred = codes.astype(np.float64) - codes.mean(axis=0, dtype=np.float64)
    total = float(np.square(centred).sum())
    if total <= 0.0:
        return None
    variances, vectors = np.linalg.eigh(centred @ centred.T)
    variances, vectors = np.maximum(variances[:-3:-1], 0.0), vectors[:, :-3:-1]
    loadings = centred.T @ vectors
    largest = np.take_along_axis(loadings, np.abs(loadings).argmax(axis=0)[None], axis=0)
    points = vectors * np.sqrt(variances) * np.where(largest < 0.0, -1.0, 1.0)
    return Plane(points, float(variances.sum()) / total)


def shown(codes: Floats, flagged: Bools) -> dict[str, Any] | None:
    """Return the plane of codes[n, h] as plain values: x, y and flagged of each point."""
    plane = principal_plane(codes)
    if plane is None:
        return None
    rows = zip(plane.points.tolist(), flagged.tolist(), strict=True)
    points = [[float(f"{x:.3g}"), float(f"{y:.3g}"), flag] for (x, y), flag in rows]
    return {"points": points, "variance": float(f"{plane.variance:.3g}")}
