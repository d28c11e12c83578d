"""The topics a configuration needs: which are there, may be used, and can be made."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from kafka.errors import (
    NoError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)

from streamae.config import Config
from streamae.errors import AuthenticationError, ConfigError
from streamae.kafka.admin import opened_admin
from streamae.types import TopicPartition

DOING = "asking for topics"

EVER_MS = str(2**63 - 1)

GIB = 1 << 30

OUTPUT_CONFIGS = {
    # Event times are those of the input, however wrong its clocks are; brokers refuse what is more
    # than an hour ahead, and a refused dead letter would stop the daemon.
    "message.timestamp.type": "CreateTime",
    "message.timestamp.after.max.ms": EVER_MS,
    # Kafka's retention goes by these times too: with a limit of age, an alert about an old event is
    # gone minutes after it was written. Size bounds the topic instead, oldest offsets first.
    "retention.ms": "-1",
    "retention.bytes": str(GIB),
    # Only whole segments are deleted.
    "segment.bytes": str(GIB // 8),
}

SCORE_CONFIGS = {
    **OUTPUT_CONFIGS,
    # One per record, about 200 bytes: some hours of 5,000 records/s.
    "retention.bytes": str(8 * GIB),
}

DEAD_LETTER_CONFIGS = {
    **OUTPUT_CONFIGS,
    # A rejected record of the largest size that brokers accept by default, 1,048,588 bytes, comes
    # with headers of its own.
    "max.message.bytes": str(2 << 20),
}

STATE_CONFIGS = {
    "cleanup.policy": "compact",
    # Only closed segments are compacted: small ones keep the topic small.
    "segment.bytes": str(64 << 20),
    # A snapshot may be replaced while another worker reads it to take the partition over.
    "min.compaction.lag.ms": str(10 * 60 * 1000),
}


class RequiredTopic(NamedTuple):
    """A topic and what streamae does with it."""

    name: str
    purpose: str
    operations: frozenset[str]
    """ACL operations, as Kafka names them."""
    configs: Mapping[str, str]
    """Settings it is made with."""
    is_input: bool = False
    """Inputs are somebody else's: never made; the others get as many partitions as they have."""


class TopicState(NamedTuple):
    """What the brokers say about a topic."""

    partitions: int
    """0 when there is no such topic."""
    operations: frozenset[str] | None
    """What this user may do; None where the brokers do not say."""
    id: str = ""
    """A topic made anew has another one; empty where the brokers do not say."""


def required_topics(config: Config) -> list[RequiredTopic]:
    """Return the topics the configuration names, inputs first."""
    write = frozenset({"WRITE"})
    needed = [
        RequiredTopic(name, "input", frozenset({"READ"}), {}, is_input=True)
        for name in config.source.topics
    ]
    if config.labels.source is not None:
        labels = frozenset({"READ"})
        needed.append(RequiredTopic(config.labels.source, "labels", labels, {}, is_input=True))
    needed.append(RequiredTopic(config.output.alerts, "alerts", write, OUTPUT_CONFIGS))
    if config.output.scores is not None:
        needed.append(RequiredTopic(config.output.scores, "scores", write, SCORE_CONFIGS))
    rejected = config.output.dead_letters
    needed.append(RequiredTopic(rejected, "dead letters", write, DEAD_LETTER_CONFIGS))
    if config.state_store == "topic":
        both = frozenset({"READ", "WRITE"})
        needed.append(RequiredTopic(config.state.topic, "state", both, STATE_CONFIGS))
    return needed


def existing_topics(config: Config) -> dict[str, TopicState]:
    """Ask the brokers about the required topics; raise `AuthenticationError` where they refuse."""
    with opened_admin(config, DOING) as admin:
        return described(admin, [topic.name for topic in required_topics(config)])


def check_topics(config: Config) -> None:
    """Raise `ConfigError` or `AuthenticationError` for what would fail later."""
    found = existing_topics(config)
    for topic in required_topics(config):
        check_topic(topic, found[topic.name])


def check_topic(topic: RequiredTopic, state: TopicState) -> None:
    """Raise `ConfigError` for a topic that is not there, `AuthenticationError` without its ACLs."""
    if state.partitions == 0:
        remedy = "create it" if topic.is_input else "`streamae topics --create` makes it"
        raise ConfigError(f"there is no topic {topic.name} ({topic.purpose}): {remedy}")
    missing = topic.operations - (state.operations or topic.operations)
    if missing:
        names = " and ".join(sorted(missing))
        raise AuthenticationError(f"{topic.name} ({topic.purpose}): the ACL {names} is missing")


def create_topics(config: Config) -> list[str]:
    """Make the missing topics but the inputs; return their names."""
    with opened_admin(config, DOING) as admin:
        needed = required_topics(config)
        found = described(admin, [one.name for one in needed])
        absent = [one.name for one in needed if one.is_input and found[one.name].partitions == 0]
        if absent:
            raise ConfigError(f"there is no input topic {', '.join(absent)}: create it first")
        partitions = max(found[one.name].partitions for one in needed if one.is_input)
        wanted = {
            one.name: {"num_partitions": partitions, "configs": dict(one.configs)}
            for one in needed
            if found[one.name].partitions == 0
        }
        if wanted:
            admin.create_topics(wanted, wait_for_metadata=True)
        return list(wanted)


def counterpart(partition: TopicPartition, topic: str, n: int) -> TopicPartition:
    """Return which of the n partitions of `topic` is that of an input partition: so order is kept.

    What belongs to one input partition is in one partition, even where there are fewer.
    """
    return TopicPartition(topic, partition.partition % n)


def described(admin: Any, names: Sequence[str]) -> dict[str, TopicState]:
    """Return what the brokers say about topics; raise kafka-python's errors."""
    return {topic["name"]: _state(topic) for topic in admin.describe_topics(list(names))}


def _state(topic: Mapping[str, Any]) -> TopicState:
    error = for_code(topic["error_code"])
    if error is TopicAuthorizationFailedError:
        raise TopicAuthorizationFailedError({topic["name"]})
    if error not in (NoError, UnknownTopicOrPartitionError):
        raise error(topic["name"])
    operations = topic["authorized_operations"]
    return TopicState(
        partitions=len(topic["partitions"]),
        operations=frozenset(operations) if operations else None,
        id=str(topic["topic_id"]) if topic.get("topic_id") else "",
    )
