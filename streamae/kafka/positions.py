"""Where to read a partition, given what its log still holds."""

from typing import Literal

from streamae.config import Config
from streamae.errors import SnapshotError
from streamae.kafka.admin import group_offsets, opened_admin
from streamae.kafka.topics import described
from streamae.types import Edges, TopicPartition

Start = Literal["earliest", "latest"]


class Starts:
    """Where each partition begins that was never committed.

    `source.start` is about what was there before the group read any of the topic. A partition that
    was added since begins with its first record: members learn of it minutes later, and `latest`
    would pass over what came until then.
    """

    def __init__(self, config: Config) -> None:
        """Ask what is there; before joining the group, in which others commit from then on."""
        self._late = _there(config) if config.source.start == "latest" else frozenset()

    def __getitem__(self, partition: TopicPartition) -> Start:
        """Return which end of the log to begin at."""
        return "latest" if partition in self._late else "earliest"


def _there(config: Config) -> frozenset[TopicPartition]:
    """Return the partitions the group has offsets of, and all of topics it has none of."""
    with opened_admin(config, "asking for the offsets of the group") as admin:
        offsets = group_offsets(admin, config)
        found = described(admin, config.source.topics)
    committed = {TopicPartition(*one) for one, at in offsets.items() if at.offset >= 0}
    begun = {one.topic for one in committed}
    return frozenset(committed).union(
        TopicPartition(topic, number)
        for topic, state in found.items()
        if topic not in begun
        for number in range(state.partitions)
    )


def position(edges: Edges, start: Start, wanted: int | None, fallback: int | None) -> int:
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
