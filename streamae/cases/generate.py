"""Records made from a few words: levels, noise, swings, dependence, and what goes wrong."""

from typing import Any

import msgspec
import numpy as np

from streamae.cases.file import Change, Generate
from streamae.config import RecordConfig
from streamae.local import MemoryLog
from streamae.types import Doubles

_START_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z, a Thursday."""
_DIGITS = 6
"""Behind the point: records that a person can read."""


def generate(made: Generate, record: RecordConfig) -> MemoryLog:
    """Return the log of the records, JSON objects; the seed decides every value.

    Key and event time are those of the record, and its fields too where `record` names some.
    """
    times_ms = [_START_MS + round(row * 1000 * made.interval) for row in range(made.records)]
    keys = [made.keys[row % len(made.keys)] for row in range(made.records)] if made.keys else []
    columns = _columns(made)
    for change in made.changes:
        _apply(change, columns)
    names = list(columns)
    objects: list[dict[str, Any]] = [
        dict(zip(names, row, strict=True))
        for row in np.round(np.column_stack(list(columns.values())), _DIGITS).tolist()
    ]
    for row, fields in enumerate(objects):
        if record.key_field is not None and keys:
            fields[record.key_field] = keys[row]
        if record.timestamp_field is not None:
            unit_ms = 1000 if record.timestamp_unit == "s" else 1
            fields[record.timestamp_field] = times_ms[row] / unit_ms
    # A missing value is NaN, which JSON writes as null.
    values: list[bytes | None] = [msgspec.json.encode(fields) for fields in objects]
    for change in made.changes:
        if change.raw is not None:
            for row in _rows(change):
                values[row] = change.raw.encode()
    return MemoryLog(values, [key.encode() for key in keys], times_ms)


def _columns(made: Generate) -> dict[str, Doubles]:
    """Return the values [n] of each feature before anything goes wrong."""
    rng = np.random.default_rng(made.seed)
    rows = np.arange(made.records)
    deviations: dict[str, Doubles] = {}
    for feature in made.features:
        deviation = feature.noise * rng.standard_normal(made.records)
        deviation += feature.swing * np.sin(2 * np.pi * rows / feature.period)
        if feature.follows is not None:
            deviation += feature.by * deviations[feature.follows]
        deviations[feature.name] = deviation
    return {feature.name: feature.mean + deviations[feature.name] for feature in made.features}


def _apply(change: Change, columns: dict[str, Doubles]) -> None:
    if change.feature is None:
        return
    values, rows = columns[change.feature], list(_rows(change))
    if change.becomes is None:
        values[rows] += change.add
    else:
        values[rows] = np.nan if change.becomes == "missing" else change.becomes


def _rows(change: Change) -> range:
    return range(change.records.first, change.records.last + 1) if change.records else range(0)
