from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from streamae.config import Config, StateConfig
from streamae.errors import ConfigError, SnapshotError, TemporaryError
from streamae.kafka import identity, reading
from streamae.kafka.state import CHUNK_BYTES
from streamae.types import NO_TIMESTAMP, Commit, Output, TopicPartition
from tests.kafka.cluster import Cluster, until
from tests.kafka.worker import Member, alert, commit

Configured = Callable[..., Config]

SNAPSHOT = np.random.default_rng(1).bytes(5_000_000)


def started(config: Config) -> Member:
    member = Member(config)
    member.poll_until(lambda m: bool(m.owned))
    return member


@pytest.mark.parametrize("delivery", ["exactly_once", "at_least_once"])
def test_commit_shows_everything_and_comes_back(
    configured: Configured, cluster: Cluster, delivery: str
) -> None:
    config = msgspec.structs.replace(configured(), delivery=delivery)
    one = TopicPartition(config.source.topics[0], 0)
    cluster.write(one.topic, [b"r"] * 4)  # No member may read behind the end.
    with started(config) as member:
        assert member.committed[one] is None
        assert member.sink.commit(commit(one, 2, b"x", b"y", snapshot=SNAPSHOT))
        assert member.sink.commit(commit(one, 3, b"z"))
    assert cluster.values(config.output.alerts) == [b"x", b"y", b"z"]
    with started(config) as member:
        found = member.committed[one]
        assert found is not None
        assert found.offset == 3
        assert found.snapshot == SNAPSHOT
        assert member.sink.commit(commit(one, 4))  # The pointer read back is kept, too.
    with started(config) as member:
        again = member.committed[one]
        assert again is not None
        assert (again.offset, again.snapshot) == (4, SNAPSHOT)


