"""Which part of the input a verb is asked about."""

from datetime import datetime

from streamae.errors import ConfigError
from streamae.types import Archive, TopicPartition

Bound = int | datetime | None
"""An end of a range: an offset, an event time, or what there is."""


def partitions(archive: Archive, number: int | None) -> list[TopicPartition]:
    """Return the input partitions of a number, or all; raise `ConfigError` where none has it."""
    every = archive.partitions()
    found = [one for one in every if number in (None, one.partition)]
    if not found:
        names = ", ".join(map(str, every))
        raise ConfigError(f"--partition: there is no partition {number}, only {names}")
    return found


def offset_of(archive: Archive, partition: TopicPartition, bound: Bound) -> int | None:
    """Return the offset that a bound is; None for none.

    Raise `ConfigError` for a time where records have none.
    """
    if isinstance(bound, datetime):
        return archive.offset_at(partition, round(bound.timestamp() * 1000))
    return bound
