"""Kafka as source, sink and state store, over kafka-python; the only importer of a Kafka client."""

from streamae.config import Config
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
    "KafkaSource",
    "RequiredTopic",
    "TopicState",
    "TopicStore",
    "TransactionalSink",
    "Writer",
    "check_topics",
    "connect",
    "create_topics",
    "existing_topics",
    "required_topics",
]


def connect(config: Config, store: StateStore | None = None) -> tuple[Source, Sink]:
    """Return source and sink, connected; snapshots go to `store`, or to the state topic.

    Raise `ConfigError` for a missing topic, `AuthenticationError` for refused credentials or a
    missing ACL, `UnreachableError` when no broker answers.
    """
    check_topics(config)
    source = KafkaSource(config)
    try:
        exactly_once = config.delivery == "exactly_once"
        writer = Writer(config, transactional=exactly_once)
    except BaseException:
        source.close()
        raise
    kind = TransactionalSink if exactly_once else AtLeastOnceSink
    return source, kind(config, source, writer, store or TopicStore(config, writer))
