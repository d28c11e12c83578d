"""The value types of configuration keys: how each one is written, read and shown."""

import math
import re
from collections.abc import Mapping
from typing import ClassVar, Final, Self

from msgspec import Struct

_QUANTITY: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)")
_SPAN: Final = re.compile(r"(\d{1,19})(?:\s*-\s*(\d{1,19}))?")
_SECONDS: Final = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES: Final = {
    "": 1,
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
}
_TOO_LARGE: Final = 2**63  # Anything larger is a typing error, and no float when an int.
_PERIODS_MS: Final = {"minute": 60_000, "hour": 3_600_000, "day": 86_400_000, "week": 604_800_000}
_MAX_SHARE: Final = 0.5  # Beyond one half, flagged would be the normal case.
_COUNT_PER: Final = re.compile(r"(\d+(?:\.\d+)?)\s+per\s+(\w+)")


class Duration(float):
    """Seconds; written `500ms`, `5s`, `10m`, `2h`, `1d` or a plain number of seconds."""

    __slots__ = ()
    units: ClassVar[Mapping[str, float]] = _SECONDS

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read a duration; raise ValueError when it is none, negative or not finite."""
        seconds = _quantity(value, _SECONDS)
        if not 0 <= seconds < math.inf:
            raise ValueError(value)
        return cls(seconds)

    def __str__(self) -> str:
        ms = round(self * 1000)
        if not math.isclose(ms, self * 1000, abs_tol=1e-9):
            return f"{self:.9f}".rstrip("0") + "s"
        for unit in ("d", "h", "m", "s"):
            n_units, rest = divmod(ms, round(1000 * _SECONDS[unit]))
            if rest == 0:
                return f"{n_units}{unit if n_units else 's'}"
        return f"{ms}ms"


class Size(int):
    """Bytes; written `64KiB`, `16MiB`, `1GB` or a plain number of bytes."""

    __slots__ = ()
    units: ClassVar[Mapping[str, float]] = _BYTES

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read a size; raise ValueError when it is none, negative or no whole number of bytes."""
        n_bytes = _quantity(value, _BYTES)
        if n_bytes < 0 or not n_bytes.is_integer():
            raise ValueError(value)
        return cls(n_bytes)

    def __str__(self) -> str:
        for unit in ("GiB", "MiB", "KiB"):
            if self and self % _BYTES[unit] == 0:
                return f"{self // _BYTES[unit]}{unit}"
        return int.__repr__(self)


class Secret(str):
    """Text that appears in no log, metric or page."""

    __slots__ = ()

    @classmethod
    def parse(cls, value: object) -> Self:
        """Take text as it is; raise ValueError for anything else."""
        if not isinstance(value, str):
            raise ValueError("not text")  # noqa: TRY004 - callers report values, not types.
        return cls(value)

    def __repr__(self) -> str:
        return "'[redacted]'"


class Span:
    """Whole numbers from `first` to `last`, both in it; written `12` or `12-20`."""

    __slots__ = ("first", "last")

    def __init__(self, first: int, last: int) -> None:
        self.first = first
        self.last = last

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read a number or a range; raise ValueError when it is none, negative or backwards."""
        match = _SPAN.fullmatch(str(value).strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, -1)
        if not first <= last < _TOO_LARGE:
            raise ValueError(value)
        return cls(first, last)

    def __contains__(self, number: int) -> bool:
        """Return whether a whole number is among them."""
        return self.first <= number <= self.last

    def __str__(self) -> str:
        return str(self.first) + ("" if self.first == self.last else f"-{self.last}")


class Budget(Struct, frozen=True, kw_only=True):
    """How many records may be flagged: a share of all, or a count per span of event time.

    Either `share` is set, or `count` and `per_ms` are.
    """

    share: float | None = None
    """In (0, 0.5]."""
    count: float | None = None
    per_ms: int | None = None


def parse_budget(value: float | str) -> Budget:
    """Read `0.001` or `20 per day`; raise ValueError with the reason when it is neither."""
    try:
        share = float(value)
    except ValueError:
        return _count_per_period(str(value))
    if not 0 < share <= _MAX_SHARE:
        raise ValueError(f"a share must be more than 0 and at most {_MAX_SHARE}, got {value}")
    return Budget(share=share)


def _count_per_period(text: str) -> Budget:
    match = _COUNT_PER.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"expected a share such as 0.001, or '20 per day', got {text!r}")
    period = match[2].removesuffix("s")
    if period not in _PERIODS_MS:
        raise ValueError(f"unknown period {match[2]!r} (valid: {', '.join(_PERIODS_MS)})")
    if float(match[1]) <= 0:
        raise ValueError("a count must be more than 0")
    return Budget(count=float(match[1]), per_ms=_PERIODS_MS[period])


def _quantity(value: object, units: Mapping[str, float]) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) if abs(value) < _TOO_LARGE else math.inf
    match = _QUANTITY.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or match[2] not in units:
        raise ValueError(value)
    return float(match[1]) * units[match[2]]
