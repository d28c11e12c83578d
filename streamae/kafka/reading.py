"""Reading a topic's log without a group: its edges, the group's offsets in it, its records."""

from collections.abc import Generator
from contextlib import closing
from time import monotonic
from typing import Any, Literal, NamedTuple

from kafka import KafkaConsumer, OffsetAndMetadata
from kafka import TopicPartition as KafkaPartition
from kafka.errors import CorruptRecordError, KafkaError, OffsetOutOfRangeError

from streamae.config import Config
from streamae.errors import UnreachableError
from streamae.kafka import settings, unreadable
from streamae.kafka.faults import connect, translated
from streamae.types import Edges, TopicPartition

POLL_S = 0.1
"""A poll ends late that meets but the mark of a transaction."""


Isolation = Literal["read_committed", "read_uncommitted"]


class Polled(NamedTuple):
    """What one poll of a partition brought."""

    records: list[Any]
    position: int
    """Where reading goes on: past the records and past any control records behind them."""


def read(
    config: Config,
    partition: TopicPartition,
    start: int | None = None,
    end: int | None = None,
    isolation: Isolation = "read_committed",
) -> Generator[Polled, None, None]:
    """Yield what `read_with` does, with a reader of its own."""
    with closing(open_reader(config, isolation)) as reader:
        yield from read_with(reader, config, partition, start, end)


def open_reader(config: Config, isolation: Isolation) -> Any:
    """Return a consumer that reads what it is told to."""
    options = settings.reader(config) | {"isolation_level": isolation}
    return connect(KafkaConsumer, options, config)


def read_with(
    reader: Any,
    config: Config,
    partition: TopicPartition,
    start: int | None = None,
    end: int | None = None,
) -> Generator[Polled, None, None]:
    """Yield the records from `start` to before `end`, poll by poll.

    Without a `start` it is the first record left, and without an `end` where the log ends when
    reading begins; what is uncommitted there is waited for, until its transaction ends. Raise
    `OffsetOutOfRangeError` when `start` is gone.
    """
    one = KafkaPartition(*partition)
    patience_s = settings.unstable_s(config)
    reader.assign([one])
    position = edges(reader, partition, config).first if start is None else start
    reader.seek(one, position)
    deadline = monotonic() + patience_s
    while end is None or position < end:
        records = _poll(reader, config, partition, position)
        before, position = position, int(reader.position(one))
        end = reader.highwater(one) if end is None else end
        if position > before:
            deadline = monotonic() + patience_s
        elif monotonic() > deadline and (end is None or position < end):
            raise UnreachableError(
                f"{partition}: nothing came behind offset {position} for {patience_s:g} s"
            )
        yield Polled([one for one in records if end is None or one.offset < end], position)


def edges(consumer: Any, partition: TopicPartition, config: Config) -> Edges:
    """Return what the log of `partition` holds, as `consumer` sees it."""
    one = KafkaPartition(*partition)
    timeout_ms = settings.milliseconds(config.kafka.connect_timeout)
    try:
        first = consumer.beginning_offsets([one], timeout_ms=timeout_ms)
        end = consumer.end_offsets([one], timeout_ms=timeout_ms)
    except KafkaError as error:
        raise translated(error, f"asking for the offsets of {partition}") from error
    return Edges(first[one], end[one])


def committed(consumer: Any, partition: TopicPartition, config: Config) -> OffsetAndMetadata | None:
    """Return what the consumer's group committed, None when nothing.

    While a worker's transaction holds an offset of this partition, the broker answers "unstable";
    it ends or times out, and the client asks again until then.
    """
    timeout_ms = settings.milliseconds(settings.unstable_s(config))
    try:
        return consumer.committed(KafkaPartition(*partition), metadata=True, timeout_ms=timeout_ms)
    except KafkaError as error:
        raise translated(error, f"reading the committed offset of {partition}") from error


def _poll(reader: Any, config: Config, partition: TopicPartition, position: int) -> list[Any]:
    try:
        polled = reader.poll(settings.milliseconds(POLL_S))
    except OffsetOutOfRangeError:
        raise
    except CorruptRecordError as error:
        raise unreadable.named(error, config, {partition: position}) from error
    except KafkaError as error:
        raise translated(error, f"reading {partition}") from error
    return [record for records in polled.values() for record in records]
