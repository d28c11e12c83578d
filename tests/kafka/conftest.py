import gc
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args

import pytest

from streamae.config import Config
from tests.kafka.broker import Broker
from tests.kafka.cluster import Cluster
from tests.kafka.configs import named

Client = Literal["kafka-python", "confluent"]


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker(tmp_path_factory.mktemp("broker") / "kafka") as running:
        yield running


@pytest.fixture(scope="session")
def cluster(broker: Broker) -> Iterator[Cluster]:
    with Cluster(broker.bootstrap) as client:
        yield client


@pytest.fixture
def fragile(tmp_path: Path) -> Iterator[Broker]:
    """Start a broker for one test, to stop and kill."""
    with Broker(tmp_path / "kafka") as running:
        yield running


@pytest.fixture(params=get_args(Client))
def client(request: pytest.FixtureRequest) -> Client:
    """Run the test with every Kafka client."""
    chosen: Client = request.param
    return chosen


@pytest.fixture
def configured(broker: Broker, cluster: Cluster, client: Client) -> Callable[..., Config]:
    """Return a maker of configurations with topics of their own, of so many partitions."""

    def make(partitions: int = 1, **kafka: Any) -> Config:
        config = named(broker.bootstrap, client=client, **kafka)
        cluster.prepare(config, partitions)
        return config

    return make


def pytest_configure(config: pytest.Config) -> None:
    # kafka-python leaves the sockets of failed connections to the garbage collector.
    config.addinivalue_line("filterwarnings", "ignore:unclosed <s:ResourceWarning")


def pytest_sessionfinish() -> None:
    # When all is over pytest collects what is left, and this filter is gone.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.parent == here and {"broker", "fragile", "secured"} & set(
            getattr(item, "fixturenames", ())
        ):
            item.add_marker(pytest.mark.kafka)
