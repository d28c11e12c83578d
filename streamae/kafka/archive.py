"""What a stream made of its topics, read beside the workers without disturbing them."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from typing import Protocol

from kafka import KafkaConsumer
from kafka import TopicPartition as KafkaPartition
from kafka.errors import KafkaError, OffsetOutOfRangeError

from streamae.config import Config
from streamae.dead_letters import is_receipt
from streamae.decode import first_at
from streamae.errors import ConfigError, StreamaeError
from streamae.kafka import reading, settings
from streamae.kafka.faults import connect, translated
from streamae.kafka.sink import metadata
from streamae.kafka.source import columns, without_nulls
from streamae.kafka.state import StateReader
from streamae.kafka.topics import counterpart, existing_topics
from streamae.records import source_of
from streamae.types import (
    Channel,
    CommitPoint,
    Edges,
    Output,
    RecordBatch,
    Stored,
    TopicPartition,
    Written,
)


class SnapshotReader(Protocol):
    """The state topic, or a directory."""

    def snapshots(self, partition: TopicPartition) -> Iterator[Stored]:
        """See `Archive.snapshots`."""

    def load(self, partition: TopicPartition, pointer: str) -> bytes:
        """See `Archive.load`."""

    def close(self) -> None:
        """Release everything."""


class KafkaArchive:
    """The topics of a configuration, and the offsets of its group, as an `Archive`.

    kafka-python reads whichever client is configured. Its consumer names the group to be told the
    group's offsets, and subscribes to nothing, so it is no member.
    """

    def __init__(self, config: Config, store: SnapshotReader | None = None) -> None:
        """Raise `AuthenticationError` or `UnreachableError` when the brokers do not answer."""
        self._config = config
        self._numbers = {name: state.partitions for name, state in existing_topics(config).items()}
        options = settings.reader(config) | {
            "isolation_level": "read_committed",
            "group_id": settings.group(config),
        }
        self._consumer = connect(KafkaConsumer, options, config)
        self._readings: list[Generator[reading.Polled, None, None]] = []
        self._store = store or StateReader(config)

    def partitions(self) -> Sequence[TopicPartition]:
        """Return the partitions of `source.topics`; raise `ConfigError` for a missing topic."""
        topics = self._config.source.topics
        return [TopicPartition(topic, n) for topic in topics for n in range(self._count(topic))]

    def bounds(self, partition: TopicPartition) -> Edges:
        """Return the first offset left and the one behind the last committed record."""
        return reading.edges(self._consumer, partition, self._config)

    def offset_at(self, partition: TopicPartition, timestamp_ms: int) -> int:
        """Ask the brokers, who go by the times of the records, or look for the configured field."""
        if self._config.record.timestamp_field is not None:
            bounds = self.bounds(partition)
            found = first_at(self.records(partition, *bounds), self._config.record, timestamp_ms)
            return bounds.end if found is None else found
        one = KafkaPartition(*partition)
        timeout_ms = settings.milliseconds(self._config.kafka.connect_timeout)
        try:
            # Brokers know no time before 1970.
            times_ms = {one: max(timestamp_ms, 0)}
            known = self._consumer.offsets_for_times(times_ms, timeout_ms)[one]
        except KafkaError as error:
            raise translated(error, f"asking for an offset of {partition}") from error
        return self.bounds(partition).end if known is None else int(known.offset)

    def records(self, partition: TopicPartition, start: int, end: int) -> Iterator[RecordBatch]:
        """Yield what was committed; raise `StreamaeError` when `start` is gone."""
        try:
            for polled in self._read(partition, start, end):
                if polled.records or polled.position >= end:
                    position = min(polled.position, end)
                    yield columns(partition, polled.records, position)
        except OffsetOutOfRangeError as error:
            raise StreamaeError(f"{partition} has no offset {start} any more") from error

    def outputs(self, channel: Channel, partition: TopicPartition) -> Iterator[Written]:
        """Yield what lies in the partition of the channel's topic that the input partition has."""
        one = self._output(channel, partition)
        inputs = set(self.partitions())
        for polled in self._read(one):
            for record in polled.records:
                output = Output(
                    channel,
                    partition,
                    record.key,
                    record.value,
                    tuple(without_nulls(record.headers)),
                    record.timestamp,
                )
                if is_receipt(output.headers):
                    continue
                source = source_of(output)
                said = None if source is None else TopicPartition(source.topic, source.partition)
                if said == partition or said not in inputs:
                    yield Written(f"{one}, offset {record.offset}", record.offset, output)

    def is_cut(self, channel: Channel, partition: TopicPartition) -> bool:
        """Return whether retention has deleted records of the channel's topic."""
        return self.bounds(self._output(channel, partition)).first > 0

    def written(self, output: Output) -> Output:
        """Return all of `output`, changed where a client's writer has to change it."""
        empty = output.key is None and output.value is None
        first_ms = 1 if self._config.kafka.client == "confluent" else 0
        return output._replace(
            value=b"" if empty else output.value,
            headers=tuple(output.headers),
            timestamp_ms=output.timestamp_ms or first_ms,
        )

    def committed(self, partition: TopicPartition) -> CommitPoint | None:
        """Ask for the group's offset; its metadata is the pointer."""
        found = reading.committed(self._consumer, partition, self._config)
        return None if found is None else CommitPoint(int(found.offset), metadata(found) or None)

    def snapshots(self, partition: TopicPartition) -> Iterator[Stored]:
        """Yield the whole ones in the state topic, or those of the directory."""
        return self._store.snapshots(partition)

    def load(self, partition: TopicPartition, pointer: str) -> bytes:
        """Return one of them."""
        return self._store.load(partition, pointer)

    def close(self) -> None:
        """Close the consumer, and those of readings that were broken off.

        Left to the garbage collector they would be closed when kafka-python's thread is gone, and
        wait for it for ever.
        """
        for one in self._readings:
            one.close()
        self._store.close()
        with suppress(KafkaError):
            self._consumer.close(autocommit=False, timeout_ms=settings.READER_CLOSE_MS)

    def _read(
        self, partition: TopicPartition, start: int | None = None, end: int | None = None
    ) -> Iterator[reading.Polled]:
        """Read with `reading.read`."""
        polls = reading.read(self._config, partition, start, end)
        self._readings.append(polls)
        return polls

    def _output(self, channel: Channel, partition: TopicPartition) -> TopicPartition:
        topic: str | None = getattr(self._config.output, channel)
        if topic is None:
            raise ConfigError(f"output.{channel}: no topic is configured")
        return counterpart(partition, topic, self._count(topic))

    def _count(self, topic: str) -> int:
        if not self._numbers[topic]:
            raise ConfigError(f"there is no topic {topic}")
        return self._numbers[topic]
