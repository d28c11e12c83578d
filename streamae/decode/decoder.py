"""Record batches to columns.

A value is read by the fast reader of its format, and where that has doubts by `parse`, the
definition. Which of them depends on the value and the features alone, so the result for a record
never depends on its neighbours in the batch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

import numpy as np

from streamae.config import RecordConfig
from streamae.decode.parse import (
    Fields,
    Format,
    format_of,
    names_of,
    parse,
    row_of,
    times_of,
)
from streamae.decode.readers import (
    DOUBTS,
    DoubtError,
    Reader,
    Row,
    csv_reader,
    json_reader,
    packer,
    undecided,
)
from streamae.decode.rejects import Reason, RejectedError
from streamae.errors import SnapshotError
from streamae.types import UNREADABLE, Floats, Longs, RecordBatch

__all__ = ["Decoded", "Decoder", "Reason", "Reject"]


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that cannot be used."""

    index: int
    """Its place in the batch."""
    reason: Reason
    detail: str
    """For people: at most 200 characters, the same for the same bytes."""


class Decoded(NamedTuple):
    """A batch as columns: m valid records of d features, and the others with their reasons."""

    x: Floats
    """[m, d], C-contiguous; NaN where a value is missing, never infinite, no row all missing."""
    rows: Longs
    """[m], indexes into the batch, increasing."""
    timestamps_ms: Longs
    """[m], event times, from `timestamp_field` where configured."""
    keys: list[bytes | None]
    """m keys, from `key_field` where configured."""
    rejects: list[Reject]
    """By increasing index; together with `rows` they cover the batch."""


class Decoder:
    """Decodes the batches of one partition, in order.

    `columns` names the cells of CSV lines whose batch does not.
    """

    features: tuple[str, ...] | None
    """d names; None while `features: auto` waits for the first valid record."""
    times: tuple[str, ...] = ()
    """Numbers of that record which are no features, for they are its time."""

    def __init__(self, config: RecordConfig, columns: tuple[str, ...] | None = None) -> None:
        self._config = config
        self._columns = columns
        self._json: Reader = undecided
        self.features = None
        if config.features != "auto":
            self.freeze(config.features)

    def freeze(self, features: tuple[str, ...]) -> None:
        """Fix the features; raise `SnapshotError` when others are fixed already."""
        if self.features not in (None, features):
            raise SnapshotError(
                "record.features differs from the features of the saved state: restore the"
                " configuration or start from a new state"
            )
        self.features = features
        self._json = json_reader(features, self._config)

    def decode(self, batch: RecordBatch) -> Decoded:
        """Return the valid records of `batch` as columns, and why the others are not valid.

        With `features: auto` the first valid record ever seen fixes the features: all its numbers
        and nulls in the order they are written, without the key and timestamp fields and what is
        its own time. One with more than `MAX_AUTO_FEATURES` of them is not valid there, and the
        next one is asked.
        """
        values = _Values(batch, self._config, self._columns)
        rejects: list[Reject] = []
        start = self._freeze_on(values, rejects) if self.features is None else 0
        if self.features is None:
            empty = np.empty(0, np.int64)
            return Decoded(np.empty((0, 0), np.float32), empty, empty, [], rejects)
        return _Pass(values, self.features, rejects).decode(start, self._json)

    def _freeze_on(self, values: "_Values", rejects: list[Reject]) -> int:
        """Freeze on the first valid record; return its index, or n when there is none."""
        beside = {self._config.key_field, self._config.timestamp_field}
        for index in range(len(values.batch)):
            try:
                fields = values.parse(index)
                times = [name for name in values.times(index, fields) if name not in beside]
                names = names_of(fields.values, beside.union(times))
                row_of(fields.values, names)
            except RejectedError as error:
                rejects.append(Reject(index, error.reason, str(error)))
            else:
                self.freeze(tuple(names))
                self.times = tuple(times)
                return index
        return len(values.batch)


