"""Fast readers of JSON and CSV values: right whenever they answer, and quick to give up.

A reader raises one of `DOUBTS` on anything that is not beyond doubt, and `parse` decides. JSON is
read into a msgspec struct generated for the features, 1.7 times as fast at 40 of them as into a
dict.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec.structs import astuple

from streamae.config import RecordConfig
from streamae.decode.parse import MAX_DEPTH, RejectedError, cell_value, key_of, timestamp_of

Row = tuple[Sequence[float | None], bytes | None, int | None]
"""d values, None or NaN where missing; the key and timestamp_ms that replace the record's own."""

Reader = Callable[[bytes], Row]


class DoubtError(Exception):
    """The value may well be valid, but not for the fast reader to say."""


DOUBTS = (DoubtError, msgspec.DecodeError, ValueError, RejectedError)

_BRACKET, _BACKSLASH, _UNDERSCORE = b"[\\_"
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


class _JsonReader:
    def __init__(self, features: Sequence[str], config: RecordConfig) -> None:
        self._n_features = len(features)
        self._key_field = config.key_field
        self._timestamp_field = config.timestamp_field
        self._unit = config.timestamp_unit
        self._bare = self._key_field is None and self._timestamp_field is None

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
            return self._read_strict(value)
        except msgspec.DecodeError:
            return self._read_strict(_nan_as_null(value))

    def _read_strict(self, value: bytes) -> Row:
        if value[0] == _BRACKET:
            return self._positional(self._array(value)), None, None
        if not value.isascii():
            value.decode()  # msgspec does not validate what it skips.
        # Only a second container can be `features`, or be nested too deeply.
        if _BRACKET in value or value.find(b"{", 1) != -1:
            return self._read_nested(value)
        if self._bare:
            return astuple(self._flat(value)), None, None
        return self._read_flat(value)

    def _read_flat(self, value: bytes) -> Row:
        record = self._flat(value)
        return astuple(record)[: self._n_features], *self._stamps(record)

    def _read_nested(self, value: bytes) -> Row:
        if _may_be_deep(value):
            raise DoubtError("nested")
        record = self._outer(value)
        features = record.features
        if features is None:
            return self._read_flat(value)
        row = self._positional(features) if isinstance(features, list) else astuple(features)
        return (row, None, None) if self._bare else (row, *self._stamps(record))

    def _positional(self, values: list[float | None]) -> list[float | None]:
        if len(values) != self._n_features:
            raise DoubtError("length")
        return values

    def _stamps(self, record: Any) -> tuple[bytes | None, int | None]:
        return (
            None if self._key_field is None else key_of(record.key),
            None if self._timestamp_field is None else timestamp_of(record.timestamp, self._unit),
        )


class _CsvReader:
    def __init__(
        self, features: Sequence[str], config: RecordConfig, columns: Sequence[str] | None
    ) -> None:
        self._unit = config.timestamp_unit
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
        row = [float(cell) if cell else None for cell in picked]
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
    # Without backslashes every second piece between quotes is text.
    if b"NaN" not in value or _BACKSLASH in value or b"NaN" in b"".join(value.split(b'"')[1::2]):
        raise DoubtError("malformed")
    return value.replace(b"NaN", b"null")


def _may_be_deep(value: bytes) -> bool:
    # One container in another is the usual case, and two ends are found in a third of the time
    # that counting takes.
    one_array = _BRACKET not in value or value.find(b"[") == value.rfind(b"[")
    if one_array and value.find(b"{", 1) in (-1, value.rfind(b"{")):
        return False
    return value.count(b"[") + value.count(b"{") > MAX_DEPTH


def _struct(fields: Sequence[Any], names: dict[str, str]) -> Any:
    return msgspec.defstruct("Record", fields, rename=names, kw_only=True, gc=False)
