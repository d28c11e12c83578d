"""Records with a header whose name is not UTF-8, which brokers take and no client can show."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer

from streamae.config import Config
from streamae.errors import ConfigError, TemporaryError
from streamae.types import UNREADABLE
from tests.kafka.broker import Broker
from tests.kafka.cluster import Cluster
from tests.kafka.configs import named
from tests.kafka.conftest import Client
from tests.kafka.stream import Run, Stream
from tests.kafka.worker import Member

ONE = [("h", b"1")]


class Raw(str):
    """The name of a header that kafka-python writes as bytes of a test's choice."""

    def encode(self, *_: Any, **__: Any) -> bytes:
        return b"\xff\xfe"


def write(cluster: Cluster, topic: str, partition: int, values: list[bytes], bad: int) -> None:
    """Append one batch of records, all with a good header, the one at `bad` with one more."""
    producer = KafkaProducer(bootstrap_servers=cluster.bootstrap, linger_ms=100)
    for at, value in enumerate(values):
        headers = [*ONE, (Raw("name"), b"x")] if at == bad else ONE
        producer.send(topic, value, b"k", headers, partition, timestamp_ms=1000 + at)
    producer.close()


@pytest.mark.parametrize("client", ["kafka-python"])
def test_kafka_python_says_where_it_cannot_read_on(
    configured: Callable[..., Config], cluster: Cluster
) -> None:
    config = configured(partitions=3)
    topic = config.source.topics[0]
    for partition, bad in ((0, -1), (1, 3), (2, -1)):
        write(cluster, topic, partition, [b"%d" % at for at in range(6)], bad)
    where = rf"not UTF-8 at {topic}-1, offset 3,.*`kafka\.client: confluent`"
    with Member(config) as member:
        with pytest.raises(ConfigError, match=where):
            member.poll_until(lambda m: len(m.values()) == 18)
        assert len(member.values()) >= 3  # What came before was handed out.


@pytest.mark.parametrize("client", ["confluent"])
def test_librdkafka_gives_everything_else(
    configured: Callable[..., Config], cluster: Cluster
) -> None:
    config = configured()
    # Behind so many good ones that Python has optimised how their headers are asked for.
    values = [b"%d" % at for at in range(2000)]
    write(cluster, config.source.topics[0], 0, values, 1990)
    with Member(config) as member:
        member.poll_until(lambda m: len(m.values()) == len(values))
        headers = [one for batch in member.batches for one in batch.headers]
        assert [at for at, one in enumerate(headers) if one is UNREADABLE] == [1990]
        assert [at for at, one in enumerate(headers) if list(one) != ONE] == [1990]
        assert member.values() == values
        assert {key for batch in member.batches for key in batch.keys} == {b"k"}


def flip(log: Path, value: bytes) -> None:
    """Change a byte of a record where the broker keeps it."""
    content = bytearray(log.read_bytes())
    content[content.index(value)] ^= 1
    log.write_bytes(content)


@pytest.mark.slow
def test_a_damaged_batch_is_named(fragile: Broker) -> None:
    config = named(fragile.bootstrap)
    topic = config.source.topics[0]
    with Cluster(fragile.bootstrap) as cluster:
        cluster.prepare(config)
        cluster.write(topic, [b"sound"])
        cluster.write(topic, [b"damaged"])
    fragile.stop()
    flip(fragile.directory / "data" / f"{topic}-0" / f"{0:020}.log", b"damaged")
    fragile.start()
    with Member(config) as member, pytest.raises(TemporaryError, match=f"{topic}-0, offset 1"):
        member.poll_until(lambda m: len(m.values()) == 2)


@pytest.mark.slow
def test_a_daemon_stops_or_rejects(cluster: Cluster, client: Client, tmp_path: Path) -> None:
    stream = Stream(cluster, f"unreadable-{client}", 300, partitions=1)
    stream.write(200)
    bad = b'{"a":1}'
    write(cluster, stream.topic, 0, [bad], 0)
    with Run(stream, tmp_path, "live", {"kafka": {"client": client}}) as run:
        daemon = run.daemon().start()
        if client == "kafka-python":
            assert daemon.wait() == 78
            assert f"{stream.topic}-0, offset 200" in daemon.log.read_text()
            return
        stream.written += 1
        run.complete([daemon])
        letters = [one for one in run.result().messages("dead_letters") if one.value == bad]
    (letter,) = letters
    why = dict(letter.headers)
    assert {name.rpartition(".")[0] for name in why} == {"__streamae.errors"}
    assert why["__streamae.errors.reason"] == b"bad_headers"
    assert why["__streamae.errors.offset"] == b"200"
