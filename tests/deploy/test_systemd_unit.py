"""The shipped units, as systemd reads them and beside what they say of the daemon."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from streamae.cli import _parser
from streamae.config import Config
from streamae.errors import AuthenticationError, ConfigError, DeadLetterLimitError

UNITS = Path(__file__).parents[2] / "deploy/systemd"
PROGRAM = "/opt/streamae/bin/streamae"
MOST_EXPOSED = 2.0


@pytest.fixture
def service() -> str:
    return (UNITS / "streamae.service").read_text()


def every(key: str, unit: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", unit, re.MULTILINE)


def one(key: str, unit: str) -> str:
    (value,) = every(key, unit)
    return str(value)


def test_an_instance_differs_by_its_name_alone(service: str) -> None:
    assert (UNITS / "streamae@.service").read_text() == service
    read = {command.split()[-1] for command in re.findall(rf"={PROGRAM} .*", service)}
    assert read == {"${CONFIGURATION_DIRECTORY}/%N.yaml"}
    assert one("StateDirectory", service) == "%N"
    assert one("WorkingDirectory", service) == "%S/%N"


@pytest.mark.parametrize(
    ("key", "verb"), [("ExecStartPre", "lint"), ("ExecStart", "run"), ("ExecReload", "lint")]
)
def test_commands_exist(service: str, key: str, verb: str) -> None:
    program, *arguments = shlex.split(every(key, service)[0])
    assert program.removeprefix("-") == PROGRAM
    assert arguments[0] == verb
    assert callable(_parser().parse_args(arguments).verb)


def test_a_reload_is_checked_before_the_daemon_hears_of_it(service: str) -> None:
    lint, hang_up = every("ExecReload", service)
    assert lint == one("ExecStartPre", service)[1:].replace("lint", "lint --running")
    assert shlex.split(hang_up) == ["/bin/kill", "-HUP", "$MAINPID"]


def seconds(text: str) -> int:
    return 60 * int(text[:-3]) if text.endswith("min") else int(text.removesuffix("s"))


def test_the_daemon_gives_up_before_systemd_does(service: str) -> None:
    config = Config()
    assert seconds(one("WatchdogSec", service)) > config.watchdog_timeout
    assert seconds(one("TimeoutStopSec", service)) > 2 * config.shutdown_timeout
    assert seconds(one("TimeoutStartSec", service)) > config.kafka.connect_timeout


def test_what_a_restart_cannot_mend_is_not_restarted(service: str) -> None:
    errors = (DeadLetterLimitError, AuthenticationError, ConfigError)
    expected = {2, *(error.exit_code for error in errors)}
    assert set(map(int, one("RestartPreventExitStatus", service).split())) == expected
    # The status of a start that fails before the daemon runs prevents nothing.
    assert one("ExecStartPre", service).startswith("-")


def analyze(*arguments: str | Path) -> str:
    done = subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd")
@pytest.mark.parametrize("name", ["streamae", "streamae@"])
@pytest.mark.parametrize("gpu", [False, True])
def test_systemd_has_no_complaints(tmp_path: Path, name: str, gpu: bool) -> None:
    unit = tmp_path / f"{name}.service"
    unit.write_text((UNITS / unit.name).read_text().replace(PROGRAM, sys.executable))
    if gpu:
        drop_in = tmp_path / f"{name}.service.d/gpu.conf"
        drop_in.parent.mkdir()
        shutil.copy(UNITS / "gpu.conf", drop_in)
    analyze("verify", "--man=no", unit)
    findings = json.loads(analyze("security", "--offline=true", "--json=short", unit))
    assert ("PrivateDevices=" in {f["name"] for f in findings if f["exposure"]}) == gpu
    analyze("security", "--offline=true", f"--threshold={MOST_EXPOSED * 10:.0f}", unit)
