"""A minimal worker for tests: takes what is assigned, from where the last commit left it."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Self

from streamae.config import Config
from streamae.kafka import connect
from streamae.types import Commit, Committed, Output, RecordBatch, TopicPartition


class Member:
    """Source, sink and listener of one process; records what it was told."""

    def __init__(self, config: Config) -> None:
        self.source, self.sink = connect(config)
        self.events: list[tuple[str, list[TopicPartition]]] = []
        self.committed: dict[TopicPartition, Committed | None] = {}
        self.batches: list[RecordBatch] = []
        self.lag: dict[TopicPartition, int] = {}
        self.deleted: Counter[TopicPartition] = Counter()
        self.on_assigned: Callable[[], None] = lambda: None
        self.on_revoked: Callable[[], None] = lambda: None
        self.source.start(self)

    def on_assign(self, partitions: Iterable[TopicPartition]) -> None:
        self.events.append(("assign", list(partitions)))
        for partition in partitions:
            found = self.sink.committed(partition)
            self.committed[partition] = found
            self.source.seek(partition, None if found is None else found.offset)
        self.on_assigned()

    def on_revoke(self, partitions: Iterable[TopicPartition]) -> None:
        self.events.append(("revoke", list(partitions)))
        self.on_revoked()
        self._forget(partitions)

    def on_lost(self, partitions: Iterable[TopicPartition]) -> None:
        self.events.append(("lost", list(partitions)))
        self._forget(partitions)

    def _forget(self, partitions: Iterable[TopicPartition]) -> None:
        for partition in partitions:
            self.committed.pop(partition, None)

    @property
    def owned(self) -> list[TopicPartition]:
        return sorted(self.committed)

    def poll(self, timeout_s: float = 0.05) -> None:
        poll = self.source.poll(timeout_s)
        self.batches += poll.batches
        self.lag = dict(poll.lag)
        self.deleted.update(poll.deleted)

    def poll_until(self, condition: Callable[["Member"], bool], *others: "Member") -> None:
        """Poll, and let the others poll, until a condition holds."""
        for _ in range(1000):
            if condition(self):
                return
            for member in (self, *others):
                member.poll()
        raise AssertionError(f"never came true; {self.events}")

    def values(self, partition: TopicPartition | None = None) -> list[bytes | None]:
        wanted = [one for one in self.batches if partition in (None, one.partition)]
        return [value for batch in wanted for value in batch.values]

    def close(self) -> None:
        self.source.close()
        self.sink.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def alert(partition: TopicPartition, value: bytes, timestamp_ms: int = 1000) -> Output:
    headers = [("content-type", b"application/json")]
    return Output("alerts", partition, b"key", value, headers, timestamp_ms)


def commit(
    partition: TopicPartition, offset: int, *values: bytes, snapshot: bytes | None = None
) -> Commit:
    outputs = [alert(partition, value) for value in values]
    snapshots = {} if snapshot is None else {partition: snapshot}
    return Commit(outputs, {partition: offset}, snapshots)