class _Values:
    """The values of one batch and how each is to be read."""

    def __init__(
        self, batch: RecordBatch, config: RecordConfig, columns: tuple[str, ...] | None
    ) -> None:
        self.batch = batch
        self.config = config
        self.columns = columns if batch.columns is None else batch.columns
        self._default: Format = "json" if self.columns is None else "csv"

    def parse(self, index: int) -> Fields:
        value = self.batch.values[index]
        return parse(value, self._format_at(index), self.config, self.columns)

    def times(self, index: int, fields: Fields) -> list[str]:
        own_ms = int(self.batch.timestamps_ms[index])
        return times_of(
            fields.values, own_ms if fields.timestamp_ms is None else fields.timestamp_ms
        )

    def runs(self, start: int) -> Iterator[tuple[Format | None, Sequence[int]]]:
        """Split the indexes from `start` on into runs of one format, None for an unknown one."""
        indexes = range(start, len(self.batch))
        headers = self.batch.headers
        if self.config.format != "auto" and UNREADABLE not in headers:
            yield self.config.format, indexes
        elif not any(headers):
            yield self._default, indexes
        else:
            for format_, run in groupby(indexes, self._known_format_at):
                yield format_, list(run)

    def _format_at(self, index: int) -> Format:
        if self.batch.headers[index] is UNREADABLE:
            raise RejectedError(Reason.BAD_HEADERS, "the name of a header is not UTF-8")
        if self.config.format != "auto":
            return self.config.format
        return format_of(self.batch.headers[index], self._default)

    def _known_format_at(self, index: int) -> Format | None:
        try:
            return self._format_at(index)
        except RejectedError:
            return None


class _Pass:
    """One way through a batch, collecting what the matrix of features does not hold."""

    def __init__(self, values: _Values, features: Sequence[str], rejects: list[Reject]) -> None:
        self._values = values
        self._batch = values.batch
        self._features = features
        self._rejects = rejects
        self._packed = packer(len(features))
        self._rows: list[int] = []
        self._keys = list(values.batch.keys)
        self._timestamps_ms = values.batch.timestamps_ms.copy()

    def decode(self, start: int, read_json: Reader) -> Decoded:
        """Decode the records from `start` on."""
        parts = [np.empty((0, len(self._features)), np.float32)]
        for format_, indexes in self._values.runs(start):
            if format_ == "float32":
                parts.append(self._float32(indexes))
            elif format_ == "csv":
                config, columns = self._values.config, self._values.columns
                parts.append(self._each(indexes, csv_reader(self._features, config, columns)))
            else:
                parts.append(self._each(indexes, read_json if format_ == "json" else undecided))
        x = self._checked(np.concatenate(parts))
        rows = np.array(self._rows, np.int64)
        keys = self._keys if len(rows) == len(self._keys) else [self._keys[i] for i in self._rows]
        self._rejects.sort(key=attrgetter("index"))
        return Decoded(x, rows, self._timestamps_ms[rows], keys, self._rejects)

    def _float32(self, indexes: Sequence[int]) -> Floats:
        size = 4 * len(self._features)
        fits = size <= self._values.config.max_bytes
        vectors = []
        for index in indexes:
            value = self._batch.values[index]
            if fits and value is not None and len(value) == size:
                self._rows.append(index)
                vectors.append(value)
            else:
                self._parse(index)
        x = np.frombuffer(b"".join(vectors), "<f4").reshape(-1, len(self._features))
        # One NaN for all: arithmetic on a signalling one, which any bytes may hold, is an error.
        return np.where(np.isnan(x), np.float32(np.nan), x)

    def _each(self, indexes: Sequence[int], read: Reader) -> Floats:
        values, rows, keys = self._batch.values, self._rows, self._keys
        max_bytes = self._values.config.max_bytes
        vectors = []
        for index in indexes:
            value = values[index]
            try:
                if not value or len(value) > max_bytes:
                    raise DoubtError
                row = read(value)
            except DOUBTS:
                parsed = self._parse(index)
                if parsed is None:
                    continue
                row = parsed
            vector, key, timestamp_ms = row
            if key is not None:
                keys[index] = key
            if timestamp_ms is not None:
                self._timestamps_ms[index] = timestamp_ms
            rows.append(index)
            vectors.append(vector)
        return np.frombuffer(b"".join(vectors), np.float32).reshape(-1, len(self._features))

    def _parse(self, index: int) -> Row | None:
        """Read the record by the definition; None after rejecting it."""
        try:
            fields = self._values.parse(index)
            row = row_of(fields.values, self._features)
            return self._packed(row), fields.key, fields.timestamp_ms
        except RejectedError as error:
            self._rejects.append(Reject(index, error.reason, str(error)))
            return None

    def _checked(self, x: Floats) -> Floats:
        """Return the rows that are finite and not all missing; reject the others."""
        if np.isfinite(x).all():
            return x
        unusable = np.logical_or(np.isinf(x).any(axis=1), np.isnan(x).all(axis=1))
        if not unusable.any():
            return x
        for place in np.flatnonzero(unusable):
            self._parse(self._rows[place])
        self._rows = [row for row, bad in zip(self._rows, unusable, strict=True) if not bad]
        return x[~unusable]
