"""`dlq replay` on a real broker: each letter goes back once, whatever happens on the way."""

from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest
import yaml
from kafka.errors import KafkaError

from streamae import letters
from streamae.archive import open_archive
from streamae.cli import main
from streamae.config import Config
from streamae.config import file as configfile
from streamae.dead_letters import Letter
from streamae.errors import ConfigError, TemporaryError
from streamae.kafka import TopicSender
from streamae.kafka.writer import Writer
from streamae.pipeline import Pipeline
from streamae.types import Commit, TopicPartition
from tests import streams
from tests.kafka.broker import Broker
from tests.kafka.cluster import Cluster
from tests.kafka.configs import named
from tests.kafka.worker import Member

EVERYTHING = letters.Wanted((), 0, None)
N = 40
LONG, BROKEN = (5, 12, 30), (7,)


def record_values() -> list[bytes]:
    drawn = streams.values(N)
    for at in LONG:
        drawn[at] = drawn[at][:-1] + b', "note": "%s"}' % (b"x" * 200)
    drawn[BROKEN[0]] = b'{"a":'
    return drawn


@pytest.fixture
def config(broker: Broker, cluster: Cluster) -> Config:
    """Return a configuration under which records are taken that were rejected as too long."""
    made = named(broker.bootstrap)
    cluster.prepare(made)
    cluster.write(made.source.topics[0], record_values())
    reject(made)
    return made


def reject(config: Config, partitions: int = 1) -> None:
    """Commit what a daemon makes of the input that takes no long records, twice over."""
    short = msgspec.structs.replace(config.record, max_bytes=200)
    before = msgspec.structs.replace(config, record=short)
    with Member(config) as member:
        member.poll_until(lambda m: len(m.values()) == N * partitions)
        for batch in filter(len, member.batches):
            outputs = Pipeline(before, batch.partition, 0).process(batch).outputs
            assert len(outputs) == len(LONG) + len(BROKEN)
            for _ in range(2):
                assert member.sink.commit(Commit(outputs, {batch.partition: N}))


def look(config: Config) -> tuple[list[Letter], letters.Tally]:
    """Return what a dry run finds."""
    with ExitStack() as cleanups:
        archive = open_archive(config, cleanups)
        sender = letters.open_sender(config, None, cleanups, dry=True)
        (partition,) = archive.partitions()
        sent, tally = sender.receipts(partition), letters.Tally()
        found = letters.ready(archive, config, partition, EVERYTHING, sent, tally)
        return [letter for some in found for letter in some], tally


def replay(config: Config) -> int:
    """Send everything that is ready, two at a time; return how many that were."""
    with ExitStack() as cleanups:
        archive = open_archive(config, cleanups)
        sender = letters.open_sender(config, None, cleanups, dry=False)
        (partition,) = archive.partitions()
        sent, tally = sender.receipts(partition), letters.Tally()
        found = letters.ready(archive, config, partition, EVERYTHING, sent, tally)
        return letters.send(sender, partition, found, 2, lambda _: None)


def test_letters_go_back_once_as_they_came(cluster: Cluster, config: Config) -> None:
    (topic,) = config.source.topics
    written = cluster.read(config.output.dead_letters, "read_uncommitted")
    found, tally = look(config)
    assert [letter.offset for letter in found] == list(LONG)
    assert (tally.n_ready, tally.n_sent, tally.n_unknown) == (len(LONG), 0, 0)
    assert {reason: n for reason, (n, _) in tally.rejects.items()} == {"invalid_json": 1}
    assert cluster.read(config.output.dead_letters, "read_uncommitted") == written
    assert len(cluster.read(topic)) == N
    assert replay(config) == len(LONG)
    records = cluster.read(topic)
    assert [one.offset for one in records[N:]] == sorted(one.offset for one in records[N:])
    for at, again in zip(LONG, records[N:], strict=True):
        first = records[at]
        assert (again.key, again.value) == (first.key, first.value)
        assert (again.timestamp, again.headers) == (first.timestamp, first.headers)
    assert replay(config) == 0
    found, tally = look(config)
    assert (found, tally.n_sent, tally.n_unknown) == ([], len(LONG), 0)
    assert len(cluster.read(topic)) == N + len(LONG)
    with ExitStack() as cleanups:
        archive = open_archive(config, cleanups)
        (partition,) = archive.partitions()
        outputs = list(archive.outputs("dead_letters", partition))
    assert len(outputs) == 2 * (len(LONG) + len(BROKEN))  # Receipts are no outputs of the stream.


def test_letters_of_one_partition(
    broker: Broker, cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = named(broker.bootstrap)
    cluster.prepare(config, partitions=2)
    (topic,) = config.source.topics
    for number in range(2):
        cluster.write(topic, record_values(), number)
    reject(config, partitions=2)
    file = tmp_path / "streamae.yaml"
    file.write_text(yaml.safe_dump(configfile.redact(config)))
    asked = ["dlq", "replay", "-c", str(file), "--yes", "--partition"]
    assert main([*asked, "2"]) == 78
    assert main([*asked, "1"]) == 0
    printed = capsys.readouterr()
    assert printed.err == f"--partition: there is no partition 2, only {topic}-0, {topic}-1\n"
    assert printed.out.startswith(f"{topic}-1: 3 of 4 dead letters can be read now\n")
    assert printed.out.endswith("\n3 sent\n")
    assert [one.partition for one in cluster.read(topic)] == [0] * N + [1] * (N + len(LONG))


@pytest.mark.parametrize("method", ["flush", "commit"])
def test_what_fails_on_the_way_is_sent_by_the_next(
    cluster: Cluster, config: Config, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    (topic,) = config.source.topics
    really = getattr(Writer, method)

    def fail(writer: Writer) -> None:
        if method == "flush":
            really(writer)
        raise KafkaError("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(Writer, method, fail)
        with pytest.raises(TemporaryError, match="no answer"):
            replay(config)
    assert len(cluster.read(topic)) == N
    assert replay(config) == len(LONG)
    assert cluster.values(topic)[N:] == [record_values()[at] for at in LONG]


def test_a_second_one_ends_the_first(cluster: Cluster, config: Config) -> None:
    (topic,) = config.source.topics
    found, _ = look(config)
    first = TopicSender(config, dry=False)
    assert replay(config) == len(LONG)
    with pytest.raises(TemporaryError, match="another `dlq replay`"):
        first.send(TopicPartition(topic, 0), found)
    first.close()
    assert len(cluster.read(topic)) == N + len(LONG)


def test_without_transactions(cluster: Cluster, config: Config) -> None:
    config = msgspec.structs.replace(config, delivery="at_least_once")
    assert (replay(config), replay(config)) == (len(LONG), 0)
    assert cluster.values(config.source.topics[0])[N:] == [record_values()[at] for at in LONG]


def test_a_topic_that_is_not_there(config: Config) -> None:
    output = msgspec.structs.replace(config.output, dead_letters="nowhere")
    with pytest.raises(ConfigError, match="there is no topic nowhere"):
        TopicSender(msgspec.structs.replace(config, output=output), dry=True)
