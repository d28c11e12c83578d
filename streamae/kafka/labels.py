"""Labels from a topic: a plain reader beside the consumer group, one per input partition."""

from contextlib import suppress
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


class KafkaLabels:
    """The labels of input partition p are in partition p mod n of the topic's n.

    kafka-python reads whichever client is configured: labels are few. Offsets are those of the
    snapshots, so nothing is committed and no group is joined.
    """

    def __init__(self, config: Config, topic: str) -> None:
        self._config = config
        self._topic = topic
        self._readers: dict[TopicPartition, _Reader] = {}

    def read(self, partition: TopicPartition, offset: int, limit: int) -> LabelBatch:
        """Return the labels from `offset` on, or from the first one that retention has left.

        Where the topic ends before `offset`, it is another by that name: read it from its start.

        Raise `UnreachableError` when what was there at the start does not come.
        """
        reader = self._readers.get(partition)
        if reader is None:
            reader = _Reader(self._config, self._topic, partition)
            self._readers[partition] = reader
        return reader.read(offset, limit)

    def release(self, partition: TopicPartition) -> None:
        """Close the reader of a partition."""
        reader = self._readers.pop(partition, None)
        if reader is not None:
            reader.close()

    def close(self) -> None:
        """Close every reader."""
        for partition in list(self._readers):
            self.release(partition)


class _Reader:
    """One partition of the topic, read in order and again from an earlier offset after a rebalance.

    Records are kept until they are asked for, in memory of a poll or two.
    """

    def __init__(self, config: Config, topic: str, partition: TopicPartition) -> None:
        self._config = config
        options = settings.reader(config) | {"isolation_level": "read_committed"}
        self._consumer = connect(KafkaConsumer, options, config)
        try:
            numbers = self._consumer.partitions_for_topic(topic)
            if not numbers:
                raise ConfigError(f"labels.source: there is no topic {topic}")  # noqa: TRY301
            self._partition = counterpart(partition, topic, len(numbers))
            self._consumer.assign([KafkaPartition(*self._partition)])
        except BaseException:
            self.close()
            raise
        self._records: list[Any] = []
        self._position: int | None = None
        """Offset that was returned last as the next one."""
        self._end = 0
        """Where the partition ended when reading began."""

    def read(self, offset: int, limit: int) -> LabelBatch:
        if offset != self._position:
            self._begin(offset)
        deadline = monotonic() + self._config.kafka.connect_timeout
        while len(self._records) < limit:
            behind = self._next() < self._end
            polled = self._poll(POLL_S if behind else 0.0)
            if polled:
                deadline = monotonic() + self._config.kafka.connect_timeout
            elif not behind:
                break
            elif monotonic() > deadline:
                raise UnreachableError(f"{self._partition}: no answer, labels are missing")
            self._records += polled
        taken, self._records = self._records[:limit], self._records[limit:]
        self._position = int(self._records[0].offset) if self._records else self._next()
        return LabelBatch([record.value for record in taken], self._position)

    def close(self) -> None:
        with suppress(KafkaError):
            self._consumer.close(autocommit=False, timeout_ms=settings.READER_CLOSE_MS)

    def _begin(self, offset: int, *, refused: bool = False) -> None:
        """Read from `offset` on, and wait for all that is there now.

        A log that ends before an offset which was read once is another one: with `refused`, read it
        from its start.
        """
        one = self._partition
        first, self._end = reading.edges(self._consumer, one, self._config)
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
        self._records = []
        self._consumer.seek(KafkaPartition(*one), taken)

    def _next(self) -> int:
        """Return the offset behind the last record that was polled."""
        return int(self._consumer.position(KafkaPartition(*self._partition)))

    def _poll(self, timeout_s: float) -> list[Any]:
        try:
            polled = self._consumer.poll(settings.milliseconds(timeout_s))
        except OffsetOutOfRangeError:
            self._begin(self._next(), refused=True)
            return []
        except KafkaError as error:
            raise translated(error, f"reading labels from {self._partition}") from error
        return [record for records in polled.values() for record in records]
