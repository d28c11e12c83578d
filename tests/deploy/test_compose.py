"""The composition: what it names is there, and its commands work on a broker it configures."""

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import streamae
from streamae.cli import _parser
from streamae.config import Config
from streamae.config import file as configfile
from tests.daemon import Daemon
from tests.deploy.promtool import promtool
from tests.kafka.broker import Broker
from tests.kafka.cluster import Cluster, until

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "deploy/docker"
SERVICES: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]
OURS = {name: one for name, one in SERVICES.items() if one["image"].startswith("streamae:")}


def mounts(service: dict[str, Any]) -> dict[str, Path]:
    """Return the files and folders of the repository in a container, by where they are there."""
    split = [volume.split(":") for volume in service.get("volumes", ())]
    return {there: (DOCKER / here).resolve() for here, there, *_ in split if here.startswith(".")}


def test_what_is_mounted_and_built_is_there() -> None:
    for service in SERVICES.values():
        assert all(path.exists() for path in mounts(service).values())
    for service in OURS.values():
        build = service["build"]
        assert (DOCKER / build["context"]).resolve() == ROOT
        assert (ROOT / build["dockerfile"]).exists()
        assert service["image"] == f"streamae:{streamae.__version__}"


def test_services_wait_for_what_can_come() -> None:
    for service in SERVICES.values():
        waits = service.get("depends_on", {})
        for name in waits:
            assert name in SERVICES
            condition = waits[name]["condition"] if isinstance(waits, dict) else "service_started"
            if condition == "service_healthy":
                assert "test" in SERVICES[name]["healthcheck"]
            if condition == "service_completed_successfully":
                assert "restart" not in SERVICES[name]


def test_containers_are_confined() -> None:
    for service in OURS.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["tmpfs"] == ["/tmp"]  # noqa: S108
    for service in SERVICES.values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


def test_the_daemon_accepts_its_part() -> None:
    service = SERVICES["streamae"]
    file = mounts(service)["/etc/streamae/streamae.yaml"]
    config = configfile.load(file, (), service["environment"])
    assert config.kafka.instance == "compose"
    assert f"127.0.0.1:{config.http.port}:{config.http.port}" in service["ports"]
    assert int(service["stop_grace_period"].removesuffix("s")) > 2 * config.shutdown_timeout
    assert callable(_parser().parse_args(SERVICES["output-topics"]["command"]).verb)


def test_dashboards_find_prometheus_and_prometheus_the_daemon() -> None:
    places = mounts(SERVICES["grafana"])
    provisioning = places["/etc/grafana/provisioning"]
    (provider,) = load(provisioning / "dashboards/streamae.yaml")["providers"]
    assert places[provider["options"]["path"]] == ROOT / "deploy/grafana/dashboards"
    home = Path(SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (places[str(home.parent)] / home.name).exists()
    (source,) = load(provisioning / "datasources/streamae.yaml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    (scrape,) = load(DOCKER / "prometheus.yaml")["scrape_configs"]
    assert scrape["static_configs"] == [{"targets": [f"streamae:{Config().http.port}"]}]


@pytest.mark.slow
def test_prometheus_accepts_its_configuration(tmp_path: Path) -> None:
    there = mounts(SERVICES["prometheus"])
    config = there["/etc/prometheus/prometheus.yml"].read_text()
    rules = "/etc/prometheus/rules.yaml"
    (tmp_path / "prometheus.yaml").write_text(config.replace(rules, str(there[rules])))
    promtool("check", "config", tmp_path / "prometheus.yaml")


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


class ComposedBroker(Broker):
    """Configured by the variables of the service and nothing else, as the image has it."""

    def _properties(self, _: object) -> str:
        lines = [f"log.dirs={self.directory / 'data'}"]
        for name, value in SERVICES["kafka"]["environment"].items():
            key = name.removeprefix("KAFKA_").lower().replace("_", ".")
            here = value.replace("kafka:", ":").replace("://:", "://127.0.0.1:")
            here = here.replace("@:", "@127.0.0.1:")
            here = here.replace(":9092", f":{self._port}").replace(
                ":9093", f":{self._controller_port}"
            )
            lines.append(f"{key}={here}")
        return "\n".join(lines) + "\n"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with ComposedBroker(tmp_path / "kafka") as running:
        yield running


@pytest.mark.slow
@pytest.mark.kafka
def test_its_commands_bring_alerts(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_BROKERS", broker.bootstrap)
    # kafka-topics.sh is not among the jars of the tests.
    arguments = SERVICES["input-topic"]["command"]
    options = dict(itertools.pairwise(arguments))
    with Cluster(broker.bootstrap) as cluster:
        cluster.create(options["--topic"], partitions=int(options["--partitions"]))

    file = mounts(SERVICES["streamae"])["/etc/streamae/streamae.yaml"]
    topics = [
        str(file) if part.endswith(".yaml") else part
        for part in SERVICES["output-topics"]["command"]
    ]
    subprocess.run([sys.executable, "-m", "streamae", *topics], check=True, capture_output=True)

    monkeypatch.setenv("STREAMAE_KAFKA__INSTANCE", "compose")
    script = mounts(SERVICES["producer"])[SERVICES["producer"]["entrypoint"][1]]
    daemon = Daemon(tmp_path, load(file)).start()
    fast = {**os.environ, "RATE": "5000"}
    with subprocess.Popen([sys.executable, script], env=fast) as producer:
        try:
            daemon.wait_for('"event":"alert"')
            until(lambda: daemon.ready)
        finally:
            producer.kill()
            code = daemon.stop()
    assert code == 0
