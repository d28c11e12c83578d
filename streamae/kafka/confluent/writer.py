"""The producer over librdkafka: records, transactions, and every failure of either."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, Message, Producer
from confluent_kafka import TopicPartition as KafkaPartition
from kafka import OffsetAndMetadata, errors

from streamae.config import Config
from streamae.errors import TemporaryError
from streamae.kafka import settings as common
from streamae.kafka.confluent import settings
from streamae.kafka.confluent.faults import (
    FAILURES,
    as_kafka_python,
    explained,
    opened,
    raised_as_kafka_python,
    reason,
)
from streamae.kafka.faults import telling
from streamae.types import NO_TIMESTAMP, Headers, TopicPartition


class Place(NamedTuple):
    """Where a record arrived."""

    offset: int


class Sent:
    """A record on its way; after `flush`, `value` says where it arrived or `error` why not."""

    __slots__ = ("error", "value")

    def __init__(self) -> None:
        self.value: Place | None = None
        self.error: KafkaError | None = None

    def delivered(self, error: KafkaError | None, message: Message) -> None:
        """Take librdkafka's report."""
        self.error = error
        self.value = Place(message.offset() or 0)


class ConfluentWriter:
    """Sends records to given partitions; `flush` raises for each one that was not delivered.

    Methods raise kafka-python's errors, except where another try could write twice.
    """

    def __init__(self, config: Config, *, transactional: bool) -> None:
        self._properties = settings.producer(config, transactional=transactional)
        self._transactional = transactional
        self._connect_s = float(config.kafka.connect_timeout)
        self._flush_s = common.flush_s(config)
        self._partitions: dict[str, int] = {}
        self._sent: list[Sent] = []
        self._open = False
        self.in_doubt = False
        """Whether the brokers were told to commit and nothing is known of what came of it."""
        self._producer = self._connected()

    def partitions(self, topic: str) -> int:
        """Return how many partitions `topic` had when this was first asked."""
        if topic not in self._partitions:
            with raised_as_kafka_python():
                found = self._producer.list_topics(topic, self._connect_s).topics[topic]
            if found.error is not None:
                raise as_kafka_python(found.error)
            self._partitions[topic] = len(found.partitions)
        return self._partitions[topic]

    def send(
        self,
        target: TopicPartition,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        timestamp_ms: int = NO_TIMESTAMP,
    ) -> Sent:
        """Queue a record; what is returned has its `value.offset` after `flush`.

        As with kafka-python, a record with neither key nor value gets an empty value. librdkafka
        takes 0 for "now", so the first millisecond of 1970 becomes the second.
        """
        sent = Sent()
        try:
            self._producer.produce(
                target.topic,
                value if key is not None or value is not None else b"",
                key,
                target.partition,
                on_delivery=sent.delivered,
                timestamp=timestamp_ms or 1,
                headers=list(headers),
            )
        except FAILURES as error:
            # Once a record failed, librdkafka takes no more of the transaction, for no reason.
            raise self._undelivered() or as_kafka_python(reason(error)) from None
        self._sent.append(sent)
        return sent

    def flush(self) -> None:
        """Wait until the brokers have every record; raise what the first failure was."""
        with raised_as_kafka_python():
            n_waiting = self._producer.flush(self._flush_s)
        failure = self._undelivered()
        self._sent.clear()
        if failure is not None:
            raise failure
        if n_waiting:
            raise errors.KafkaTimeoutError(f"{n_waiting} records not taken in {self._flush_s:g} s")

    def begin(self) -> None:
        """Open a transaction."""
        self._sent.clear()
        with raised_as_kafka_python():
            self._producer.begin_transaction()
        self._open = True

    def send_offsets(
        self, offsets: Mapping[TopicPartition, OffsetAndMetadata], member: Any
    ) -> None:
        """Make `offsets` part of the transaction; `member` lets the broker refuse a stale owner."""
        named = [
            KafkaPartition(*partition, offset.offset, offset.metadata)
            for partition, offset in offsets.items()
        ]
        with raised_as_kafka_python():
            self._producer.send_offsets_to_transaction(named, member, self._flush_s)

    def commit(self) -> None:
        """Commit; raise `TemporaryError` when it is not known whether the broker did.

        Only a restart finds out: it goes on from the offsets that are committed.
        """
        self.in_doubt = True
        try:
            self._producer.commit_transaction(self._flush_s)
        except FAILURES as raised:
            error = reason(raised)
            self.in_doubt = not error.txn_requires_abort()
            if self.in_doubt and not error.fatal():
                raise TemporaryError(f"committing: no answer ({error.str()})") from raised
            raise as_kafka_python(error) from None
        self.in_doubt = self._open = False

    def abort(self) -> None:
        """Take the transaction back, its offsets too; afterwards the writer is as new."""
        self._open = False
        with raised_as_kafka_python():
            self._producer.abort_transaction(self._flush_s)

    def renew(self) -> None:
        """Connect again after an error that ended the producer."""
        self._release()
        self._producer = self._connected()

    def close(self) -> None:
        """Give up an open transaction, so that readers do not wait for its timeout."""
        if self._open:
            with suppress(errors.KafkaError), raised_as_kafka_python():
                self._producer.abort_transaction(common.WRITER_CLOSE_S)
        self._release()

    def _undelivered(self) -> errors.KafkaError | None:
        """Return why records failed."""
        with raised_as_kafka_python():
            self._producer.poll(0)
        failures = (one.error for one in self._sent if one.error is not None)
        return telling(map(as_kafka_python, failures))

    def _connected(self) -> Producer:
        producer: Producer = opened(Producer, self._properties)
        if self._transactional:
            with explained("opening transactions"):
                producer.init_transactions(self._connect_s)
        return producer

    def _release(self) -> None:
        """Drop what is on its way: it belongs to no commit."""
        with suppress(*FAILURES):  # A fatal error, known by now, would be raised once more.
            self._producer.purge()
            self._producer.flush(common.WRITER_CLOSE_S)
