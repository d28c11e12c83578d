"""The recent level of the energy, and how far it is worth attention."""

import numpy as np

from streamae.numerics.state import Stateful
from streamae.types import Doubles

LAG = 8
"""Long enough that a burst of a few records is not persistence."""

DECAY = 1 - 1 / LAG
"""An exponential memory as long as the lag at which the energy is known to persist."""


class Persistence(Stateful):
    """r_i = DECAY r_(i-1) + (1 - DECAY) t_i, and the autocorrelation of t at lag 8.

    Incidents raise the energy of many neighbours, so r finds what a single record hides. Where
    neighbours say nothing about each other, as in shuffled data, the autocorrelation takes r out.
    """

    learnt = ("level", "count", "mean", "square", "product")

    def __init__(self, block_size: int, memory: int) -> None:
        self._memory = float(memory)
        # DECAY^-4096 = 1e237 still leaves double precision to the sums of `levels`.
        self._powers: Doubles = DECAY ** np.arange(1, block_size + 1, dtype=np.float64)
        self._gains: Doubles = (1.0 - DECAY) / self._powers
        self.level = 0.0
        self.count = 0.0
        self.mean = 0.0
        self.square = 0.0
        self.product = 0.0

    @property
    def autocorrelation(self) -> float:
        """Autocorrelation of the energy at lag 8, 0 where it is negative."""
        variance = self.square - self.mean**2
        if variance <= 1e-12 * self.square:
            return 0.0
        return min(max((self.product - self.mean**2) / variance, 0.0), 1.0)

    def levels(self, energy: Doubles) -> Doubles:
        """Return r[n] of the energies t[n]; r_i depends on t_1 to t_i only, to the last bit.

        r_i = DECAY^i (r_0 + (1 - DECAY) sum_j t_j DECAY^-j), summed strictly in order.
        """
        n = len(energy)
        return self._powers[:n] * (self.level + (self._gains[:n] * energy).cumsum())

    def moved(self, level: float, change: Doubles) -> Doubles:
        """Return the level r_i as it would be had the energy t_i been higher by `change`."""
        return level + (1.0 - DECAY) * change

    def update(self, energy: Doubles, levels: Doubles) -> None:
        """Learn the energies of a block and go on from the last level."""
        self.level = float(levels[-1])
        self.count = min(self.count + len(energy), self._memory)
        rate = min(len(energy) / self.count, 1.0)
        n = len(energy)
        self.mean += rate * (float(energy.sum()) / n - self.mean)
        self.square += rate * (float(energy @ energy) / n - self.square)
        self.product += rate * (float(energy[LAG:] @ energy[:-LAG]) / (n - LAG) - self.product)
