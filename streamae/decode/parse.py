"""One value to one row of features: what a record means, told by its bytes alone.

This is the definition. `decode` has a faster way for values that leave no doubt and brings all
others here, so every reject gets its reason in this file.
"""

import csv
import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Literal, NamedTuple, TypeGuard

import numpy as np

from streamae.config import RecordConfig
from streamae.decode.rejects import Reason, RejectedError, excerpt, kind
from streamae.types import Headers

Format = Literal["json", "float32", "csv"]

MAX_DEPTH = 100
"""Deepest nesting read. The parsers' own limit depends on how deep the caller's stack is, and the
result for a record must not."""

MAX_AUTO_FEATURES = 2_000
"""Most features that a record may decide on: memory grows with their square, 1.2 GiB at 2,000, and
one odd record must not take it. Named ones may be more."""


_DAY_MS = 86_400_000
_YEAR_2000_MS = 946_684_800_000
_UNITS_MS = (1000, 1, 1e-3, 1e-6)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_TIMESTAMP_MS = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z: a larger number is in another unit than the configured one."""

_MEDIA_TYPES: Mapping[bytes, Format] = {
    b"application/json": "json",
    b"text/json": "json",
    b"application/octet-stream": "float32",
    b"application/x-float32": "float32",
    b"text/csv": "csv",
}

_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)
_STEP = {"[": 1, "{": 1, "]": -1, "}": -1}


def _integer(digits: str) -> int | float:
    # int() refuses or takes quadratic time for what is beyond every double anyway.
    number = float(digits)
    return int(digits) if math.isfinite(number) else number


_JSON = json.JSONDecoder(parse_int=_integer, parse_constant=float)


class Fields(NamedTuple):
    """What a value holds, before the features are picked from it."""

    values: Mapping[str, object] | Sequence[object]
    """By name or by position: int or float, None where missing, anything else is no number."""
    key: bytes | None = None
    """From `key_field`; None keeps the record's key."""
    timestamp_ms: int | None = None
    """From `timestamp_field`; None keeps the record's timestamp."""


def format_of(headers: Headers, default: Format) -> Format:
    """Return the format the first content-type header names, `default` without one."""
    for name, content in headers:
        if name.lower() == "content-type" and content:
            media_type = content.split(b";")[0].strip().lower()
            if media_type.endswith(b"+json"):
                return "json"
            if media_type not in _MEDIA_TYPES:
                raise RejectedError(Reason.UNSUPPORTED_CONTENT_TYPE, excerpt(media_type))
            return _MEDIA_TYPES[media_type]
    return default


def parse(
    value: bytes | None, format_: Format, config: RecordConfig, columns: Sequence[str] | None
) -> Fields:
    """Read `value`; `columns` names the cells of a CSV line.

    Positional values (array, float32, CSV without columns) keep the record's key and timestamp.
    """
    if not value:
        raise RejectedError(Reason.EMPTY, "no value" if value is None else "a value of zero bytes")
    if len(value) > config.max_bytes:
        raise RejectedError(
            Reason.TOO_LARGE, f"{len(value)} bytes, max_bytes is {config.max_bytes}"
        )
    if format_ == "float32":
        return _float32_fields(value)
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        raise RejectedError(Reason.NOT_UTF8, f"{error.reason} at byte {error.start}") from error
    return _json_fields(text, config) if format_ == "json" else _csv_fields(text, config, columns)


def names_of(
    values: Mapping[str, object] | Sequence[object], excluded: set[str | None]
) -> list[str]:
    """Return the names of all numbers and missing values, in order; `x0`, `x1`, ... by position."""
    if isinstance(values, Mapping):
        names = [
            name
            for name, value in values.items()
            if name not in excluded and (value is None or _is_number(value))
        ]
    else:
        names = [f"x{i}" for i in range(len(values))]
    if len(names) > MAX_AUTO_FEATURES:
        raise RejectedError(
            Reason.TOO_MANY_FEATURES,
            f"{len(names)} features, and `record.features: auto` takes {MAX_AUTO_FEATURES} at most:"
            " name the features; `streamae config init` drafts the list",
        )
    for name in names:
        if any("\ud800" <= character <= "\udfff" for character in name):
            raise RejectedError(Reason.INVALID_JSON, f"lone surrogate in the name {excerpt(name)}")
    return names


def times_of(values: Mapping[str, object] | Sequence[object], timestamp_ms: int) -> list[str]:
    """Return the names of the numbers that are the record's own time, less than a day off it.

    They count s, ms, us or ns since 1970, of which float32 holds no more than the minutes. A day is
    what clocks, time zones and queues may take, and of other numbers as large only one in ten
    thousand is as near. An own time before 2000 is no clock's, and small numbers are near it.
    """
    if not isinstance(values, Mapping) or timestamp_ms < _YEAR_2000_MS:
        return []
    return [
        name
        for name, value in values.items()
        if _is_number(value)
        and any(abs(value * unit_ms - timestamp_ms) <= _DAY_MS for unit_ms in _UNITS_MS)
    ]


