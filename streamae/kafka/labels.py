"""Labels from a topic: a plain reader beside the consumer group, one for all input partitions."""

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from kafka import KafkaConsumer
from kafka import TopicPartition as KafkaPartition
from kafka.errors import KafkaError, OffsetOutOfRangeError

from streamae.config import Config
from streamae.errors import ConfigError, UnreachableError
from streamae.kafka import reading, settings
from streamae.kafka.faults import connect, translated
from streamae.kafka.topics import counterpart
from streamae.log import Logger
from streamae.types import LabelBatch, TopicPartition

log = Logger(__name__)

POLL_S = 0.2
"""One wait for what the topic held at the start."""

PAUSE_S = 0.05
"""Between two looks for what came later: blocks may end hundreds of times a second."""

FETCHES = {
    # A partition that is added waits for the answer about the others, half a second by default.
    "fetch_max_wait_ms": 20,
    # What does not fit into `labels.memory` is fetched again.
    "max_partition_fetch_bytes": 1 << 20,
}


@dataclass(slots=True)
class _Cursor:
    """What was read for an input partition, and where it reads on."""

    one: TopicPartition
    """Of the labels topic."""
    records: list[tuple[int, bytes | None]] = field(default_factory=list)
    """Offsets and labels that wait to be asked for."""
    next: int = 0
    """Offset behind them."""
    position: int | None = None
    """Offset that was returned last as the next one."""
    end: int = 0
    """Where the log ended when reading began."""

    def take(self, limit: int) -> LabelBatch:
        taken, self.records = self.records[:limit], self.records[limit:]
        self.position = self.records[0][0] if self.records else self.next
        return LabelBatch([value for _, value in taken], self.position)


class KafkaLabels:
    """The labels of input partition p are in partition p mod n of the topic's n.

    kafka-python reads whichever client is configured: labels are few. Offsets are those of the
    snapshots, so nothing is committed and no group is joined.
    """

    def __init__(self, config: Config, topic: str) -> None:
        self._config = config
        self._topic = topic
        self._consumer: Any = None
        """Of all partitions: one for each would be connections and a thread for each."""
        self._positions: dict[TopicPartition, int] = {}
        """Where the consumer reads on in the partitions of the topic that are assigned to it."""
        self._cursors: dict[TopicPartition, _Cursor] = {}
        """By input partition; some may share a partition of the topic and not be equally far."""
        self._polled = -math.inf

    def read(self, partition: TopicPartition, offset: int, limit: int) -> LabelBatch:
        """Return the labels from `offset` on, or from the first one that retention has left.

        Where the topic ends before `offset`, it is another by that name: read it from its start.

        Raise `UnreachableError` when what was there at the start does not come.
        """
        cursor = self._cursors.get(partition) or self._open(partition)
        if offset != cursor.position:
            self._begin(cursor, offset)
        deadline = monotonic() + self._config.kafka.connect_timeout
        while len(cursor.records) < limit:
            before, behind = cursor.next, cursor.next < cursor.end
            if not behind and monotonic() < self._polled + PAUSE_S:
                break
            self._poll(cursor, POLL_S if behind else 0.0)
            if cursor.next > before:
                deadline = monotonic() + self._config.kafka.connect_timeout
            elif not behind:
                break
            elif monotonic() > deadline:
                raise UnreachableError(f"{cursor.one}: no answer, labels are missing")
        return cursor.take(limit)

    def release(self, partition: TopicPartition) -> None:
        """Read a partition's labels no longer; close the reader behind the last one."""
        cursor = self._cursors.pop(partition, None)
        if not self._cursors:
            self.close()
        elif cursor is not None and all(
            cursor.one != other.one for other in self._cursors.values()
        ):
            self._drop(cursor.one)

    def close(self) -> None:
        """Close the reader."""
        if self._consumer is not None:
            with suppress(KafkaError):
                self._consumer.close(autocommit=False, timeout_ms=settings.READER_CLOSE_MS)
        self._consumer = None
        self._positions.clear()
        self._cursors.clear()

    def _open(self, partition: TopicPartition) -> _Cursor:
        if self._consumer is None:
            options = {"isolation_level": "read_committed", **FETCHES}
            options = settings.reader(self._config) | options
            self._consumer = connect(KafkaConsumer, options, self._config)
        numbers = self._consumer.partitions_for_topic(self._topic)
        if not numbers:
            raise ConfigError(f"labels.source: there is no topic {self._topic}")
        cursor = _Cursor(counterpart(partition, self._topic, len(numbers)))
        self._cursors[partition] = cursor
        return cursor

    def _begin(self, cursor: _Cursor, offset: int, *, refused: bool = False) -> None:
        """Read from `offset` on, and wait for all that is there now.

        A log that ends before an offset which was read once is another one: with `refused`, read it
        from its start.
        """
        one = cursor.one
        first, cursor.end = reading.edges(self._consumer, one, self._config)
        taken = first if refused else max(first, offset)
        if first > offset:
            log.warning("labels deleted unread", partition=str(one), wanted=offset, taken=taken)
        elif refused:
            log.warning(
                "the labels topic ends before what was read of it: it was truncated or made anew,"
                " and is read from its start",
                partition=str(one),
                wanted=offset,
                taken=taken,
            )
        if first <= offset or not refused:  # Else those before the gap are labels still.
            cursor.records.clear()
        cursor.next = taken
        self._seek(one, taken)

    def _seek(self, one: TopicPartition, offset: int) -> None:
        is_new = one not in self._positions
        self._positions[one] = offset
        if is_new:
            self._assign()
        self._consumer.seek(KafkaPartition(*one), offset)

    def _drop(self, one: TopicPartition) -> None:
        """Read a partition no further: kafka-python 3.0.12 may not resume a paused one."""
        if self._positions.pop(one, None) is not None:
            self._assign()

    def _assign(self) -> None:
        self._consumer.assign([KafkaPartition(*one) for one in self._positions])

    def _poll(self, reader: _Cursor, timeout_s: float) -> None:
        """Take what is here, of any partition; with a time to wait, wait for something."""
        if reader.next != self._positions.get(reader.one):
            self._seek(reader.one, reader.next)
        try:
            polled = self._consumer.poll(settings.milliseconds(timeout_s))
        except OffsetOutOfRangeError as error:
            for one in error.args[0]:
                cursors = self._at_hand(one)
                self._drop(one)
                for cursor in cursors:
                    self._begin(cursor, cursor.next, refused=True)
            return
        except KafkaError as error:
            raise translated(error, f"reading labels from {self._topic}") from error
        self._polled = monotonic()
        for one in {*polled, KafkaPartition(*reader.one)}:
            self._hand_out(one, polled.get(one, ()), reader)

    def _hand_out(self, one: KafkaPartition, records: Sequence[Any], reader: _Cursor) -> None:
        """Give the records to the cursors they come next for, and drop `one` where all have enough.

        What others do not take is read again when they are: from where they are.
        """
        enough = self._config.labels.memory
        cursors = [
            cursor
            for cursor in self._at_hand(one)
            if cursor is reader or len(cursor.records) < enough
        ]
        self._positions[one] = int(self._consumer.position(one))
        for cursor in cursors:
            cursor.records += [(record.offset, record.value) for record in records]
            cursor.next = self._positions[one]
        if all(len(cursor.records) >= enough for cursor in cursors):
            self._drop(one)

    def _at_hand(self, one: TopicPartition) -> list[_Cursor]:
        """Return the cursors that come next where the consumer reads a partition."""
        there = (one, self._positions[one])
        return [cursor for cursor in self._cursors.values() if (cursor.one, cursor.next) == there]