def test_one_reader_restores_all_partitions(
    configured: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    open_reader = reading.open_reader

    def noted(config: Config, isolation: reading.Isolation) -> Any:
        opened.append(isolation)
        return open_reader(config, isolation)

    monkeypatch.setattr(reading, "open_reader", noted)
    config = configured(partitions=4)
    snapshots = {TopicPartition(config.source.topics[0], one): b"%d" % one for one in range(4)}
    with started(config) as member:
        assert member.sink.commit(Commit([], dict.fromkeys(snapshots, 0), snapshots))
    assert not opened
    with started(config) as member:
        found = {
            one: committed.snapshot for one, committed in member.committed.items() if committed
        }
        assert found == snapshots
        assert len(opened) == 1
        newer = {one: snapshot * CHUNK_BYTES for one, snapshot in snapshots.items()}
        assert member.sink.commit(Commit([], dict.fromkeys(newer, 0), newer))
        restored = {one: member.sink.committed(one) for one in newer}
        assert {one: back and back.snapshot for one, back in restored.items()} == newer
    assert len(opened) == 2


def test_newer_snapshot_replaces_the_pointer(configured: Configured, cluster: Cluster) -> None:
    config = configured()
    one = TopicPartition(config.source.topics[0], 0)
    cluster.write(one.topic, [b"r"] * 4)
    with started(config) as member:
        for number in range(4):
            assert member.sink.commit(commit(one, number, snapshot=b"%d" % number * CHUNK_BYTES))
    with started(config) as member:
        found = member.committed[one]
        assert found is not None
        assert found.snapshot == b"3" * CHUNK_BYTES


def test_outputs_keep_their_partition_time_and_headers(
    configured: Configured, cluster: Cluster
) -> None:
    config = configured(partitions=2)
    topic = config.source.topics[0]
    outputs = [
        alert(TopicPartition(topic, 3), b"odd", timestamp_ms=1234),
        alert(TopicPartition(topic, 2), b"even", timestamp_ms=NO_TIMESTAMP),
        Output("dead_letters", TopicPartition(topic, 0), None, None),
    ]
    with started(config) as member:
        assert member.sink.commit(Commit(outputs, {TopicPartition(topic, 0): 1}))
    even, odd = cluster.read(config.output.alerts)
    assert (even.partition, even.value, even.timestamp) == (0, b"even", NO_TIMESTAMP)
    assert (odd.partition, odd.value, odd.timestamp, odd.key) == (1, b"odd", 1234, b"key")
    assert odd.headers == [("content-type", b"application/json")]
    assert cluster.values(config.output.dead_letters) == [b""]


def test_an_undelivered_dead_letter_stops_the_commit(
    configured: Configured, cluster: Cluster
) -> None:
    config = configured()
    one = TopicPartition(config.source.topics[0], 0)
    huge = Output("dead_letters", one, b"k", bytes(2_000_000))
    with started(config) as member:
        assert member.sink.commit(commit(one, 1))
        with pytest.raises(ConfigError, match=r"max\.message\.bytes"):
            member.sink.commit(Commit([alert(one, b"small"), huge], {one: 2}))
    assert cluster.values(config.output.alerts) == []
    assert cluster.values(config.output.alerts, "read_uncommitted") == [b"small"]
    committed = cluster.committed(config.name, one.topic)
    assert committed is not None
    assert committed.offset == 1


@pytest.mark.parametrize("n", [1, 2])
def test_records_that_the_topic_refuses_are_named_whatever_is_sent_beside_them(
    configured: Configured, cluster: Cluster, n: int
) -> None:
    config = configured()
    one = TopicPartition(config.source.topics[0], 0)
    outputs = [alert(one, b"sound"), *[alert(one, b"ahead", timestamp_ms=4_000_000_000_000)] * n]
    with started(config) as member, pytest.raises(ConfigError, match=r"(?i)event time|timestamp"):
        member.sink.commit(Commit(outputs, {one: 1}))
    assert cluster.values(config.output.alerts) == []


@pytest.mark.parametrize("delivery", ["exactly_once", "at_least_once"])
def test_stale_member_commits_nothing_and_may_repeat(
    configured: Configured, cluster: Cluster, delivery: str
) -> None:
    config = msgspec.structs.replace(configured(), delivery=delivery)
    one = TopicPartition(config.source.topics[0], 0)
    with started(config) as member:
        cluster.expel(config.name)
        assert not member.sink.commit(commit(one, 1, b"x"))
        assert cluster.committed(config.name, one.topic) is None
        member.poll_until(lambda m: len(m.events) == 3)
        assert [kind for kind, _ in member.events] == ["assign", "lost", "assign"]
        assert member.sink.commit(commit(one, 1, b"x"))
    shown = cluster.values(config.output.alerts)
    assert shown == [b"x"] if delivery == "exactly_once" else set(shown) == {b"x"}


def test_offsets_of_an_aborted_commit_never_come_back(
    configured: Configured, cluster: Cluster
) -> None:
    config = configured(partitions=2)
    topic = config.source.topics[0]
    zero, one = TopicPartition(topic, 0), TopicPartition(topic, 1)
    with started(config) as member:
        cluster.expel(config.name)
        assert not member.sink.commit(commit(zero, 7))
        member.poll_until(lambda m: len(m.events) == 3)
        assert member.sink.commit(commit(one, 9))
    assert cluster.committed(config.name, topic, 0) is None
    committed = cluster.committed(config.name, topic, 1)
    assert committed is not None
    assert committed.offset == 9


def test_zombie_is_fenced_and_writes_nothing(configured: Configured, cluster: Cluster) -> None:
    config = configured(instance="a")
    one = TopicPartition(config.source.topics[0], 0)
    zombie = started(config)
    successor = Member(config)
    try:
        successor.poll_until(lambda m: bool(m.owned))
        with pytest.raises(TemporaryError):
            zombie.sink.commit(commit(one, 1, b"zombie"))
        assert successor.sink.commit(commit(one, 1, b"successor"))
    finally:
        zombie.close()
        successor.close()
    assert cluster.values(config.output.alerts) == [b"successor"]


@pytest.mark.parametrize("client", ["kafka-python"])  # For the other one see `test_confluent`.
def test_commit_without_an_answer_is_not_repeated(
    configured: Configured, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configured()
    one = TopicPartition(config.source.topics[0], 0)
    cluster.write(one.topic, [b"a"])
    with started(config) as member:
        producer = member.sink._writer._producer
        really_commit = producer.commit_transaction

        def commit_and_lose_the_answer() -> None:
            really_commit()
            lost = KafkaError("no answer")
            producer._transaction_manager.transition_to_fatal_error(lost)
            raise lost

        monkeypatch.setattr(producer, "commit_transaction", commit_and_lose_the_answer)
        with pytest.raises(TemporaryError):
            member.sink.commit(commit(one, 1, b"x"))
    with started(config) as member:
        found = member.committed[one]
        assert found is not None
        assert found.offset == 1
    assert cluster.values(config.output.alerts) == [b"x"]


def test_rewind_clears_the_snapshot(configured: Configured, cluster: Cluster) -> None:
    config = configured()
    one = TopicPartition(config.source.topics[0], 0)
    cluster.write(one.topic, [b"x"] * 5)
    with started(config) as member:
        assert member.sink.commit(commit(one, 5, snapshot=b"s"))
    cluster.admin.alter_group_offsets(config.name, {one: OffsetAndMetadata(2)})
    with started(config) as member:
        found = member.committed[one]
        assert found is not None
        assert (found.offset, found.snapshot) == (2, None)


def test_lost_snapshot_is_named(configured: Configured, cluster: Cluster) -> None:
    config = configured()
    cluster.create(f"{config.name}.kept")  # Not compacted: those brokers let nobody delete from.
    config = msgspec.structs.replace(config, state=StateConfig(topic=f"{config.name}.kept"))
    one = TopicPartition(config.source.topics[0], 0)
    with started(config) as member:
        assert member.sink.commit(commit(one, 0, snapshot=b"s"))
    cluster.cut(config.state.topic, 1)
    with Member(config) as member, pytest.raises(SnapshotError, match=config.state.topic):
        member.poll_until(lambda m: bool(m.owned))


@pytest.mark.parametrize("delivery", ["exactly_once", "at_least_once"])
def test_another_topic_of_the_same_name_is_not_gone_on_with(
    configured: Configured,
    cluster: Cluster,
    delivery: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(identity, "CHECK_S", 0.0)
    monkeypatch.setattr(identity, "FRESH_S", 0.0)
    config = msgspec.structs.replace(configured(), delivery=delivery)
    one = TopicPartition(config.source.topics[0], 0)
    cluster.write(one.topic, [b"r"] * 4)
    with started(config) as member:
        assert member.sink.commit(commit(one, 2, snapshot=b"state"))
        cluster.remake(one.topic)
        cluster.write(one.topic, [b"s"] * 9)
        until(lambda: cluster.committed(config.name, one.topic) is None)
        with pytest.raises(TemporaryError, match="was made anew under its name while it was read"):
            member.sink.commit(commit(one, 3, snapshot=b"newer"))
    refusal = "is not the topic that this group has read"
    with Member(config) as member, pytest.raises(SnapshotError, match=refusal):
        member.poll_until(lambda m: bool(m.owned))
