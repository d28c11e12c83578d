"""The chart as helm renders it: what a cluster accepts, and what the daemon makes of it."""

import json
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

import streamae
from streamae.cli import _parser
from streamae.config import Config
from streamae.config import file as configfile
from tests.deploy.kubernetes import CHART, ROOT, Object, check, helm, refused, render
from tests.test_http import PATHS

pytestmark = pytest.mark.slow

VALUES: dict[str, list[Path | str]] = {
    "default": [],
    "minimal": ["-f", CHART / "ci/minimal-values.yaml"],
    "everything": ["-f", CHART / "ci/everything-values.yaml"],
}
EVERYTHING = {
    "ConfigMap",
    "NetworkPolicy",
    "Pod",
    "PodDisruptionBudget",
    "PodMonitor",
    "PrometheusRule",
    "ScaledObject",
    "Service",
    "StatefulSet",
}


class Release:
    """What one file of values makes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.arguments = VALUES[name]
        self.objects = render(*self.arguments)

    def one(self, kind: str, suffix: str = "") -> Object:
        (found,) = (
            one
            for one in self.objects
            if one["kind"] == kind and one["metadata"]["name"] == f"t-streamae{suffix}"
        )
        return found

    @property
    def pods(self) -> list[Object]:
        """Return a worker and the pod of `helm test`."""
        return [self.one("StatefulSet")["spec"]["template"], self.one("Pod", "-dry-run")]


@pytest.fixture(scope="module", params=VALUES)
def release(request: pytest.FixtureRequest) -> Release:
    return Release(request.param)


@pytest.fixture(scope="module")
def everything() -> Release:
    return Release("everything")


def container(pod: Object) -> Object:
    (only,) = pod["spec"]["containers"]
    return dict(only)


def environ(pod: Object) -> dict[str, str]:
    return {each["name"]: each.get("value", "t-streamae-0") for each in container(pod)["env"]}


def test_helm_has_no_complaints(release: Release) -> None:
    done = helm("lint", "--strict", CHART, *release.arguments)
    assert done.returncode == 0, done.stdout


def test_a_cluster_accepts_every_object(release: Release) -> None:
    for one in release.objects:
        check(one)
    kinds = {one["kind"] for one in release.objects}
    assert kinds == EVERYTHING if release.name == "everything" else kinds < EVERYTHING


def test_the_daemon_accepts_its_configuration(release: Release, tmp_path: Path) -> None:
    file = tmp_path / "streamae.yaml"
    file.write_text(release.one("ConfigMap")["data"]["streamae.yaml"])
    worker, test = release.pods
    config = configfile.load(file, (), environ(worker))
    assert (config.http.host, config.kafka.instance) == ("0.0.0.0", "t-streamae-0")  # noqa: S104
    assert configfile.load(file, (), environ(test)).kafka.instance is None
    mounts = {mount["mountPath"] for mount in container(worker)["volumeMounts"]}
    assert str(Path(config.state.directory).parent) in mounts
    (port,) = container(worker)["ports"]
    assert port["containerPort"] == config.http.port
    assert worker["spec"]["terminationGracePeriodSeconds"] > 2 * config.shutdown_timeout


def test_the_default_passes_its_own_test(tmp_path: Path) -> None:
    default = Release("default")
    (tmp_path / "streamae.yaml").write_text(default.one("ConfigMap")["data"]["streamae.yaml"])
    arguments = container(default.pods[1])["args"]
    arguments[-1] = Path(arguments[-1]).name
    dry_run = [sys.executable, "-m", "streamae", *arguments]
    done = subprocess.run(dry_run, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_commands_and_probes_are_those_of_the_daemon(release: Release) -> None:
    for pod in release.pods:
        assert callable(_parser().parse_args(container(pod)["args"]).verb)
    worker = container(release.pods[0])
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert worker[probe]["httpGet"]["path"] in PATHS
        assert worker[probe]["httpGet"]["port"] == "http"
    assert "readyz" in worker["readinessProbe"]["httpGet"]["path"]


def test_pods_keep_to_the_restricted_standard(release: Release) -> None:
    for pod in release.pods:
        spec, only = pod["spec"], container(pod)
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert only["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        written = {mount["name"] for mount in only["volumeMounts"] if not mount.get("readOnly")}
        assert written == {"state", "tmp"}


def test_selectors_find_the_workers_alone(everything: Release) -> None:
    worker, test = (pod["metadata"]["labels"] for pod in everything.pods)
    for kind in ("StatefulSet", "PodDisruptionBudget", "PodMonitor"):
        chosen = everything.one(kind)["spec"]["selector"]["matchLabels"].items()
        assert chosen <= worker.items(), kind
        assert not chosen <= test.items(), kind
    restricted = everything.one("NetworkPolicy")["spec"]["podSelector"]["matchLabels"].items()
    assert restricted <= worker.items()
    assert restricted <= test.items()


def test_a_new_configuration_restarts_the_pods() -> None:
    def annotations(*arguments: str) -> Any:
        (found,) = (one for one in render(*arguments) if one["kind"] == "StatefulSet")
        return found["spec"]["template"]["metadata"]["annotations"]

    base = annotations()
    assert annotations("--set", "config.name=pumps") != base
    assert annotations("--set", "podDisruptionBudget.enabled=false") == base
    assert "checksum/config" not in annotations("--set", "existingConfigMap=mine")


def test_workers_are_scaled_by_one_hand(release: Release) -> None:
    scaled = release.name == "everything"
    assert ("replicas" not in release.one("StatefulSet")["spec"]) == scaled
    if not scaled:
        return
    spec = release.one("ScaledObject")["spec"]
    metadata = [trigger["metadata"] for trigger in spec["triggers"]]
    assert [each["topic"] for each in metadata] == ["sensors", "more-sensors"]
    assert {each["consumerGroup"] for each in metadata} == {"turbines-eu"}
    assert metadata[0]["bootstrapServers"] == "kafka-0:9093,kafka-1:9093"
    assert metadata[0]["tls"] == "enable"


def test_rules_and_dashboards_are_the_shipped_ones(everything: Release, tmp_path: Path) -> None:
    rules = yaml.safe_load((ROOT / "deploy/prometheus/rules.yaml").read_text())
    assert everything.one("PrometheusRule")["spec"] == rules
    dashboards = {
        f"streamae-{path.name}": json.loads(path.read_text())
        for path in (ROOT / "deploy/grafana/dashboards").glob("*.json")
    }
    found = everything.one("ConfigMap", "-dashboards")["data"]
    assert {name: json.loads(text) for name, text in found.items()} == dashboards
    # They are links in the repository, and must be files in what is handed on.
    assert helm("package", CHART, "-d", tmp_path).returncode == 0
    (package,) = tmp_path.iterdir()
    with tarfile.open(package) as chart:
        files = {member.name for member in chart.getmembers() if member.isfile()}
    assert {"streamae/files/rules.yaml", "streamae/files/dashboards/operations.json"} <= files
    assert not [name for name in files if "/ci/" in name]


def test_rules_find_the_job(everything: Release) -> None:
    label = everything.one("PodMonitor")["spec"]["jobLabel"]
    job = everything.pods[0]["metadata"]["labels"][label]
    text = (ROOT / "deploy/prometheus/rules.yaml").read_text()
    patterns = set(re.findall(r'job=~"([^"]+)"', text))
    assert patterns
    assert all(re.fullmatch(pattern, job) for pattern in patterns)


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("config.kafka.grup=x", "grup"),
        ("replica=2", "replica"),
        ("keda.minReplicas=0", "minReplicas"),
        ("keda.enabled=true", "source.kind: kafka"),
        ("config.kafka.sasl_password=x", "sasl_password_file"),
        ("terminationGracePeriodSeconds=10", "terminationGracePeriodSeconds"),
    ],
)
def test_what_could_not_work_is_refused(setting: str, reason: str) -> None:
    assert reason in refused("--set", setting)


def test_versions_are_those_of_the_package() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == chart["version"] == streamae.__version__
    schema = json.loads((CHART / "values.schema.json").read_text())
    least = schema["properties"]["terminationGracePeriodSeconds"]["minimum"]
    assert least > 2 * Config().shutdown_timeout
