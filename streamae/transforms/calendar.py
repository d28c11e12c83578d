"""Hour of day and day of week, for streams that have a daily or weekly rhythm."""

import math
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from streamae.config import DetectorConfig
from streamae.transforms.inputs import Inputs
from streamae.transforms.transform import ContextTransform
from streamae.types import NO_TIMESTAMP, Bools, Floats, Longs

MINUTE_MS: Final = 60_000
MINUTES: Final = 24 * 60
DAYS: Final = 7

EPOCH_WEEKDAY: Final = 3
"""1 January 1970 was a Thursday; Monday is 0."""

QUARTER_MS: Final = 15 * MINUTE_MS
"""Offsets from UTC change at quarters of an hour of UTC."""


class Calendar(ContextTransform):
    """Sine and cosine of the time of day and of the day of the week, from event time.

    A circle each, so that 23:59 and 0:00 are neighbours; scaled to variance 1 over whole days and
    weeks. All are missing where the record has no event time, or one that no calendar has.
    """

    n_columns = 4

    def __init__(self, config: DetectorConfig) -> None:
        self._zone = None if config.time_zone == "UTC" else ZoneInfo(config.time_zone)
        # Tables, to the minute: the same bits wherever in a batch a record stands.
        self._day, self._week = _circle(MINUTES), _circle(DAYS)

    def apply(self, inputs: Inputs) -> Floats:
        """Return the four columns, [m, 4]."""
        offsets_ms, known = self._offsets_ms(inputs.timestamps_ms)
        minutes = (np.where(known, inputs.timestamps_ms, 0) + offsets_ms) // MINUTE_MS
        weekday = (minutes // MINUTES + EPOCH_WEEKDAY) % DAYS
        columns = np.concatenate([self._day[minutes % MINUTES], self._week[weekday]], axis=1)
        columns[~known] = np.nan
        return columns

    def _offsets_ms(self, timestamps_ms: Longs) -> tuple[Longs, Bools]:
        """Return what to add to UTC, [m], and for which of the times there is a calendar, [m]."""
        known = np.asarray(timestamps_ms != NO_TIMESTAMP)
        if self._zone is None:
            return np.zeros(len(known), np.int64), known
        quarters, place = np.unique(timestamps_ms // QUARTER_MS, return_inverse=True)
        offsets = [self._offset_ms(quarter * QUARTER_MS) for quarter in quarters.tolist()]
        dated = np.array([offset is not None for offset in offsets], np.bool_)
        values = np.array([offset or 0 for offset in offsets], np.int64)
        return values[place], known & dated[place]

    def _offset_ms(self, timestamp_ms: int) -> int | None:
        try:
            offset = datetime.fromtimestamp(timestamp_ms / 1000, self._zone).utcoffset()
        except (ValueError, OverflowError, OSError):
            return None
        return None if offset is None else round(offset.total_seconds() * 1000)


def _circle(n: int) -> Floats:
    """Return [n, 2]: sqrt(2) sin and cos of n equal steps around."""
    angles = [2 * math.pi * step / n for step in range(n)]
    return np.array([[math.sin(a), math.cos(a)] for a in angles], np.float32) * np.float32(2**0.5)
