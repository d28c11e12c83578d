"""Snapshots in the state topic: which are kept, and going back while nobody works on the group."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import msgspec
import pytest
from kafka import OffsetAndMetadata
from kafka import TopicPartition as KafkaPartition

from streamae import checkpoint
from streamae.archive import open_archive
from streamae.config import Config
from streamae.config import file as configfile
from streamae.errors import ConfigError, TemporaryError
from streamae.kafka import GroupOffsets
from streamae.kafka.sink import metadata
from streamae.local import MemoryLog
from streamae.pipeline import Pipeline
from streamae.types import Archive, TopicPartition
from tests import streams
from tests.kafka.broker import Broker
from tests.kafka.cluster import Cluster, until
from tests.kafka.configs import named
from tests.kafka.stream import Run, Stream
from tests.kafka.worker import Member, commit

KEEP = 4
READ = (200, 400, 520, 640, 760, 880)
"""Offsets that were committed one after the other, each with a snapshot."""


@pytest.fixture
def config(broker: Broker, cluster: Cluster) -> Config:
    made = named(broker.bootstrap)
    quick, state = streams.config(), msgspec.structs.replace(made.state, keep=KEEP)
    made = msgspec.structs.replace(made, detector=quick.detector, state=state)
    cluster.prepare(made)
    cluster.write(made.source.topics[0], streams.values(READ[-1]))
    return made


@pytest.fixture
def opened(config: Config) -> Iterator[Callable[[], Archive]]:
    """Return what opens an archive."""
    with ExitStack() as cleanups:
        yield lambda: open_archive(config, cleanups)


def work(config: Config, reads: Sequence[int] = READ) -> Member:
    """Return a member that has committed what a daemon would have."""
    partition = TopicPartition(config.source.topics[0], 0)
    log, pipeline = MemoryLog(streams.values(READ[-1])), Pipeline(config, partition, 0)
    member = Member(config)
    member.poll_until(lambda m: m.owned == [partition])
    for read in reads:
        pipeline.process(log.read(partition, pipeline.position, read - pipeline.position))
        assert member.sink.commit(commit(partition, read, snapshot=pipeline.snapshot()))
    return member


def found(config: Config, archive: Archive) -> list[tuple[int, int | None]]:
    """Return of each snapshot how many records it has learnt, and whether it is committed."""
    every = [checkpoint.summary(one) for one in checkpoint.every(archive, config)]
    return [(one["records_learnt"], one["committed"]) for one in every]


def test_compaction_leaves_the_newest_and_fewer_old_ones(cluster: Cluster, config: Config) -> None:
    work(config).close()
    left = {record.key: record.headers for record in cluster.read(config.state.topic)}
    assert sorted(int(dict(headers)["number"]) for headers in left.values()) == [0, 2, 4, 5]


@pytest.mark.parametrize("position", ["keep", "rewind"])
def test_the_next_worker_goes_on_with_an_old_snapshot(
    config: Config, opened: Callable[[], Archive], position: checkpoint.Position
) -> None:
    partition = TopicPartition(config.source.topics[0], 0)
    learnt = [read // 64 * 64 for read in READ]
    before_ms = int(time.time() * 1000)
    member = work(config)
    archive = opened()
    listed = [(n, None) for n in learnt[:-1]] + [(learnt[-1], READ[-1])]
    assert found(config, archive) == listed
    written_ms = [stored.written_ms for stored in archive.snapshots(partition)]
    assert written_ms == sorted(written_ms)
    assert before_ms <= written_ms[0]
    with pytest.raises(ConfigError, match=f"{config.name} is being worked on by 1 of its members"):
        GroupOffsets(config)
    offsets_before = archive.committed(partition)
    member.close()
    name = list(checkpoint.kept(archive, config, partition))[1].name
    plan = checkpoint.plan(archive, config, name, position)
    assert archive.committed(partition) == offsets_before
    with ExitStack() as cleanups:
        checkpoint.open_offsets(config, cleanups).commit(partition, plan.content, plan.offset)
    goes_on = READ[-1] if position == "keep" else learnt[1]
    with Member(config) as member:
        member.poll_until(lambda m: m.owned == [partition])
        committed = member.committed[partition]
        assert committed is not None
        assert committed.offset == goes_on
        assert committed.snapshot is not None
        restored = Pipeline.restored(config, partition, committed.snapshot)
        assert (restored.boundary.ordinal, restored.position) == (learnt[1], goes_on)
        assert member.sink.commit(commit(partition, goes_on + 1, b"alert"))
    assert found(config, archive) == [*((n, None) for n in learnt), (learnt[1], goes_on + 1)]


def test_a_worker_that_joins_keeps_its_offsets(config: Config) -> None:
    partition = TopicPartition(config.source.topics[0], 0)
    work(config, READ[:1]).close()
    with closing(GroupOffsets(config)) as offsets, work(config, READ[:2]) as member:
        with pytest.raises(ConfigError, match="worked on"):
            offsets.commit(partition, b"snapshot", 7)
        committed = member.sink.committed(partition)
        assert committed is not None
        assert committed.offset == READ[1]


def test_a_second_rollback_ends_the_first(config: Config, opened: Callable[[], Archive]) -> None:
    partition = TopicPartition(config.source.topics[0], 0)
    work(config, READ[:3]).close()
    archive = opened()
    one, other = (kept.name for kept in list(checkpoint.kept(archive, config, partition))[:2])
    lost = checkpoint.plan(archive, config, one, "rewind")
    taken = checkpoint.plan(archive, config, other, "rewind")
    n = len(found(config, archive))
    with closing(GroupOffsets(config)) as first, closing(GroupOffsets(config)) as second:
        second.commit(partition, taken.content, taken.offset)
        with pytest.raises(TemporaryError, match="another `checkpoint rollback`"):
            first.commit(partition, lost.content, lost.offset)
    listed = found(config, archive)
    assert len(listed) == n + 1
    assert listed[-1] == (READ[1] // 64 * 64, taken.offset)
    assert {check.verdict for check in checkpoint.checks(archive, config)} == {"ok"}


def test_without_transactions(config: Config, opened: Callable[[], Archive]) -> None:
    config = msgspec.structs.replace(config, delivery="at_least_once")
    work(config, READ[:2]).close()
    archive = opened()
    first = next(checkpoint.every(archive, config))
    plan = checkpoint.plan(archive, config, first.name, "rewind")
    with closing(GroupOffsets(config)) as offsets:
        offsets.commit(first.partition, plan.content, plan.offset)
    assert found(config, archive)[-1] == (READ[0] // 64 * 64, plan.offset)


def test_a_static_member_that_stopped_is_named_while_it_counts(config: Config) -> None:
    kafka = msgspec.structs.replace(config.kafka, instance="worker-7")
    static = msgspec.structs.replace(config, kafka=kafka)
    work(static, READ[:1]).close()
    with pytest.raises(ConfigError, match=r"a stopped kafka\.instance \(worker-7\) as a member"):
        GroupOffsets(static)


def test_a_rollback_mends_what_is_damaged(
    cluster: Cluster, config: Config, opened: Callable[[], Archive]
) -> None:
    partition = TopicPartition(config.source.topics[0], 0)
    work(config, READ[:3]).close()
    committed = cluster.committed(config.name, partition.topic)
    assert committed is not None
    pointer = msgspec.json.decode(metadata(committed))
    pointer["crc32c"] ^= 1
    wrong = OffsetAndMetadata(committed.offset, msgspec.json.encode(pointer).decode(), -1)
    cluster.admin.alter_group_offsets(config.name, {KafkaPartition(*partition): wrong})
    archive = opened()
    assert [check.verdict for check in checkpoint.checks(archive, config)] == [
        *("ok", "ok", "ok"),
        "fail",
    ]
    name = list(checkpoint.kept(archive, config, partition))[1].name
    plan = checkpoint.plan(archive, config, name, "keep")
    with closing(GroupOffsets(config)) as offsets:
        offsets.commit(partition, plan.content, plan.offset)
    assert {check.verdict for check in checkpoint.checks(archive, config)} == {"ok"}


@pytest.mark.slow
def test_rewound_a_daemon_writes_the_same_once_more(cluster: Cluster, tmp_path: Path) -> None:
    stream = Stream(cluster, "rewound", 600, partitions=1)
    with Run(stream, tmp_path, "live") as run:
        stream.write(300)
        daemon = run.daemon().start()
        until(run.done)  # The first commit has a snapshot, the end a later one.
        stream.write(300)
        run.complete([daemon])
        before = run.result()
        config = configfile.load(daemon.settings, (), {})
        with ExitStack() as cleanups:
            archive = open_archive(config, cleanups)
            first = next(checkpoint.every(archive, config))
            plan = checkpoint.plan(archive, config, first.name, "rewind")
            until(lambda: not cluster.members(run.group))
            offsets = checkpoint.open_offsets(config, cleanups)
            offsets.commit(first.partition, plan.content, plan.offset)
        assert plan.offset <= 300
        run.complete([daemon.start()])
        after = run.result()
    assert after.states == before.states
    for name, log in before.outputs.items():
        kept, again = after.outputs[name][: len(log)], after.outputs[name][len(log) :]
        assert kept == log
        assert again == log[len(log) - len(again) :]
    assert len(after.outputs["scores", 0]) > len(before.outputs["scores", 0])
