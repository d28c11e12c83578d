"""What the sinks and the topic store need of a Kafka client; there are two that have it.

Both raise kafka-python's errors: the sinks know them, whichever client is configured.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from kafka import OffsetAndMetadata

from streamae.types import NO_TIMESTAMP, Headers, TopicPartition


class GroupMember(Protocol):
    """The offsets of the consumer group, as one of its members."""

    def membership(self, partitions: Iterable[TopicPartition]) -> Any | None:
        """Return what proves to the broker that `partitions` are this process's to commit."""

    def committed(self, partition: TopicPartition) -> OffsetAndMetadata | None:
        """Return the committed offset with its metadata, None when there is none."""

    def commit_offsets(self, offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        """Commit outside a transaction."""


class Records(Protocol):
    """Records sent to given partitions."""

    def partitions(self, topic: str) -> int:
        """Return how many partitions `topic` had when this was first asked."""

    def send(
        self,
        target: TopicPartition,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        timestamp_ms: int = NO_TIMESTAMP,
    ) -> Any:
        """Queue a record; return what has its offset as `value.offset` after `flush`."""

    def flush(self) -> None:
        """Wait until the brokers have every record; raise what the first failure was."""


class Transactions(Records, Protocol):
    """Records and offsets that become visible at once."""

    @property
    def in_doubt(self) -> bool:
        """Whether the brokers were told to commit and nothing is known of what came of it."""

    def begin(self) -> None:
        """Open a transaction."""

    def send_offsets(
        self, offsets: Mapping[TopicPartition, OffsetAndMetadata], member: Any
    ) -> None:
        """Make `offsets` part of the transaction."""

    def commit(self) -> None:
        """Make everything since `begin` visible."""

    def abort(self) -> None:
        """Take everything since `begin` back; afterwards the writer is as new."""

    def renew(self) -> None:
        """Connect again after an error that ended the producer."""

    def close(self) -> None:
        """Give up an open transaction, so that readers do not wait for its timeout."""
