"""How much each record of a block counts in learning: suspects count less."""

import numpy as np

from streamae.types import Doubles

SUSPECT_WEIGHT = 0.5
"""A record below it is reported as a suspect: its energy exceeds five times the usual."""


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
