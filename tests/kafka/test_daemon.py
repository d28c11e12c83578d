"""One daemon on two partitions: all that its users see of it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from itertools import islice
from pathlib import Path
from urllib.error import HTTPError

import jsonschema
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.daemon import Daemon
from tests.decode.test_fuzz import FEATURES
from tests.decode.test_fuzz import stream as fuzz
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

N = 2000
BLOCK_SIZE = 64
PARTITIONS = 2
ERROR = "__streamae.errors."

pytestmark = [pytest.mark.slow, pytest.mark.kafka]


@pytest.fixture(scope="module")
def stream(cluster: Cluster) -> Stream:
    written = Stream(cluster, "daemon", N, PARTITIONS)
    written.write()
    return written


@pytest.fixture(scope="module")
def run(stream: Stream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    with Run(stream, tmp_path_factory.mktemp("daemon"), "live") as started:
        yield started


@pytest.fixture(scope="module")
def daemon(run: Run) -> Daemon:
    """Return a daemon that has processed everything and goes on."""
    running = run.daemon().start()
    until(lambda: run.done() and running.ready)
    return running


@pytest.fixture(scope="module")
def result(daemon: Daemon, run: Run) -> Result:
    return run.result()


def test_alerts_are_cloud_events_that_fit_the_schema(stream: Stream, result: Result) -> None:
    schema = json.loads((files("streamae") / "schemas" / "alert.v1.json").read_text())
    alerts = result.messages("alerts")
    assert len(alerts) > 10
    for message in alerts:
        alert = json.loads(message.value)
        jsonschema.validate(alert, schema)
        source, headers = record_of(stream, alert["source"]), dict(message.headers)
        assert (message.key, message.timestamp_ms) == (source.key, source.timestamp_ms)
        assert alert["key"] == source.key.decode()
        assert headers["ce_id"] == alert["alert_id"].encode()
        assert headers["ce_type"] == f"io.streamae.{alert['type']}.v1".encode()
        assert headers["ce_source"].endswith(b"/daemon/%d" % alert["source"]["partition"])
        assert (headers["ce_subject"], headers["ce_specversion"]) == (source.key, b"1.0")
        assert headers["content-type"] == b"application/json"
        if alert["type"] == "anomaly":
            assert headers["traceparent"] == dict(source.headers)["traceparent"]
            observed = json.loads(source.value)
            for part in alert["attribution"]:
                assert part["observed"] == pytest.approx(observed[part["feature"]], rel=1e-5)
    assert len({json.loads(one.value)["alert_id"] for one in alerts}) == len(alerts)


def test_every_record_is_scored_or_rejected_once(stream: Stream, result: Result) -> None:
    for number, log in enumerate(stream.logs):
        scores = [json.loads(one.value) for one in result.outputs["scores", number]]
        scored = [score["source"]["offset"] for score in scores]
        rejected = [offset_of(one) for one in result.outputs["dead_letters", number]]
        assert sorted(scored + rejected) == list(range(N))
        assert scored == sorted(scored)
        broken = [at for at, record in enumerate(log[:N]) if not record.value.endswith(b"}")]
        assert rejected == broken


def test_dead_letters_are_the_records_as_they_came(stream: Stream, result: Result) -> None:
    letters = result.messages("dead_letters")
    for letter in letters:
        why = {name.removeprefix(ERROR): value for name, value in letter.headers if ERROR in name}
        position = {"partition": int(why["partition"]), "offset": int(why["offset"])}
        source = record_of(stream, position)
        assert (letter.key, letter.value) == (source.key, source.value)
        assert letter.timestamp_ms == source.timestamp_ms == int(why["timestamp"])
        assert letter.headers[: len(source.headers)] == source.headers
        assert (why["topic"], why["stage"], why["reason"]) == (
            b"daemon",
            b"decode",
            b"invalid_json",
        )
        assert why["message"]
    assert len(letters) > 10


def odd_values(n: int, seed: int) -> list[bytes | None]:
    """Draw good, odd and broken values; brokers take no longer ones by default."""
    drawn = (one.value for one in fuzz(seed=40 + seed, n=2 * n))
    return list(islice((value for value in drawn if len(value or b"") < 1_000_000), n))


def test_odd_values_are_scored_or_rejected(cluster: Cluster, tmp_path: Path) -> None:
    stream = Stream(cluster, "odd", 2 * N, PARTITIONS, odd_values)
    stream.write()
    with Run(stream, tmp_path, "live", {"record": {"features": list(FEATURES)}}) as run:
        run.complete([run.daemon().start()])
        result = run.result()
    for number, log in enumerate(stream.logs):
        letters = {offset_of(one): one for one in result.outputs["dead_letters", number]}
        scores = [json.loads(one.value) for one in result.outputs["scores", number]]
        assert sorted([*letters, *(score["source"]["offset"] for score in scores)]) == list(
            range(2 * N)
        )
        for offset, letter in letters.items():
            source = log[offset]
            assert (letter.key, letter.value) == (source.key, source.value)
            assert letter.headers[: len(source.headers)] == source.headers
    assert None in {one.value for one in result.messages("dead_letters")}


def test_daemon_answers_probes_and_prometheus(daemon: Daemon) -> None:
    for path in ("/readyz", "/livez", "/healthz"):
        assert json.loads(daemon.get(path)) == {"status": "ok"}
    until(lambda: json.loads(daemon.get("/status"))["lag"] == 0)
    status = json.loads(daemon.get("/status"))
    assert status["records"] == N * PARTITIONS
    assert status["warmup"] == 1
    assert [one["partition"] for one in status["partitions"]] == list(range(PARTITIONS))
    assert json.loads(daemon.get("/alerts"))["alerts"]
    for number in range(PARTITIONS):
        where = {"topic": "daemon", "partition": str(number)}
        assert sample(daemon, "streamae_consumer_lag_records", **where) == 0
        assert sample(daemon, "streamae_records_consumed_total", **where) == N
    with pytest.raises(HTTPError, match="404"):
        daemon.get("/nothing")


@pytest.mark.parametrize("channel", CHANNELS)
def test_metrics_count_what_was_written(daemon: Daemon, result: Result, channel: str) -> None:
    written = sample(daemon, "streamae_outputs_total", channel=channel)
    assert written == len(result.messages(channel))


def test_restarted_daemon_continues(cluster: Cluster, tmp_path: Path) -> None:
    stream = Stream(cluster, "restarted", N, PARTITIONS)
    stream.write(N // 2)
    with Run(stream, tmp_path, "live") as run:
        daemon = run.daemon().start()
        run.complete([daemon])
        before = run.result()
        assert daemon.events("stopped")[0]["records"] == stream.written * PARTITIONS
        assert set(before.states) == set(range(PARTITIONS))
        stream.write()
        run.complete([daemon.start()])
        after = run.result()
    restored = {line["partition"]: line for line in daemon.events("detector restored")}
    assert set(restored) == {f"restarted-{number}" for number in range(PARTITIONS)}
    for line in restored.values():
        # The last snapshot is that of the last full block; rejected records lie between.
        assert 0 <= line["committed"] - line["relearn_from"] < 2 * BLOCK_SIZE
        assert line["committed"] == N // 2
    for log, messages in before.outputs.items():
        assert after.outputs[log][: len(messages)] == messages
    assert_equal(after, undisturbed(stream, tmp_path))


def test_missing_topics_are_named_and_made(
    stream: Stream, cluster: Cluster, tmp_path: Path
) -> None:
    with Run(stream, tmp_path, "unmade", topics=False) as run:
        daemon = run.daemon().start()
        assert daemon.wait() == 78
        assert "streamae topics --create" in daemon.log.read_text()
        made = subprocess.run(
            [sys.executable, "-m", "streamae", "topics", "--create", "-c", daemon.settings],
            capture_output=True,
            text=True,
            check=True,
        )
        assert made.stdout.count(": created") == 4
        run.complete([daemon.start()])
        assert daemon.events("stopped")[0]["alerts"] > 0


def record_of(stream: Stream, position: dict[str, int]) -> Message:
    return stream.logs[position["partition"]][position["offset"]]


def offset_of(letter: Message) -> int:
    return int(dict(letter.headers)[ERROR + "offset"])


def sample(daemon: Daemon, name: str, **labels: str) -> float:
    """Return the value of one series."""
    families = text_string_to_metric_families(daemon.get("/metrics").decode())
    samples = (one for family in families for one in family.samples)
    return next(one.value for one in samples if one.name == name and one.labels == labels)
