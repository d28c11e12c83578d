"""How far a record stands out in the one kind of evidence that shows it best."""

import numpy as np

from streamae.numerics.state import Stateful
from streamae.types import Doubles

DEVIATIONS = 4.0
"""Beyond these it grows by their logarithm, as energies do: 2 to 16 do as well. Growing with the
deviations prominence had tails that p-values could not follow."""

GAIN = 4.0
"""Of the steps. Best is one over the density at the quantile, in deviations: of a normal
distribution 3.7 for the median and 2.3 for the deviation. A larger one forgets the start sooner,
when the model knew little."""

SMALLEST_SPREAD = 0.1
"""Of a kind, about that of the energy of forty independent features: where records hardly differ,
differences smaller than usual ones elsewhere would stand out, and p-values could not follow."""


class Prominence(Stateful):
    """Median and median absolute deviation of each of k kinds of evidence.

    A sum of kinds suits anomalies that all of them show a little. One that a single kind shows
    clearly drowns in the noise of the others, so the score also has a soft maximum: with
    u = (evidence - median) / deviation and the votes v,

        prominence = 4 log(1 + max(0, log(sum_k v_k exp(u_k) / sum_k v_k)) / 4).

    Both quantiles follow by stochastic approximation (Robbins and Monro, 1951): they move by the
    share of records beyond them, however far beyond these are.
    """

    learnt = ("median", "deviation", "count")

    def __init__(self, n_kinds: int, memory: int) -> None:
        self._memory = float(memory)
        self.median: Doubles = np.zeros(n_kinds)
        self.deviation: Doubles = np.ones(n_kinds)
        self.count = 0.0

    def of(self, evidence: Doubles, votes: Doubles) -> Doubles:
        """Return the prominence [n] of records with evidence[k, n], by votes[k] > 0; pure."""
        if self.count == 0.0:
            return np.zeros(evidence.shape[1])
        u = self.deviations(evidence)
        largest = u.max(axis=0)
        outstanding = largest + np.log(votes / votes.sum() @ np.exp(u - largest))
        prominence: Doubles = DEVIATIONS * np.log1p(np.maximum(outstanding, 0.0) / DEVIATIONS)
        return prominence

    def update(self, evidence: Doubles) -> None:
        """Learn the evidence[k, n] of a block."""
        n = evidence.shape[1]
        if self.count == 0.0:
            self.median = np.median(evidence, axis=1)
            self.deviation = np.median(np.abs(evidence - self.median[:, None]), axis=1)
        else:
            u = self.deviations(evidence)
            step = GAIN * n / min(self.count + n, self._memory)
            self.median += step * self.deviation * (np.count_nonzero(u > 0.0, axis=1) / n - 0.5)
            beyond = np.count_nonzero(np.abs(u) > 1.0, axis=1)
            self.deviation *= np.exp(step * (beyond / n - 0.5))
        self.deviation = np.maximum(self.deviation, SMALLEST_SPREAD)
        self.count = min(self.count + n, self._memory)

    def deviations(self, evidence: Doubles) -> Doubles:
        """Return u of evidence[k, n], of the same shape; pure."""
        return (evidence - self.median[:, None]) / self.deviation[:, None]
