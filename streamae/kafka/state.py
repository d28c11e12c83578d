"""Snapshots in a compacted Kafka topic, found again by a pointer of one line."""

import time
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import partial
from typing import Any, NamedTuple

import crc32c
import msgspec
from kafka import KafkaConsumer
from kafka.errors import KafkaError, OffsetOutOfRangeError

from streamae.config import Config
from streamae.errors import ConfigError, SnapshotError
from streamae.kafka import reading, settings
from streamae.kafka.client import Records
from streamae.kafka.faults import connect
from streamae.kafka.topics import counterpart
from streamae.snapshot import slot
from streamae.types import Stored, TopicPartition

CHUNK_BYTES = 900_000
"""Brokers accept 1,048,588 bytes per record by default; key and framing need a few hundred."""

NUMBER_HEADER = "number"

ADVICE = "`streamae checkpoint ls` names others to go back to; a new `name` starts afresh"


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
    number: int
    """Snapshots of this partition before it."""
    slot: int
    """Part of the records' keys; compaction removes what has a newer record of the same key."""
    chunks: int
    length: int
    """Bytes of the snapshot."""
    crc32c: int


class _Chunk(NamedTuple):
    """A part of a snapshot in the topic."""

    slot: int
    place: int
    """Its place among the parts."""
    number: int
    """See `Pointer.number`."""
    offset: int
    timestamp_ms: int
    value: bytes


class StateReader:
    """Finds snapshots in the state topic."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._reader: Any = None
        """Open from the first `load` on: to open one for each of hundreds of partitions takes a
        minute."""

    def load(self, partition: TopicPartition, pointer: str) -> bytes:
        """Read the chunks by offset and compare length and checksum."""
        found = _parsed(partition, pointer)
        snapshot = b"".join(self._chunks(partition, found))
        if len(snapshot) != found.length or crc32c.crc32c(snapshot) != found.crc32c:
            raise SnapshotError(
                f"the snapshot of {partition} in {found.topic} is damaged; {ADVICE}"
            )
        return snapshot

    def snapshots(self, partition: TopicPartition) -> Iterator[Stored]:
        """Yield the committed ones whose first chunk is still there, oldest first.

        Compaction leaves one for each slot; what it has not come to yet is there, too.
        """
        one = self._home(partition)
        begun: list[_Chunk] = []
        for polled in reading.read(self._config, one):
            for chunk in filter(None, map(partial(self._chunk, partition), polled.records)):
                if chunk.place == 0:
                    yield from _stored(one, begun)
                    begun = [chunk]
                elif begun and (chunk.number, chunk.place) == (begun[0].number, len(begun)):
                    begun.append(chunk)
        yield from _stored(one, begun)

    def close(self) -> None:
        """Close the reader; the next `load` opens another one."""
        if self._reader is not None:
            with suppress(KafkaError):
                self._reader.close(autocommit=False, timeout_ms=settings.READER_CLOSE_MS)
            self._reader = None

    def _home(self, partition: TopicPartition) -> TopicPartition:
        """Return the partition of the state topic that has the snapshots of an input partition."""
        topic = self._config.state.topic
        with closing(connect(KafkaConsumer, settings.reader(self._config), self._config)) as asked:
            numbers = asked.partitions_for_topic(topic)
            if not numbers:
                raise ConfigError(f"state.topic: there is no topic {topic}")
            return counterpart(partition, topic, len(numbers))

    def _chunks(self, partition: TopicPartition, pointer: Pointer) -> list[bytes]:
        """Read one snapshot's records.

        Uncommitted ones too: the pointer was committed in one transaction with its chunks, and the
        mark of that, or another worker's open transaction before it, need not be waited for.
        """
        wanted = {
            self._key(partition, pointer.slot, place): place for place in range(pointer.chunks)
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
        return [parts[place] for place in range(pointer.chunks)]

    def _records(self, pointer: Pointer) -> Iterator[Any]:
        """Yield the records from the pointer's first offset to its last."""
        one = TopicPartition(pointer.topic, pointer.partition)
        end = pointer.last + 1
        if self._reader is None:
            self._reader = reading.open_reader(self._config, "read_uncommitted")
        try:
            polls = reading.read_with(self._reader, self._config, one, pointer.first, end)
            for polled in polls:
                yield from polled.records
        except OffsetOutOfRangeError as error:
            raise SnapshotError(
                f"{pointer.topic}-{pointer.partition} has no offset {pointer.first} any more, where"
                f" a snapshot was committed; {ADVICE}"
            ) from error

    def _key(self, partition: TopicPartition, slot: int, place: int) -> bytes:
        return self._owner(partition) + f"{slot}/{place}".encode()

    def _chunk(self, partition: TopicPartition, record: Any) -> _Chunk | None:
        """Return a record as a chunk of the partition; None for others."""
        owner = self._owner(partition)
        number = dict(record.headers).get(NUMBER_HEADER)
        if number is None or not record.key.startswith(owner):
            return None
        slot, _, place = record.key.removeprefix(owner).partition(b"/")
        where = (int(slot), int(place), int(number), record.offset)
        return _Chunk(*where, record.timestamp, record.value)

    def _owner(self, partition: TopicPartition) -> bytes:
        """Return how the keys of a partition's chunks begin."""
        group = settings.group(self._config)
        return f"{group}/{partition.topic}/{partition.partition}/".encode()


