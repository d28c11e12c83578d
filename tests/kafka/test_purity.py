"""Equal input gives equal output, byte for byte, however the daemon came to read it."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon import Daemon
from tests.kafka.broker import Broker
from tests.kafka.cluster import Cluster, until
from tests.kafka.stream import (
    CHANNELS,
    Message,
    Result,
    Run,
    Stream,
    assert_equal,
    undisturbed,
)

N = 6000
N_SHORT = 1500
N_RESTARTS = 4
"""By each signal."""
BLOCK_SIZE = 64

pytestmark = [pytest.mark.slow, pytest.mark.kafka]


@pytest.fixture(scope="module")
def stream(cluster: Cluster) -> Stream:
    written = Stream(cluster, "pure", N)
    written.write()
    return written


@pytest.fixture(scope="module")
def expected(stream: Stream, tmp_path_factory: pytest.TempPathFactory) -> Result:
    result = undisturbed(stream, tmp_path_factory.mktemp("pure"))
    assert all(result.messages(channel) for channel in CHANNELS)
    return result


@pytest.fixture(scope="module")
def short(cluster: Cluster) -> Stream:
    written = Stream(cluster, "short", N_SHORT)
    written.write()
    return written


@pytest.fixture(scope="module")
def expected_short(short: Stream, tmp_path_factory: pytest.TempPathFactory) -> Result:
    return undisturbed(short, tmp_path_factory.mktemp("short"))


def polled(size: int) -> dict[str, object]:
    return {"source": {"max_poll_records": size}}


@pytest.mark.parametrize("size", [256, 5000])
def test_large_polls(stream: Stream, expected: Result, tmp_path: Path, size: int) -> None:
    with Run(stream, tmp_path, f"polls-of-{size}", polled(size)) as run:
        run.complete([run.daemon().start()])
        assert_equal(run.result(), expected)


@pytest.mark.parametrize("size", [1, 7])
def test_small_polls(short: Stream, expected_short: Result, tmp_path: Path, size: int) -> None:
    with Run(short, tmp_path, f"polls-of-{size}", polled(size)) as run:
        run.complete([run.daemon().start()])
        assert_equal(run.result(), expected_short)


def test_restart_after_every_commit(short: Stream, expected_short: Result, tmp_path: Path) -> None:
    with Run(short, tmp_path, "restarts", polled(10)) as run:
        daemon = run.daemon()
        for ending in (signal.SIGKILL, signal.SIGTERM) * N_RESTARTS:
            before = run.offsets()
            daemon.start()
            until(lambda before=before: run.offsets() != before)  # type: ignore[misc]
            daemon.send(ending)
            assert daemon.wait() == (0 if ending == signal.SIGTERM else -signal.SIGKILL)
        assert not run.done()
        run.complete([daemon.start()])
        assert_equal(run.result(), expected_short)


def test_workers_that_join_and_leave(broker: Broker, cluster: Cluster, tmp_path: Path) -> None:
    stream = Stream(cluster, "shared", N)
    with Run(stream, tmp_path, "shared", polled(50)) as run:
        first, second = run.daemon("a"), run.daemon("b")
        with stream.feeding():
            first.start()
            until(lambda: len(run.offsets()) == len(stream.logs))
            second.start()
            moved = taken_over(run, second)
            assert 0 < len(moved) < len(stream.logs)
            assert first.stop() == 0
        run.complete([second])
        assert partitions_of(second) == set(range(len(stream.logs)))
        assert_equal(run.result(), undisturbed(stream, tmp_path))


def taken_over(run: Run, worker: Daemon) -> set[int]:
    """Wait until a worker has committed in a partition it was given; return its partitions."""
    worker.wait_for("partition assigned")
    moved, before = partitions_of(worker), run.offsets()
    until(lambda: any(run.offsets()[one] > before[one] for one in moved))
    return moved


def partitions_of(worker: Daemon) -> set[int]:
    """Return every partition a worker was ever given in this life."""
    return {int(line["partition"].rsplit("-")[-1]) for line in worker.events("partition assigned")}


def test_scores_per_block(stream: Stream, expected: Result, tmp_path: Path) -> None:
    """Blocks hold what the messages of single records say."""
    sections = {"output": {"scores_per": "block"}, **polled(100)}
    with Run(stream, tmp_path, "blocks", sections) as run:
        run.complete([run.daemon().start()])
        found = run.result()
    for number in range(len(stream.logs)):
        wanted = list(blocks(expected.outputs["scores", number], stream.topic, number))
        assert [body(one) for one in found.outputs["scores", number]] == wanted
        for channel in ("alerts", "dead_letters"):
            assert found.outputs[channel, number] == expected.outputs[channel, number]
    assert found.states == expected.states


def blocks(scores: list[Message], topic: str, number: int) -> Iterator[dict[str, object]]:
    """Yield the message of each full block, made from those of its records."""
    for block in range(len(scores) // BLOCK_SIZE):
        rows = [body(one) for one in scores[block * BLOCK_SIZE : (block + 1) * BLOCK_SIZE]]
        yield {
            "topic": topic,
            "partition": number,
            "block": block,
            "offsets": [row["source"]["offset"] for row in rows],
            "scores": [row["score"] for row in rows],
            "p_values": [row["p_value"] for row in rows],
            "anomalies": [at for at, row in enumerate(rows) if row["anomaly"]],
        }


def body(message: Message) -> dict[str, object]:
    return json.loads(message.value)


def test_files_give_what_kafka_gives(stream: Stream, expected: Result, tmp_path: Path) -> None:
    """Keys and event times are fields of the lines, and headers of the record are not there."""
    source = tmp_path / "in.jsonl"
    source.write_bytes(b"".join(line(record) for record in stream.logs[0]))
    sections = {
        "source": {"kind": "file", "path": str(source), "topic": stream.topic},
        "record": {"key_field": "host", "timestamp_field": "time"},
        "output": {"alerts": "alerts", "scores": "scores", "dead_letters": "dead"},
    }
    with Run(stream, tmp_path, "files", sections) as run:
        daemon = run.daemon().start()
        assert daemon.wait() == 0
    for channel in ("alerts", "scores"):
        found = (daemon.directory / channel).read_bytes().splitlines()
        assert found == [one.value for one in expected.outputs[channel, 0]]


def line(record: Message) -> bytes:
    """Return a record as a line; a broken one stays broken."""
    value, key = record.value, record.key
    if value.endswith(b"}"):
        value = b'%s, "host": "%s", "time": %d}' % (value[:-1], key, record.timestamp_ms)
    return value + b"\n"
