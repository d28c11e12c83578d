"""The configuration, read again: by the part that decides, and by the running daemon."""

import json
import logging
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import msgspec
import pytest
import yaml
from prometheus_client import CollectorRegistry

from streamae.cli import main
from streamae.config import AlertingConfig, Config, HttpConfig, KafkaConfig, LogConfig, Secret
from streamae.config.file import redact
from streamae.errors import ConfigError
from streamae.http import Server
from streamae.metrics import Metrics
from streamae.reload import Reloader
from tests.daemon import Daemon
from tests.serving import State
from tests.streams import keys, timestamps, values

N = 3000


class File:
    """What a reload finds."""

    def __init__(self) -> None:
        self.content: Config | Exception = Config()

    def __call__(self) -> Config:
        if isinstance(self.content, Exception):
            raise self.content
        return self.content


@pytest.fixture
def file() -> File:
    return File()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def reloader(file: File, registry: CollectorRegistry) -> Reloader:
    return Reloader(Config(), file, Metrics(registry))


@pytest.fixture(autouse=True)
def _same_log_level() -> Iterator[None]:
    levels = {name: logging.getLogger(name).level for name in ("", "kafka")}
    yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def outcomes(registry: CollectorRegistry) -> tuple[float | None, ...]:
    """Whether the last one succeeded, how many did, how many did not."""
    last = registry.get_sample_value("streamae_config_last_reload_successful")
    counts = (
        registry.get_sample_value("streamae_config_reloads_total", {"outcome": outcome})
        for outcome in ("success", "failure")
    )
    return last, *counts


def test_live_keys_come_into_force(
    reloader: Reloader, file: File, registry: CollectorRegistry
) -> None:
    assert not reloader.asked
    file.content = Config(alerting=AlertingConfig(budget=0.01), log=LogConfig(level="warning"))
    asked = [reloader.ask(), reloader.ask()]
    assert reloader.asked
    assert reloader.answer() == file.content == reloader.config
    assert [one.result(0) for one in asked] == [["alerting.budget", "log.level"]] * 2
    assert logging.getLogger().level == logging.WARNING
    assert not reloader.asked
    assert outcomes(registry) == (1, 1, 0)


def test_the_same_configuration_is_a_success_that_changes_nothing(
    reloader: Reloader, registry: CollectorRegistry
) -> None:
    asked = reloader.ask()
    assert reloader.answer() is None
    assert asked.result(0) == []
    assert outcomes(registry) == (1, 1, 0)


def test_what_a_reload_cannot_do_is_named_and_nothing_changes(
    reloader: Reloader, file: File, registry: CollectorRegistry
) -> None:
    changed = Config(
        name="other",
        alerting=AlertingConfig(budget=0.01),
        kafka=KafkaConfig(group="g", sasl_password=Secret("hunter2")),
    )
    detector = msgspec.structs.replace(changed.detector, n_latents=64)
    file.content = msgspec.structs.replace(changed, detector=detector)
    asked = reloader.ask()
    assert reloader.answer() is None
    with pytest.raises(ConfigError) as raised:
        asked.result(0)
    assert str(raised.value).splitlines() == [
        "name: other instead of streamae takes a restart",
        "detector.n_latents: 64 instead of null takes a new model: another `name` and state"
        " directory, and a restart",
        "kafka.group: g instead of null takes a restart",
        "kafka.sasl_password: another value takes a restart",
    ]
    assert reloader.config == Config()
    assert outcomes(registry) == (0, 0, 1)
    file.content = Config()
    reloader.ask()
    reloader.answer()
    assert outcomes(registry) == (1, 1, 1)


@pytest.mark.parametrize("error", [ConfigError("streamae.yaml:3: no"), ValueError("a bug")])
def test_an_error_reaches_who_asked_and_nobody_else(
    reloader: Reloader, file: File, registry: CollectorRegistry, error: Exception
) -> None:
    file.content = error
    asked = reloader.ask()
    assert reloader.answer() is None
    assert asked.exception(0) is error
    assert reloader.config == Config()
    assert outcomes(registry) == (0, 0, 1)


@pytest.fixture
def shown() -> Iterator[dict[str, Any]]:
    """Yield what a server answers when it is asked for its configuration."""
    document: dict[str, Any] = {}
    views = replace(State().views(), config=lambda: document)
    server = Server(HttpConfig(port=0), CollectorRegistry(), views)
    server.start()
    document |= redact(Config(http=HttpConfig(port=server.port)))
    yield document
    server.stop()


def lint(tmp_path: Path, port: int, settings: Mapping[str, Any]) -> int:
    path = tmp_path / "streamae.yaml"
    path.write_text(yaml.safe_dump({"http": {"port": port}, **settings}))
    return main(["lint", "--running", str(path)])


