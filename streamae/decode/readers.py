"""Fast readers of JSON and CSV values: right whenever they answer, and quick to give up.

A reader raises one of `DOUBTS` on anything that is not beyond doubt, and `parse` decides. JSON is
read into a msgspec struct generated for the features, 1.7 times as fast at 40 of them as into a
dict.
"""

import math
import struct
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec.structs import astuple

from streamae.config import RecordConfig
from streamae.decode.parse import MAX_DEPTH, cell_value, key_of, timestamp_of
from streamae.decode.rejects import RejectedError

Vector = bytes
"""float32[d] as it lies in memory, NaN where a value is missing, infinite where it is too large."""

Row = tuple[Vector, bytes | None, int | None]
"""The features; the key and timestamp_ms that replace the record's own."""

Reader = Callable[[bytes], Row]


class DoubtError(Exception):
    """The value may well be valid, but not for the fast reader to say."""


DOUBTS = (DoubtError, msgspec.DecodeError, ValueError, RejectedError, struct.error, OverflowError)

_BRACKET, _BRACE, _BACKSLASH, _UNDERSCORE = b"[{\\_"
_QUOTE_OR_LINE_END = b'"\r\n'


def json_reader(features: Sequence[str], config: RecordConfig) -> Reader:
    """Return a reader of objects, flat or nested under `features`, and of arrays."""
    try:
        return _JsonReader(features, config).read
    except ValueError:
        # Names with quotes, backslashes or control characters, and one field in two roles, are
        # beyond msgspec; `parse` reads them.
        return undecided


def csv_reader(
    features: Sequence[str], config: RecordConfig, columns: Sequence[str] | None
) -> Reader:
    """Return a reader of lines whose cells are `columns`, or the features where it is None."""
    return _CsvReader(features, config, columns).read


def undecided(value: bytes) -> Row:
    """Leave every value to `parse`."""
    raise DoubtError(len(value))


def packer(n_features: int) -> Callable[[Sequence[float | None]], Vector]:
    """Return what packs rows of numbers, and raises `struct.error` on those of another length."""
    # struct takes 6 ns per number, np.fromiter 14: it looks at the type of each. The native "f"
    # makes infinity of what is too large, where "<f" and "=f" raise.
    pack = struct.Struct(f"{n_features}f").pack

    def packed(row: Sequence[float | None]) -> Vector:
        try:
            return pack(*row)
        except struct.error:
            return pack(*[math.nan if cell is None else cell for cell in row])

    return packed


class _JsonReader:
    def __init__(self, features: Sequence[str], config: RecordConfig) -> None:
        self._n_features = len(features)
        self._key_field = config.key_field
        self._timestamp_field = config.timestamp_field
        self._unit = config.timestamp_unit
        self._bare = self._key_field is None and self._timestamp_field is None
        self._packed = packer(len(features))

        numbers = [(f"f{i}", float | None, math.nan) for i in range(len(features))]
        names = {f"f{i}": name for i, name in enumerate(features)}
        roles = {"key": config.key_field, "timestamp": config.timestamp_field}
        stamps = {role: field for role, field in roles.items() if field is not None}
        fields = [(role, str | int | float) for role in stamps]
        # Without cycles to collect, gc=False makes a struct cheaper to create.
        flat = _struct([*numbers, *fields], names | stamps)
        nested = _struct(numbers, names) | list[float | None] | None
        outer = _struct([("features", nested, None), *fields], stamps)
        self._flat: Callable[[bytes], Any] = msgspec.json.Decoder(flat).decode
        self._outer: Callable[[bytes], Any] = msgspec.json.Decoder(outer).decode
        self._array = msgspec.json.Decoder(list[float | None]).decode

    def read(self, value: bytes) -> Row:
        try:
            if not value.isascii():
                value.decode()  # msgspec does not validate what it skips.
            # Only a second container can be `features`, or be nested too deeply.
            if _BRACKET in value:
                return self._read_bracketed(value)
            second = value.find(_BRACE, 1)
            if second == -1:
                return self._read_flat(value)
            # Two ends are found in a third of the time that counting takes.
            if second != value.rfind(_BRACE):
                _check_depth(value)
            return self._read_nested(value)
        except msgspec.DecodeError:
            return self.read(_nan_as_null(value))

    def _read_bracketed(self, value: bytes) -> Row:
        if value[0] == _BRACKET:
            return self._packed(self._array(value)), None, None
        _check_depth(value)
        return self._read_nested(value)

    def _read_flat(self, value: bytes) -> Row:
        record = self._flat(value)
        if self._bare:
            return self._packed(astuple(record)), None, None
        return self._stamped(self._packed(astuple(record)[: self._n_features]), record)

    def _read_nested(self, value: bytes) -> Row:
        record = self._outer(value)
        features = record.features
        if features is None:
            return self._read_flat(value)
        vector = self._packed(features if type(features) is list else astuple(features))
        return (vector, None, None) if self._bare else self._stamped(vector, record)

    def _stamped(self, vector: Vector, record: Any) -> Row:
        return (
            vector,
            None if self._key_field is None else key_of(record.key),
            None if self._timestamp_field is None else timestamp_of(record.timestamp, self._unit),
        )


class _CsvReader:
    def __init__(
        self, features: Sequence[str], config: RecordConfig, columns: Sequence[str] | None
    ) -> None:
        self._unit = config.timestamp_unit
        self._packed = packer(len(features))
        self._n_columns = len(features if columns is None else columns)
        places = {name: i for i, name in enumerate(features if columns is None else columns)}
        # A column that is not there is read from the empty cell `read` appends.
        self._picks = [places.get(name, self._n_columns) for name in features]
        self._key = self._timestamp = None
        if columns is not None and config.key_field is not None:
            self._key = places.get(config.key_field, self._n_columns)
        if columns is not None and config.timestamp_field is not None:
            self._timestamp = places.get(config.timestamp_field, self._n_columns)

    def read(self, value: bytes) -> Row:
        if not value.isascii() or any(byte in value for byte in _QUOTE_OR_LINE_END):
            raise DoubtError("quoted")
        cells = value.decode().split(",")
        if len(cells) != self._n_columns:
            raise DoubtError("length")
        cells.append("")
        picked = [cells[i] for i in self._picks]
        if _UNDERSCORE in value and "_" in "".join(picked):
            raise DoubtError("underscore")
        row = self._packed([float(cell) if cell else math.nan for cell in picked])
        return row, *self._stamps(cells)

    def _stamps(self, cells: list[str]) -> tuple[bytes | None, int | None]:
        key = timestamp_ms = None
        if self._key is not None:
            key = key_of(cells[self._key] or None)
        if self._timestamp is not None:
            timestamp_ms = timestamp_of(cell_value(cells[self._timestamp]), self._unit)
        return key, timestamp_ms


def _nan_as_null(value: bytes) -> bytes:
    """Return JSON for what Python's json writes for NaN, if no text contains the letters."""
    # Without backslashes, an odd number of quotes before a NaN means that it is inside text.
    pieces = value.split(b"NaN")
    in_text = any(piece.count(b'"') % 2 for piece in pieces[:-1])
    if len(pieces) == 1 or _BACKSLASH in value or in_text:
        raise DoubtError("malformed")
    return b"null".join(pieces)


def _check_depth(value: bytes) -> None:
    if value.count(b"[") + value.count(b"{") > MAX_DEPTH:
        raise DoubtError("nested")


def _struct(fields: Sequence[Any], names: dict[str, str]) -> Any:
    return msgspec.defstruct("Record", fields, rename=names, kw_only=True, gc=False)