def row_of(values: Mapping[str, object] | Sequence[object], features: Sequence[str]) -> list[float]:
    """Return the value of each feature, NaN where it is missing; at least one is not."""
    if isinstance(values, Mapping):
        cells = [values.get(name) for name in features]
    elif len(values) == len(features):
        cells = list(values)
    else:
        raise RejectedError(
            Reason.WRONG_LENGTH, f"{len(values)} values for {len(features)} features"
        )
    row = [
        cell if type(cell) is float else _number(cell, name)
        for cell, name in zip(cells, features, strict=True)
    ]
    with np.errstate(over="ignore"):
        beyond = np.isinf(np.array(row, np.float32))
    if beyond.any():
        name = features[int(beyond.argmax())]
        raise RejectedError(Reason.OUT_OF_RANGE, f"{excerpt(name)} is beyond the range of float32")
    if all(map(math.isnan, row)):
        raise RejectedError(Reason.NO_FEATURES, "every feature is missing")
    return row


def key_of(value: object) -> bytes:
    """Return text, or a number as Python spells it, as bytes."""
    try:
        if isinstance(value, str):
            return value.encode()
        if _is_number(value) and math.isfinite(value):
            return str(value).encode()
    except (UnicodeEncodeError, OverflowError):
        pass
    raise RejectedError(Reason.BAD_KEY, f"key_field holds {kind(value)}")


def timestamp_of(value: object, unit: Literal["ms", "s"]) -> int:
    """Return milliseconds since the epoch; text without a UTC offset is taken as UTC."""
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            timestamp_ms = (aware - _EPOCH) // timedelta(milliseconds=1)
        elif _is_number(value):
            timestamp_ms = round(value * 1000 if unit == "s" else value)
        else:
            raise RejectedError(Reason.BAD_TIMESTAMP, f"timestamp_field holds {kind(value)}")
    except (ValueError, OverflowError) as error:
        detail = f"timestamp_field holds {excerpt(value)}"
        raise RejectedError(Reason.BAD_TIMESTAMP, detail) from error
    if not 0 <= timestamp_ms <= MAX_TIMESTAMP_MS:
        raise RejectedError(
            Reason.BAD_TIMESTAMP, f"{timestamp_ms} ms is not between the years 1970 and 9999"
        )
    return timestamp_ms


def cell_value(cell: str) -> float | str | None:
    """Return what a CSV cell holds: a number, None if it is blank, else its text."""
    # float() also reads 1_000 and digits of other scripts, which no CSV writer means as a number.
    if "_" in cell or not cell.isascii():
        return cell
    try:
        return float(cell)
    except ValueError:
        return cell if cell.strip() else None


def _json_fields(text: str, config: RecordConfig) -> Fields:
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise RejectedError(Reason.INVALID_JSON, f"nested more than {MAX_DEPTH} deep")
    try:
        parsed = _JSON.decode(text)
    except ValueError as error:
        raise RejectedError(Reason.INVALID_JSON, str(error)) from error
    if isinstance(parsed, list):
        return Fields(parsed)
    if not isinstance(parsed, dict):
        raise RejectedError(Reason.WRONG_TYPE, f"{kind(parsed)} in place of an object or array")
    nested = parsed.get("features")
    values = nested if isinstance(nested, dict | list) else parsed
    return _keyed(values, parsed, parsed, config)


def _csv_fields(text: str, config: RecordConfig, columns: Sequence[str] | None) -> Fields:
    cells = _cells(text)
    values = [cell_value(cell) for cell in cells]
    if columns is None:
        return Fields(values)
    if len(cells) != len(columns):
        raise RejectedError(Reason.WRONG_LENGTH, f"{len(cells)} cells for {len(columns)} columns")
    named = dict(zip(columns, values, strict=True))
    texts = {name: cell or None for name, cell in zip(columns, cells, strict=True)}
    return _keyed(named, texts, named, config)


def _float32_fields(value: bytes) -> Fields:
    if len(value) % 4:
        raise RejectedError(
            Reason.WRONG_LENGTH, f"{len(value)} bytes are not a whole number of float32"
        )
    return Fields(np.frombuffer(value, "<f4").tolist())


def _keyed(
    values: Mapping[str, object] | Sequence[object],
    keys: Mapping[str, object],
    timestamps: Mapping[str, object],
    config: RecordConfig,
) -> Fields:
    key_field, timestamp_field = config.key_field, config.timestamp_field
    key = None if key_field is None else key_of(keys.get(key_field))
    if timestamp_field is None:
        return Fields(values, key)
    return Fields(values, key, timestamp_of(timestamps.get(timestamp_field), config.timestamp_unit))


def _cells(text: str) -> list[str]:
    line = text.removesuffix("\n").removesuffix("\r")
    if not any(special in line for special in '"\r\n'):
        return line.split(",")
    try:
        return next(csv.reader([line], strict=True))
    except csv.Error as error:
        raise RejectedError(Reason.INVALID_CSV, str(error)) from error


def _depth(text: str) -> int:
    brackets = (_STEP.get(token, 0) for token in _STRING_OR_BRACKET.findall(text))
    return max(accumulate(brackets), default=0)


def _is_number(value: object) -> TypeGuard[int | float]:
    return type(value) is float or type(value) is int


def _number(value: object, name: str) -> float:
    if value is None:
        return math.nan
    if _is_number(value):
        return float(value)
    raise RejectedError(Reason.WRONG_TYPE, f"{excerpt(name)} holds {kind(value)}")
