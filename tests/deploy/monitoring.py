"""Prometheus and Alertmanager as processes of their own, and a webhook that is told of alerts."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Self
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml

from tests.kafka.broker import free_ports
from tests.kafka.cluster import until


class Program:
    """A server of its own process, on one port of this machine, from `start` to `stop`."""

    name = ""
    package = ""
    ready = "/-/ready"

    def __init__(self, directory: Path, settings: Mapping[str, Any]) -> None:
        directory.mkdir(parents=True)
        self.directory = directory
        self.config = directory / f"{self.name}.yaml"
        self.config.write_text(yaml.safe_dump(settings))
        self.address = f"127.0.0.1:{free_ports(1)[0]}"
        self._log = directory / f"{self.name}.log"

    def __enter__(self) -> Self:
        command = [self.name, f"--config.file={self.config}", *self.options()]
        with self._log.open("wb") as log:
            try:
                self._process = subprocess.Popen(
                    [*command, f"--web.listen-address={self.address}"],
                    cwd=self.directory,
                    stdout=log,
                    stderr=log,
                )
            except FileNotFoundError:
                pytest.fail(f"{self.name} is missing: apt-get install {self.package}")
        until(self._answers)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    def options(self) -> Sequence[str]:
        """Return what else is on the command line."""
        raise NotImplementedError

    def get(self, path: str, **parameters: str) -> bytes:
        """Return what it answers."""
        address = f"http://{self.address}{path}?{urlencode(parameters)}"
        with urlopen(address, timeout=10) as answer:
            return bytes(answer.read())

    def _answers(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()
        try:
            self.get(self.ready)
        except (URLError, ConnectionError):
            return False
        return True


class Prometheus(Program):
    """Scrapes and evaluates as its configuration says."""

    name = package = "prometheus"

    def options(self) -> Sequence[str]:
        return ["--storage.tsdb.path=data", "--log.level=warn"]

    def query(self, expression: str, at: float | None = None) -> list[dict[str, Any]]:
        """Return the series an expression gives, now or at a Unix time in seconds."""
        when = {} if at is None else {"time": f"{at:.3f}"}
        answer = json.loads(self.get("/api/v1/query", query=expression, **when))
        return list(answer["data"]["result"])


class Alertmanager(Program):
    """Passes alerts on as its configuration says."""

    name = package = "prometheus-alertmanager"

    def options(self) -> Sequence[str]:
        return ["--storage.path=data", "--cluster.listen-address=", "--log.level=warn"]


class Webhook:
    """Keeps every alert it is told of."""

    def __init__(self) -> None:
        alerts: list[dict[str, Any]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                alerts.extend(json.loads(self.rfile.read(length))["alerts"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.alerts = alerts
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/"

    def told(self, name: str, status: str) -> list[dict[str, Any]]:
        """Return what was said about one alert in that state."""
        return [
            one
            for one in self.alerts
            if (one["labels"]["alertname"], one["status"]) == (name, status)
        ]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
