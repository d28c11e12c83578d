"""How much each record of a block counts in learning: suspects count less, or not at all."""

import math

import numpy as np

from streamae.numerics.state import Stateful
from streamae.types import Bools, Doubles

SUSPECT_WEIGHT = 0.5
"""A record below it is reported as a suspect: its energy exceeds five times the usual."""

PATIENCE = 8192.0
"""Records among which the share of aliens is watched."""

FEWEST = 1 / 256
"""Up to this share aliens are the tail of the usual ones, which some streams have heavy."""

N_FIRST = 8
"""Blocks whose median says what share is usual of a stream: an incident in three does not."""

MOST = 1 / 8
"""From this share on they are usual themselves: 1,094 in a row after none."""


def row_weights(linear_energy: Doubles, residual_energy: Doubles) -> Doubles:
    """Return weights [n] of mean 1 from both energies [n], each about 1 for a usual record.

    (nu + 1) / (nu + energy) with nu = 3 are the weights of the maximum-likelihood fit of a Student
    t distribution (Lange, Little and Taylor, 1989). Dividing by their mean is the way out after a
    level shift: a block that is suspect throughout counts like any other.
    """
    weights = 4.0 / (3.0 + 0.5 * (linear_energy + residual_energy))
    return weights * (len(weights) / float(weights.sum()))


def n_suspects(weights: Doubles) -> int:
    return int(np.count_nonzero(weights < SUSPECT_WEIGHT))


class Guard(Stateful):
    """Keeps aliens, records that score beyond any usual one, out of what p-values compare with.

    So neither a burst nor an incident that comes back nor a slow rise of anomalies becomes usual.
    Aliens count while their share of about the last 8,192 records is below 1/256, or twice what it
    was at first: a stream of groups far apart has them from its beginning. They count again above
    1/8, which is the way out and bounds how long a change can go on being an anomaly.
    """

    learnt = ("share", "first", "n_first")

    def __init__(self) -> None:
        self.share = 0.0
        """Of aliens lately."""
        self.first: Doubles = np.zeros(N_FIRST)
        """Of the first blocks."""
        self.n_first = 0

    def admit(self, alien: Bools) -> Bools:
        """Learn which records [n] of a block are aliens; return which records count."""
        share = np.count_nonzero(alien) / len(alien)
        rate = 1.0 - math.exp(-len(alien) / PATIENCE)
        self.share += rate * (share - self.share)
        if self.n_first < N_FIRST:
            self.first[self.n_first] = share
            self.n_first += 1
            return np.ones_like(alien)
        usual = max(FEWEST, 2.0 * float(np.median(self.first)))
        return ~alien | (not usual < self.share < MOST)
