"""Proves that what was committed is what the log gives, or names the first difference."""

from collections import deque
from collections.abc import Hashable, Iterator, Mapping
from itertools import chain
from typing import Any, get_args

import msgspec

from streamae.dead_letters import is_receipt
from streamae.records import source_of
from streamae.replay.difference import Difference, changed, missing, unexpected
from streamae.replay.playback import Playback
from streamae.types import NO_TIMESTAMP, Archive, Channel, Output, Written

_WINDOW = 1024
"""Outputs among which the first equal one is looked for: how many may differ before it."""


class Comparison(msgspec.Struct, frozen=True):
    """What became of one channel's comparison."""

    equal: int
    """Outputs that are equal to the byte, before the first difference."""
    gone: int
    """Outputs before these that cannot be compared: the channel does not reach back to them."""
    difference: Difference | None


def compare(
    archive: Archive, playback: Playback, start: int, end: int, channels: list[Channel]
) -> Mapping[Channel, Comparison]:
    """Compute the outputs of the records from `start` to before `end` and look for them."""
    playback.skip(start)
    # Nothing came before what an empty model made of the log's first record.
    whole = start == playback.begun.offset and playback.begun.ordinal == 0
    partition = playback.partition
    checks: dict[Channel, _Check] = {}
    for channel in channels:
        outputs = archive.outputs(channel, partition)
        # What says that dead letters were sent back is nothing the log gives.
        mine = (one for one in outputs if not is_receipt(one.output.headers))
        check = _Check(mine, start, end, whole=whole)
        if archive.is_cut(channel, partition):
            check.begin_late()
        checks[channel] = check
    for done in playback.run(end):
        for output in done.outputs:
            if output.channel in checks:
                checks[output.channel].expect(archive.written(output))
    # Nothing came behind the range even now, so nothing did when the outputs were read.
    point = archive.committed(partition)
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
        self._n_gone = 0
        self._begins: int | None = None
        """Offset of the first record whose outputs are there, where others are gone."""
        self._difference: Difference | None = None

    def begin_late(self) -> None:
        """Expect nothing before the first output there is: what was written before it is gone."""
        for written in self._committed:
            offset = _offset(written.output)
            if offset is not None:
                self._committed = chain([written], self._committed)
                if offset > self._range.start:
                    self._aligned, self._begins = True, offset
                return

    def expect(self, output: Output) -> None:
        """Look for the next output that the log gives."""
        if self._difference is not None:
            return
        if self._begins is not None:
            offset = _offset(output)
            if offset is None or offset < self._begins:
                self._n_gone += 1
                return
            self._begins = None
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
        return Comparison(self._n_equal, self._n_gone, self._difference)

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
            if _offset(written.output) in self._range and len(within) < _WINDOW:
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
        if _same(committed, output):
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
            self._difference = missing(expected, committed)
        elif _same(later, following):
            self._difference = changed(committed, expected)
        elif _same(later, expected):
            self._difference = unexpected(committed)
        elif _same(committed, following) or _leaps(committed, expected):
            self._difference = missing(expected, committed)
        else:
            self._difference = changed(committed, expected)

    def _unexpected(self, *, last: bool) -> Difference | None:
        """Return what was committed of the range behind the last output expected."""
        unsaid: Written | None = None
        for written in self._committed:
            offset = _offset(written.output)
            if offset is None:
                unsaid = unsaid or written
            elif offset in self._range:
                return unexpected(unsaid or written)
            elif offset >= self._range.stop:
                return None
        return unexpected(unsaid) if last and unsaid is not None else None

    def _is_early(self, written: Written) -> bool:
        offset = _offset(written.output)
        return offset is not None and offset < self._range.start

    def _is_late(self, written: Written) -> bool:
        offset = _offset(written.output)
        return offset is not None and offset >= self._range.stop


def _offset(output: Output) -> int | None:
    """Return the record that made an output be written; None where it does not say.

    The end of an episode names its last flagged record and is written some records later.
    """
    if b'"type":"recovered"' in (output.value or b""):
        return None
    source = source_of(output)
    return None if source is None else source.offset


def _leaps(committed: Written, expected: Output) -> bool:
    """Return whether what was committed is about a later record than what was expected there."""
    then, now = _offset(committed.output), _offset(expected)
    return then is not None and now is not None and then > now


def _content(output: Output) -> Hashable:
    return output.key, output.value, output.headers


def _same(committed: Written | None, expected: Output | None) -> bool:
    """Return whether there are both, and equal to the byte."""
    if committed is None or expected is None:
        return False
    # To a record without a time the brokers may give one.
    timed = expected.timestamp_ms in (NO_TIMESTAMP, committed.output.timestamp_ms)
    return timed and _content(committed.output) == _content(expected)
