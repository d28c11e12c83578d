import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streamae.config import Config, KafkaConfig, OutputConfig, SourceConfig, StateConfig
from streamae.values import Duration
from tests.kafka.broker import Broker
from tests.kafka.cluster import Cluster

NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker(tmp_path_factory.mktemp("broker") / "kafka") as running:
        yield running


@pytest.fixture(scope="session")
def cluster(broker: Broker) -> Iterator[Cluster]:
    with Cluster(broker.bootstrap) as client:
        yield client


@pytest.fixture
def configured(broker: Broker, cluster: Cluster) -> Callable[..., Config]:
    """Return a maker of configurations with topics of their own, of so many partitions."""

    def make(partitions: int = 1, **kafka: Any) -> Config:
        config = named(broker.bootstrap, **kafka)
        topics = (config.source.topics[0], config.output.alerts, config.output.dead_letters)
        cluster.create(*topics, partitions=partitions)
        cluster.create(config.state.topic, partitions=partitions, compact=True)
        return config

    return make


def named(bootstrap: str, **kafka: Any) -> Config:
    """Return a configuration whose names no other test has."""
    name = f"t{next(NUMBERS)}"
    return Config(
        name=name,
        source=SourceConfig(kind="kafka", topics=(f"{name}.in",)),
        output=OutputConfig(alerts=f"{name}.alerts", dead_letters=f"{name}.rejected"),
        state=StateConfig(topic=f"{name}.state"),
        kafka=msgspec.structs.replace(
            KafkaConfig(bootstrap_servers=(bootstrap,), session_timeout=Duration(3)), **kafka
        ),
    )


def pytest_configure(config: pytest.Config) -> None:
    # kafka-python leaves sockets that were still connecting to the garbage collector.
    config.addinivalue_line("filterwarnings", "ignore:unclosed <socket:ResourceWarning")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.parent == here and "broker" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.kafka)
