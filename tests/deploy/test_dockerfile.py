"""The Dockerfile: what its build and its containers would do, without an engine."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from streamae.cli import _parser
from streamae.config import Config
from streamae.config import file as configfile
from tests.daemon import Daemon
from tests.test_http import PATHS

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy/docker/Dockerfile"
SANDBOX = ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child"]

READ_ONLY = """
set -e
mount --bind "$PWD" "$PWD"
mount -o remount,bind,ro /
cd "$PWD"
if touch /tmp/streamae-test 2>/dev/null; then exit 99; fi
exec "$@"
"""
"""Leaves the working directory to be written to, as a container's volume is."""


@pytest.fixture(scope="module")
def text() -> str:
    return DOCKERFILE.read_text().replace("\\\n", " ")


def one(pattern: str, text: str) -> str:
    (found,) = re.findall(pattern, text, re.MULTILINE)
    return str(found)


def copied(text: str) -> list[str]:
    """Return what comes from the repository."""
    lines = re.findall(r"^COPY (?!--)(.*) \S+$", text, re.MULTILINE)
    return [source for line in lines for source in line.split()]


def variables(text: str) -> dict[str, str]:
    return dict(re.findall(r"(\w+)=(\S+)", one(r"^ENV (.*)$", text)))


def test_a_linter_that_parses_it_has_no_complaints() -> None:
    program = Path(sysconfig.get_path("scripts")) / "hadolint"
    done = subprocess.run([program, DOCKERFILE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_copied_is_there_and_sent_to_the_engine(text: str) -> None:
    ignored = DOCKERFILE.with_name("Dockerfile.dockerignore").read_text().splitlines()
    let_through = {line[1:] for line in ignored if line.startswith("!")}
    assert "*" in ignored
    assert set(copied(text)) == let_through
    assert all((ROOT / source).exists() for source in let_through)
    assert ignored[-1] == "**/__pycache__"  # The last line that matches decides.


def test_command_is_one_of_the_daemon(text: str) -> None:
    assert json.loads(one(r"^ENTRYPOINT (.*)$", text)) == ["streamae"]
    assert callable(_parser().parse_args(json.loads(one(r"^CMD (.*)$", text))).verb)


def test_variables_and_ports_are_those_of_the_daemon(text: str) -> None:
    config = configfile.load(None, (), variables(text))
    assert config.http.host == "0.0.0.0"  # noqa: S104
    assert int(one(r"^EXPOSE (\d+)$", text)) == Config().http.port
    probe = urlsplit(one(r"'(http://[^']+)'", text))
    assert probe.port == Config().http.port
    assert probe.path in PATHS


def test_it_does_not_run_as_root(text: str) -> None:
    user, group = one(r"^USER (.*)$", text).split(":")
    assert f"--uid {user} " in text
    assert f"--gid {group} " in text


@pytest.fixture(scope="module")
def program(text: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install what is copied, and nothing else of the repository, into a clean environment."""
    directory = tmp_path_factory.mktemp("image")
    context, environment = directory / "src", directory / "streamae"
    context.mkdir()
    for source in map(ROOT.joinpath, copied(text)):
        if source.is_dir():
            shutil.copytree(source, context / source.name)
        else:
            shutil.copy(source, context)
    venv.create(environment, with_pip=True)
    pip = [environment / "bin/python", "-m", "pip", "install", "--quiet", "--no-deps", context]
    subprocess.run(pip, check=True)
    # The dependencies, which take minutes, are those of the tests.
    paths = {"base": str(environment), "platbase": str(environment)}
    (Path(sysconfig.get_path("purelib", vars=paths)) / "dependencies.pth").write_text(
        sysconfig.get_path("purelib")
    )
    return environment / "bin/streamae"


def probe(text: str, port: int) -> int:
    """Run the HEALTHCHECK of a daemon at `port`; return its exit code."""
    _, *command = json.loads(one(r"^HEALTHCHECK .* CMD (.*)$", text))
    command = [part.replace(str(Config().http.port), str(port)) for part in command]
    return subprocess.run([sys.executable, *command], capture_output=True, check=False).returncode


@pytest.mark.slow
@pytest.mark.skipif(
    subprocess.run([*SANDBOX, "true"], capture_output=True, check=False).returncode != 0,
    reason="needs user namespaces",
)
def test_it_is_a_good_process_1_on_a_file_system_it_cannot_write_to(
    text: str, program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    for name, value in variables(text).items():
        if name != "PATH":
            monkeypatch.setenv(name, value)
    settings = {"source": {"kind": "host", "interval": "20ms"}}
    sandboxed = [*SANDBOX, "sh", "-c", READ_ONLY, "sh", program]
    daemon = Daemon(tmp_path, settings, program=sandboxed).start()
    assert daemon.process is not None
    url = json.loads(daemon.wait_for('"listening"'))["url"]
    daemon.wait_for("partition assigned")
    assert daemon.get("/").startswith(b"<!doctype html>")  # The page came with the package.
    port = urlsplit(url).port
    assert port
    assert probe(text, port) == 0

    (process,) = psutil.Process(daemon.process.pid).children()
    status = Path(f"/proc/{process.pid}/status").read_text()
    assert one(r"^NSpid:.*\t(\d+)$", status) == "1"
    os.kill(process.pid, signal.SIGTERM)
    assert daemon.wait() == 0
    assert daemon.events("stopped")
    assert (tmp_path / "state/commit.json").exists()
    assert probe(text, port) != 0
