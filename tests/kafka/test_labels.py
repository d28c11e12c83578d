"""Labels from a topic: read in order and again, and merged so that kills change nothing."""

import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import msgspec
import numpy as np
import pytest

from streamae.cli import main
from streamae.config import Config, Duration
from streamae.config.file import load
from streamae.errors import ConfigError
from streamae.kafka import KafkaLabels, required_topics
from streamae.types import Output, RecordBatch, TopicPartition
from tests.kafka.broker import Broker
from tests.kafka.cluster import Cluster, until
from tests.kafka.configs import named
from tests.kafka.stream import CHANNELS, Message, Result, Run, Stream
from tests.kafka.test_kill import SMALL_POLLS, Workers
from tests.labels import labels, replayed

PARTITIONS = [TopicPartition("in", number) for number in range(3)]
N_KILLS = 10
RECORDS_PER_KILL = 501
"""Per partition; what is left of the last block makes it an unfinished one."""


@pytest.fixture
def config(broker: Broker, cluster: Cluster) -> Config:
    """Return a configuration whose labels topic exists, with two partitions."""
    base = named(broker.bootstrap, connect_timeout=Duration(10))
    topic = f"{base.name}.labels"
    cluster.create(topic, partitions=2)
    return msgspec.structs.replace(base, labels=msgspec.structs.replace(base.labels, source=topic))


@pytest.fixture
def reader(config: Config) -> Iterator[KafkaLabels]:
    assert config.labels.source is not None
    log = KafkaLabels(config, config.labels.source)
    yield log
    log.close()


def numbers(first: int, end: int) -> list[bytes]:
    return [b"%d" % number for number in range(first, end)]


def write(cluster: Cluster, config: Config, values: Sequence[bytes], partition: int = 0) -> None:
    assert config.labels.source is not None
    cluster.write(config.labels.source, values, partition)


@pytest.mark.kafka
def test_what_is_there_is_waited_for_and_read_again(
    cluster: Cluster, config: Config, reader: KafkaLabels
) -> None:
    write(cluster, config, numbers(0, 2000))
    assert reader.read(PARTITIONS[0], 0, 1500) == (numbers(0, 1500), 1500)
    assert reader.read(PARTITIONS[0], 1500, 5000) == (numbers(1500, 2000), 2000)
    assert reader.read(PARTITIONS[0], 2000, 10) == ([], 2000)
    assert reader.read(PARTITIONS[0], 700, 2) == (numbers(700, 702), 702)


@pytest.mark.kafka
def test_what_comes_later_is_read_when_it_is_here(
    cluster: Cluster, config: Config, reader: KafkaLabels
) -> None:
    assert reader.read(PARTITIONS[0], 0, 10) == ([], 0)
    write(cluster, config, numbers(0, 3))
    found: list[bytes | None] = []

    def arrived() -> bool:
        batch = reader.read(PARTITIONS[0], len(found), 10)
        found.extend(batch.values)
        return batch.next_offset == 3

    until(arrived)
    assert found == numbers(0, 3)


@pytest.mark.kafka
def test_partitions_share_a_topic_that_has_fewer(
    cluster: Cluster, config: Config, reader: KafkaLabels
) -> None:
    write(cluster, config, [b"even"], 0)
    write(cluster, config, [b"odd"], 1)
    found = [reader.read(partition, 0, 10).values for partition in PARTITIONS]
    assert found == [[b"even"], [b"odd"], [b"even"]]


@pytest.mark.kafka
def test_all_partitions_share_a_reader_and_none_waits_for_another(
    cluster: Cluster, config: Config
) -> None:
    """The first and the third have one partition of the topic, and are not equally far."""
    few = msgspec.structs.replace(config.labels, memory=500)
    write(cluster, config, numbers(0, 2000), 0)
    write(cluster, config, numbers(0, 2000), 1)
    before = threading.active_count()  # Every consumer has a thread of its own.
    log = KafkaLabels(msgspec.structs.replace(config, labels=few), str(few.source))
    found = {partition: list[bytes | None]() for partition in PARTITIONS}
    for limit in [7, 500, 293, 500, 400, 300]:
        for partition, values in found.items():
            share = limit if partition == PARTITIONS[0] else limit // 2
            batch = log.read(partition, len(values), share)
            values.extend(batch.values)
            assert batch.next_offset == len(values)
    assert threading.active_count() == before + 1
    assert found == {p: numbers(0, 2000 if p == PARTITIONS[0] else 999) for p in PARTITIONS}
    for partition in PARTITIONS[:2]:
        log.release(partition)
    assert log.read(PARTITIONS[2], 999, 5) == (numbers(999, 1004), 1004)
    log.release(PARTITIONS[2])
    assert threading.active_count() == before
    assert log.read(PARTITIONS[1], 1000, 500) == (numbers(1000, 1500), 1500)
    log.close()


