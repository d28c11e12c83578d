"""The output: everything of a commit becomes visible at once, or nothing does."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from kafka import OffsetAndMetadata
from kafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    KafkaError,
    RebalanceInProgressError,
    RetriableError,
    UnknownMemberIdError,
)

from streamae.config import Config
from streamae.errors import SnapshotError, TemporaryError
from streamae.kafka.client import GroupMember, Transactions
from streamae.kafka.faults import cause, translated
from streamae.kafka.identity import InputIds
from streamae.kafka.topics import counterpart
from streamae.log import Logger
from streamae.types import Channel, Commit, Committed, Output, StateStore, TopicPartition

log = Logger(__name__)

METADATA_BYTES = 4096
"""The broker's default limit for the text beside a committed offset (offset.metadata.max.bytes)."""

REPEATABLE = (
    CommitFailedError,
    IllegalGenerationError,
    RebalanceInProgressError,
    UnknownMemberIdError,
    RetriableError,
)
"""A membership that a rebalance made stale, and what brokers recover from."""


class _KafkaSink:
    """What both deliveries share: routing, pointers, and reading a commit back."""

    def __init__(
        self, config: Config, source: GroupMember, writer: Transactions, store: StateStore
    ) -> None:
        self._source = source
        self._writer = writer
        self._store = store
        self._pointers: dict[TopicPartition, str] = {}
        self._inputs = InputIds(config)
        topics: dict[Channel, str | None] = {
            "alerts": config.output.alerts,
            "scores": config.output.scores,
            "dead_letters": config.output.dead_letters,
        }
        self._topics = {channel: topic for channel, topic in topics.items() if topic is not None}
        self._target = cache(self._counterpart)

    def committed(self, partition: TopicPartition) -> Committed | None:
        """Return the committed offset and the snapshot that its metadata points to."""
        found = self._source.committed(partition)
        self._inputs.begin(partition, input_id(found) if found is not None else "")
        if found is None:
            self._pointers[partition] = ""
            return None
        self._pointers[partition] = pointer = metadata(found)
        snapshot = self._store.load(partition, pointer) if pointer else None
        return Committed(offset=int(found.offset), snapshot=snapshot)

    def close(self) -> None:
        """Release everything; an unfinished commit is given up."""
        try:
            self._store.close()
        finally:
            self._writer.close()

    def _send(self, output: Output) -> None:
        """Queue one output."""
        target = self._target(output.channel, output.source)
        self._writer.send(target, output.key, output.value, output.headers, output.timestamp_ms)

    def _counterpart(self, channel: Channel, source: TopicPartition) -> TopicPartition:
        """Return the partition that a source has in the topic of a channel."""
        topic = self._topics[channel]
        return counterpart(source, topic, self._writer.partitions(topic))

    def _save(self, commit: Commit) -> dict[TopicPartition, str]:
        """Write the due snapshots; return the pointer of every partition in the commit."""
        saved = {
            one: self._store.save(one, data, self._pointer(one))
            for one, data in commit.snapshots.items()
        }
        return {one: saved.get(one, self._pointer(one)) for one in commit.offsets}

    def _offsets(
        self, commit: Commit, pointers: Mapping[TopicPartition, str]
    ) -> dict[TopicPartition, OffsetAndMetadata]:
        """Return the offsets to commit, with what `metadata` and `input_id` take from them."""
        return {
            one: marked(offset, pointers[one], self._inputs[one])
            for one, offset in commit.offsets.items()
        }

    def _settle(self, commit: Commit, pointers: Mapping[TopicPartition, str]) -> None:
        """Take note of what was committed."""
        self._pointers.update(pointers)
        if commit.snapshots:
            self._inputs.check(commit.offsets)

    def _pointer(self, partition: TopicPartition) -> str:
        """Return the pointer of the last commit."""
        if partition not in self._pointers:
            found = self._source.committed(partition)
            self._pointers[partition] = metadata(found) if found is not None else ""
        return self._pointers[partition]


