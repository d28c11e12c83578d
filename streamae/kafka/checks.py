"""What the brokers say of a configuration, asked without writing and without joining the group."""

from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from typing import Any

from kafka import codec
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import (
    KafkaError,
    TopicAuthorizationFailedError,
    TransactionalIdNotFoundError,
)

from streamae.check import Check
from streamae.config import Config
from streamae.errors import StreamaeError
from streamae.kafka import settings
from streamae.kafka.admin import answer, group_offsets, opened_admin
from streamae.kafka.faults import translated
from streamae.kafka.identity import ANOTHER
from streamae.kafka.sink import input_id
from streamae.kafka.state import CHUNK_BYTES
from streamae.kafka.topics import (
    EVER_MS,
    RequiredTopic,
    check_topic,
    described,
    required_topics,
)
from streamae.terminal import counted

FRAMING_BYTES = 1024
"""Key, headers and framing of a chunk of a snapshot, generously."""

HEADERS_BYTES = 16 << 10
"""What a dead letter's own headers may add to the record, generously."""

POINTER_BYTES = 512
"""The text that names a snapshot beside the committed offset, with a long name of a topic."""

CODECS: Mapping[str, Callable[[], bool]] = {
    "lz4": codec.has_lz4,
    "snappy": codec.has_snappy,
    "zstd": codec.has_zstd,
}

Settings = Mapping[str, str]


def checks(config: Config) -> Iterator[Check]:
    """Ask the brokers about all that `run` needs of them.

    Raise `AuthenticationError` where they do not let this user in, and `UnreachableError` when none
    answers.
    """
    with opened_admin(config, "asking for what is configured") as admin:
        brokers = admin.describe_cluster()["brokers"]
        at = ", ".join(config.kafka.bootstrap_servers)
        yield Check("ok", "brokers", f"let in at {at}; {counted(len(brokers), 'broker')}")
        if config.kafka.client == "confluent" and find_spec("confluent_kafka") is None:
            advice = "confluent_kafka is not installed: `pip install 'streamae[confluent]'`"
            yield Check("fail", "kafka.client", advice)
        limits = _settings(admin, ConfigResourceType.BROKER, str(brokers[0]["broker_id"]))
        untold = [] if limits else ["the brokers"]
        topics: dict[str, Settings] = {}
        for topic in required_topics(config):
            found = _usable(admin, topic)
            yield found
            if found.verdict == "ok":
                topics[topic.name] = _settings(admin, ConfigResourceType.TOPIC, topic.name)
                yield from _topic(config, topic, topics[topic.name])
        yield from _dead_letters(config, topics)
        yield from _group(admin, config)
        yield from _made_anew(admin, config)
        yield from _limits(config, limits)
        untold += [name for name, told in topics.items() if not told]
        if untold:
            names = ", ".join(untold)
            yield Check(
                "warn", "settings", f"not checked, the ACL DescribeConfigs is missing: {names}"
            )


def _usable(admin: Any, topic: RequiredTopic) -> Check:
    needed = " and ".join(sorted(topic.operations))
    try:
        state = described(admin, [topic.name])[topic.name]
        check_topic(topic, state)
    except TopicAuthorizationFailedError:
        return Check("fail", topic.name, f"{topic.purpose}: the ACL {needed} is missing")
    except KafkaError as error:
        return Check("fail", topic.name, str(translated(error, topic.purpose)))
    except StreamaeError as error:
        return Check("fail", topic.name, str(error))
    untold = " (no ACLs told)" if state.operations is None else f", may {needed.lower()}"
    return Check(
        "ok", topic.name, f"{topic.purpose}, {counted(state.partitions, 'partition')}{untold}"
    )


def _topic(config: Config, topic: RequiredTopic, told: Settings) -> Iterator[Check]:
    """Say what in a topic's settings does not suit its purpose."""
    if not told:
        return
    compacted = "compact" in told["cleanup.policy"]
    if topic.purpose == "input":
        if compacted:
            text = (
                "is compacted: records that a restart learns again may be gone by then, so outputs"
                " are not the same in every run; set cleanup.policy=delete"
            )
            yield Check("warn", topic.name, text)
        yield from _codec(config, topic.name, told["compression.type"])
    elif topic.purpose == "state":
        if told["cleanup.policy"] != "compact":
            text = "cleanup.policy is not `compact`: a snapshot may be deleted while it is needed"
            yield Check("warn", topic.name, text)
        least = CHUNK_BYTES + FRAMING_BYTES
        if int(told["max.message.bytes"]) < least:
            text = f"max.message.bytes={told['max.message.bytes']}: snapshots need {least}"
            yield Check("fail", topic.name, text)
    elif not topic.is_input:
        yield from _event_times(topic, told)


