"""The input: a member of the consumer group that polls columns and reports rebalances."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from operator import attrgetter
from queue import SimpleQueue
from typing import Any, NamedTuple

import numpy as np
from kafka import KafkaConsumer, OffsetAndMetadata
from kafka import TopicPartition as KafkaPartition
from kafka.errors import CorruptRecordError, KafkaError, OffsetOutOfRangeError

from streamae.config import Config
from streamae.kafka import settings, unreadable
from streamae.kafka.faults import connect, translated
from streamae.kafka.lag import ANSWER_S, Lag
from streamae.kafka.positions import Starts, after_refusal, position
from streamae.kafka.reading import committed, edges
from streamae.kafka.rebalances import Rebalance, Rebalances, let_go
from streamae.log import Logger
from streamae.types import AssignmentListener, Headers, Poll, RecordBatch, TopicPartition

log = Logger(__name__)

CLOSE_TIMEOUT_MS = 5000
"""Leaving the group is a courtesy; a broker that does not answer must not hold up an exit."""


class Finished(NamedTuple):
    """The poll on the other thread came back."""

    polled: Future[Any]


class KafkaSource:
    """Reads `source.topics` as a member of the consumer group.

    kafka-python calls rebalance listeners on its I/O thread, which must not block, while ours
    commits, restores and seeks. So polls run on a second thread, and the caller of `poll` waits for
    what comes first, a rebalance or the records: the listener runs on the caller's thread, and
    heartbeats go on meanwhile.

    A partition is this process's only under the member id it was assigned to. kafka-python rejoins
    with a new id after being expelled in the middle of a rebalance and then reports neither a loss
    nor an assignment; `poll` notices, and `membership` refuses commits until then.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._consumer = connect(KafkaConsumer, settings.consumer(config), config)
        self._polls = ThreadPoolExecutor(1, thread_name_prefix="kafka-poll")
        self._happened: SimpleQueue[Rebalance | Finished] = SimpleQueue()
        self._listener: AssignmentListener | None = None
        self._members: dict[TopicPartition, str] = {}
        self._positions: dict[TopicPartition, int] = {}
        self._deleted: dict[TopicPartition, int] = {}
        self._waiting = Lag(self._stable)
        self._request_ms = settings.milliseconds(config.kafka.connect_timeout)

    def start(self, listener: AssignmentListener) -> None:
        """Join the group with the next poll."""
        self._starts = Starts(self._config)
        self._listener = listener
        topics = list(self._config.source.topics)
        self._consumer.subscribe(topics=topics, listener=Rebalances(self._announce))
        # kafka-python 3.0.12 forgets to ask for the topics while another metadata request is on its
        # way, and a leader that joins without them assigns nothing for 5 minutes. This asks again.
        for topic in topics:
            self._consumer.partitions_for_topic(topic)

    def poll(self, timeout_s: float) -> Poll:
        """Return one batch per partition that got anywhere.

        A batch without records steps over control records, or over records a compaction or an
        abort removed: its `next_offset` is what remains to be committed.
        """
        polled = self._polls.submit(self._consumer.poll, settings.milliseconds(timeout_s))
        polled.add_done_callback(lambda done: self._happened.put(Finished(done)))
        failure: Exception | None = None
        while isinstance(event := self._happened.get(), Rebalance):
            failure = self._report(event) or failure
        if failure is not None:
            raise failure
        records = self._records(event.polled)
        self._reassign_strangers()
        batches = self._batches(records)
        deleted, self._deleted = self._deleted, {}
        return Poll(batches=batches, lag=self._lag(), deleted=deleted)

    def seek(
        self, partition: TopicPartition, offset: int | None, fallback: int | None = None
    ) -> int:
        """Read `partition` from `offset`; see `Source.seek`."""
        start = self._starts[partition]
        taken = position(edges(self._consumer, partition, self._config), start, offset, fallback)
        self._consumer.seek(KafkaPartition(*partition), taken)
        self._positions[partition] = taken
        return taken

    def close(self) -> None:
        """Leave the group (a static member stays) without telling the listener."""
        self._listener = None
        try:
            self._consumer.close(autocommit=False, timeout_ms=CLOSE_TIMEOUT_MS)
        finally:
            self._polls.shutdown(wait=False, cancel_futures=True)

    def membership(self, partitions: Iterable[TopicPartition]) -> Any | None:
        """Return what proves to the broker that `partitions` are this process's to commit.

        None when they may not be: without a member id the broker would accept any offset.
        """
        member = self._consumer.group_metadata()
        owned = all(self._members.get(one) == member.member_id for one in partitions)
        return member if owned and member.generation_id >= 0 else None

    def committed(self, partition: TopicPartition) -> OffsetAndMetadata | None:
        """Return the committed offset with its metadata, None when there is none.

        While another worker's transaction holds an offset of this partition, the broker answers
        "unstable"; it ends or times out, and the client asks again until then.
        """
        return committed(self._consumer, partition, self._config)

    def commit_offsets(self, offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        """Commit outside a transaction; raise kafka-python's errors."""
        named = {KafkaPartition(*partition): offset for partition, offset in offsets.items()}
        self._consumer.commit(named, timeout_ms=self._request_ms)

    def _announce(self, event: Rebalance) -> None:
        """Queue a rebalance for `poll`; nobody polls any more once `close` has begun."""
        if self._listener is None:
            event.handled.success(None)
        else:
            self._happened.put(event)

    def _report(self, event: Rebalance) -> Exception | None:
        """Tell the listener; return what it raised, once the poll under way may go on."""
        try:
            self._tell(event)
        except Exception as error:  # noqa: BLE001  Raised again by `poll`, which has to end first.
            return error
        finally:
            event.handled.success(None)
            # The I/O thread sleeps in `select`; any call wakes it up, and this one does no more.
            self._consumer.bootstrap(refresh=False)
        return None

    def _tell(self, event: Rebalance) -> None:
        listener = self._listener
        if listener is None:
            return
        partitions = sorted(event.partitions)
        if event.kind == "assigned":
            self._assign(partitions, listener)
            return
        revoked = event.kind == "revoked"
        try:
            let_go(listener, partitions, lambda one: revoked and self.membership([one]) is not None)
        finally:
            self._forget(partitions)

    def _assign(self, partitions: Sequence[TopicPartition], listener: AssignmentListener) -> None:
        member_id = self._consumer.group_metadata().member_id
        self._members.update(dict.fromkeys(partitions, member_id))
        listener.on_assign(partitions)

    def _forget(self, partitions: Iterable[TopicPartition]) -> None:
        for partition in partitions:
            self._members.pop(partition, None)
            self._positions.pop(partition, None)

    def _reassign_strangers(self) -> None:
        """Lose and take again what was kept under a member id that is no longer this process's."""
        member = self._consumer.group_metadata()
        if self._listener is None or member.generation_id < 0:
            return
        strangers = sorted(
            partition for partition, owner in self._members.items() if owner != member.member_id
        )
        if strangers:
            names = [str(one) for one in strangers]
            log.warning("expelled from the group and back in, restoring", partitions=names)
            self._forget(strangers)
            self._listener.on_lost(strangers)
            self._assign(strangers, self._listener)

    def _records(self, polled: Future[Any]) -> Mapping[KafkaPartition, Sequence[Any]]:
        try:
            records: Mapping[KafkaPartition, Sequence[Any]] = polled.result()
        except OffsetOutOfRangeError as error:
            self._follow_retention(error.args[0])
            return {}
        except CorruptRecordError as error:
            raise unreadable.named(error, self._config, self._positions) from error
        except KafkaError as error:
            raise translated(error, "reading the input") from error
        return records

    def _follow_retention(self, wanted: Mapping[KafkaPartition, int]) -> None:
        """Go on at the first record left when the input was deleted faster than it was read."""
        for partition, offset in wanted.items():
            name = TopicPartition(*partition)
            first = after_refusal(name, edges(self._consumer, name, self._config), offset)
            log.warning("records deleted unread", partition=str(name), wanted=offset, taken=first)
            self._deleted[name] = first - offset
            self.seek(name, first)

    def _batches(self, records: Mapping[KafkaPartition, Sequence[Any]]) -> list[RecordBatch]:
        batches = []
        for partition, before in self._positions.items():
            taken = records.get(KafkaPartition(*partition), ())
            after = self._position(partition)
            if taken and taken[-1].offset >= after:  # Polled before `seek` went back.
                taken = ()
            self._positions[partition] = after
            if taken or after != before:
                batches.append(columns(partition, taken, after))
        return batches

    def _position(self, partition: TopicPartition) -> int:
        try:
            known = self._consumer.position(KafkaPartition(*partition), timeout_ms=self._request_ms)
        except KafkaError as error:
            raise translated(error, f"reading {partition}") from error
        return self._positions[partition] if known is None else int(known)

    def _lag(self) -> dict[TopicPartition, int]:
        ends = {one: self._consumer.highwater(KafkaPartition(*one)) for one in self._positions}
        known = {one: end for one, end in ends.items() if end is not None}
        return self._waiting.count(self._positions, known)

    def _stable(self, partition: TopicPartition) -> int | None:
        one, timeout_ms = KafkaPartition(*partition), settings.milliseconds(ANSWER_S)
        try:
            return int(self._consumer.end_offsets([one], timeout_ms=timeout_ms)[one])
        except KafkaError:
            return None


def columns(partition: TopicPartition, records: Sequence[Any], next_offset: int) -> RecordBatch:
    """Return kafka-python's records as columns; 0.2 us per record beside the 6 us of reading it."""
    n = len(records)
    return RecordBatch(
        partition=partition,
        offsets=np.fromiter(map(attrgetter("offset"), records), np.int64, n),
        timestamps_ms=np.fromiter(map(attrgetter("timestamp"), records), np.int64, n),
        keys=[record.key for record in records],
        values=[record.value for record in records],
        headers=[record.headers and without_nulls(record.headers) for record in records],
        next_offset=next_offset,
    )


def without_nulls(headers: Sequence[tuple[str, bytes | None]]) -> Headers:
    """Return headers with null values as empty ones; kafka-python reads but cannot write null."""
    return [(name, value or b"") for name, value in headers]
