"""Features that range over powers of ten: judged by the logarithm of how far they are out."""

from collections.abc import Sequence

import numpy as np

from streamae.config import DetectorConfig
from streamae.transforms.inputs import Inputs
from streamae.transforms.transform import FeatureTransform
from streamae.types import Doubles, Floats

HEAVY = 0.5
"""L-kurtosis: 0.12 of a normal, 0.24 of a Laplace and 0.43 of a generalised Pareto distribution
where its variance ceases to exist; the rest is for the error of a block."""

FEWEST_VALUES = 16
"""Observed values an L-kurtosis is worth something from."""

LARGEST = float(np.finfo(np.float32).max)


class HeavyTails(FeatureTransform):
    """y = asinh((x - median) / s) of the first block, s its median absolute deviation.

    Where that is 0, s is the mean absolute deviation, and 1 where nothing varies.

    Linear in the middle and logarithmic on both sides, monotone and odd about the median (the
    inverse hyperbolic sine of Burbidge, Magee and Robb, 1988).
    """

    decided = ("columns", "center", "scale")

    def __init__(self, config: DetectorConfig, features: Sequence[str]) -> None:
        super().__init__("detector.heavy_tails", config.heavy_tails, features)
        self.center: Doubles = np.zeros(len(features))
        self.scale: Doubles = np.ones(len(features))

    def fit(self, inputs: Inputs) -> None:
        """Take median and spread of the first block and, with `auto`, choose the heavy tails."""
        for column, x in enumerate(inputs.x.T):
            values = np.sort(x[~np.isnan(x)].astype(np.float64))
            if self._auto:
                self.columns[column] = l_kurtosis(values) > HEAVY
            if len(values):
                center = values[(len(values) - 1) // 2]
                distance = np.abs(values - center)
                spread = float(np.median(distance)) or float(distance.mean()) or 1.0
                self.center[column], self.scale[column] = center, spread

    def apply(self, inputs: Inputs) -> Floats:
        """Return x[m, d] with the chosen columns transformed."""
        if not self.columns.any():
            return inputs.x
        x, columns = inputs.x.copy(), self.columns
        distance = inputs.x[:, columns].astype(np.float64) - self.center[columns]
        x[:, columns] = np.arcsinh(distance / self.scale[columns])
        return x

    def inverse(self, y: Floats) -> Floats:
        """Return the features x[..., d] that y[..., d] are of, kept within float32."""
        if not self.columns.any():
            return y
        x, columns = y.copy(), self.columns
        # Beyond asinh(1e300) = 691 is nothing that a float32 feature could have given.
        distance = np.sinh(np.clip(y[..., columns].astype(np.float64), -691, 691))
        with np.errstate(over="ignore"):
            original = self.center[columns] + self.scale[columns] * distance
        x[..., columns] = np.clip(original, -LARGEST, LARGEST)
        return x


def l_kurtosis(ordered: Doubles) -> float:
    """Return the fourth L-moment of sorted values [n] over their second (Hosking, 1990).

    Unlike the kurtosis it lies between -1/4 and 1 and a single value cannot decide it. 0 where
    there are fewer than 16 values or all are equal.
    """
    n = len(ordered)
    if n < FEWEST_VALUES or ordered[0] == ordered[-1]:
        return 0.0
    # Scaled, so that no sum of float32 values overflows or underflows.
    values = (ordered - ordered[0]) / (ordered[-1] - ordered[0])
    weights, moments, rank = np.ones(n), [], np.arange(n)
    for order in range(4):
        moments.append(float((weights * values).mean()))
        weights *= np.maximum(rank - order, 0) / (n - 1 - order)
    b0, b1, b2, b3 = moments
    return (20 * b3 - 30 * b2 + 12 * b1 - b0) / (2 * b1 - b0)
