"""What is different about an output that is not what the log gives."""

import json
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from streamae.records import Position, source_of
from streamae.types import Output, Written

_ABOUT_BYTES = 12
"""Shown before and behind a byte that differs."""


class Difference(msgspec.Struct, frozen=True):
    """The first output of a channel that is not what the log gives."""

    kind: Literal["changed", "missing", "unexpected"]
    place: str | None
    """Where the committed one lies; None when it is missing."""
    source: Position | None
    """The record it is about."""
    alert_id: str | None
    field: str | None = None
    """Which part of it differs; None unless it is changed."""
    committed: Any = None
    recomputed: Any = None
    instead: Position | None = None
    """The record of the committed output that stands where one is missing."""

    def render(self) -> list[tuple[str, str]]:
        """Return names and values for people."""
        lines: list[tuple[str, str]] = [("difference", self.kind)]
        if self.place is not None:
            lines.append(("committed at", self.place))
        if self.source is not None:
            lines.append(("record", _named(self.source)))
        if self.alert_id is not None:
            lines.append(("alert", self.alert_id))
        if self.field is not None:
            lines.append(("field", self.field))
        if self.kind == "changed":
            lines += [
                ("committed", _shown(self.committed)),
                ("recomputed", _shown(self.recomputed)),
            ]
        if self.instead is not None:
            lines.append(("in its place", f"that of {_named(self.instead)}"))
        return lines


def missing(expected: Output, instead: Written | None) -> Difference:
    """Return that `expected` was not committed, where `instead` stands."""
    stands = None if instead is None else source_of(instead.output)
    return Difference("missing", None, source_of(expected), _alert_id(expected), instead=stands)


def unexpected(committed: Written) -> Difference:
    """Return that `committed` is nothing the log gives."""
    output = committed.output
    return Difference("unexpected", committed.place, source_of(output), _alert_id(output))


def changed(committed: Written, expected: Output) -> Difference:
    """Return in which part `committed` first differs from `expected`."""
    found = _first_difference(committed.output, expected)
    return Difference("changed", committed.place, source_of(expected), _alert_id(expected), *found)


def _alert_id(output: Output) -> str | None:
    found = _parsed(output.value) if output.channel == "alerts" else None
    return str(found["alert_id"]) if isinstance(found, dict) and "alert_id" in found else None


def _first_difference(committed: Output, expected: Output) -> tuple[str, Any, Any]:
    """Return which part differs, and both values of it."""
    if committed.value != expected.value:
        then, now = _parsed(committed.value), _parsed(expected.value)
        if then is not None and now is not None and then != now:
            return _within(then, now, "")
        return _byte(committed.value or b"", expected.value or b"")
    if committed.key != expected.key:
        return "key", committed.key, expected.key
    if committed.headers != expected.headers:
        return _header(committed, expected)
    return "timestamp", committed.timestamp_ms, expected.timestamp_ms


def _header(committed: Output, expected: Output) -> tuple[str, Any, Any]:
    pairs = zip(committed.headers, expected.headers, strict=False)
    for number, (then, now) in enumerate(pairs):
        if then != now:
            if then[0] == now[0]:
                return f"header {now[0]}", then[1], now[1]
            named = (b"%b: %b" % (name.encode(), value) for name, value in (then, now))
            return f"header {number}", next(named), next(named)
    return "headers", len(committed.headers), len(expected.headers)


def _within(then: Any, now: Any, path: str) -> tuple[str, Any, Any]:
    """Return the path to the first difference of two JSON values."""
    pairs: Iterator[tuple[str, Any, Any]] = iter(())
    if isinstance(then, dict) and isinstance(now, dict) and list(then) == list(now):
        pairs = ((f"{path}.{name}" if path else name, then[name], now[name]) for name in now)
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        pairs = ((f"{path}[{at}]", then[at], now[at]) for at in range(len(now)))
    for below, one, other in pairs:
        if one != other:
            return _within(one, other, below)
    return path or "value", then, now


def _byte(then: bytes, now: bytes) -> tuple[str, Any, Any]:
    """Return the number of the first byte that differs, from 0, and what is around it."""
    pairs = enumerate(zip(then, now, strict=False))
    at = next((at for at, (one, other) in pairs if one != other), min(len(then), len(now)))
    around = slice(max(0, at - _ABOUT_BYTES), at + _ABOUT_BYTES)
    return f"byte {at} of the value", then[around], now[around]


def _parsed(value: bytes | None) -> Any:
    try:
        return json.loads(value or b"")
    except ValueError:
        return None


def _named(at: Position) -> str:
    return f"{at.topic}-{at.partition}, offset {at.offset}"


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, bytes) else json.dumps(value)
