"""Proves that what was committed is what the log gives, or names the first difference."""

import json
from collections import deque
from collections.abc import Hashable, Iterator, Mapping
from itertools import chain
from typing import Any, Literal, get_args

import msgspec

from streamae.records import Position, source_of
from streamae.replay.playback import Playback
from streamae.types import NO_TIMESTAMP, Archive, Channel, Output, Written

_WINDOW = 1024
"""Outputs among which the first equal one is looked for: how many may differ before it."""

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

    def render(self) -> list[tuple[str, str]]:
        """Return names and values for people."""
        lines: list[tuple[str, str]] = [("difference", self.kind)]
        if self.place is not None:
            lines.append(("committed at", self.place))
        if (at := self.source) is not None:
            lines.append(("record", f"{at.topic}-{at.partition}, offset {at.offset}"))
        if self.alert_id is not None:
            lines.append(("alert", self.alert_id))
        if self.field is not None:
            lines.append(("field", self.field))
        if self.kind == "changed":
            lines += [
                ("committed", _shown(self.committed)),
                ("recomputed", _shown(self.recomputed)),
            ]
        return lines


class Comparison(msgspec.Struct, frozen=True):
    """What became of one channel's comparison."""

    equal: int
    """Outputs that are equal to the byte, before the first difference."""
    difference: Difference | None


def compare(
    archive: Archive, playback: Playback, start: int, end: int, channels: list[Channel]
) -> Mapping[Channel, Comparison]:
    """Compute the outputs of the records from `start` to before `end` and look for them."""
    playback.skip(start)
    # Nothing came before what an empty model made of the log's first record.
    whole = start == playback.begun.offset and playback.begun.ordinal == 0
    checks = {
        channel: _Check(archive.outputs(channel, playback.partition), start, end, whole=whole)
        for channel in channels
    }
    for done in playback.run(end):
        for output in done.outputs:
            if output.channel in checks:
                checks[output.channel].expect(archive.written(output))
    # Nothing came behind the range even now, so nothing did when the outputs were read.
    point = archive.committed(playback.partition)
    last = point is not None and point.offset == end
    return {channel: check.finish(last=last) for channel, check in checks.items()}


def channels(outputs: Any) -> list[Channel]:
    """Return the channels that a configuration's `output` section writes."""
    return [channel for channel in get_args(Channel) if getattr(outputs, channel) is not None]


class _Check:
    """Walks along the committed outputs of a channel beside the ones expected.

    Where the range begins among them is found by the first that is equal: an episode's end does not
    say which record ended it.
    """

    def __init__(self, committed: Iterator[Written], start: int, end: int, *, whole: bool) -> None:
        self._committed = committed
        self._range = range(start, end)
        self._aligned = whole
        self._head: list[Output] = []
        self._slip: tuple[Written | None, Output] | None = None
        self._n_equal = 0
        self._difference: Difference | None = None

    def expect(self, output: Output) -> None:
        """Look for the next output that the log gives."""
        if self._difference is not None:
            return
        if self._aligned:
            self._match(output)
            return
        self._head.append(output)
        if len(self._head) == _WINDOW:
            self._align()

    def finish(self, *, last: bool) -> Comparison:
        """Return what came of it: nothing more is expected, and with `last` nothing allowed."""
        if not self._aligned:
            self._align()
        if self._slip is not None:
            self._resolve(None)
        if self._difference is None:
            self._difference = self._unexpected(last=last)
        return Comparison(self._n_equal, self._difference)

    def _align(self) -> None:
        """Begin with the first committed output that is among the expected ones."""
        self._aligned = True
        places = {_content(output): at for at, output in reversed(list(enumerate(self._head)))}
        before: deque[Written] = deque(maxlen=_WINDOW)
        within: list[Written] = []
        for written in self._committed:
            at = places.get(_content(written.output))
            if at is not None:
                earlier = list(before)[len(before) - at :] if at else []
                mine = (one for one in earlier if not self._is_early(one))
                self._committed = chain(mine, [written], self._committed)
                break
            before.append(written)
            if _offset(written) in self._range and len(within) < _WINDOW:
                within.append(written)
        else:
            self._committed = iter(within)
        head, self._head = self._head, []
        for output in head:
            self.expect(output)

    def _match(self, output: Output) -> None:
        if self._slip is not None:
            self._resolve(output)
            return
        committed = next(self._committed, None)
        if committed is not None and _equal(committed.output, output):
            self._n_equal += 1
        else:
            self._slip = committed, output

    def _resolve(self, following: Output | None) -> None:
        """Tell from the outputs behind two that differ whether one of them is left out."""
        if self._slip is None:
            return
        committed, expected = self._slip
        self._slip = None
        later = next(self._committed, None)
        if committed is None or (following is None and self._is_late(committed)):
            self._difference = _missing(expected)
        elif later is not None and _equal(later.output, expected):
            self._difference = _extra(committed)
        elif following is not None and _equal(committed.output, following):
            self._difference = _missing(expected)
        else:
            self._difference = _changed(committed, expected)

    def _unexpected(self, *, last: bool) -> Difference | None:
        """Return what was committed of the range behind the last output expected."""
        unsaid: Written | None = None
        for written in self._committed:
            offset = _offset(written)
            if offset is None:
                unsaid = unsaid or written
            elif offset in self._range:
                return _extra(unsaid or written)
            elif offset >= self._range.stop:
                return None
        return _extra(unsaid) if last and unsaid is not None else None

    def _is_early(self, written: Written) -> bool:
        offset = _offset(written)
        return offset is not None and offset < self._range.start

    def _is_late(self, written: Written) -> bool:
        offset = _offset(written)
        return offset is not None and offset >= self._range.stop


def _offset(written: Written) -> int | None:
    """Return the record that made an output be written; None where it does not say.

    The end of an episode names its last flagged record and is written some records later.
    """
    if b'"type":"recovered"' in (written.output.value or b""):
        return None
    source = source_of(written.output)
    return None if source is None else source.offset


def _content(output: Output) -> Hashable:
    return output.key, output.value, output.headers


def _equal(committed: Output, expected: Output) -> bool:
    # To a record without a time the brokers may give one.
    timed = expected.timestamp_ms in (NO_TIMESTAMP, committed.timestamp_ms)
    return timed and _content(committed) == _content(expected)


def _missing(expected: Output) -> Difference:
    return Difference("missing", None, source_of(expected), _alert_id(expected))


def _extra(committed: Written) -> Difference:
    output = committed.output
    return Difference("unexpected", committed.place, source_of(output), _alert_id(output))


def _changed(committed: Written, expected: Output) -> Difference:
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


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, bytes) else json.dumps(value)
