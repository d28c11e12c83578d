"""The shipped units, as systemd reads them and beside what they say of the daemon."""

import shutil
import subprocess
import sys
from configparser import RawConfigParser
from pathlib import Path

import pytest

from streamae.cli import _parser
from streamae.config import Config
from streamae.errors import AuthenticationError, ConfigError, DeadLetterLimitError

UNITS = Path(__file__).parents[2] / "deploy/systemd"
PROGRAM = "/opt/streamae/bin/streamae"


class Unit(RawConfigParser):
    """A unit file; keys that repeat keep their last value."""

    def __init__(self, path: Path) -> None:
        super().__init__(strict=False)
        self.optionxform = str  # type: ignore[assignment,method-assign]
        self.read_string(path.read_text())


@pytest.fixture
def service() -> Unit:
    return Unit(UNITS / "streamae.service")


@pytest.mark.parametrize("key", ["ExecStartPre", "ExecStart"])
def test_commands_exist(service: Unit, key: str) -> None:
    program, *arguments = service["Service"][key].split()
    assert program == PROGRAM
    assert callable(_parser().parse_args(arguments).verb)


def seconds(text: str) -> int:
    return 60 * int(text[:-3]) if text.endswith("min") else int(text.removesuffix("s"))


def test_the_daemon_gives_up_before_systemd_does(service: Unit) -> None:
    config, unit = Config(), service["Service"]
    assert seconds(unit["WatchdogSec"]) > config.watchdog_timeout
    assert seconds(unit["TimeoutStopSec"]) > 2 * config.shutdown_timeout
    assert seconds(unit["TimeoutStartSec"]) > config.kafka.connect_timeout


def test_what_a_restart_cannot_mend_is_not_restarted(service: Unit) -> None:
    errors = (DeadLetterLimitError, AuthenticationError, ConfigError)
    expected = {2, *(error.exit_code for error in errors)}
    assert {
        int(code) for code in service["Service"]["RestartPreventExitStatus"].split()
    } == expected


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd")
@pytest.mark.parametrize("gpu", [False, True])
def test_systemd_has_no_complaints(tmp_path: Path, gpu: bool) -> None:
    unit = tmp_path / "streamae.service"
    unit.write_text((UNITS / unit.name).read_text().replace(PROGRAM, sys.executable))
    if gpu:
        drop_in = tmp_path / "streamae.service.d/gpu.conf"
        drop_in.parent.mkdir()
        shutil.copy(UNITS / "gpu.conf", drop_in)
    for check in (["verify", "--man=no"], ["security", "--offline=true", "--threshold=30"]):
        done = subprocess.run(
            ["systemd-analyze", *check, unit], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stderr == ""
