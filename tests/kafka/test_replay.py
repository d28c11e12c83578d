"""Replays of what a worker wrote: equal, and one changed byte is found.

After kills they are equal, too: see `test_kill`.
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from kafka import KafkaProducer

from streamae.cli import main
from streamae.dead_letters import RECEIPT_HEADERS
from tests.kafka.cluster import Cluster, until
from tests.kafka.stream import CHANNELS, Run, Stream

N = 900
PARTITIONS = 2


class Finished(NamedTuple):
    """A group that is through its input."""

    run: Run
    topic: str
    settings: dict[str, Any]


@pytest.fixture(scope="module")
def finished(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    stream = Stream(cluster, "replayed", N, PARTITIONS)
    stream.write()
    with Run(stream, tmp_path_factory.mktemp("replayed"), "finished") as run:
        run.complete([run.daemon().start()])
        return Finished(run, stream.topic, yaml.safe_load(run.settings().read_text()))


def replay(
    finished: Finished, directory: Path, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, list[dict[str, Any]]]:
    """Run the verb; return its exit code and what it says of each partition."""
    file = directory / "replay.yaml"
    file.write_text(yaml.safe_dump(finished.settings))
    code = main(["replay", "-c", str(file), "--json", *arguments])
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    return code, json.loads(printed.out)["partitions"]


@pytest.mark.kafka
@pytest.mark.slow
def test_there_is_no_difference_and_looking_makes_none(
    finished: Finished, cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def content() -> list[Any]:
        topics = [f"{finished.run.group}.{name}" for name in (*CHANNELS, "state")]
        return [finished.run.offsets(), [cluster.read(topic) for topic in topics]]

    before = content()
    code, reports = replay(finished, tmp_path, capsys, "--compare")
    assert code == 0
    assert [report["partition"] for report in reports] == ["replayed-0", "replayed-1"]
    for report in reports:
        assert (report["start"], report["end"]) == (0, N)
        for channel in CHANNELS:
            assert report["comparison"][channel]["difference"] is None
            assert report["comparison"][channel]["equal"] > 0
    code, reports = replay(finished, tmp_path, capsys, "--compare", "--from", str(N - 20))
    assert code == 0
    assert all(report["begun"]["snapshot"] for report in reports)
    assert content() == before


def write(cluster: Cluster, topic: str, records: Sequence[Any]) -> None:
    """Make a topic of records: Kafka keeps what it has, so what is changed is a copy."""
    cluster.create(topic, partitions=PARTITIONS)
    producer = KafkaProducer(bootstrap_servers=cluster.bootstrap)
    for record in records:
        headers = list(record.headers)
        producer.send(topic, record.value, record.key, headers, record.partition, record.timestamp)
    producer.flush()
    producer.close()


@pytest.mark.kafka
@pytest.mark.slow
def test_a_changed_byte_is_found(
    finished: Finished, cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = cluster.read(f"{finished.run.group}.alerts")
    changed = next(at for at, record in enumerate(records) if record.partition == 1) + 7
    value = records[changed].value.replace(b'"anomaly"', b'"anomalz"')
    value = value.replace(b"recovered", b"recoverez")
    copy = f"{finished.run.group}.copy"
    write(
        cluster,
        copy,
        [*records[:changed], records[changed]._replace(value=value), *records[changed + 1 :]],
    )
    code, reports = replay(
        finished, tmp_path, capsys, "--compare", "--set", f"output.alerts={copy}"
    )
    assert code == 1
    first, second = (report["comparison"] for report in reports)
    assert first["alerts"]["difference"] is None
    assert second["scores"]["difference"] is None
    difference = second["alerts"]["difference"]
    event = json.loads(records[changed].value)
    assert difference["kind"] == "changed"
    assert difference["place"] == f"{copy}-1, offset 7"
    assert difference["alert_id"] == event["alert_id"]
    assert difference["source"] == event["source"]
    assert (difference["field"], difference["recomputed"]) == ("type", event["type"])


@pytest.mark.kafka
@pytest.mark.slow
def test_outputs_that_are_no_longer_kept(
    finished: Finished, cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = f"{finished.run.group}.cut"
    records = cluster.read(f"{finished.run.group}.scores")
    write(cluster, copy, records)
    cluster.cut(copy, 300, partition=1)
    code, (report,) = replay(
        finished,
        tmp_path,
        capsys,
        *("--compare", "--partition", "1", "--set", f"output.scores={copy}"),
    )
    n = sum(record.partition == 1 for record in records)
    assert code == 0
    assert report["comparison"]["scores"] == {"equal": n - 300, "gone": 300, "difference": None}


@pytest.mark.kafka
@pytest.mark.slow
def test_receipts_of_dead_letters_sent_back_are_no_difference(
    finished: Finished, cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = f"{finished.run.group}.receipts"
    records = cluster.read(f"{finished.run.group}.dead_letters")
    receipt = records[1]._replace(value=b"{}", headers=RECEIPT_HEADERS)
    write(cluster, copy, [*records[:2], receipt, *records[2:]])
    code, _ = replay(
        finished, tmp_path, capsys, "--compare", "--set", f"output.dead_letters={copy}"
    )
    assert code == 0


@pytest.mark.kafka
@pytest.mark.slow
def test_times_and_alerts_of_one_partition(
    finished: Finished, cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    half = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1_700_000_000 + N // 2))
    code, (report,) = replay(finished, tmp_path, capsys, "--partition", "1", "--from", half)
    assert code == 0
    assert (report["partition"], report["start"]) == ("replayed-1", N // 2)
    committed = [
        json.loads(record.value)
        for record in cluster.read(f"{finished.run.group}.alerts")
        if record.partition == 1
    ]
    assert report["alerts"] == [
        event
        for event in committed
        if event["type"] == "anomaly" and event["source"]["offset"] >= N // 2
    ]


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["--set", "source.topics=nowhere"], 78, "there is no topic nowhere"),
        (["--compare", "--set", "output.alerts=nowhere"], 78, "there is no topic nowhere"),
        (["--compare", "--set", "kafka.group=nobody"], 78, "nothing was committed"),
        (["--from", "9999999"], 78, "is no range of them"),
    ],
    ids=lambda one: str(one)[:40],
)
def test_bad_input_is_one_line(
    finished: Finished,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    reason: str,
) -> None:
    file = tmp_path / "replay.yaml"
    file.write_text(yaml.safe_dump(finished.settings))
    assert main(["replay", "-c", str(file), *arguments]) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert reason in printed.err


@pytest.mark.kafka
@pytest.mark.slow
def test_a_group_that_began_at_the_end_of_the_log(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = Stream(cluster, "latest", N, partitions=1)
    stream.write(300)
    with Run(stream, tmp_path, "late", {"source": {"start": "latest"}}) as run:
        worker = run.daemon().start()
        until(lambda: run.offsets() == {0: 300})
        stream.write()
        run.complete([worker])
        arguments = ["-c", str(run.settings()), "--json"]
    assert main(["replay", "--compare", *arguments]) == 0
    (report,) = json.loads(capsys.readouterr().out)["partitions"]
    assert (report["start"], report["end"], report["notes"]) == (300, N, [])
    assert main(["replay", "--from", "0", *arguments]) == 0
    (report,) = json.loads(capsys.readouterr().out)["partitions"]
    assert "source.start: latest" in report["notes"][0]


@pytest.mark.kafka
@pytest.mark.slow
def test_an_alert_is_explained(
    finished: Finished, cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "explain.yaml"
    file.write_text(yaml.safe_dump(finished.settings))
    events = map(json.loads, cluster.values(f"{finished.run.group}.alerts"))
    alert = [event for event in events if event["type"] == "anomaly"][-1]
    assert main(["explain", alert["alert_id"], "-c", str(file), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["source"] == alert["source"]
    assert found["attribution"][: len(alert["attribution"])] == alert["attribution"]
    assert found["verdict"]["threshold"] == alert["threshold"]
