"""Which fields records have, and what stands in them."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from streamae.config import RecordConfig
from streamae.decode.parse import format_of, parse, times_of, timestamp_of
from streamae.decode.rejects import RejectedError
from streamae.types import UNREADABLE, RecordBatch

Kind = Literal["number", "text", "missing", "boolean", "object", "array"]
Unit = Literal["ms", "s"]

MOST_VALUES = 1000
"""Distinct texts counted; more are no names of anything that comes back."""

MOSTLY = 0.99
"""Share of the records that a field's kind, unit or presence has to hold for: some are broken, and
become dead letters."""

_EPOCH_S = (946_684_800, 4_102_444_800)
"""The years 2000 to 2100."""
_TIME = re.compile(r"time|date|stamp|epoch|(^|_)(ts|at)$", re.IGNORECASE)
_NAME = re.compile(
    r"(^|[_.-])(id|key|host|hostname|node|device|machine|sensor|unit|instance|asset|entity|craft"
    r"|station|serial|name)$|Id$",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Field:
    """One field, over all records of a sample."""

    name: str
    outside: bool = False
    """Whether it stands beside an object `features`, so that it can be no feature."""
    kinds: Counter[Kind] = field(default_factory=Counter)
    values: Counter[str | float] = field(default_factory=Counter)
    """Texts and numbers, up to `MOST_VALUES` different ones."""
    whole: bool = True
    """Whether every number is a whole one."""
    units: Counter[Unit] = field(default_factory=Counter)
    """Values that are a time in it; a date and time in words is in milliseconds."""
    n_own: int = 0
    """Numbers that are their record's own time."""

    @property
    def n(self) -> int:
        """Records in which it is not missing."""
        return self.kinds.total() - self.kinds["missing"]

    @property
    def kind(self) -> Kind | None:
        """What it holds mostly where it is not missing; None for several kinds."""
        held = (kind for kind in self.kinds if kind != "missing")
        kind = max(held, key=self.kinds.__getitem__, default=None)
        if kind is None:
            return "missing"
        return kind if self.kinds[kind] >= MOSTLY * self.n else None

    @property
    def looks_like_a_name(self) -> bool:
        """Whether it is called as what tells entities apart is called."""
        return bool(_NAME.search(self.name))

    @property
    def time_unit(self) -> Unit | None:
        """The unit it would have as an event time; text has one as well. None if it is none."""
        if self.kind != "text" and (self.kind != "number" or not _TIME.search(self.name)):
            return None
        return next((unit for unit, n in self.units.items() if n >= MOSTLY * self.n), None)

    @property
    def is_time(self) -> bool:
        """Whether its numbers are times."""
        return self.time_unit is not None or 0 < MOSTLY * self.n <= self.n_own

    def add(self, value: object, *, is_own_time: bool = False) -> None:
        """Take the value of the next record in."""
        self.n_own += is_own_time
        kind = _kind(value)
        self.kinds[kind] += 1
        if isinstance(value, str) and kind == "text":
            self.units["ms"] += _is_dated(value)
        elif isinstance(value, int | float) and kind == "number":
            self.whole = self.whole and float(value).is_integer()
            low, high = _EPOCH_S
            self.units["s"] += low <= value <= high
            self.units["ms"] += 1000 * low <= value <= 1000 * high
        if (
            kind != "missing"
            and isinstance(value, str | int | float)
            and len(self.values) <= MOST_VALUES
        ):
            self.values[value] += 1


class Survey(NamedTuple):
    """What the records of a sample hold when they are read in one format."""

    fields: dict[str, Field]
    """In the order they were met first."""
    n_usable: int
    """Records with a number."""


def survey(batches: Iterable[RecordBatch], record: RecordConfig) -> Survey:
    """Return the fields of the records that can be read."""
    fields: dict[str, Field] = {}
    n_usable = 0
    for batch in batches:
        for inside, outside, timestamp_ms in _records(batch, record):
            n_usable += any(_kind(value) == "number" for value in inside.values())
            beside = {name: value for name, value in outside.items() if name not in inside}
            own = set(times_of(inside, timestamp_ms))
            for name, value in (inside | beside).items():
                if _is_writable(name):
                    one = fields.setdefault(name, Field(name, name in beside))
                    one.add(value, is_own_time=name in own)
    return Survey(fields, n_usable)


def _records(
    batch: RecordBatch, record: RecordConfig
) -> Iterator[tuple[dict[str, object], dict[str, object], int]]:
    """Yield each readable record's candidates for features, the fields beside them, its time."""
    default: Literal["csv", "json"] = "json" if batch.columns is None else "csv"
    times_ms = batch.timestamps_ms.tolist()
    for value, headers, time_ms in zip(batch.values, batch.headers, times_ms, strict=True):
        try:
            if headers is UNREADABLE:
                continue
            format_ = format_of(headers, default) if record.format == "auto" else record.format
            found = parse(value, format_, record, batch.columns).values
        except RejectedError:
            continue
        inside = dict(found) if isinstance(found, Mapping) else _numbered(found)
        yield inside, _outside(value or b"") if format_ == "json" else {}, time_ms


def _numbered(values: Sequence[object]) -> dict[str, object]:
    return {f"x{place}": value for place, value in enumerate(values)}


def _outside(value: bytes) -> dict[str, Any]:
    """Return what stands beside an object or array `features`."""
    if b'"features"' not in value:
        return {}
    top = json.loads(value, parse_int=float)  # An int may be beyond every double.
    if not isinstance(top, dict) or not isinstance(top.get("features"), dict | list):
        return {}
    return {name: below for name, below in top.items() if name != "features"}


def _is_writable(text: str) -> bool:
    """Return whether UTF-8 can hold the text: JSON may escape half a character."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _kind(value: object) -> Kind:
    if value is None or value != value:  # noqa: PLR0124 - NaN.
        return "missing"
    if isinstance(value, str) and not _is_writable(value):
        return "missing"
    kinds: dict[type, Kind] = {bool: "boolean", str: "text", dict: "object", list: "array"}
    return kinds.get(type(value), "number")


def _is_dated(text: str) -> bool:
    try:
        timestamp_of(text, "ms")
    except RejectedError:
        return False
    return True
