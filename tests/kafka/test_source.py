from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import numpy as np
import pytest
from kafka import KafkaProducer
from kafka import TopicPartition as KafkaPartition

from streamae.config import Config
from streamae.errors import SnapshotError, StreamaeError
from streamae.kafka.positions import Starts
from streamae.kafka.source import KafkaSource, without_nulls
from streamae.types import TopicPartition
from tests.kafka.cluster import Cluster
from tests.kafka.worker import Member, commit

Configured = Callable[..., Config]


def test_records_become_columns(configured: Configured, cluster: Cluster) -> None:
    config = configured()
    topic = config.source.topics[0]
    cluster.write(topic, [b"a", None, b""])
    producer = KafkaProducer(bootstrap_servers=cluster.bootstrap)
    producer.send(topic, b"d", headers=[("h", b"1")], partition=0, timestamp_ms=2000)
    producer.close()
    with Member(config) as member:
        member.poll_until(lambda m: len(m.values()) == 4)
        assert member.values() == [b"a", None, b"", b"d"]
        assert [key for batch in member.batches for key in batch.keys] == [b"0", b"1", b"2", None]
        assert list(np.concatenate([batch.offsets for batch in member.batches])) == [0, 1, 2, 3]
        times = np.concatenate([batch.timestamps_ms for batch in member.batches])
        assert list(times) == [1000, 1001, 1002, 2000]
        assert list(member.batches[-1].headers[-1]) == [("h", b"1")]
        assert member.batches[-1].next_offset == 4


def test_null_headers_are_read_as_empty_ones() -> None:
    assert without_nulls([("a", None), ("b", b"1")]) == [("a", b""), ("b", b"1")]


def test_max_poll_records_bounds_a_poll(configured: Configured, cluster: Cluster) -> None:
    config = configured()
    source = msgspec.structs.replace(config.source, max_poll_records=3)
    cluster.write(source.topics[0], [b"%d" % number for number in range(10)])
    with Member(msgspec.structs.replace(config, source=source)) as member:
        member.poll_until(lambda m: len(m.values()) == 10)
        assert max(map(len, member.batches)) == 3


def test_control_records_are_stepped_over(configured: Configured, cluster: Cluster) -> None:
    config = configured()
    topic = config.source.topics[0]
    with Member(config) as member:
        cluster.write_transaction(topic, [b"a", b"b"], commit=True)
        member.poll_until(lambda m: bool(m.batches) and m.batches[-1].next_offset == 3)
        assert member.values() == [b"a", b"b"]
        assert member.lag == {TopicPartition(topic, 0): 0}
        member.batches.clear()
        cluster.write_transaction(topic, [b"c"], commit=False)
        member.poll_until(lambda m: bool(m.batches) and m.batches[-1].next_offset == 5)
        assert member.values() == []
        assert member.lag == {TopicPartition(topic, 0): 0}


def test_lag_counts_what_waits(configured: Configured, cluster: Cluster) -> None:
    config = configured()
    one = TopicPartition(config.source.topics[0], 0)
    source = msgspec.structs.replace(config.source, max_poll_records=4)
    cluster.write(one.topic, [b"x"] * 10)
    with Member(msgspec.structs.replace(config, source=source)) as member:
        member.poll_until(lambda m: bool(m.batches))
        assert member.lag[one] == 10 - len(member.values())


def test_records_of_an_open_transaction_do_not_wait_for_the_reader(
    configured: Configured, cluster: Cluster
) -> None:
    config = configured()
    one = TopicPartition(config.source.topics[0], 0)
    cluster.write(one.topic, [b"a"])
    with Member(config) as member, cluster.open_transaction(one.topic, [b"b", b"c"]):
        member.poll_until(lambda m: m.values() == [b"a"] and m.lag[one] > 0)
        member.poll_until(lambda m: m.lag[one] == 0)
        cluster.write(one.topic, [b"d"])
        for _ in range(10):
            member.poll()
        assert member.lag[one] == 0
    with Member(config) as member:
        member.poll_until(lambda m: m.values() == [b"a", b"b", b"c", b"d"])


@pytest.mark.parametrize(("start", "first"), [("earliest", 2), ("latest", 5)])
def test_start_of_a_partition_never_committed(
    configured: Configured, cluster: Cluster, start: str, first: int
) -> None:
    config = configured()
    one = TopicPartition(config.source.topics[0], 0)
    cluster.write(one.topic, [b"x"] * 5)
    cluster.cut(one.topic, 2)
    source = msgspec.structs.replace(config.source, start=start)
    with Member(msgspec.structs.replace(config, source=source)) as member:
        member.poll_until(lambda m: bool(m.owned))
        assert member.source.seek(one, None) == first


def test_a_partition_that_is_added_begins_with_its_first_record(
    configured: Configured, cluster: Cluster
) -> None:
    config = configured()
    topic = config.source.topics[0]
    source = msgspec.structs.replace(config.source, start="latest")
    config = msgspec.structs.replace(config, source=source)
    old, new = TopicPartition(topic, 0), TopicPartition(topic, 1)
    cluster.write(topic, [b"0"] * 3)
    running = Starts(config)
    with Member(config) as member:
        member.poll_until(lambda m: bool(m.owned))
        assert member.source.seek(old, None) == 3
        assert member.sink.commit(commit(old, 3))
    cluster.admin.create_partitions({topic: 2})
    cluster.write(topic, [b"1"] * 5, partition=1)
    assert (running[old], running[new]) == ("latest", "earliest")
    with Member(config) as member:
        member.poll_until(lambda m: m.values(new) == [b"1"] * 5)


