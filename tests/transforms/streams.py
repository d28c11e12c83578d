"""Streams of several devices that transforms are for."""

import json

import numpy as np

from streamae.local import MemoryLog
from streamae.types import Doubles, Floats
from tests.streams import timestamps

DEVICES = 3


def counters(n: int, seed: int = 0) -> tuple[Floats, list[bytes]]:
    """Return [n, 4] of three devices in random turn, and their keys.

    Column 0 is a counter whose steps are 10 times column 1 or so, column 2 another one, and column
    3 noise. Each counter starts anywhere and is reset once in a while after the first 300 rows.
    """
    rng = np.random.default_rng(seed)
    device = rng.integers(DEVICES, size=n)
    load = rng.gamma(4.0, size=n)
    steps = np.stack([10 * load + rng.random(n), rng.random(n)], axis=1)
    totals: Doubles = rng.integers(1000, size=(DEVICES, 2)).astype(np.float64)
    x = np.zeros((n, 4))
    for row, of in enumerate(device.tolist()):
        totals[of] += steps[row]
        if row > 300 and rng.random() < 0.005:
            totals[of] = 0
        x[row] = [totals[of, 0], load[row], totals[of, 1], rng.normal()]
    return x.astype(np.float32), [f"device-{of}".encode() for of in device.tolist()]


def as_log(x: Floats, keys: list[bytes] | None = None, step_ms: int = 1000) -> MemoryLog:
    """Return rows x[n, d] as JSON with a feature per column, null where missing."""
    names = "abcdefgh"[: x.shape[1]]
    values = []
    for row in x.tolist():
        record = {
            name: None if np.isnan(value) else value for name, value in zip(names, row, strict=True)
        }
        values.append(json.dumps(record).encode())
    return MemoryLog(values, keys or [None] * len(x), timestamps(len(x), step_ms))
