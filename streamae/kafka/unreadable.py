"""Records that kafka-python cannot read: which, and what to do about it."""

from collections.abc import Mapping
from contextlib import closing

from kafka import KafkaConsumer
from kafka import TopicPartition as KafkaPartition
from kafka.errors import CorruptRecordError

from streamae.config import Config
from streamae.errors import ConfigError, StreamaeError, TemporaryError
from streamae.kafka import settings
from streamae.kafka.faults import connect
from streamae.types import TopicPartition

TRY_MS = 2000
"""For the first record of a partition that has some waiting."""


def named(
    error: CorruptRecordError, config: Config, positions: Mapping[TopicPartition, int]
) -> StreamaeError:
    """Return what to raise for kafka-python's `error`, which does not say where it happened.

    A batch is decoded from its first record on, so nothing behind one that cannot be decoded can be
    read: kafka-python (3.0.12) has no way over it but to lose the rest of the batch.
    """
    where = _where(config, positions)
    if isinstance(error.__context__, UnicodeDecodeError):
        return ConfigError(
            f"the name of a header is not UTF-8 at {where}, and kafka-python cannot read on:"
            " `kafka.client: confluent` can, and rejects the record as a dead letter"
        )
    return TemporaryError(f"reading the input at {where}: {error}")


def _where(config: Config, positions: Mapping[TopicPartition, int]) -> str:
    """Return the position, of those read from, at which another reader fails just as well."""
    keywords = settings.reader(config) | {"isolation_level": "read_committed"}
    with closing(connect(KafkaConsumer, keywords, config)) as reader:
        for partition, offset in positions.items():
            one = KafkaPartition(*partition)
            reader.assign([one])
            reader.seek(one, offset)
            try:
                reader.poll(TRY_MS, max_records=1)
            except CorruptRecordError:
                return f"{partition}, offset {offset}"
    return "an unknown position"
