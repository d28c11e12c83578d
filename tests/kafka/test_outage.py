"""Brokers and workers that go away in the middle of something."""

import threading
import time
from collections.abc import Callable

import pytest
from kafka import KafkaProducer
from kafka import TopicPartition as KafkaPartition
from kafka.structs import OffsetAndMetadata

from streamae.config import Config, Duration
from streamae.types import Commit, TopicPartition
from tests.kafka.broker import Broker
from tests.kafka.cluster import Cluster, until
from tests.kafka.configs import named
from tests.kafka.conftest import Client
from tests.kafka.worker import Member, commit


@pytest.fixture
def config(fragile: Broker, client: Client) -> Config:
    config = named(fragile.bootstrap, client=client, transaction_timeout=Duration(4))
    with Cluster(fragile.bootstrap) as cluster:
        cluster.prepare(config)
    return config


def committed_at_last(member: Member, work: Commit) -> None:
    """Repeat a commit as a worker does, with polls in between."""
    for _ in range(200):
        if member.sink.commit(work):
            return
        member.poll()
    raise AssertionError("never committed")


@pytest.mark.slow
@pytest.mark.parametrize("outage_s", [0.0, 6.0], ids=["short", "longer than a transaction"])
@pytest.mark.parametrize("end", [Broker.stop, Broker.kill], ids=["stopped", "killed"])
def test_broker_goes_away_in_a_commit(
    fragile: Broker, config: Config, end: Callable[[Broker], None], outage_s: float
) -> None:
    one = TopicPartition(config.source.topics[0], 0)
    with Cluster(fragile.bootstrap) as cluster, Member(config) as member:
        cluster.write(one.topic, [b"a", b"b"])
        member.poll_until(lambda m: len(m.values()) == 2)
        assert member.sink.commit(commit(one, 1, b"x"))
        # A single broker killed before it marked a commit in the topics forgets to (Kafka 4.3.1).
        until(lambda: cluster.values(config.output.alerts) == [b"x"])
        end(fragile)
        restart = threading.Timer(outage_s, fragile.start)
        restart.start()
        committed_at_last(member, commit(one, 2, b"y", snapshot=bytes(1_000_000)))
        restart.join()
        cluster.write(one.topic, [b"c"])
        member.poll_until(lambda m: m.values()[-1:] == [b"c"])
        committed_at_last(member, commit(one, 3, b"z"))
        assert cluster.values(config.output.alerts) == [b"x", b"y", b"z"]


@pytest.mark.slow
def test_hung_broker_is_waited_for(fragile: Broker, config: Config) -> None:
    one = TopicPartition(config.source.topics[0], 0)
    with Member(config) as member:
        member.poll_until(lambda m: bool(m.owned))
        fragile.pause()
        threading.Timer(2.0, fragile.resume).start()
        committed_at_last(member, commit(one, 1, b"x"))
    with Cluster(fragile.bootstrap) as cluster:
        assert cluster.values(config.output.alerts) == [b"x"]


@pytest.mark.slow
def test_restore_waits_for_the_transaction_of_a_dead_worker(
    configured: Callable[..., Config], cluster: Cluster
) -> None:
    config = configured()
    one = TopicPartition(config.source.topics[0], 0)
    with Member(config) as member:
        member.poll_until(lambda m: bool(m.owned))
        assert member.sink.commit(commit(one, 0, snapshot=b"s"))
    dead = KafkaProducer(
        bootstrap_servers=cluster.bootstrap, transactional_id="dead", transaction_timeout_ms=2000
    )
    dead.init_transactions()
    dead.begin_transaction()
    dead.send_offsets_to_transaction({KafkaPartition(*one): OffsetAndMetadata(7)}, config.name)
    began = time.monotonic()
    with Member(config) as member:
        member.poll_until(lambda m: bool(m.owned))
        found = member.committed[one]
    dead.close(timeout=0)
    assert time.monotonic() - began > 1  # It did wait, or the transaction was not in the way.
    assert found is not None
    assert (found.offset, found.snapshot) == (0, b"s")
