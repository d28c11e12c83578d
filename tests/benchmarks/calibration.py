"""Whether one in a thousand means one in a thousand: the share flagged of rows without anomalies.

The rows labelled clean of each public set, drawn at random with replacement (a stationary stream)
and, where the set has a time order, as they came; and built streams. Beside the share with p below
the budget stands the share the daemon flags, whose closed loop corrects the p-value, and that of
its alerts: one for each episode of flagged rows.
"""

from collections.abc import Iterator

import numpy as np

from streamae.config import Config
from streamae.evaluate import flag, judge
from streamae.labelled import read
from streamae.types import Floats
from tests.benchmarks.quality import NOT_A_STREAM, shelf_with_data

BUDGET = 1e-3
DRAWN = 120_000
"""At the budget 120 are flagged, give or take 9 %."""

FEWEST = 10_000
"""Clean rows of a set that is drawn from: of fewer, ten rows are the whole tail."""

IN_ORDER = (
    *("asd_a", "batadal", "cover", "elec2_inj", "kdd99", "skab_valve1", "smap", "smd_1_6"),
    *("smd_1_7", "smd_3_4", "smtp", "syn_drift_a", "syn_flows", "syn_modes", "syn_season", "tep"),
)
"""The sets that hold a time order and some thousand rows."""


def run() -> list[str]:
    """Return a line per stream, and how many are within a factor of 1.25 and of 2."""
    shares = {name: _shares(x) for name, x in _streams()}
    width = max(map(len, shares))
    lines = [f"{'share in 1e-3':<{width}}{'rows':>9}{'p <= budget':>13}{'flagged':>9}{'alerts':>9}"]
    for name, (n, *measured) in shares.items():
        below, flagged, alerts = (share / BUDGET for share in measured)
        lines.append(f"{name:<{width}}{n:>9,}{below:>13.2f}{flagged:>9.2f}{alerts:>9.2f}")
    for kind in ("built", "drawn", "drifting", "in order"):
        chosen = np.array([share[1:3] for name, share in shares.items() if name.startswith(kind)])
        if len(chosen):
            off = np.abs(np.log(np.maximum(chosen, 1e-6) / BUDGET))
            within = [(off <= np.log(factor)).sum(axis=0).tolist() for factor in (1.25, 2.0)]
            lines.append(
                f"{kind}: of {len(chosen)} streams, by p and flagged,"
                f" {within[0]} within 1.25 and {within[1]} within 2"
            )
    return lines


def _shares(x: Floats) -> tuple[int, float, float, float]:
    """Return the rows judged, and the shares of them below the budget, flagged, and alerts.

    An alert is what the daemon makes of an episode, all rows being of one key.
    """
    p_value = judge(x, Config(), "benchmark/0").p_value
    first, flagged = flag(p_value, Config(), BUDGET)
    quiet = Config().alerting.quiet_records
    n_alerts = np.count_nonzero(np.diff(np.flatnonzero(flagged), prepend=-quiet - 1) > quiet)
    n = len(flagged)
    return n, float((p_value[first:] <= BUDGET).mean()), float(flagged.mean()), n_alerts / n


def _streams() -> Iterator[tuple[str, Floats]]:
    for name, x in _built(np.random.default_rng(0)):
        yield name, x.astype(np.float32)
    shelf = shelf_with_data()
    for path in sorted(shelf.glob("*.npz")) if shelf else ():
        if path.stem in NOT_A_STREAM:
            continue
        stream = read(path)
        clean = stream.x[~stream.anomalous]
        if len(clean) >= FEWEST:
            rows = np.random.default_rng(1).integers(len(clean), size=DRAWN)
            yield f"drawn: {path.stem}", clean[rows]
        if path.stem in IN_ORDER:
            yield f"in order: {path.stem}", clean


def _built(rng: np.random.Generator) -> Iterator[tuple[str, np.ndarray]]:
    n = DRAWN
    normal = rng.standard_normal((n, 10))
    mixing = rng.standard_normal((4, 10))
    yield "built: independent", normal
    yield "built: four factors", rng.standard_normal((n, 4)) @ mixing + 0.3 * normal
    yield "built: Student's t, 3", rng.standard_t(3.0, (n, 10))
    yield "built: log-normal", np.exp(rng.standard_normal((n, 4)) @ mixing + 0.2 * normal)
    group = rng.integers(5, size=n)
    centres = 3.0 * rng.standard_normal((5, 10))
    yield "built: five groups", centres[group] + normal * (0.3 + 0.3 * group[:, None])
    yield "built: one in a hundred wide", normal * (1.0 + 4.0 * (rng.random((n, 1)) < 0.01))
    day = 2.0 * np.pi * np.arange(n)[:, None] / 1440.0
    yield "built: daily cycle", 2.0 * np.sin(day + np.arange(10)) + normal * (1 + 0.5 * np.sin(day))
    yield "drifting: level", np.cumsum(0.01 * rng.standard_normal((n, 10)), axis=0) + normal
    spread = np.exp(np.cumsum(0.15 * rng.standard_normal(n // 500))).repeat(500)
    yield "drifting: spread", spread[:, None] * normal
    yield "drifting: jumps", 2.0 * rng.standard_normal((n // 3000, 10)).repeat(3000, 0) + normal