class TopicStore(StateReader):
    """Keeps snapshots of each partition, the newest and ever fewer old ones; see `snapshot.slot`.

    One never takes the slot of the committed one, which is pointed to until the commit is through.
    """

    def __init__(self, config: Config, writer: Records) -> None:
        super().__init__(config)
        self._writer = writer

    def save(self, partition: TopicPartition, snapshot: bytes, before: str | None) -> str:
        """Write the chunks within the writer's transaction and wait for their offsets.

        Whatever was to be restored is by then, so the reader is closed.
        """
        self.close()
        topic = self._config.state.topic
        number = 0
        if before:
            with suppress(SnapshotError):  # Another store's.
                number = _parsed(partition, before).number + 1
        at = slot(number, self._config.state.keep)
        target = counterpart(partition, topic, self._writer.partitions(topic))
        headers, now_ms = [(NUMBER_HEADER, str(number).encode())], int(time.time() * 1000)
        sent = [
            self._writer.send(target, self._key(partition, at, place), chunk, headers, now_ms)
            for place, chunk in enumerate(chunks(snapshot))
        ]
        self._writer.flush()
        offsets = (sent[0].value.offset, sent[-1].value.offset)
        return _pointer(target, (number, at), offsets, len(sent), snapshot)


def chunks(snapshot: bytes) -> list[bytes]:
    """Cut a snapshot into parts of at most `CHUNK_BYTES`; an empty one is a single empty part."""
    starts = range(0, max(1, len(snapshot)), CHUNK_BYTES)
    return [snapshot[start : start + CHUNK_BYTES] for start in starts]


def _parsed(partition: TopicPartition, pointer: str) -> Pointer:
    try:
        return msgspec.json.decode(pointer, type=Pointer)
    except msgspec.DecodeError as error:
        raise SnapshotError(
            f"the committed offset of {partition} names no snapshot in a topic, but"
            f" {pointer[:80]!r}; is `state.store` as it was?"
        ) from error


def _pointer(
    target: TopicPartition,
    number_and_slot: tuple[int, int],
    offsets: tuple[int, int],
    n_chunks: int,
    snapshot: bytes,
) -> str:
    pointer = Pointer(
        topic=target.topic,
        partition=target.partition,
        first=offsets[0],
        last=offsets[1],
        number=number_and_slot[0],
        slot=number_and_slot[1],
        chunks=n_chunks,
        length=len(snapshot),
        crc32c=crc32c.crc32c(snapshot),
    )
    return msgspec.json.encode(pointer).decode()


def _stored(one: TopicPartition, chunks: list[_Chunk]) -> Iterator[Stored]:
    """Yield the snapshot that the chunks are, if there are any."""
    if chunks:
        content = b"".join(chunk.value for chunk in chunks)
        first, last = chunks[0], chunks[-1]
        offsets = (first.offset, last.offset)
        pointer = _pointer(one, (first.number, first.slot), offsets, len(chunks), content)
        yield Stored(pointer, last.timestamp_ms, content)