class TransactionalSink(_KafkaSink):
    """Exactly once: one transaction per commit, open only while `commit` runs."""

    def __init__(
        self, config: Config, source: GroupMember, writer: Transactions, store: StateStore
    ) -> None:
        super().__init__(config, source, writer, store)
        self._named = config.kafka.instance is not None

    def commit(self, commit: Commit) -> bool:
        """Commit in one transaction.

        1. Begin.
        2. Send outputs, each to its channel's topic.
        3. Write due snapshots and wait until the brokers have every record.
        4. Add the offsets, each with the pointer of its partition's newest snapshot.
        5. Commit.

        Return False after a clean abort: a rebalance made the membership stale, or the brokers did
        not take all records in time. Raise `TemporaryError` when another process took over.
        """
        member = self._source.membership(commit.offsets)
        if member is None:
            return False
        try:
            pointers = self._transact(commit, member)
        except KafkaError as error:
            self._take_back(error)
            return False
        self._settle(commit, pointers)
        return True

    def _transact(self, commit: Commit, member: Any) -> dict[TopicPartition, str]:
        self._writer.begin()
        for output in commit.outputs:
            self._send(output)
        pointers = self._save(commit)
        self._writer.flush()
        self._writer.send_offsets(self._offsets(commit, pointers), member)
        self._writer.commit()
        return pointers

    def _take_back(self, error: KafkaError) -> None:
        """Abort, or raise when trying again cannot help."""
        meaning = translated(error, "committing")
        repeat = can_repeat(error)
        try:
            self._writer.abort()
        except KafkaError as ended:
            if self._named or self._writer.in_doubt:
                raise TemporaryError(f"{meaning}; the transaction cannot be taken back") from ended
            # Nobody else has this transactional id, so nobody took over: the transaction timed out
            # in an outage, and the broker has taken it back.
            repeat = repeat or isinstance(meaning, TemporaryError)
            self._writer.renew()
        if not repeat:
            raise meaning from error
        log.warning("commit taken back, to be repeated", error=str(error))


class AtLeastOnceSink(_KafkaSink):
    """For brokers without transactions: outputs, then state, then offsets, each awaited."""

    def commit(self, commit: Commit) -> bool:
        """Commit step by step; after a crash between two steps the outputs come again.

        1. Send outputs and wait until the brokers have them.
        2. Write due snapshots and wait.
        3. Commit the offsets, each with the pointer of its partition's newest snapshot.
        """
        if self._source.membership(commit.offsets) is None:
            return False
        try:
            for output in commit.outputs:
                self._send(output)
            self._writer.flush()
            pointers = self._save(commit)
            self._writer.flush()
            self._source.commit_offsets(self._offsets(commit, pointers))
        except KafkaError as error:
            if not can_repeat(error):
                raise translated(error, "committing") from error
            log.warning("commit to be repeated", error=str(error))
            return False
        self._settle(commit, pointers)
        return True


def marked(offset: int, pointer: str, input_id: str) -> OffsetAndMetadata:
    """Return an offset with the text beside it: a pointer, and the id of the input's topic."""
    text = f"{pointer} {input_id}".rstrip()
    if len(text.encode()) > METADATA_BYTES:
        raise SnapshotError(f"{text[:80]}... exceeds {METADATA_BYTES} bytes")
    return OffsetAndMetadata(offset, text, -1)


def metadata(committed: OffsetAndMetadata) -> str:
    """Return the pointer beside a committed offset; confluent-kafka commits C's null byte, too."""
    return str(committed.metadata).rstrip("\0").partition(" ")[0]


def input_id(committed: OffsetAndMetadata) -> str:
    """Return the id of the topic that the offset was committed for; empty where it is unknown."""
    return str(committed.metadata).rstrip("\0").partition(" ")[2]


def can_repeat(error: KafkaError) -> bool:
    """Return whether the same commit may succeed after the next poll."""
    return isinstance(cause(error), REPEATABLE)