def test_seek_goes_no_further_back_than_the_log(configured: Configured, cluster: Cluster) -> None:
    config = configured()
    one = TopicPartition(config.source.topics[0], 0)
    cluster.write(one.topic, [b"%d" % number for number in range(8)])
    cluster.cut(one.topic, 3)
    with Member(config) as member:
        member.poll_until(lambda m: bool(m.owned))
        assert member.source.seek(one, 4) == 4
        assert member.source.seek(one, 1) == 3
        assert member.source.seek(one, 1, fallback=2) == 3
        assert member.source.seek(one, 1, fallback=6) == 6
        member.batches.clear()
        member.poll_until(lambda m: len(m.values()) == 2)
        assert member.values() == [b"6", b"7"]


def wind_back(source: Any, one: TopicPartition) -> None:
    """Have the source read from the first offset, as if retention came between two polls."""
    if isinstance(source, KafkaSource):
        source._consumer.seek(KafkaPartition(*one), 0)
    source._positions[one] = 0


def test_reading_goes_on_behind_deleted_records(
    configured: Configured, cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    config = configured()
    one = TopicPartition(config.source.topics[0], 0)
    cluster.write(one.topic, [b"%d" % number for number in range(6)])
    cluster.cut(one.topic, 4)
    with Member(config) as member:
        member.on_assigned = lambda: wind_back(member.source, one)
        member.poll_until(lambda m: len(m.values()) == 2)
        assert member.values() == [b"4", b"5"]
        assert member.deleted == {one: 4}
    (told,) = (log for log in caplog.records if log.getMessage() == "records deleted unread")
    fields = {"partition": str(one), "wanted": 0, "taken": 4}
    assert vars(told)["streamae_fields"] == fields


def test_an_offset_beyond_the_log_is_an_error(configured: Configured, cluster: Cluster) -> None:
    config = configured()
    one = TopicPartition(config.source.topics[0], 0)
    with Member(config) as member:
        member.poll_until(lambda m: bool(m.owned))
        member.source.seek(one, 100)
        with pytest.raises(SnapshotError, match="ends at offset 0, before offset 100"):
            member.poll_until(lambda m: bool(m.batches))


def test_partitions_move_with_what_was_committed(configured: Configured, cluster: Cluster) -> None:
    config = configured(partitions=4)
    topic = config.source.topics[0]
    for partition in range(4):
        cluster.write(topic, [b"%d-%d" % (partition, number) for number in range(5)], partition)
    with Member(config) as first:
        first.poll_until(lambda m: len(m.values()) == 20)
        offsets = dict.fromkeys(first.owned, 5)

        def commit_all() -> None:
            assert all(first.sink.commit(commit(one, offset)) for one, offset in offsets.items())

        first.on_revoked = commit_all
        with Member(config) as second:
            second.poll_until(lambda m: len(m.owned) == 2 and len(first.owned) == 2, first)
            assert sorted(first.owned + second.owned) == sorted(offsets)
            assert [kind for kind, _ in first.events] == ["assign", "revoke"]
            for found in second.committed.values():
                assert found is not None
                assert found.offset == 5
            assert second.values() == []


@pytest.mark.parametrize("client", ["kafka-python"])  # The other one loses it in time.
def test_a_kept_partition_of_an_expelled_member_is_restored(configured: Configured) -> None:
    config = configured()
    one = TopicPartition(config.source.topics[0], 0)
    with Member(config) as member:
        member.poll_until(lambda m: bool(m.owned))
        member.source._members[one] = "who this process was before"
        assert not member.sink.commit(commit(one, 1))
        member.poll()
        assert [kind for kind, _ in member.events] == ["assign", "lost", "assign"]
        assert member.sink.commit(commit(one, 1))


@pytest.mark.parametrize("client", ["kafka-python"])
def test_what_was_polled_before_a_kept_partition_was_restored_comes_once_more_and_not_first(
    configured: Configured, cluster: Cluster
) -> None:
    config = configured()
    source = msgspec.structs.replace(config.source, max_poll_records=4)
    one = TopicPartition(source.topics[0], 0)
    cluster.write(one.topic, numbers := [b"%d" % number for number in range(10)])
    with Member(msgspec.structs.replace(config, source=source)) as member:
        member.poll_until(lambda m: len(m.values()) == 4)
        member.source._members[one] = "who this process was before"
        member.batches.clear()
        member.poll_until(lambda m: len(m.values()) >= 10)
        assert [kind for kind, _ in member.events] == ["assign", "lost", "assign"]
        assert member.values() == numbers
        assert [batch.next_offset for batch in member.batches if len(batch)][-1] == 10


def test_an_error_of_the_listener_comes_out_of_poll(configured: Configured) -> None:
    class Broken(Member):
        def on_assign(self, partitions: Iterable[TopicPartition]) -> None:  # noqa: ARG002
            raise StreamaeError("cannot restore")

    with Broken(configured()) as member, pytest.raises(StreamaeError, match="cannot restore"):
        member.poll_until(lambda m: bool(m.owned))


def test_close_tells_the_listener_nothing(configured: Configured) -> None:
    member = Member(configured())
    member.poll_until(lambda m: bool(m.owned))
    member.close()
    assert [kind for kind, _ in member.events] == ["assign"]
