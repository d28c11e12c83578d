"""A real Prometheus on a real daemon: dashboards with data, and an alert that reaches somebody."""

import math
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from streamae.types import TopicPartition
from tests.daemon import Daemon
from tests.deploy import dashboards
from tests.deploy.monitoring import Alertmanager, Prometheus, Webhook
from tests.deploy.test_rules import RULES
from tests.kafka.cluster import Cluster, until
from tests.kafka.stream import Run, Stream
from tests.labels import labels
from tests.streams import values

TOPIC = "monitored"
LABELS = "monitored.labels"
N = 6000
PARTITIONS = 2
N_SHOWN = 1800
"""Records of a partition until there is something of everything, labels included."""
READ = f'streamae_records_consumed_total{{topic="{TOPIC}"}}'
FIRING = f'ALERTS{{alertname="StreamaeDeadLetters", alertstate="firing", topic="{TOPIC}"}}'

pytestmark = [pytest.mark.slow, pytest.mark.kafka]


class Watched(NamedTuple):
    """What was seen, and when there was something to see everywhere."""

    prometheus: Prometheus
    at: float


def half_bad(n: int, seed: int) -> list[bytes]:
    """Draw records of which one in ten is broken, in the first half."""
    bad, good = values(n, seed, bad_share=0.1), values(n, seed)
    return bad[: n // 2] + good[n // 2 :]


@pytest.fixture(scope="module")
def stream(cluster: Cluster) -> Stream:
    made = Stream(cluster, TOPIC, N, PARTITIONS, half_bad)
    cluster.create(LABELS, partitions=PARTITIONS)
    for number in range(PARTITIONS):
        cluster.write(LABELS, labels(N, number, TopicPartition(TOPIC, number)), number)
    return made


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("monitoring")


@pytest.fixture(scope="module")
def run(stream: Stream, directory: Path) -> Iterator[Run]:
    with Run(stream, directory, "live", {"labels": {"source": LABELS}}) as started:
        yield started


@pytest.fixture(scope="module")
def daemon(run: Run) -> Daemon:
    running = run.daemon().start()
    until(lambda: running.ready, 60.0)
    return running


@pytest.fixture(scope="module")
def webhook() -> Iterator[Webhook]:
    with Webhook() as running:
        yield running


@pytest.fixture(scope="module")
def prometheus(daemon: Daemon, webhook: Webhook, directory: Path) -> Iterator[Prometheus]:
    """Start one that looks once a second, and an Alertmanager behind it."""
    route = {"receiver": "people", "group_wait": "0s", "group_interval": "1s"}
    people = {"name": "people", "webhook_configs": [{"url": webhook.url}]}
    rules = directory / "rules.yaml"
    rules.write_text(impatient(RULES.read_text()))
    with Alertmanager(directory / "alerts", {"route": route, "receivers": [people]}) as alerts:
        target, manager = (
            [{"static_configs": [{"targets": [address]}]}]
            for address in (urlsplit(daemon.address).netloc, alerts.address)
        )
        settings = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(rules)],
            "scrape_configs": [{"job_name": "streamae", **target[0]}],
            "alerting": {"alertmanagers": manager},
        }
        with Prometheus(directory / "prometheus", settings) as running:
            yield running


def impatient(rules: str) -> str:
    """Return the rules with windows of seconds, and nothing waited for."""
    return re.sub(r"for: \d+m", "for: 0s", re.sub(r"\[\d+[mh]\]", "[10s]", rules))


@pytest.fixture(scope="module")
def watched(prometheus: Prometheus, stream: Stream) -> Watched:
    """Return what was seen of records that came until an alert was raised about them."""
    until(lambda: len(prometheus.query(READ)) == PARTITIONS)
    while stream.written < N_SHOWN or not prometheus.query(FIRING):
        stream.write(300)
        until(lambda: seen(prometheus) == PARTITIONS * stream.written)
    # A scrape that fails later takes nothing away from what was there then.
    latest = prometheus.query(f"timestamp({READ}) or timestamp({FIRING})")
    return Watched(prometheus, max(float(series["value"][1]) for series in latest))


def seen(prometheus: Prometheus) -> int:
    return sum(int(series["value"][1]) for series in prometheus.query(READ))


def test_every_panel_has_data(watched: Watched) -> None:
    empty = []
    for file in dashboards.FILES:
        for panel in dashboards.panels(dashboards.load(file)):
            for query in map(dashboards.filled, dashboards.queries(panel)):
                found = watched.prometheus.query(query, watched.at)
                if all(math.isnan(float(series["value"][1])) for series in found):
                    empty.append(f"{file.stem}, {panel['title']}: {query}")
    assert empty == []


def test_an_alert_reaches_somebody_and_is_called_off(
    watched: Watched, webhook: Webhook, stream: Stream
) -> None:
    until(lambda: bool(webhook.told("StreamaeDeadLetters", "firing")))
    alert = webhook.told("StreamaeDeadLetters", "firing")[0]
    assert (alert["labels"]["topic"], alert["labels"]["severity"]) == (TOPIC, "warning")
    summary = alert["annotations"]["summary"]
    assert re.fullmatch(rf"[\d.]+% of the records of {TOPIC} are rejected", summary), summary
    assert alert["annotations"]["dashboard_url"].endswith(f"&var-topic={TOPIC}")
    stream.write()
    until(lambda: bool(webhook.told("StreamaeDeadLetters", "resolved")))
    assert watched.prometheus.query(FIRING) == []


def test_a_refused_configuration_is_told_until_it_is_mended(
    watched: Watched, webhook: Webhook, daemon: Daemon
) -> None:
    good = daemon.settings.read_text()
    for text, status in (("nonsense: 1\n", "firing"), (good, "resolved")):
        daemon.settings.write_text(text)
        daemon.send(signal.SIGHUP)
        until(lambda: bool(webhook.told("StreamaeReloadFailed", status)))  # noqa: B023
    tries = watched.prometheus.query("sum by (outcome) (streamae_config_reloads_total)")
    assert {one["metric"]["outcome"]: one["value"][1] for one in tries} == {
        "failure": "1",
        "success": "1",
    }


def test_what_was_revoked_is_no_longer_shown(run: Run, daemon: Daemon, watched: Watched) -> None:
    assert len(watched.prometheus.query("streamae_threshold")) == PARTITIONS
    other = run.daemon("b").start()
    until(lambda: other.ready and len(watched.prometheus.query("streamae_threshold")) == 1, 60.0)
    assert watched.prometheus.query("streamae_partitions_assigned")[0]["value"][1] == "1"
    assert daemon.get("/metrics").count(b"\nstreamae_threshold{") == 1
    assert other.get("/metrics").count(b"\nstreamae_threshold{") == 1
