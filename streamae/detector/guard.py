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
"""Blocks whose median says what share is usual in a stream: an incident in three does not."""

MOST = 1 / 8
"""From this share on they are usual themselves: 1,094 in a row after none."""

LONGEST = 65_536
"""Records after which a share that lasts is usual: the budget holds again, whatever the stream."""


def row_weights(linear_energy: Doubles, residual_energy: Doubles) -> Doubles:
    """Return weights [n] of mean 1 from both energies [n], each about 1 for a usual record.

    (nu + 1) / (nu + energy) with nu = 3 are the weights of the maximum-likelihood fit of a Student
    t distribution (Lange, Little and Taylor, 1989). Dividing by their mean is the way out after a
    level shift: a block that is suspect throughout counts like any other.
    """
    return _of_mean_one(4.0 / (3.0 + 0.5 * (linear_energy + residual_energy)))


def at_least_half(weights: Doubles) -> Doubles:
    """Return weights [n] of mean 1 of which none is below half the weight of a usual record.

    With these the scale of a feature is learnt: its heavy tail is part of what it usually does, but
    a scale that grew with every incident would hide the next one.
    """
    return _of_mean_one(np.maximum(weights, SUSPECT_WEIGHT))


def _of_mean_one(weights: Doubles) -> Doubles:
    return weights * (len(weights) / float(weights.sum()))


def n_suspects(weights: Doubles) -> int:
    """Return how many of the weights [n] are below `SUSPECT_WEIGHT`."""
    return int(np.count_nonzero(weights < SUSPECT_WEIGHT))


class Guard(Stateful):
    """Keeps aliens, records that score beyond any usual one, out of what p-values compare with.

    So neither a burst nor an incident that comes back nor a slow rise of anomalies becomes usual.
    Aliens count while their share of about the last 8,192 records is below 1/256, or below that of
    the records half as far out: a heavy tail thins out, an incident is a group of its own. They
    also count below twice the share that was at least half as far out in the first blocks: a stream
    of groups far apart begins with them, though a young model does not see them as far out. Two
    ways out bound how long a change can go on being an anomaly: aliens count above 1/8, and after
    65,536 records, until their share falls below a quarter of what is usual.
    """

    learnt = ("share", "tail_share", "first", "n_first", "n_watched")

    def __init__(self) -> None:
        self.share = 0.0
        """Of aliens lately."""
        self.tail_share = 0.0
        """Of the records between the usual ones and the aliens."""
        self.first: Doubles = np.zeros(N_FIRST)
        """Of aliens and tail in the first blocks behind the warm-up, all of which count."""
        self.n_first = 0
        self.n_watched = 0
        """Records since the share of aliens became unusual."""
        self.refresh()

    def refresh(self) -> None:
        self._usual = max(FEWEST, 2.0 * float(np.median(self.first)))

    def admit(self, alien: Bools, tail: Bools) -> Bools:
        """Learn which records [n] of a block are aliens; return which records count.

        `tail` are those beyond the usual ones, aliens or not.
        """
        share = np.count_nonzero(alien) / len(alien)
        rate = 1.0 - math.exp(-len(alien) / PATIENCE)
        self.share += rate * (share - self.share)
        between = np.count_nonzero(tail) / len(tail) - share
        self.tail_share += rate * (between - self.tail_share)
        if self.n_first < N_FIRST:
            self.first[self.n_first] = np.count_nonzero(tail) / len(tail)
            self.n_first += 1
            self.refresh()
            return np.ones_like(alien)
        usual = max(self._usual, self.tail_share)
        if self.share > usual or (self.n_watched and self.share > usual / 4.0):
            self.n_watched += len(alien)
        else:
            self.n_watched = 0
        return ~alien | (not usual < self.share < MOST) | (self.n_watched > LONGEST)
