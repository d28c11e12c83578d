"""The values that travel between the parts, and the borders to the outside world.

Data flows `Source -> RecordBatch -> Pipeline -> Output -> Sink`. A `Commit` carries everything that
must become visible together: outputs, snapshots and the offsets they were computed from.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

Headers = Sequence[tuple[str, bytes]]

UNREADABLE: Headers = (("?", b""),)
"""Stands for headers with a name that is not UTF-8, as brokers take them; known by identity."""

Channel = Literal["alerts", "scores", "dead_letters"]
"""What an output is; the sink maps it to a topic or a file."""

NO_TIMESTAMP = -1
"""Event time of a record that carries none, as in Kafka."""


class TopicPartition(NamedTuple):
    """One input log: what a detector belongs to."""

    topic: str
    partition: int

    def __str__(self) -> str:
        """Kafka's customary spelling, `topic-partition`."""
        return f"{self.topic}-{self.partition}"


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Consecutive records of one partition, as columns of equal length n."""

    partition: TopicPartition
    offsets: Longs
    """[n], strictly increasing, not necessarily dense (compaction, transaction markers)."""
    timestamps_ms: Longs
    """[n], milliseconds since the epoch; `NO_TIMESTAMP` where the record has none."""
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    headers: Sequence[Headers]
    next_offset: int
    """Where reading goes on: past the last record and past any control records behind it."""
    columns: tuple[str, ...] | None = None
    """Names of positional values where the source knows them (the header line of a CSV file)."""

    def __len__(self) -> int:
        """Return n, the number of records."""
        return len(self.values)

    def head(self, n: int) -> "RecordBatch":
        """Return the first n records; the next offset is that of the first one left out."""
        return self if n >= len(self) else self._rows(slice(0, n), int(self.offsets[n]))

    def tail(self, n: int) -> "RecordBatch":
        """Return all but the first n records."""
        return self if n <= 0 else self._rows(slice(n, None), self.next_offset)

    def before(self, offset: int) -> "RecordBatch":
        """Return the records before `offset`, where reading goes on then."""
        if self.next_offset <= offset:
            return self
        return self._rows(slice(0, int(np.searchsorted(self.offsets, offset))), offset)

    def _rows(self, rows: slice, next_offset: int) -> "RecordBatch":
        return replace(
            self,
            offsets=self.offsets[rows],
            timestamps_ms=self.timestamps_ms[rows],
            keys=self.keys[rows],
            values=self.values[rows],
            headers=self.headers[rows],
            next_offset=next_offset,
        )


class Output(NamedTuple):
    """One message to write; everything in it is a function of the input log."""

    channel: Channel
    source: TopicPartition
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp_ms: int = NO_TIMESTAMP


@dataclass(frozen=True, slots=True)
class Commit:
    """What becomes visible at once: outputs, due snapshots, and the offsets reached."""

    outputs: Sequence[Output]
    offsets: Mapping[TopicPartition, int]
    """Next offset to read, per partition."""
    snapshots: Mapping[TopicPartition, bytes] = field(default_factory=dict)
    """A partition without one keeps its last one."""


@dataclass(frozen=True, slots=True)
class Committed:
    """What the last commit of a partition said."""

    offset: int
    """Next offset to read."""
    snapshot: bytes | None
    """None after a deliberate rewind, which clears it."""


@dataclass(frozen=True, slots=True)
class Poll:
    """One answer of a source."""

    batches: Sequence[RecordBatch] = ()
    lag: Mapping[TopicPartition, int] = field(default_factory=dict)
    """Records known to wait behind the batches, per assigned partition."""
    finished: bool = False
    """True once a finite source is exhausted."""
    deleted: Mapping[TopicPartition, int] = field(default_factory=dict)
    """Offsets that retention took before they were read, per partition."""


class AssignmentListener(Protocol):
    """Told by a source, from within `poll`, which partitions this process owns."""

    def on_assign(self, partitions: Iterable[TopicPartition]) -> None:
        """Restore the partitions and `seek` the source to where each must be read from."""

    def on_revoke(self, partitions: Iterable[TopicPartition]) -> None:
        """Commit, then let go: the partitions are still owned during the call."""

    def on_lost(self, partitions: Iterable[TopicPartition]) -> None:
        """Let go without committing: another process may own them already."""


class Source(Protocol):
    """Where records come from. One source serves one listener on one thread."""

    def start(self, listener: AssignmentListener) -> None:
        """Begin; assignments are reported to `listener` during later polls."""

    def poll(self, timeout_s: float) -> Poll:
        """Return the records that arrived within `timeout_s`; each batch starts at the position."""

    def seek(
        self, partition: TopicPartition, offset: int | None, fallback: int | None = None
    ) -> int:
        """Read from `offset` (None: where the configuration says); return the position taken.

        Where that is gone, or cannot be gone back to, it is `fallback` or the first one behind it.
        """

    def close(self) -> None:
        """Release everything; pending records are simply not read."""


class Sink(Protocol):
    """Where commits go to and where the last one is read back from."""

    def commit(self, commit: Commit) -> bool:
        """Make the whole commit visible atomically.

        Return False when it may be tried again, raise for everything that needs a restart.
        """

    def committed(self, partition: TopicPartition) -> Committed | None:
        """Return what the last commit of `partition` said; None when there was none.

        Raise `SnapshotError` when it names a snapshot that is missing or damaged.
        """

    def close(self) -> None:
        """Release everything; an unfinished commit is given up."""


class LabelBatch(NamedTuple):
    """Consecutive records of a labels log."""

    values: Sequence[bytes | None]
    next_offset: int
    """Where reading goes on."""


class LabelLog(Protocol):
    """Where labels come from: each input partition has one log of them."""

    def read(self, partition: TopicPartition, offset: int, limit: int) -> LabelBatch:
        """Return at most `limit` labels of the log that belongs to `partition`, from `offset` on.

        What the log held when it was first asked for is waited for, what came later is not.
        """

    def release(self, partition: TopicPartition) -> None:
        """Close what is open for a partition that this process no longer owns."""

    def close(self) -> None:
        """Release everything."""


class StateStore(Protocol):
    """Where snapshots are kept. A pointer is short text that finds one again."""

    def save(self, partition: TopicPartition, snapshot: bytes, before: str | None) -> str:
        """Write within a commit; return the pointer. What `before`, the last one, names stays."""

    def load(self, partition: TopicPartition, pointer: str) -> bytes:
        """Return the snapshot; raise `SnapshotError` when it is missing or damaged."""

    def close(self) -> None:
        """Release everything."""


class Edges(NamedTuple):
    """The offset of the first record that a log still holds, and that behind its last one."""

    first: int
    end: int


class CommitPoint(NamedTuple):
    """What the last commit of a partition said, its snapshot still to be loaded."""

    offset: int
    """Next offset to read."""
    pointer: str | None
    """Names the snapshot; None after a deliberate rewind, which clears it."""


class Stored(NamedTuple):
    """A snapshot that a store still has; `written_ms` is `NO_TIMESTAMP` where it does not say."""

    pointer: str
    written_ms: int
    content: bytes


class Written(NamedTuple):
    """A committed output where it lies."""

    place: str
    """For people: `TOPIC-PARTITION, offset N` or `FILE, line N`."""
    offset: int
    """In that topic; the number of the line, from 1, in a file."""
    output: Output


class Archive(Protocol):
    """What went into a stream and what came of it, read without taking part.

    No group is joined, nothing is committed, no lock is taken and nothing is written. What a
    running daemon commits meanwhile may be seen or not.
    """

    def partitions(self) -> Sequence[TopicPartition]:
        """Return the input partitions."""

    def bounds(self, partition: TopicPartition) -> Edges:
        """Return which input there is; raise `ConfigError` when it cannot be read again."""

    def offset_at(self, partition: TopicPartition, timestamp_ms: int) -> int:
        """Return the first offset with that time or a later one, the end when there is none."""

    def records(self, partition: TopicPartition, start: int, end: int) -> Iterator[RecordBatch]:
        """Yield the committed input from offset `start` to before `end`, in order."""

    def outputs(self, channel: Channel, partition: TopicPartition) -> Iterator[Written]:
        """Yield what was committed to a channel from an input partition, in order.

        So is what does not say, or no longer legibly, where it is from. Raise `ConfigError` where
        nothing is kept.
        """

    def is_cut(self, channel: Channel, partition: TopicPartition) -> bool:
        """Return whether what `outputs` would yield first is known to be gone by now."""

    def written(self, output: Output) -> Output:
        """Return what `outputs` would give of `output`, of which a file keeps but the value."""

    def committed(self, partition: TopicPartition) -> CommitPoint | None:
        """Return what the last commit of `partition` said; None when there was none."""

    def snapshots(self, partition: TopicPartition) -> Iterator[Stored]:
        """Yield the snapshots there are, as they were written, possibly damaged, oldest first."""

    def load(self, partition: TopicPartition, pointer: str) -> bytes:
        """Return the snapshot; raise `SnapshotError` when it is missing or damaged."""

    def close(self) -> None:
        """Release everything."""
