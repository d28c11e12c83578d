"""How many records wait to be read, and which of those behind a position do not."""

from collections.abc import Callable, Mapping
from time import monotonic
from typing import NamedTuple

from streamae.types import TopicPartition

STILL_S = 1.0
"""A position that has not moved for so long is asked about, and again as often."""

ANSWER_S = 1.0
"""For the answer: a broker that gives none leaves the records waiting, as they are."""


class _Still(NamedTuple):
    """A position that does not move."""

    position: int
    since: float
    """When it was reached or last asked about."""
    stable: int | None = None
    """The last stable offset then; None where it is not known."""


class Lag:
    """Counts the records behind each position.

    Fetches tell the high watermark. A transaction of the writer that is still open, for minutes
    with some, keeps readers of committed records before it: what lies behind the last stable offset
    is there and does not wait for this process.
    """

    def __init__(
        self,
        stable: Callable[[TopicPartition], int | None],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """`stable` asks for the last stable offset of a partition, None without an answer."""
        self._stable = stable
        self._clock = clock
        self._still: dict[TopicPartition, _Still] = {}

    def count(
        self, positions: Mapping[TopicPartition, int], watermarks: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, int]:
        """Return how many records wait behind `positions`, where a high watermark is known."""
        self._still = {
            one: self._looked_at(one, positions[one])
            for one, end in watermarks.items()
            if end > positions[one]
        }
        lag = {}
        for one, end in watermarks.items():
            still = self._still.get(one)
            stable = None if still is None else still.stable
            lag[one] = max(0, (end if stable is None else stable) - positions[one])
        return lag

    def _looked_at(self, partition: TopicPartition, position: int) -> _Still:
        now, still = self._clock(), self._still.get(partition)
        if still is None or still.position != position:
            return _Still(position, now)
        if now - still.since < STILL_S:
            return still
        stable = self._stable(partition)
        return _Still(position, self._clock(), stable)
