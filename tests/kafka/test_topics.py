from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from streamae.config import Config, OutputConfig, StateConfig
from streamae.errors import ConfigError
from streamae.kafka import check_topics, connect, create_topics, existing_topics, required_topics
from tests.kafka.broker import Broker
from tests.kafka.cluster import Cluster, until
from tests.kafka.configs import named

Configured = Callable[..., Config]


def test_required_topics_follow_the_configuration() -> None:
    config = named("localhost:1")
    assert [topic.purpose for topic in required_topics(config)] == [
        "input",
        "alerts",
        "dead letters",
        "state",
    ]
    output = OutputConfig(alerts="a", scores="s", dead_letters="d")
    state = StateConfig(store="directory")
    config = msgspec.structs.replace(config, output=output, state=state)
    assert [topic.name for topic in required_topics(config)][1:] == ["a", "s", "d"]


def test_create_makes_what_is_missing_and_no_more(broker: Broker, cluster: Cluster) -> None:
    config = named(broker.bootstrap)
    cluster.create(config.source.topics[0], partitions=3)
    cluster.create(config.output.alerts, partitions=1)
    with pytest.raises(ConfigError, match=r"rejected.*--create"):
        check_topics(config)
    assert create_topics(config) == [config.output.dead_letters, config.state.topic]
    assert create_topics(config) == []
    check_topics(config)
    partitions = {name: state.partitions for name, state in existing_topics(config).items()}
    assert partitions == {
        config.source.topics[0]: 3,
        config.output.alerts: 1,
        config.output.dead_letters: 3,
        config.state.topic: 3,
    }


def test_state_is_compacted_and_event_times_are_free(broker: Broker, cluster: Cluster) -> None:
    config = named(broker.bootstrap)
    cluster.create(config.source.topics[0])
    create_topics(config)
    assert cluster.settings(config.state.topic)["cleanup.policy"] == "compact"
    alerts = cluster.settings(config.output.alerts)
    assert int(alerts["message.timestamp.after.max.ms"]) > 10**18


def test_inputs_are_never_made(broker: Broker) -> None:
    config = named(broker.bootstrap)
    with pytest.raises(ConfigError, match=config.source.topics[0]):
        create_topics(config)
    with pytest.raises(ConfigError, match=r"input\): create it"):
        connect(config)


@pytest.fixture
def cleaning(tmp_path: Path) -> Iterator[Broker]:
    """Start a broker that looks for what retention deletes all the time, not every 5 minutes."""
    often = {"log.retention.check.interval.ms": "200", "log.initial.task.delay.ms": "100"}
    with Broker(tmp_path / "kafka", properties=often) as running:
        yield running


@pytest.mark.slow
@pytest.mark.kafka
def test_outputs_about_old_events_stay(cleaning: Broker) -> None:
    config = named(cleaning.bootstrap)
    config = msgspec.structs.replace(
        config, output=msgspec.structs.replace(config.output, scores=f"{config.name}.scores")
    )
    outputs = (config.output.alerts, config.output.scores, config.output.dead_letters)
    with Cluster(cleaning.bootstrap) as cluster:
        cluster.create(config.source.topics[0])
        create_topics(config)
        cluster.admin.create_topics({"by-age": {"num_partitions": 1, "replication_factor": 1}})
        for topic in outputs:
            cluster.write(topic, [b"of 1970"])
        for _ in range(2):  # Between the first time and the second, every topic was looked at.
            cluster.write("by-age", [b"of 1970"])
            until(lambda: not cluster.values("by-age"))  # Kafka's default is a week.
        for topic in outputs:
            (record,) = cluster.read(topic)
            assert (record.value, record.timestamp) == (b"of 1970", 1000)
            assert int(cluster.settings(topic)["retention.bytes"]) >= 1 << 30
