"""Files that the configuration names: what they hold is read once, and a reload says so."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from streamae.config import Config, HttpConfig, KafkaConfig
from streamae.config.keys import keys
from streamae.http import Server
from streamae.metrics import Metrics
from streamae.reload import FILES, Reloader
from tests.serving import State
from tests.test_reload import lint


def test_another_content_takes_a_restart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    password = tmp_path / "password"
    password.write_text("before")
    kafka: dict[str, Any] = {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "sasl_username": "me",
        "sasl_password_file": str(password),
    }
    config = Config(kafka=KafkaConfig(**kafka))
    registry = CollectorRegistry()
    reloader = Reloader(config, lambda: config, Metrics(registry))
    server = Server(HttpConfig(port=0), registry, replace(State().views(), config=reloader.shown))
    server.start()
    config = reloader.config = msgspec.structs.replace(config, http=HttpConfig(port=server.port))

    def reload() -> str:
        asked = reloader.ask()
        reloader.answer()
        return str(asked.exception(0) or "done")

    def linted() -> tuple[int, str]:
        capsys.readouterr()  # A reload may have logged there.
        code = lint(tmp_path, server.port, {"kafka": kafka})
        return code, capsys.readouterr().err.strip()

    said = "kafka.sasl_password_file: the file has changed since the start, which takes a restart"
    assert (reload(), linted()) == ("done", (0, ""))
    password.write_text("after")
    assert (reload(), linted()) == (said, (78, said))
    password.unlink()
    assert (reload(), linted()) == (said, (78, said))
    password.write_text("before")
    assert (reload(), linted()) == ("done", (0, ""))
    server.stop()


def test_every_file_of_a_connection_is_watched() -> None:
    named = {path for path in keys() if path.startswith("kafka.") and path.endswith("file")}
    assert set(FILES) == named
