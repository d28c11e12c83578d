"""Statlog (Shuttle) as a file of records: sensor readings of a space shuttle, from `river`."""

from pathlib import Path

import msgspec
import numpy as np
from river import datasets

from streamae.types import Bools

TOPIC = "shuttle"
START_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z; the set has no dates, and a fixed one makes every run write the same."""
INTERVAL_MS = 1000


def write(path: Path) -> Bools:
    """Write the readings as JSON Lines with key and time; return their labels [n], True = anomaly.

    The labels are not in the file.
    """
    encoder = msgspec.json.Encoder()
    labels = []
    with path.open("wb") as file:
        for number, (features, label) in enumerate(datasets.Shuttle()):
            record = {"craft": TOPIC, "time": START_MS + number * INTERVAL_MS, **features}
            file.write(encoder.encode(record) + b"\n")
            labels.append(label == 1)
    return np.array(labels)
