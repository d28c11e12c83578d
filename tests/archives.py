"""What every archive must hold, whatever keeps it."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec
import pytest

from streamae.dead_letters import ERROR_HEADER
from streamae.errors import SnapshotError
from streamae.types import (
    NO_TIMESTAMP,
    Archive,
    Commit,
    CommitPoint,
    Edges,
    Output,
    TopicPartition,
)

TIMES_MS = [1000 + number for number in range(50)]
"""Event times of the input, one record each."""


class Kept(NamedTuple):
    """An archive, the input of its only partition, and the sink that writes what it shows."""

    archive: Archive
    partition: TopicPartition
    values: Sequence[bytes]
    commit: Callable[[Commit], bool]


def alert(partition: TopicPartition, offset: int) -> Output:
    source = {"topic": partition.topic, "partition": partition.partition, "offset": offset}
    value = msgspec.json.encode({"type": "anomaly", "source": source})
    return Output("alerts", partition, b"k\xff", value, [("ce_id", b"7")], 1000 + offset)


def dead_letter(partition: TopicPartition, offset: int) -> Output:
    said = {"topic": partition.topic, "partition": partition.partition, "offset": offset}
    headers = [(ERROR_HEADER + name, str(value).encode()) for name, value in said.items()]
    return Output("dead_letters", partition, None, b"\xfe{", [("a", b"\xff"), *headers], 5)


def check_input(kept: Kept) -> None:
    archive, (partition,) = kept.archive, kept.archive.partitions()
    assert partition == kept.partition
    n = len(kept.values)
    assert archive.bounds(partition) == Edges(0, n)
    for start, end in [(0, n), (0, 0), (7, 31), (n - 1, n), (n, n)]:
        batches = list(archive.records(partition, start, end))
        assert [value for one in batches for value in one.values] == kept.values[start:end]
        offsets = [offset for one in batches for offset in one.offsets.tolist()]
        assert offsets == list(range(start, end))
        if start < end:
            assert batches[-1].next_offset == end


def check_times(kept: Kept) -> None:
    archive, partition = kept.archive, kept.partition
    assert archive.offset_at(partition, 0) == 0
    assert archive.offset_at(partition, -1) == 0
    assert archive.offset_at(partition, TIMES_MS[7]) == 7
    assert archive.offset_at(partition, TIMES_MS[-1] + 1) == len(kept.values)


def check_outputs(kept: Kept) -> None:
    """Only those of the partition, in order, to the byte; what says nothing is shown, too."""
    archive, partition = kept.archive, kept.partition
    mine = [alert(partition, 3), alert(partition, 9)]
    rejected = [dead_letter(partition, 4), dead_letter(partition, 5)]
    damaged = Output("alerts", partition, None, b'{"source":', (), 7)
    assert kept.commit(Commit([mine[0], damaged, *rejected], {partition: 5}))
    assert kept.commit(Commit([mine[1]], {partition: 10}))
    found = list(archive.outputs("alerts", partition))
    assert [one.output for one in found] == [
        archive.written(output) for output in (mine[0], damaged, mine[1])
    ]
    assert [one.offset for one in found] == sorted({one.offset for one in found})
    assert all(str(one.offset) in one.place for one in found)
    letters = list(archive.outputs("dead_letters", partition))
    assert [one.output for one in letters] == [archive.written(output) for output in rejected]
    assert letters[0].output.value == b"\xfe{"
    assert dict(letters[0].output.headers)["a"] == b"\xff"


def check_state(kept: Kept) -> None:
    archive, partition = kept.archive, kept.partition
    assert archive.committed(partition) is None
    assert list(archive.snapshots(partition)) == []
    kept.commit(Commit([], {partition: 3}))
    assert archive.committed(partition) == CommitPoint(3, None)
    for offset, content in [(5, b"first"), (8, b"second"), (9, b"third")]:
        kept.commit(Commit([], {partition: offset}, {partition: content}))
    kept.commit(Commit([], {partition: 11}))
    point = archive.committed(partition)
    assert point is not None
    assert point.offset == 11
    assert point.pointer is not None
    assert archive.load(partition, point.pointer) == b"third"
    stored = list(archive.snapshots(partition))
    assert [one.content for one in stored][-2:] == [b"second", b"third"]
    assert stored[-1].pointer == point.pointer
    assert [archive.load(partition, one.pointer) for one in stored] == [
        one.content for one in stored
    ]
    assert all(one.written_ms == NO_TIMESTAMP or one.written_ms > 0 for one in stored)
    with pytest.raises(SnapshotError):
        archive.load(partition, "nothing of ours")


CHECKS: list[Callable[[Kept], None]] = [check_input, check_times, check_outputs, check_state]