def _codec(config: Config, name: str, compression: str) -> Iterator[Check]:
    """Say whether what the topic is compressed with can be read here."""
    readable = CODECS.get(compression, lambda: True)() or config.kafka.client == "confluent"
    if not readable:
        text = (
            f"compression.type={compression}, which kafka-python cannot read here: install its"
            f" package `kafka-python[{compression}]`, or use `kafka.client: confluent`"
        )
        yield Check("fail", name, text)


def _event_times(topic: RequiredTopic, told: Settings) -> Iterator[Check]:
    """Say what the broker would do to outputs about old events, or from clocks that are ahead."""
    after = "message.timestamp.after.max.ms"
    if told.get("message.timestamp.type") == "CreateTime" and told.get(after, EVER_MS) != EVER_MS:
        text = f"{after}={told[after]}: an event time further ahead would end the daemon (exit 78)"
        yield Check("warn", topic.name, f"{text}; set it to {EVER_MS}")
    if "delete" in told["cleanup.policy"] and int(told["retention.ms"]) >= 0:
        days = int(told["retention.ms"]) / 86_400_000
        text = f"retention.ms is {days:.3g} days, counted from the event: what is said about an"
        advice = "set retention.ms=-1 and retention.bytes"
        yield Check("warn", topic.name, f"{text} older one is deleted at once; {advice}")


def _dead_letters(config: Config, topics: Mapping[str, Settings]) -> Iterator[Check]:
    """Say whether the largest rejected record fits with the headers it gets."""
    room = topics.get(config.output.dead_letters, {}).get("max.message.bytes")
    for name in config.source.topics:
        largest = topics.get(name, {}).get("max.message.bytes")
        if room and largest and int(room) < int(largest) + HEADERS_BYTES:
            text = (
                f"max.message.bytes={room}: a rejected record of {name}, which takes {largest}"
                f" bytes, may not fit with its headers and would end the daemon (exit 78);"
                f" set it to {int(largest) + HEADERS_BYTES} or more"
            )
            yield Check("warn", config.output.dead_letters, text)


def _group(admin: Any, config: Config) -> Iterator[Check]:
    """Say whether this user may be a member of the group, and open its transactions."""
    group = settings.group(config)
    try:
        found = answer(lambda: admin.describe_groups([group])[group], config)
    except KafkaError as error:
        yield Check("fail", "group", str(translated(error, group)))
    else:
        operations, members = found["authorized_operations"], len(found["members"])
        if operations and "READ" not in operations:
            yield Check("fail", "group", f"{group}: the ACL READ is missing")
        else:
            yield Check("ok", "group", f"{group}, {counted(members, 'member')} now")
    if config.delivery == "exactly_once":
        yield _transactions(admin, config)


def _made_anew(admin: Any, config: Config) -> Iterator[Check]:
    """Say which input topics are not those that the group's offsets are of."""
    try:
        offsets = group_offsets(admin, config)
        found = described(admin, config.source.topics)
    except KafkaError:  # What is missing was said.
        return
    for topic in config.source.topics:
        read = {input_id(at) for one, at in offsets.items() if one.topic == topic} - {""}
        if found[topic].id and read - {found[topic].id}:
            yield Check("fail", topic, ANOTHER)


def _transactions(admin: Any, config: Config) -> Check:
    """Say whether the transactional id may be used; opening one would fence a running worker."""
    name = settings.transactional_id(config)
    try:
        answer(lambda: admin.describe_transactions([name]), config)
    except TransactionalIdNotFoundError:
        pass
    except KafkaError as error:
        return Check("fail", "transactions", str(translated(error, name)))
    prefix = name if config.kafka.instance else f"{settings.group(config)}-*"
    return Check("ok", "transactions", f"the id {prefix} may be described")


def _limits(config: Config, told: Settings) -> Iterator[Check]:
    """Compare timeouts and sizes with what the brokers accept."""
    if not told:
        return
    kafka = config.kafka
    session_ms = settings.milliseconds(kafka.session_timeout)
    least, most = (int(told[f"group.{edge}.session.timeout.ms"]) for edge in ("min", "max"))
    if not least <= session_ms <= most:
        text = f"{kafka.session_timeout:g} s, and the brokers take {least} to {most} ms"
        yield Check("fail", "kafka.session_timeout", text)
    most = int(told["transaction.max.timeout.ms"])
    if settings.milliseconds(kafka.transaction_timeout) > most:
        text = f"{kafka.transaction_timeout:g} s, and the brokers take at most {most} ms"
        yield Check("fail", "kafka.transaction_timeout", text)
    room = int(told["offset.metadata.max.bytes"])
    if room < POINTER_BYTES:
        text = f"offset.metadata.max.bytes={room}: what names a snapshot needs {POINTER_BYTES}"
        yield Check("fail", "brokers", text)


def _settings(admin: Any, kind: ConfigResourceType, name: str) -> Settings:
    """Return all settings of a topic or a broker; none when this user may not see them."""
    resource = ConfigResource(kind, name)
    found = admin.describe_configs([resource], config_filter="all")[kind.name.lower()][name]
    return {key: entry["value"] for key, entry in found.items()}
