"""Kafka as source, sink and state store; the only importer of a Kafka client.

kafka-python does everything; with `kafka.client: confluent`, confluent-kafka reads and writes.
"""

from collections.abc import Callable
from typing import Protocol

from streamae.config import Config
from streamae.errors import ConfigError
from streamae.kafka.archive import KafkaArchive
from streamae.kafka.checks import checks
from streamae.kafka.client import GroupMember, Transactions
from streamae.kafka.faults import is_codec_missing
from streamae.kafka.labels import KafkaLabels
from streamae.kafka.letters import TopicSender
from streamae.kafka.offsets import GroupOffsets
from streamae.kafka.sink import AtLeastOnceSink, TransactionalSink
from streamae.kafka.source import KafkaSource
from streamae.kafka.state import TopicStore
from streamae.kafka.topics import (
    RequiredTopic,
    TopicState,
    check_topics,
    create_topics,
    existing_topics,
    required_topics,
)
from streamae.kafka.writer import Writer
from streamae.types import Sink, Source, StateStore

__all__ = [
    "AtLeastOnceSink",
    "GroupOffsets",
    "KafkaArchive",
    "KafkaLabels",
    "KafkaSource",
    "RequiredTopic",
    "TopicSender",
    "TopicState",
    "TopicStore",
    "TransactionalSink",
    "Writer",
    "check_topics",
    "checks",
    "connect",
    "create_topics",
    "existing_topics",
    "is_codec_missing",
    "required_topics",
]


class _Source(Source, GroupMember, Protocol):
    """What both clients' sources are."""


def connect(config: Config, store: StateStore | None = None) -> tuple[Source, Sink]:
    """Return source and sink, connected; snapshots go to `store`, or to the state topic.

    Raise `ConfigError` for a missing topic, `AuthenticationError` for refused credentials or a
    missing ACL, `UnreachableError` when no broker answers.
    """
    new_source, new_writer = _client(config)
    check_topics(config)
    source = new_source(config)
    try:
        exactly_once = config.delivery == "exactly_once"
        writer = new_writer(config, transactional=exactly_once)
    except BaseException:
        source.close()
        raise
    kind = TransactionalSink if exactly_once else AtLeastOnceSink
    return source, kind(config, source, writer, store or TopicStore(config, writer))


def _client(config: Config) -> tuple[Callable[..., _Source], Callable[..., Transactions]]:
    """Return what makes the source and the writer of the configured client."""
    if config.kafka.client == "kafka-python":
        return KafkaSource, Writer
    try:
        from streamae.kafka.confluent import (  # noqa: PLC0415 - an extra.
            ConfluentSource,
            ConfluentWriter,
        )
    except ModuleNotFoundError as error:
        advice = "`pip install 'streamae[confluent]'`"
        raise ConfigError(f"kafka.client: {error.name} is not installed: {advice}") from error
    return ConfluentSource, ConfluentWriter
