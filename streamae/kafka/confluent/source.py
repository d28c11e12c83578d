"""The input over librdkafka: a member of the consumer group that polls columns."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from operator import methodcaller
from threading import Thread
from typing import Any

import numpy as np
from confluent_kafka import OFFSET_INVALID, Consumer, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition
from kafka import OffsetAndMetadata
from kafka.errors import RetriableError

from streamae.config import Config
from streamae.kafka import settings as common
from streamae.kafka.confluent import settings
from streamae.kafka.confluent.faults import (
    as_kafka_python,
    explained,
    opened,
    raised_as_kafka_python,
)
from streamae.kafka.faults import translated
from streamae.kafka.lag import ANSWER_S, Lag
from streamae.kafka.positions import Starts, after_refusal, position
from streamae.kafka.rebalances import let_go
from streamae.kafka.source import CLOSE_TIMEOUT_MS, without_nulls
from streamae.log import Logger
from streamae.types import (
    UNREADABLE,
    AssignmentListener,
    Edges,
    Headers,
    Poll,
    RecordBatch,
    TopicPartition,
)

log = Logger(__name__)

HEADERS = methodcaller("headers")
"""Not `record.headers()`: for a name that is not UTF-8, confluent-kafka (2.13) returns tuples with
a hole although an exception is set. Python's interpreter, once it has optimised such a call, no
longer looks for the exception and crashes on the hole; called from C, it always makes it a
`SystemError`."""


class ConfluentSource:
    """Reads `source.topics` as a member of the consumer group.

    librdkafka reports rebalances from within `consume`, on the thread of the caller, and goes on
    with them when the report returns: the listener may commit and restore there, while heartbeats
    and fetches go on outside Python.

    A partition is this process's only under the member id it was assigned to. An expelled member
    has no id until it has given up what it had, so `membership` refuses commits until then.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._consumer: Consumer = opened(Consumer, settings.consumer(config))
        self._listener: AssignmentListener | None = None
        self._members: dict[TopicPartition, str] = {}
        self._positions: dict[TopicPartition, int] = {}
        self._deleted: dict[TopicPartition, int] = {}
        self._waiting = Lag(self._stable)
        self._starting: set[TopicPartition] = set()
        self._unsorted: list[Any] = []
        self._request_s = float(config.kafka.connect_timeout)
        self._reading = f"reading the input as group {common.group(config)}"

    def start(self, listener: AssignmentListener) -> None:
        """Join the group with the next poll."""
        self._starts = Starts(self._config)
        self._listener = listener
        self._consumer.subscribe(
            list(self._config.source.topics),
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_lost,
        )

    def poll(self, timeout_s: float) -> Poll:
        """Return one batch per partition that got anywhere.

        A batch without records steps over control records, or over records a compaction or an
        abort removed: its `next_offset` is what remains to be committed.
        """
        with explained(self._reading):
            self._take(1, timeout_s)
            # `consume` waits for as many as it is asked for: these are the ones already here.
            self._take(self._config.source.max_poll_records - len(self._unsorted), 0)
        messages, self._unsorted = self._unsorted, []
        batches = self._batches(messages)
        deleted, self._deleted = self._deleted, {}
        return Poll(batches=batches, lag=self._lag(), deleted=deleted)

    def seek(
        self, partition: TopicPartition, offset: int | None, fallback: int | None = None
    ) -> int:
        """Read `partition` from `offset`; see `Source.seek`."""
        start = self._starts[partition]
        taken = position(self._edges(partition), start, offset, fallback)
        self._positions[partition] = taken
        if partition not in self._starting:
            # librdkafka refuses to seek where it does not fetch: after an error, or not yet.
            with explained(f"reading {partition}"):
                self._consumer.incremental_unassign([KafkaPartition(*partition)])
                self._consumer.incremental_assign([KafkaPartition(*partition, taken)])
        return taken

    def close(self) -> None:
        """Leave the group (a static member stays) without telling the listener.

        Leaving takes as long as it takes a broker to answer, so it may go on without the caller.
        """
        self._listener = None
        closing = Thread(target=self._consumer.close, name="kafka-close", daemon=True)
        closing.start()
        closing.join(CLOSE_TIMEOUT_MS / 1000)

    def membership(self, partitions: Iterable[TopicPartition]) -> Any | None:
        """Return what proves to the broker that `partitions` are this process's to commit.

        None when they may not be: without a member id the broker would accept any offset.
        """
        member = self._consumer.consumer_group_metadata()
        # Asked for after `member` was made: an id that is still the same was in it.
        member_id = self._consumer.memberid()
        owned = all(self._members.get(one) == member_id for one in partitions)
        return member if owned and member_id else None

    def committed(self, partition: TopicPartition) -> OffsetAndMetadata | None:
        """Return the committed offset with its metadata, None when there is none.

        While another worker's transaction holds an offset of this partition, the broker answers
        "unstable"; it ends or times out, and the client asks again until then.
        """
        patience_s = common.unstable_s(self._config)
        with explained(f"reading the committed offset of {partition}"):
            found = self._consumer.committed([KafkaPartition(*partition)], patience_s)[0]
            if found.error is not None:
                raise as_kafka_python(found.error)
        if found.offset == OFFSET_INVALID:
            return None
        return OffsetAndMetadata(found.offset, found.metadata or "", -1)

    def commit_offsets(self, offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        """Commit outside a transaction; raise kafka-python's errors."""
        named = [
            KafkaPartition(*partition, offset.offset, offset.metadata)
            for partition, offset in offsets.items()
        ]
        with raised_as_kafka_python():
            for one in self._consumer.commit(offsets=named, asynchronous=False):
                if one.error is not None:
                    raise as_kafka_python(one.error)

    def _take(self, n: int, timeout_s: float) -> None:
        # Not in one statement: a rebalance within `consume` may change the list.
        taken = self._consumer.consume(n, timeout_s) if n > 0 else []
        self._unsorted += taken

    def _on_assign(self, consumer: Consumer, assigned: Sequence[KafkaPartition]) -> None:
        partitions = names(assigned)
        listener = self._listener
        if listener is None or not partitions:
            return
        self._members.update(dict.fromkeys(partitions, consumer.memberid()))
        self._starting.update(partitions)
        try:
            listener.on_assign(partitions)
        finally:
            self._starting.clear()
        consumer.incremental_assign(
            [KafkaPartition(*one, self._positions[one]) for one in partitions]
        )

    def _on_revoke(self, _: Consumer, revoked: Sequence[KafkaPartition]) -> None:
        partitions = names(revoked)
        listener = self._listener
        if listener is None or not partitions:
            return
        try:
            let_go(listener, partitions, lambda one: self.membership([one]) is not None)
        finally:
            self._forget(partitions)

    def _on_lost(self, _: Consumer, lost: Sequence[KafkaPartition]) -> None:
        partitions = names(lost)
        if self._listener is None or not partitions:
            return
        try:
            self._listener.on_lost(partitions)
        finally:
            self._forget(partitions)

    def _forget(self, partitions: Sequence[TopicPartition]) -> None:
        for partition in partitions:
            self._members.pop(partition, None)
            self._positions.pop(partition, None)
        gone = set(partitions)
        self._unsorted = [
            one for one in self._unsorted if (one.topic(), one.partition()) not in gone
        ]

    def _batches(self, messages: Iterable[Any]) -> list[RecordBatch]:
        records: dict[tuple[str, int], list[Any]] = defaultdict(list)
        ends: dict[tuple[str, int], int] = {}
        failures: list[Any] = []
        for message in messages:
            if (error := message.error()) is None:
                records[message.topic(), message.partition()].append(message)
            elif error.name() == "_PARTITION_EOF":
                ends[message.topic(), message.partition()] = message.offset()
            else:
                failures.append(message)
        batches = []
        for partition, before in self._positions.items():
            taken = records[partition]
            last = taken[-1].offset() + 1 if taken else before
            after = max(last, ends.get(partition, last))
            self._positions[partition] = after
            if taken or after != before:
                batches.append(columns(partition, taken, after))
        for failure in failures:
            self._recover(failure)
        return batches

    def _recover(self, failure: Any) -> None:
        """Go on after an error that librdkafka or a seek recovers from; raise any other."""
        error = failure.error()
        if error.name() == "_AUTO_OFFSET_RESET":
            self._follow_retention(TopicPartition(failure.topic(), failure.partition()))
            return
        known = as_kafka_python(error)
        if error.name() != "_MAX_POLL_EXCEEDED" and not isinstance(known, RetriableError):
            raise translated(known, self._reading)
        log.warning("reading goes on", error=error.str())

    def _follow_retention(self, partition: TopicPartition) -> None:
        """Go on at the first record left when the input was deleted faster than it was read."""
        if (offset := self._positions.get(partition)) is None:
            return
        first = after_refusal(partition, self._edges(partition), offset)
        log.warning("records deleted unread", partition=str(partition), wanted=offset, taken=first)
        self._deleted[partition] = first - offset
        self.seek(partition, first)

    def _edges(self, partition: TopicPartition) -> Edges:
        one = KafkaPartition(*partition)
        with explained(f"asking for the offsets of {partition}"):
            return Edges(*self._consumer.get_watermark_offsets(one, self._request_s))

    def _lag(self) -> dict[TopicPartition, int]:
        ends = {
            one: self._consumer.get_watermark_offsets(KafkaPartition(*one), cached=True)[1]
            for one in self._positions
        }
        known = {one: end for one, end in ends.items() if end >= 0}
        return self._waiting.count(self._positions, known)

    def _stable(self, partition: TopicPartition) -> int | None:
        try:
            return self._consumer.get_watermark_offsets(KafkaPartition(*partition), ANSWER_S)[1]
        except KafkaException:
            return None


def names(partitions: Iterable[KafkaPartition]) -> list[TopicPartition]:
    """Return librdkafka's partitions as ours, in order."""
    return sorted(TopicPartition(one.topic, one.partition) for one in partitions)


def columns(partition: TopicPartition, records: Sequence[Any], next_offset: int) -> RecordBatch:
    """Return librdkafka's records as columns."""
    n = len(records)
    return RecordBatch(
        partition=partition,
        offsets=np.fromiter([record.offset() for record in records], np.int64, n),
        timestamps_ms=np.fromiter([record.timestamp()[1] for record in records], np.int64, n),
        keys=[record.key() for record in records],
        values=[record.value() for record in records],
        headers=[headers_of(record) for record in records],
        next_offset=next_offset,
    )


def headers_of(record: Any) -> Headers:
    """Return the headers, or `UNREADABLE` where a name is not UTF-8."""
    try:
        headers = HEADERS(record)
    except (UnicodeDecodeError, SystemError) as error:
        if not isinstance(error.__cause__ or error, UnicodeDecodeError):
            raise
        return UNREADABLE
    return without_nulls(headers) if headers else ()
