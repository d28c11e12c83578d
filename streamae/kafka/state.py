"""Snapshots in a compacted Kafka topic, found again by a pointer of one line."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import crc32c
import msgspec
from kafka import KafkaConsumer
from kafka import TopicPartition as KafkaPartition
from kafka.errors import KafkaError, OffsetOutOfRangeError

from streamae.config import Config
from streamae.errors import SnapshotError, UnreachableError
from streamae.kafka import settings
from streamae.kafka.client import Records
from streamae.kafka.faults import connect, translated
from streamae.types import TopicPartition

CHUNK_BYTES = 900_000
"""Brokers accept 1,048,588 bytes per record by default; key and framing need a few hundred."""

SLOTS = 2
"""A snapshot never replaces the one before it: that one is pointed to until the commit is through,
and compaction removes what has a newer record of the same key."""

POLL_S = 0.5

ADVICE = "start from an empty state with a new `name`, or restore the topic"


class Pointer(msgspec.Struct, frozen=True, kw_only=True):
    """Where a snapshot lies; its text is the metadata of the committed offset."""

    version: int = 1
    topic: str
    partition: int
    """Of the state topic."""
    first: int
    """Offset of the first chunk."""
    last: int
    """Offset of the last chunk; records of other keys may lie between."""
    slot: int
    chunks: int
    length: int
    """Bytes of the snapshot."""
    crc32c: int


class TopicStore:
    """Keeps the last two snapshots of each partition in `state.topic`."""

    def __init__(self, config: Config, writer: Records) -> None:
        self._config = config
        self._writer = writer
        self._slots: dict[TopicPartition, int] = {}

    def save(self, partition: TopicPartition, snapshot: bytes) -> str:
        """Write the chunks within the writer's transaction and wait for their offsets."""
        topic = self._config.state.topic
        slot = (self._slots.get(partition, -1) + 1) % SLOTS
        target = TopicPartition(topic, partition.partition % self._writer.partitions(topic))
        sent = [
            self._writer.send(target, self._key(partition, slot, number), chunk)
            for number, chunk in enumerate(chunks(snapshot))
        ]
        self._writer.flush()
        self._slots[partition] = slot
        pointer = Pointer(
            topic=topic,
            partition=target.partition,
            first=sent[0].value.offset,
            last=sent[-1].value.offset,
            slot=slot,
            chunks=len(sent),
            length=len(snapshot),
            crc32c=crc32c.crc32c(snapshot),
        )
        return msgspec.json.encode(pointer).decode()

    def load(self, partition: TopicPartition, pointer: str) -> bytes:
        """Read the chunks by offset and compare length and checksum."""
        try:
            found = msgspec.json.decode(pointer, type=Pointer)
        except msgspec.DecodeError as error:
            raise SnapshotError(
                f"the committed offset of {partition} names no snapshot in a topic, but"
                f" {pointer[:80]!r}; is `state.store` as it was?"
            ) from error
        snapshot = b"".join(self._chunks(partition, found))
        if len(snapshot) != found.length or crc32c.crc32c(snapshot) != found.crc32c:
            raise SnapshotError(
                f"the snapshot of {partition} in {found.topic} is damaged; {ADVICE}"
            )
        self._slots[partition] = found.slot
        return snapshot

    def close(self) -> None:
        """Do nothing: the writer is its owner's, and readers are closed after each snapshot."""

    def _chunks(self, partition: TopicPartition, pointer: Pointer) -> list[bytes]:
        """Read one snapshot's records.

        Uncommitted ones too: the pointer was committed in one transaction with its chunks, and the
        mark of that, or another worker's open transaction before it, need not be waited for.
        """
        wanted = {
            self._key(partition, pointer.slot, number): number for number in range(pointer.chunks)
        }
        parts: dict[int, bytes] = {}
        for record in self._records(pointer):
            if record.key in wanted:
                parts[wanted[record.key]] = record.value
        if missing := pointer.chunks - len(parts):
            raise SnapshotError(
                f"{missing} of {pointer.chunks} parts of the snapshot of {partition} are gone from"
                f" {pointer.topic}-{pointer.partition} (offsets {pointer.first} to {pointer.last});"
                f" {ADVICE}"
            )
        return [parts[number] for number in range(pointer.chunks)]

    def _records(self, pointer: Pointer) -> Iterator[Any]:
        """Yield the records from the pointer's first offset to its last."""
        one = KafkaPartition(pointer.topic, pointer.partition)
        patience_s = float(self._config.kafka.connect_timeout)
        empty_polls = 0
        with closing(connect(KafkaConsumer, settings.reader(self._config), self._config)) as reader:
            reader.assign([one])
            reader.seek(one, pointer.first)
            while reader.position(one) <= pointer.last:
                polled = self._poll(reader, pointer)
                empty_polls = 0 if polled else empty_polls + 1
                if empty_polls * POLL_S > patience_s:
                    raise UnreachableError(
                        f"{one.topic}-{one.partition}: no answer for {patience_s:g} s"
                    )
                yield from (record for record in polled if record.offset <= pointer.last)

    def _poll(self, reader: Any, pointer: Pointer) -> list[Any]:
        try:
            polled = reader.poll(settings.milliseconds(POLL_S))
        except OffsetOutOfRangeError as error:
            raise SnapshotError(
                f"{pointer.topic}-{pointer.partition} has no offset {pointer.first} any more, where"
                f" a snapshot was committed; {ADVICE}"
            ) from error
        except KafkaError as error:
            raise translated(error, f"reading a snapshot from {pointer.topic}") from error
        return [record for records in polled.values() for record in records]

    def _key(self, partition: TopicPartition, slot: int, number: int) -> bytes:
        group = settings.group(self._config)
        return f"{group}/{partition.topic}/{partition.partition}/{slot}/{number}".encode()


def chunks(snapshot: bytes) -> list[bytes]:
    """Cut a snapshot into parts of at most `CHUNK_BYTES`; an empty one is a single empty part."""
    starts = range(0, max(1, len(snapshot)), CHUNK_BYTES)
    return [snapshot[start : start + CHUNK_BYTES] for start in starts]
