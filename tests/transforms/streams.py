"""Streams of several devices that transforms are for."""

import json

import numpy as np

from streamae.local import MemoryLog
from streamae.types import Bools, Doubles, Floats, Longs
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


DAY_MS = 86_400_000
NIGHT = 0.25
"""Share of a day, from midnight on."""


def daily(n: int, step_ms: int = 600_000, seed: int = 0) -> tuple[Floats, Longs, Bools]:
    """Return [n, 3], event times and anomalies: two features have a daily cycle, one is noise.

    In 1 % of the rows of the nights after the first third both are what they usually are at noon.
    """
    rng = np.random.default_rng(seed)
    times = np.array(timestamps(n, step_ms), np.int64)
    of_day = (times % DAY_MS) / DAY_MS
    nightly = (of_day < NIGHT) & (np.arange(n) > n // 3)
    anomalous = nightly & (rng.random(n) < 0.04)
    usual = np.where(anomalous, 0.5, of_day)
    level = -np.cos(2 * np.pi * usual)
    x = np.stack([100 + 40 * level, 10 + 3 * level, np.zeros(n)], axis=1)
    x += rng.normal(size=(n, 3)) * [4, 0.3, 1]
    return x.astype(np.float32), times, anomalous


def walks(n: int, seed: int = 0) -> tuple[Floats, list[bytes], Bools]:
    """Return [n, 3] of three devices in random turn, their keys, and anomalies.

    Two features walk slowly about their mean, one is noise. 1 % of the rows after the first third
    jump to where the walk might have been at another time, and go on from there.
    """
    rng = np.random.default_rng(seed)
    device = rng.integers(DEVICES, size=n)
    level = rng.normal(size=(DEVICES, 2))
    anomalous = (np.arange(n) > n // 3) & (rng.random(n) < 0.01)
    x = np.zeros((n, 3))
    for row, of in enumerate(device.tolist()):
        step = rng.normal(size=2)
        level[of] = step if anomalous[row] else 0.99 * level[of] + np.sqrt(1 - 0.99**2) * step
        x[row] = [100 + 20 * level[of, 0] + rng.normal(), 5 + level[of, 1], rng.normal()]
    return x.astype(np.float32), [f"device-{of}".encode() for of in device.tolist()], anomalous


def orders_of_magnitude(n: int, seed: int = 0) -> tuple[Floats, Bools]:
    """Return [n, 4] that spread over powers of ten and go together, and anomalies.

    1 % of the rows after the first third have each feature from another row: none is unusual.
    """
    rng = np.random.default_rng(seed)
    common = rng.standard_t(2, size=(n, 1))
    x = np.sinh(3 * common + 0.3 * rng.normal(size=(n, 4))) * [1, 10, 100, 1000]
    anomalous = (np.arange(n) > n // 3) & (rng.random(n) < 0.01)
    for column in range(4):
        x[anomalous, column] = rng.permutation(x[:, column])[: anomalous.sum()]
    return np.clip(x, -1e30, 1e30).astype(np.float32), anomalous


def categories(n: int, seed: int = 0) -> tuple[Floats, Bools]:
    """Return [n, 7]: five one-hot columns, and two numbers of which one goes with the category.

    The last category has one record in a hundred. 1 % of the rows after the first third are
    anomalies: no category, two categories, or the number of another category.
    """
    rng = np.random.default_rng(seed)
    category = rng.choice(5, p=[0.4, 0.3, 0.2, 0.09, 0.01], size=n)
    x = np.zeros((n, 7))
    x[np.arange(n), category] = 1
    x[:, 5] = 10 * category + rng.normal(size=n)
    x[:, 6] = rng.normal(size=n)
    anomalous = (np.arange(n) > n // 3) & (rng.random(n) < 0.01)
    for row in np.flatnonzero(anomalous).tolist():
        kind = rng.integers(3)
        if kind < 2:
            x[row, (category[row] + kind) % 5] = kind
        else:
            x[row, 5] = 10 * ((category[row] + 1) % 4) + rng.normal()
    return x.astype(np.float32), anomalous


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
