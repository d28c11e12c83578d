import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from streamae.archive import open_archive
from streamae.config import Config, Duration
from streamae.errors import ConfigError, StreamaeError
from streamae.kafka import KafkaArchive
from streamae.kafka.state import CHUNK_BYTES
from streamae.local import DirectoryStore
from streamae.types import Commit, Edges, Output, TopicPartition
from tests.archives import CHECKS, TIMES_MS, Kept, alert
from tests.kafka.broker import Broker
from tests.kafka.cluster import Cluster
from tests.kafka.configs import named
from tests.kafka.worker import Member

VALUES = [b"%d" % time_ms for time_ms in TIMES_MS]


@pytest.fixture
def config(broker: Broker, cluster: Cluster) -> Config:
    made = named(broker.bootstrap, connect_timeout=Duration(10))
    cluster.prepare(made)
    cluster.write(made.source.topics[0], VALUES)
    return made


@pytest.fixture
def kept(config: Config) -> Iterator[Kept]:
    """Return an archive beside a worker at work."""
    archive = KafkaArchive(config)
    partition = TopicPartition(config.source.topics[0], 0)
    with Member(config) as member:
        member.poll_until(lambda one: one.owned == [partition])
        yield Kept(archive, partition, VALUES, member.sink.commit)
        member.poll()
        assert member.owned == [partition], "the archive disturbed the group"
    archive.close()


@pytest.mark.kafka
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(kept: Kept, check: Callable[[Kept], None]) -> None:
    check(kept)


@pytest.mark.kafka
def test_event_times_are_those_of_the_configured_field(cluster: Cluster, config: Config) -> None:
    record = msgspec.structs.replace(config.record, timestamp_field="at")
    config = msgspec.structs.replace(config, record=record)
    topic, first = config.source.topics[0], len(VALUES)
    cluster.write(topic, [b'{"a": 1, "at": %d}' % (1000 * at) for at in range(10)])
    archive = KafkaArchive(config)
    partition = TopicPartition(topic, 0)
    assert [archive.offset_at(partition, 1000 * at - 5) for at in (0, 7, 12)] == [
        first,
        first + 7,
        first + 10,
    ]
    archive.close()


@pytest.mark.kafka
def test_what_is_broken_off_does_not_hold_up_the_end(config: Config) -> None:
    servers, topic = config.kafka.bootstrap_servers[0], config.source.topics[0]
    code = f"""
from streamae.config import Config, KafkaConfig, SourceConfig
from streamae.kafka import KafkaArchive
from streamae.types import TopicPartition
config = Config(
    source=SourceConfig(kind="kafka", topics=("{topic}",)),
    kafka=KafkaConfig(bootstrap_servers=("{servers}",)),
)
archive = KafkaArchive(config)
records = archive.records(TopicPartition("{topic}", 0), 0, {len(VALUES)})
print(next(records).next_offset)
archive.close()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == f"{len(VALUES)}\n"


@pytest.mark.kafka
def test_only_what_is_committed_is_read(kept: Kept, cluster: Cluster, config: Config) -> None:
    topic = config.source.topics[0]
    cluster.write_transaction(topic, [b"taken back"], commit=False)
    cluster.write_transaction(topic, [b"committed"], commit=True)
    end = kept.archive.bounds(kept.partition).end
    assert end == len(VALUES) + 4
    batches = list(kept.archive.records(kept.partition, len(VALUES), end))
    assert [value for batch in batches for value in batch.values] == [b"committed"]
    assert batches[-1].next_offset == end
    cluster.write_transaction(config.output.alerts, [b"taken back"], commit=False)
    mine = alert(kept.partition, 1)
    kept.commit(Commit([mine], {kept.partition: 2}))
    (found,) = kept.archive.outputs("alerts", kept.partition)
    assert found.output == kept.archive.written(mine)


@pytest.mark.kafka
def test_what_clients_cannot_write_is_shown_as_they_write_it(
    configured: Callable[..., Config],
) -> None:
    config = configured()
    partition = TopicPartition(config.source.topics[0], 0)
    nothing = Output("alerts", partition, None, None, (), 0)
    with Member(config) as member, ExitStack() as cleanups:
        member.poll_until(lambda one: one.owned == [partition])
        member.sink.commit(Commit([nothing], {partition: 1}))
        archive = open_archive(config, cleanups)
        (found,) = archive.outputs("alerts", partition)
        assert found.output == archive.written(nothing)


@pytest.mark.kafka
def test_outputs_of_partitions_that_share_one(cluster: Cluster, broker: Broker) -> None:
    config = named(broker.bootstrap)
    cluster.create(config.source.topics[0], partitions=2)
    cluster.create(config.output.alerts, config.output.dead_letters)
    cluster.create(config.state.topic, compact=True)
    partitions = [TopicPartition(config.source.topics[0], number) for number in range(2)]
    with Member(config) as member:
        member.poll_until(lambda one: one.owned == partitions)
        outputs = [alert(one, offset) for offset in range(3) for one in partitions]
        states = dict(zip(partitions, (b"zero", b"one"), strict=True))
        assert member.sink.commit(Commit(outputs, dict.fromkeys(partitions, 3), states))
        archive = KafkaArchive(config)
        for one in partitions:
            found = [written.output for written in archive.outputs("alerts", one)]
            assert found == [archive.written(alert(one, offset)) for offset in range(3)]
            assert [stored.content for stored in archive.snapshots(one)] == [states[one]]
        archive.close()


@pytest.mark.kafka
def test_large_snapshots_are_put_together(kept: Kept) -> None:
    large = [bytes([number]) * (CHUNK_BYTES + number) for number in range(3)]
    for offset, content in enumerate(large, 1):
        kept.commit(Commit([], {kept.partition: offset}, {kept.partition: content}))
    assert [one.content for one in kept.archive.snapshots(kept.partition)] == large


@pytest.mark.kafka
def test_input_that_is_gone(kept: Kept, cluster: Cluster) -> None:
    cluster.cut(kept.partition.topic, 10)
    assert kept.archive.bounds(kept.partition) == Edges(10, len(VALUES))
    with pytest.raises(StreamaeError, match=r"has no offset 3 any more"):
        list(kept.archive.records(kept.partition, 3, 20))


@pytest.mark.kafka
def test_snapshots_in_a_directory(config: Config, tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path, 3)
    partition = TopicPartition(config.source.topics[0], 0)
    pointer = store.save(partition, b"state", None)
    archive = KafkaArchive(config, store)
    assert [one.pointer for one in archive.snapshots(partition)] == [pointer]
    assert archive.load(partition, pointer) == b"state"
    archive.close()


@pytest.mark.kafka
def test_a_topic_that_is_not_there(config: Config) -> None:
    output = msgspec.structs.replace(config.output, alerts="nowhere")
    archive = KafkaArchive(msgspec.structs.replace(config, output=output))
    with pytest.raises(ConfigError, match="there is no topic nowhere"):
        list(archive.outputs("alerts", archive.partitions()[0]))
    with pytest.raises(ConfigError, match="scores: no topic"):
        list(archive.outputs("scores", archive.partitions()[0]))
    archive.close()
