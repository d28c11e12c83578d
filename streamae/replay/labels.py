"""Labels as the daemon took them: at the same block boundaries, as many."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from streamae.records import Head, Position
from streamae.types import LabelBatch, LabelLog, TopicPartition, Written


class Known(NamedTuple):
    """How many labels were known when a record was scored."""

    offset: int
    """The record."""
    labels: int
    """Offset in the labels log behind the last one."""


class _Said(msgspec.Struct):
    """What scores and alerts say about labels; a block of scores says it once."""

    source: Position | None = None
    offsets: list[int] = []
    head: Head | UnsetType = UNSET
    labels: int | UnsetType = UNSET


class RecordedLabels:
    """A labels log that ends, at each block boundary, where it did for the daemon.

    When a label came is in no log, but every output names the labels it knew.
    """

    def __init__(
        self, log: LabelLog, known: Sequence[Known], last_offset: Callable[[], int]
    ) -> None:
        """`known` by increasing offset; `last_offset` is the last record of the full block."""
        self._log = log
        self._offsets = [one.offset for one in known]
        self._labels = [one.labels for one in known]
        self._last_offset = last_offset

    def read(self, partition: TopicPartition, offset: int, limit: int) -> LabelBatch:
        """Return what the first output behind the boundary knew; all there is behind the last."""
        at = bisect_right(self._offsets, self._last_offset())
        if at == len(self._labels):
            return self._log.read(partition, offset, limit)
        end, position = self._labels[at], offset
        values: list[bytes | None] = []
        # One by one: offsets need not be dense, and a label behind the end must not be taken.
        while position < end and len(values) < limit:
            batch = self._log.read(partition, position, 1)
            if not batch.values:
                break
            values += batch.values
            position = batch.next_offset
        return LabelBatch(values, min(max(position, offset), max(end, offset)))

    def release(self, partition: TopicPartition) -> None:
        """Do nothing: the log is its owner's."""

    def close(self) -> None:
        """Do nothing: the log is its owner's."""


def known_labels(outputs: Iterable[Written]) -> list[Known]:
    """Return what scores or alerts say, without those that say nothing."""
    found = []
    for written in outputs:
        try:
            said = msgspec.json.decode(written.output.value or b"", type=_Said)
        except msgspec.MsgspecError:
            continue
        if said.source is not None and isinstance(said.head, Head):
            found.append(Known(said.source.offset, said.head.labels))
        elif said.offsets and isinstance(said.labels, int):
            found.append(Known(said.offsets[0], said.labels))
    return found
