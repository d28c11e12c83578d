"""Turns scores into p-values: a decayed histogram with a tail fitted beyond it."""

import math

import numpy as np

from streamae.numerics.state import Stateful
from streamae.types import Doubles, Floats

N_BINS = 1024
STEP = 0.006
"""Width of a bin in log(1 + score): 0.6 % of it, up to exp(1024 * 0.006) = 466."""

N_BEYOND = 10.0
"""The empirical distribution ends where this many scores lie beyond: a fitted tail from further in
was off by a factor of 0.1 to 2 on stationary streams, and fewer scores do not give its scale."""

LARGEST_TAIL = 0.02
"""Where few scores were seen, their tail begins here: further in, scores are not exponential."""

RECENCY = 2.0
"""While young, score m of n counts (m / n)^2: the model knew little when it gave the early ones."""

ALIEN = 15.0
"""Mean excesses beyond the upper tenth, which an exponential tail passes once in 3e7 records. The
scale is that between the median and the upper tenth, far from where anomalies are."""

SMALLEST_P = 1e-300


class Calibrator(Stateful):
    """Upper-tail p-values under the scores of about the last `memory` records.

    p(s) is the share of scores at or above s as far as k = 10 of them lie beyond, down to
    p = p_u, where s = u. From there, with their mean excess over u,

        p(s) = p_u (1 + (s - u) / (k excess))^-k,

    a generalised Pareto tail (Pickands, 1975) of shape 1/k: what is to be expected of the next
    score when excesses are exponential and their scale is known from k of them alone (prior 1 /
    scale). Taking the mean excess for the scale, k = infinity, flags too much while k is small.
    p never increases with s, and `threshold` inverts it.
    """

    learnt = ("counts", "count")

    def __init__(self, memory: int) -> None:
        self._memory = float(memory)
        self.count = 0.0
        self._edges: Doubles = np.expm1(STEP * np.arange(N_BINS + 1))
        self._widths: Doubles = np.diff(self._edges)
        self.counts: Doubles = np.zeros(N_BINS)
        self.alien_score = math.inf
        """Score from which a record is an alien, no extreme of the usual ones."""
        self.tail_score = math.inf
        """Half as far out."""
        self.refresh()

    def refresh(self) -> None:
        above = np.zeros(N_BINS + 1)
        np.cumsum(self.counts[::-1], out=above[-2::-1])
        self.calibrated = bool(above[0] > 0.0)
        """Whether any score was seen."""
        if not self.calibrated:
            return
        n = float(above[0])
        self._survival: Doubles = above / n
        self._tail = min(N_BEYOND / n, LARGEST_TAIL)
        shares = -np.array([self._tail, 0.1, 0.5])
        start, high, median = map(float, np.interp(shares, -self._survival, self._edges))
        self._tail_start = start
        rest = int(self._edges.searchsorted(self._tail_start, side="right"))
        survival = self._survival[rest:]
        area = (self._tail + survival[0]) * (self._edges[rest] - self._tail_start)
        area = 0.5 * float(area + (survival[1:] + survival[:-1]) @ self._widths[rest:])
        self._n_beyond = max(self._tail * n, 1.0)
        # The width of a bin is the resolution: equal scores would else give an excess of zero.
        self._excess = max(area / self._tail, STEP * (1.0 + self._tail_start))
        scale = (high - median) / math.log(5.0)
        self.tail_score = high + ALIEN / 2.0 * scale
        self.alien_score = high + ALIEN * scale

    def p_value(self, score: Floats | Doubles) -> Doubles:
        """Return p(score), of the same shape; 1 before anything was seen."""
        if not self.calibrated:
            return np.ones(score.shape)
        # float32 would end at p = 1e-45.
        score = score.astype(np.float64)
        body = np.interp(score, self._edges, self._survival)
        # Each factor is constant where the other one falls.
        excess = np.maximum(score - self._tail_start, 0.0) / (self._n_beyond * self._excess)
        tail = np.exp(-self._n_beyond * np.log1p(excess))
        p: Doubles = np.maximum(np.maximum(body, self._tail) * tail, SMALLEST_P)
        return p

    def threshold(self, alpha: float) -> float:
        """Return the smallest score whose p-value is alpha; infinite before anything was seen."""
        if not self.calibrated or alpha < SMALLEST_P:
            return float("inf")
        if alpha < self._tail:
            excess = self._n_beyond * math.expm1(math.log(self._tail / alpha) / self._n_beyond)
            return self._tail_start + self._excess * excess
        return float(np.interp(-alpha, -self._survival, self._edges))

    def update(self, score: Floats | Doubles) -> None:
        """Learn scores [n]."""
        place = (np.log1p(score.astype(np.float64)) / STEP).astype(np.int64)
        place = np.minimum(place, N_BINS - 1)
        self.count = min(self.count + len(score), RECENCY * self._memory)
        keep = max(1.0 - RECENCY * len(score) / self.count, 0.0)
        self.counts = keep * self.counts + np.bincount(place, minlength=N_BINS)
        self.refresh()
