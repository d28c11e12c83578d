"""Rebalances: handed from kafka-python's I/O thread to the thread that polls, and reported."""

from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple

from kafka import TopicPartition as KafkaPartition
from kafka.consumer.subscription_state import AsyncConsumerRebalanceListener
from kafka.future import Future

from streamae.types import AssignmentListener, TopicPartition

Kind = Literal["assigned", "revoked", "lost"]


class Rebalance(NamedTuple):
    """A change of the assignment that goes on when `handled` succeeds."""

    kind: Kind
    partitions: list[TopicPartition]
    handled: Future


def let_go(
    listener: AssignmentListener,
    partitions: Sequence[TopicPartition],
    is_mine: Callable[[TopicPartition], bool],
) -> None:
    """Report revoked partitions: those that may still be committed, and those that are lost."""
    mine = [one for one in partitions if is_mine(one)]
    lost = [one for one in partitions if one not in mine]
    if mine:
        listener.on_revoke(mine)
    if lost:
        listener.on_lost(lost)


class Rebalances(AsyncConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python is untyped.
    """Announces each rebalance and waits, without blocking heartbeats, until it was dealt with."""

    def __init__(self, announce: Callable[[Rebalance], None]) -> None:
        self._announce = announce

    async def on_partitions_assigned(self, assigned: Iterable[KafkaPartition]) -> None:
        await self._wait("assigned", assigned)

    async def on_partitions_revoked(self, revoked: Iterable[KafkaPartition]) -> None:
        await self._wait("revoked", revoked)

    async def on_partitions_lost(self, lost: Iterable[KafkaPartition]) -> None:
        await self._wait("lost", lost)

    async def _wait(self, kind: Kind, partitions: Iterable[KafkaPartition]) -> None:
        handled = Future()
        self._announce(Rebalance(kind, [TopicPartition(*one) for one in partitions], handled))
        await handled
