"""Where to read a partition, given what its log still holds."""

from typing import Literal

from streamae.errors import SnapshotError
from streamae.types import Edges, TopicPartition


def position(
    edges: Edges, start: Literal["earliest", "latest"], wanted: int | None, fallback: int | None
) -> int:
    """Return where to read from: `wanted`, or `start` of the log where that is None.

    When `wanted` is gone, that is `fallback`, or the first record left behind it. An offset behind
    the end is taken as it is: committed records may wait behind a transaction that is still open.
    """
    if wanted is None:
        return edges.first if start == "earliest" else edges.end
    if wanted >= edges.first or fallback is None:
        return max(wanted, edges.first)
    return max(fallback, edges.first)


def after_refusal(partition: TopicPartition, edges: Edges, refused: int) -> int:
    """Return where to go on when the broker does not have the offset `refused`.

    Retention may have deleted records faster than they were read. Raise `SnapshotError` when it did
    not: nothing in a log that ends before the offset continues what this group has read.
    """
    if refused >= edges.first:
        raise SnapshotError(
            f"{partition} ends at offset {edges.end}, before offset {refused} where this group goes"
            " on: the topic was truncated or made anew; set the offsets of the group"
        )
    return edges.first
