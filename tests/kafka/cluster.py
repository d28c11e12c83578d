"""What a test does to topics from outside, with plain kafka-python clients."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

from kafka import (
    KafkaAdminClient,
    KafkaConsumer,
    KafkaProducer,
    OffsetAndMetadata,
    TopicPartition,
)
from kafka.admin import ConfigResource, ConfigResourceType, MemberToRemove
from kafka.errors import TopicAlreadyExistsError

from streamae.config import Config


class Cluster:
    """A client of a running broker: makes topics, writes and reads them."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self.admin = KafkaAdminClient(bootstrap_servers=bootstrap)

    def create(self, *topics: str, partitions: int = 1, compact: bool = False) -> None:
        """Make topics that keep everything: tests write event times of 1970."""
        configs = {"cleanup.policy": "compact"} if compact else {"retention.ms": "-1"}
        self.admin.create_topics(
            {
                topic: {
                    "num_partitions": partitions,
                    "replication_factor": 1,
                    "configs": configs,
                }
                for topic in topics
            },
            wait_for_metadata=True,
        )

    def remake(self, topic: str) -> None:
        """Delete a topic and make it again."""
        self.admin.delete_topics([topic])

        def made() -> bool:
            try:
                self.create(topic)
            except TopicAlreadyExistsError:
                return False
            return True

        until(made)

    def prepare(self, config: Config, partitions: int = 1) -> None:
        """Make the topics of a configuration."""
        output = config.output
        topics = (*config.source.topics, output.alerts, output.dead_letters)
        self.create(*topics, partitions=partitions)
        self.create(config.state.topic, partitions=partitions, compact=True)

    def write(self, topic: str, values: Sequence[bytes | None], partition: int = 0) -> None:
        """Append records with keys 0, 1, ... and event times 1000, 1001, ..."""
        producer = KafkaProducer(bootstrap_servers=self.bootstrap, linger_ms=5)
        for number, value in enumerate(values):
            producer.send(
                topic,
                value,
                str(number).encode(),
                partition=partition,
                timestamp_ms=1000 + number,
            )
        producer.flush()
        producer.close()

    @contextmanager
    def open_transaction(
        self, topic: str, values: Sequence[bytes], *, commit: bool = True
    ) -> Iterator[None]:
        """Append records, and behind the block of code the control record of their end."""
        producer = KafkaProducer(
            bootstrap_servers=self.bootstrap,
            transactional_id=f"writer-{topic}",
            retry_backoff_ms=5,
        )
        producer.init_transactions()
        producer.begin_transaction()
        for value in values:
            producer.send(topic, value, b"k", partition=0)
        producer.flush()
        try:
            yield
        finally:
            producer.commit_transaction() if commit else producer.abort_transaction()
            producer.close()

    def write_transaction(self, topic: str, values: Sequence[bytes], *, commit: bool) -> None:
        """Append records and the control record of a commit or an abort."""
        with self.open_transaction(topic, values, commit=commit):
            pass

    def read(self, topic: str, isolation: str = "read_committed") -> list[Any]:
        """Return the records of all partitions up to the present end, partition by partition."""
        consumer = KafkaConsumer(
            bootstrap_servers=self.bootstrap,
            isolation_level=isolation,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            max_partition_fetch_bytes=16 << 20,
        )
        partitions = [TopicPartition(topic, one) for one in consumer.partitions_for_topic(topic)]
        ends = consumer.end_offsets(partitions)
        consumer.assign(partitions)
        consumer.seek_to_beginning()
        records: list[Any] = []
        while any(consumer.position(one) < end for one, end in ends.items()):
            for polled in consumer.poll(200).values():
                records += polled
        consumer.close()
        return sorted(records, key=lambda record: (record.partition, record.offset))

    def settled(self, topic: str) -> bool:
        """Return whether the end of every transaction is marked in all partitions of `topic`.

        A committed offset can be seen before the marks are where its transaction wrote.
        """
        ends: list[dict[TopicPartition, int]] = []
        for isolation in ("read_committed", "read_uncommitted"):
            consumer = KafkaConsumer(bootstrap_servers=self.bootstrap, isolation_level=isolation)
            numbers = consumer.partitions_for_topic(topic)
            ends.append(consumer.end_offsets([TopicPartition(topic, one) for one in numbers]))
            consumer.close()
        return ends[0] == ends[1]

    def transactions_ending(self) -> bool:
        """Return whether a transaction is committed or aborted, but not yet marked so in topics."""
        states = ["PrepareCommit", "PrepareAbort"]
        return any(self.admin.list_transactions(state_filters=states).values())

    def values(self, topic: str, isolation: str = "read_committed") -> list[bytes]:
        return [record.value for record in self.read(topic, isolation)]

    def committed(self, group: str, topic: str, partition: int = 0) -> OffsetAndMetadata | None:
        """Return what the group committed, None where it did not."""
        found = self.admin.list_group_offsets({group: [TopicPartition(topic, partition)]})[group]
        offset = found.get(TopicPartition(topic, partition))
        return offset if offset is not None and offset.offset >= 0 else None

    def cut(self, topic: str, offset: int, partition: int = 0) -> None:
        """Delete the records before `offset`, as retention does."""
        self.admin.delete_records({TopicPartition(topic, partition): offset})

    def settings(self, topic: str) -> dict[str, str]:
        """Return the settings a topic was made with."""
        resource = ConfigResource(ConfigResourceType.TOPIC, topic)
        described = self.admin.describe_configs([resource])["topic"][topic]
        return {name: entry["value"] for name, entry in described.items()}

    def expel(self, group: str) -> None:
        """Remove every member from the group; they notice at their next heartbeat or commit."""
        leaving = [MemberToRemove(member_id=member) for member in self.members(group)]
        self.admin.remove_group_members(group, leaving)

    def members(self, group: str) -> list[str]:
        """Return the ids of the members; a static one is among them until its session is over."""
        members = self.admin.describe_groups([group])[group]["members"]
        return [member["member_id"] for member in members]

    def close(self) -> None:
        self.admin.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def until(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    """Wait for a condition; fail the test when it does not come true."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.01)