def test_what_a_reload_cannot_do_is_said_before(
    shown: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = shown["http"]["port"]
    assert lint(tmp_path, port, {"alerting": {"budget": 0.01}}) == 0
    assert capsys.readouterr().err == ""
    del shown["detector"]["seed"]  # An earlier version has fewer keys.
    assert lint(tmp_path, port, {"name": "other"}) == 78
    assert capsys.readouterr().err.splitlines() == [
        "name: other instead of streamae takes a restart",
        "detector.seed: 0 instead of null takes a new model: another `name` and state directory,"
        " and a restart",
    ]


def test_nobody_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # And does not listen.
        port = taken.getsockname()[1]
        assert lint(tmp_path, port, {}) == 78
    assert f"http.port: no daemon answers at 127.0.0.1:{port}" in capsys.readouterr().err
    assert lint(tmp_path, 0, {}) == 0


SETTINGS: dict[str, Any] = {
    "name": "reloaded",
    "source": {"path": "vectors.jsonl", "follow": True, "max_poll_records": 100},
    "record": {"key_field": "host", "timestamp_field": "at"},
    "detector": {"block_size": 64, "n_latents": 32, "warmup_records": 256},
    "alerting": {"budget": 0.01, "quiet_records": 20},
    "output": {"scores": "scores.jsonl"},
    "commit": {"interval": "50ms"},
    "log": {"format": "json"},
    "http": {"port": 0, "reload": True},
}


class Running:
    """A daemon that follows a file to which records are appended as a test goes on."""

    def __init__(self, directory: Path) -> None:
        self.daemon = Daemon(directory, SETTINGS)
        fields = zip(values(N, seed=10), keys(N), timestamps(N), strict=True)
        self.lines = [
            json.dumps({**json.loads(value), "host": key.decode(), "at": at})
            for value, key, at in fields
        ]
        self.n = 0
        (directory / "vectors.jsonl").touch()

    def feed(self, n: int) -> None:
        """Append n records and wait for their scores."""
        with (self.daemon.directory / "vectors.jsonl").open("a") as file:
            file.writelines(f"{line}\n" for line in self.lines[self.n : self.n + n])
        self.n += n
        self.until(lambda: len(self.read("scores")) == self.n)

    def until(self, reached: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not reached():
            assert time.monotonic() < deadline
            assert self.daemon.alive, self.daemon.log.read_text()
            time.sleep(0.02)

    def read(self, name: str) -> list[dict[str, Any]]:
        path = self.daemon.directory / f"{name}.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def write(self, changes: Mapping[str, Any] | str) -> None:
        text = changes if isinstance(changes, str) else yaml.safe_dump({**SETTINGS, **changes})
        self.daemon.settings.write_text(text)

    def post(self) -> tuple[int, dict[str, Any]]:
        url = self.daemon.wait_for('"url":').split('"url":"')[1].split('"')[0] + "-/reload"
        try:
            with urlopen(Request(url, method="POST"), timeout=20) as answer:  # noqa: S310
                return answer.status, json.load(answer)
        except HTTPError as error:
            return error.code, json.load(error)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path)
    yield running
    if running.daemon.alive:
        running.daemon.kill()


@pytest.mark.slow
def test_the_daemon_goes_on_with_another_configuration_or_as_it_was(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon = running.daemon.start()
    running.feed(1000)
    port = daemon.address.rpartition(":")[2]
    assert main(["lint", "--running", str(daemon.settings), f"--set=http.port={port}"]) == 78
    assert capsys.readouterr().err == f"http.port: {port} instead of 0 takes a restart\n"
    running.write("alerting: {budgt: 1}\n")
    daemon.send(signal.SIGHUP)
    line = json.loads(daemon.wait_for("reload failed"))
    assert "daemon.yaml:1: alerting.budgt: unknown key; did you mean" in (line["error"])
    running.write({"detector": {"block_size": 128}})
    code, body = running.post()
    assert code == 500
    assert "detector.block_size: 128 instead of 64 takes a new model" in body["error"]
    running.feed(1000)
    metrics = daemon.get("/metrics").decode()
    assert "streamae_config_last_reload_successful 0.0" in metrics
    assert 'streamae_config_reloads_total{outcome="failure"} 2.0' in metrics

    running.write({"alerting": {"budget": 0.05, "quiet_records": 20}})
    assert running.post() == (200, {"status": "ok", "changed": ["alerting.budget"]})
    assert json.loads(daemon.get("/config"))["alerting"]["budget"] == 0.05
    running.feed(1000)
    assert daemon.stop() == 0
    events = running.read("alerts")
    (change,) = [event for event in events if event["type"] == "configuration"]
    assert 2000 <= change["source"]["offset"] < 2064
    assert (change["before"]["budget"], change["after"]["budget"]) == (0.01, 0.05)
    assert [line["budget"] for line in daemon.events("alerting reconfigured")] == [0.05]
    assert {event["budget"] for event in events if event["type"] == "anomaly"} == {0.01, 0.05}
    assert_scores_are_those_of_an_undisturbed_run(running, daemon.directory / "undisturbed")


def assert_scores_are_those_of_an_undisturbed_run(running: Running, directory: Path) -> None:
    once = {**SETTINGS, "source": {"path": str(running.daemon.directory / "vectors.jsonl")}}
    undisturbed = Daemon(directory, once).start()
    assert undisturbed.wait() == 0
    lines = [(each / "scores.jsonl").read_bytes() for each in (running.daemon.directory, directory)]
    first, second = (blob.splitlines() for blob in lines)
    assert first[:2000] == second[:2000]
    assert [{**json.loads(line), "anomaly": None} for line in first] == [
        {**json.loads(line), "anomaly": None} for line in second
    ]
