"""A log, a source and a sink in memory: replay and tests without files or a broker."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from streamae.types import (
    NO_TIMESTAMP,
    AssignmentListener,
    Commit,
    Committed,
    LabelBatch,
    Output,
    Poll,
    RecordBatch,
    TopicPartition,
)


@dataclass(slots=True)
class MemoryLog:
    """Values of one partition; their offsets are dense from `start`."""

    values: Sequence[bytes | None]
    keys: Sequence[bytes | None] = ()
    timestamps_ms: Sequence[int] = ()
    start: int = 0
    """First offset that is still there."""

    @property
    def end(self) -> int:
        """Offset behind the last record."""
        return self.start + len(self.values)

    def read(self, partition: TopicPartition, offset: int, limit: int) -> RecordBatch:
        """Return at most `limit` records from `offset`."""
        rows = slice(offset - self.start, offset - self.start + limit)
        values = self.values[rows]
        n = len(values)
        timestamps = self.timestamps_ms[rows] or [NO_TIMESTAMP] * n
        return RecordBatch(
            partition=partition,
            offsets=np.arange(offset, offset + n, dtype=np.int64),
            timestamps_ms=np.array(timestamps, dtype=np.int64),
            keys=self.keys[rows] or [None] * n,
            values=values,
            headers=[()] * n,
            next_offset=offset + n,
        )


class MemorySource:
    """Reads logs in turn, at most `poll_size` records of one partition per poll."""

    def __init__(self, logs: Mapping[TopicPartition, MemoryLog], poll_size: int = 5000) -> None:
        self._logs = logs
        self._poll_size = poll_size
        self._positions: dict[TopicPartition, int] = {}
        self._listener: AssignmentListener | None = None

    def start(self, listener: AssignmentListener) -> None:
        """Assign every log at the first poll."""
        self._listener = listener

    def poll(self, timeout_s: float) -> Poll:  # noqa: ARG002 - memory never makes one wait.
        """Return the next records of the partition with the most waiting."""
        if self._listener is not None and not self._positions:
            self._listener.on_assign(self._logs)
        lag = {tp: log.end - self._positions[tp] for tp, log in self._logs.items()}
        busiest = max(lag, key=lambda partition: lag[partition])
        if not lag[busiest]:
            return Poll(lag=lag, finished=True)
        position = self._positions[busiest]
        batch = self._logs[busiest].read(busiest, position, self._poll_size)
        self._positions[busiest] = batch.next_offset
        lag[busiest] -= len(batch)
        return Poll([batch], lag, finished=not any(lag.values()))

    def seek(
        self, partition: TopicPartition, offset: int | None, fallback: int | None = None
    ) -> int:
        """Read from `offset`, or from `fallback` or the log's start where that is gone."""
        start = self._logs[partition].start
        wanted = start if offset is None else offset
        if wanted < start:
            wanted = max(start, start if fallback is None else fallback)
        self._positions[partition] = wanted
        return wanted

    def close(self) -> None:
        """Do nothing."""


@dataclass(slots=True)
class MemoryLabels:
    """Labels of every partition, in one list that may grow."""

    values: list[bytes | None]

    def read(self, partition: TopicPartition, offset: int, limit: int) -> LabelBatch:  # noqa: ARG002
        """Return at most `limit` labels from `offset`."""
        found = self.values[offset : offset + limit]
        return LabelBatch(found, offset + len(found))

    def release(self, partition: TopicPartition) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


@dataclass(slots=True)
class MemorySink:
    """Keeps every commit; hand it to the next worker to continue."""

    outputs: list[Output] = field(default_factory=list)
    partitions: dict[TopicPartition, Committed] = field(default_factory=dict)

    def commit(self, commit: Commit) -> bool:
        """Take the commit in; return True."""
        self.outputs += commit.outputs
        for partition, offset in commit.offsets.items():
            before = self.partitions.get(partition)
            snapshot = commit.snapshots.get(partition, before.snapshot if before else None)
            self.partitions[partition] = Committed(offset, snapshot)
        return True

    def committed(self, partition: TopicPartition) -> Committed | None:
        """Return what the last commit said of `partition`."""
        return self.partitions.get(partition)

    def close(self) -> None:
        """Do nothing."""
