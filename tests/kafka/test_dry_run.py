"""`dry-run` on a real broker: every finding is named, and nothing is changed by looking."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer
from kafka import TopicPartition as KafkaPartition
from kafka.admin import ConfigResource, ConfigResourceType

from streamae.check import Check
from streamae.config import Config, Duration
from streamae.dryrun import checks
from streamae.local import MemoryLog
from streamae.pipeline import Pipeline
from streamae.types import TopicPartition
from tests import streams
from tests.kafka.broker import Broker
from tests.kafka.cluster import Cluster, until
from tests.kafka.configs import named
from tests.kafka.worker import Member, commit

N = 600


@pytest.fixture
def config(broker: Broker, cluster: Cluster) -> Config:
    """Return a configuration that warms up within N records, with its topics."""
    quick = streams.config()
    named_ = named(broker.bootstrap)
    made = msgspec.structs.replace(named_, detector=quick.detector, alerting=quick.alerting)
    cluster.prepare(made)
    return made


def alter(cluster: Cluster, topic: str, settings: Mapping[str, Any]) -> None:
    resource = ConfigResource(ConfigResourceType.TOPIC, topic, settings)
    cluster.admin.alter_configs([resource])


def texts(found: Sequence[Check], verdict: str) -> list[str]:
    return [f"{check.subject}: {check.text}" for check in found if check.verdict == verdict]


def test_a_sound_configuration_says_what_a_run_would_do(cluster: Cluster, config: Config) -> None:
    (topic,) = config.source.topics
    cluster.write(topic, [*streams.values(N), b"{"])
    found = list(checks(config, N + 1))
    assert texts(found, "fail") == []
    said = texts(found, "ok") + texts(found, "warn")
    assert f"{topic}: input, 1 partition, may read" in said
    assert f"group: {config.name}, 0 members now" in said
    assert f"{topic}-0: 601 records from offset 0, 6 features: a, b, c, d, e, f" in said
    rejected = "1 of 601 records from offset 0 rejected: invalid_json, first at offset 600"
    assert any(line.startswith(f"{topic}-0: {rejected}") for line in said)
    # Records are 1 ms apart.
    assert any("the warm-up takes 320 records, 0.32 s at 1e+03 records/s" in one for one in said)
    assert any("alerts on 280 judged records" in line for line in said)
    assert sum("-0: alert at offset" in line for line in said) == 3
    for name in (config.output.alerts, config.output.dead_letters, config.state.topic):
        assert cluster.values(name) == []
    assert cluster.committed(config.name, topic) is None
    assert cluster.admin.describe_groups([config.name])[config.name]["members"] == []


def test_the_saved_state_is_gone_on_with(cluster: Cluster, config: Config) -> None:
    (topic,) = config.source.topics
    cluster.write(topic, streams.values(N))
    partition = TopicPartition(topic, 0)
    pipeline = Pipeline(config, partition, 0)
    pipeline.process(MemoryLog(streams.values(N)).read(partition, 0, 400))
    with Member(config) as member:
        member.poll_until(lambda m: m.owned == [partition])
        assert member.sink.commit(commit(partition, 400, snapshot=pipeline.snapshot()))
        found = list(checks(config, N))
    said = texts(found, "ok")
    assert f"group: {config.name}, 1 member now" in said
    assert f"{topic}-0: the saved state fits: 384 records learnt" in said
    assert any(f"{topic}-0: 200 records from offset 400" in line for line in said)
    assert f"{topic}-0: the warm-up is over" in said
    other = msgspec.structs.replace(config.detector, block_size=128)
    (failed,) = texts(checks_of(config, detector=other), "fail")
    assert failed.startswith(f"{topic}-0: the saved state of {topic}-0 does not fit")
    cluster.cut(topic, 500)
    warned = texts(list(checks(config, N)), "warn")
    assert any("begin empty; 100 records were deleted unread" in line for line in warned)


def test_a_topic_that_was_made_anew_is_named(cluster: Cluster, config: Config) -> None:
    (topic,) = config.source.topics
    cluster.write(topic, streams.values(1))
    with Member(config) as member:
        member.poll_until(lambda m: bool(m.owned))
        assert member.sink.commit(commit(TopicPartition(topic, 0), 1))
    assert texts(list(checks(config, N)), "fail") == []
    before = cluster.committed(config.name, topic)
    cluster.remake(topic)
    until(lambda: cluster.committed(config.name, topic) is None)
    cluster.admin.alter_group_offsets(config.name, {KafkaPartition(topic, 0): before})
    assert any(
        f"{topic}: is not the topic" in line for line in texts(list(checks(config, N)), "fail")
    )


def checks_of(config: Config, **changed: Any) -> list[Check]:
    return list(checks(msgspec.structs.replace(config, **changed), N))


def test_missing_topics_are_named_one_by_one(broker: Broker, cluster: Cluster) -> None:
    config = named(broker.bootstrap)
    failed = texts(list(checks(config, N)), "fail")
    assert len(failed) == 4
    assert failed[0].endswith("(input): create it")
    assert all(line.endswith("`streamae topics --create` makes it") for line in failed[1:])
    cluster.create(config.source.topics[0])
    found = list(checks(config, N))
    assert len(texts(found, "fail")) == 3
    assert f"{config.source.topics[0]}-0: holds no records to look at" in texts(found, "warn")


def test_settings_that_do_not_suit_are_named(cluster: Cluster, config: Config) -> None:
    alter(cluster, config.source.topics[0], {"cleanup.policy": "compact"})
    alter(cluster, config.output.alerts, {"retention.ms": "86400000"})
    alter(cluster, config.state.topic, {"max.message.bytes": "100000", "cleanup.policy": "delete"})
    kafka = msgspec.structs.replace(
        config.kafka, transaction_timeout=Duration(3600), session_timeout=Duration(0.5)
    )
    found = checks_of(config, kafka=kafka)
    (input_,) = config.source.topics
    warned = {line.partition(":")[0]: line for line in texts(found, "warn")}
    assert "is compacted" in warned[input_]
    assert "retention.ms is 1 days" in warned[config.output.alerts]
    assert "cleanup.policy" in warned[config.state.topic]
    assert "may not fit" in warned[config.output.dead_letters]
    failed = [line.partition(":")[0] for line in texts(found, "fail")]
    assert failed == [config.state.topic, "kafka.session_timeout", "kafka.transaction_timeout"]


def test_a_codec_that_cannot_be_read_is_named(
    broker: Broker, cluster: Cluster, config: Config
) -> None:
    (topic,) = config.source.topics
    producer = Producer({"bootstrap.servers": broker.bootstrap, "compression.type": "zstd"})
    for value in streams.values(10):
        producer.produce(topic, value * 20)
    producer.flush()
    (failed,) = texts(list(checks(config, N)), "fail")
    assert failed.startswith(f"{topic}-0: ")
    assert "codec whose Python package is not installed" in failed
    assert "zstd" in failed
    confluent = msgspec.structs.replace(config.kafka, client="confluent")
    found = checks_of(config, kafka=confluent)
    assert texts(found, "fail") == []
    assert any("a run can read it" in line for line in texts(found, "warn"))
    alter(cluster, topic, {"compression.type": "lz4"})
    (failed,) = texts(list(checks(config, N)), "fail")
    assert failed.startswith(f"{topic}: compression.type=lz4, which kafka-python cannot read")
