"""The producer: records, transactions, and every failure of either."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec
from kafka import KafkaProducer, OffsetAndMetadata
from kafka import TopicPartition as KafkaPartition
from kafka.errors import KafkaError

from streamae.config import Config
from streamae.kafka import settings
from streamae.kafka.faults import connect, telling, translated
from streamae.types import NO_TIMESTAMP, Headers, TopicPartition


class Writer:
    """Sends records to given partitions; `flush` raises for each one that was not delivered.

    Methods raise kafka-python's errors: only the sinks know which of them can be tried again.
    """

    def __init__(self, config: Config, *, transactional: bool) -> None:
        self._config = config
        self._settings = settings.producer(config, transactional=transactional)
        self._transactional = transactional
        self._flush_s = settings.flush_s(config)
        self._partitions: dict[str, int] = {}
        self._sent: list[Any] = []
        self._open = False
        self.in_doubt = False
        """Whether the brokers were told to commit and nothing is known of what came of it."""
        self._producer = self._connected()

    def partitions(self, topic: str) -> int:
        """Return how many partitions `topic` had when this was first asked."""
        if topic not in self._partitions:
            self._partitions[topic] = len(self._producer.partitions_for(topic))
        return self._partitions[topic]

    def send(
        self,
        target: TopicPartition,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        timestamp_ms: int = NO_TIMESTAMP,
    ) -> Any:
        """Queue a record; return the future of its offset, done after `flush`.

        A record with neither key nor value, which kafka-python refuses, gets an empty value.
        """
        sent = self._producer.send(
            target.topic,
            value if key is not None or value is not None else b"",
            key,
            list(headers),
            target.partition,
            timestamp_ms,
        )
        self._sent.append(sent)
        return sent

    def flush(self) -> None:
        """Wait until the brokers have every record; raise why one failed."""
        self._producer.flush(self._flush_s)
        sent, self._sent = self._sent, []
        failure = telling(future.exception for future in sent if future.failed())
        if failure is not None:
            raise failure

    def begin(self) -> None:
        """Open a transaction."""
        self._sent.clear()
        self._producer.begin_transaction()
        self._open = True

    def send_offsets(
        self, offsets: Mapping[TopicPartition, OffsetAndMetadata], member: Any
    ) -> None:
        """Make `offsets` part of the transaction; `member` lets the broker refuse a stale owner."""
        named = {KafkaPartition(*partition): offset for partition, offset in offsets.items()}
        self._producer.send_offsets_to_transaction(named, member)

    def commit(self) -> None:
        """Make everything since `begin` visible; `in_doubt` when no answer came."""
        self.in_doubt = True
        self._producer.commit_transaction()
        self.in_doubt = self._open = False

    def abort(self) -> None:
        """Take the transaction back; afterwards the writer is as new.

        The producer is replaced: kafka-python 3.0.12 keeps offsets whose transaction was aborted
        and adds them to the next one, even those of partitions that moved to another worker.
        """
        self._open = False
        try:
            self._producer.abort_transaction()
        finally:
            self._release(self._producer)
        self._producer = self._connected()
        self.in_doubt = False

    def renew(self) -> None:
        """Connect again after an error that ended the producer."""
        self._producer = self._connected()

    def close(self) -> None:
        """Give up an open transaction, so that readers do not wait for its timeout."""
        if self._open:
            with suppress(KafkaError):
                self._producer.abort_transaction()
        self._release(self._producer)

    def _connected(self) -> Any:
        producer = connect(KafkaProducer, self._settings, self._config)
        if self._transactional:
            try:
                producer.init_transactions()
            except KafkaError as error:
                self._release(producer)
                raise translated(error, "opening transactions") from error
        return producer

    def _release(self, producer: Any) -> None:
        with suppress(KafkaError):  # Records that are still on their way belong to no commit.
            producer.close(timeout=settings.WRITER_CLOSE_S)


def alone(config: Config, verb: str) -> Writer:
    """Return a writer that ends the one that was opened before for the same verb, if there is one.

    Without transactions, as `delivery: at_least_once` has it, there may be several.
    """
    kafka = msgspec.structs.replace(config.kafka, instance=verb.replace(" ", "-"))
    named = msgspec.structs.replace(config, kafka=kafka)
    return Writer(named, transactional=config.delivery == "exactly_once")