@pytest.mark.kafka
def test_aborted_labels_are_none_and_deleted_ones_are_passed_over(
    cluster: Cluster, config: Config, reader: KafkaLabels
) -> None:
    topic = config.labels.source
    assert topic is not None
    write(cluster, config, numbers(0, 5))
    cluster.write_transaction(topic, [b"never"], commit=False)
    cluster.write_transaction(topic, [b"5"], commit=True)
    cluster.cut(topic, 3)
    # Two control records, and the aborted one between them, take offsets too.
    assert reader.read(PARTITIONS[0], 0, 10) == (numbers(3, 6), 9)


@pytest.mark.kafka
def test_topic_that_was_made_anew_is_read_from_its_start(
    cluster: Cluster, config: Config, reader: KafkaLabels, caplog: pytest.LogCaptureFixture
) -> None:
    write(cluster, config, numbers(0, 3), 0)
    write(cluster, config, numbers(0, 800), 1)
    offset, found = 5, list[bytes | None]()

    def arrived() -> bool:
        nonlocal offset
        batch = reader.read(PARTITIONS[0], offset, 10)
        offset = batch.next_offset
        found.extend(batch.values)
        # The answer about the first partition may come while the second one is read.
        assert reader.read(PARTITIONS[1], 0, 800) == (numbers(0, 800), 800)
        return offset == 3

    until(arrived)
    assert found == numbers(0, 3)
    (told,) = (log for log in caplog.records if "made anew" in log.getMessage())
    assert vars(told)["streamae_fields"]["wanted"] == 5


@pytest.mark.kafka
def test_missing_topic_is_named(config: Config) -> None:
    with (
        closing(KafkaLabels(config, "nowhere")) as log,
        pytest.raises(ConfigError, match=r"labels\.source: there is no topic nowhere"),
    ):
        log.read(PARTITIONS[0], 0, 1)


def test_labels_topic_is_an_input() -> None:
    base = named("localhost:1")
    labelled = msgspec.structs.replace(
        base, labels=msgspec.structs.replace(base.labels, source="found-out")
    )
    (needed,) = [one for one in required_topics(labelled) if one.name == "found-out"]
    assert needed.is_input
    assert needed.operations == {"READ"}


@pytest.mark.slow
@pytest.mark.kafka
@pytest.mark.timeout(1200)
def test_kills_and_rebalances_leave_outputs_that_follow_from_both_logs(
    cluster: Cluster, tmp_path: Path
) -> None:
    """Records and labels come while workers are killed, join and leave.

    Afterwards everything is computed again, with labels taken when the scores say they were: by the
    verb, and here from nothing but the logs.
    """
    stream = Stream(cluster, "labelled", N_KILLS * RECORDS_PER_KILL, partitions=2)
    chance = random.Random(1)  # noqa: S311 - a schedule, not a secret.
    written = [
        labels(len(stream.logs[0]), number, TopicPartition(stream.topic, number))
        for number in range(2)
    ]
    cluster.create("labelled.labels", partitions=2)
    with Run(
        stream, tmp_path, "killed", {**SMALL_POLLS, "labels": {"source": "labelled.labels"}}
    ) as run:
        workers = Workers(run, chance)
        for round_ in range(N_KILLS):
            stream.write(RECORDS_PER_KILL)
            for number, log in enumerate(written):
                share = slice(*(len(log) * part // N_KILLS for part in (round_, round_ + 1)))
                cluster.write("labelled.labels", log[share], number)
            workers.kill_one()
        workers.complete()
        assert main(["replay", "--compare", "-c", str(run.settings())]) == 0
        result = run.result()
        config = load(run.daemon().settings)
    for number, log in enumerate(written):
        assert_follows(stream, result, number, config, log)


def assert_follows(
    stream: Stream, result: Result, number: int, config: Config, written: Sequence[bytes | None]
) -> None:
    """Compare a partition's outputs and state with those of one pipeline in this process."""
    scores = [message.value for message in result.outputs["scores", number]]
    heads = [msgspec.json.decode(score or b"")["head"] for score in scores]
    assert len({head["labels"] for head in heads}) > 1
    assert heads[-1]["probability"] is not None
    again, outputs = replayed(config, as_batch(stream, number), scores, written)
    for channel in CHANNELS:
        expected = [as_message(output) for output in outputs if output.channel == channel]
        assert result.outputs[channel, number] == expected
    assert result.states[number] == again.snapshot()


def as_batch(stream: Stream, number: int) -> RecordBatch:
    log = stream.logs[number]
    return RecordBatch(
        partition=TopicPartition(stream.topic, number),
        offsets=np.arange(len(log), dtype=np.int64),
        timestamps_ms=np.array([record.timestamp_ms for record in log], dtype=np.int64),
        keys=[record.key for record in log],
        values=[record.value for record in log],
        headers=[record.headers for record in log],
        next_offset=len(log),
    )


def as_message(output: Output) -> Message:
    return Message(output.key, output.value, tuple(output.headers), output.timestamp_ms)
