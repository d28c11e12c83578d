"""What the README tells to run does, as it is written."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

README = (Path(__file__).parent.parent / "README.md").read_text()
PYTHON_API = README.split("\n## Python API\n")[1].split("\n## ")[0]
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PYTHON_API, re.M | re.S)
ON_FILES = README.split("### With files\n")[1].split("\n### ")[0]
COMMANDS = re.findall(r"^(.*?streamae .*?)(?:  +#.*)?$", ON_FILES.split("```")[1], re.M)
ROWS = [(row % 7, row % 5 if row % 100 else 50) for row in range(3_000)]
RECORDS = "".join(json.dumps({"a": a, "b": b}) + "\n" for a, b in ROWS)
DRAFT = re.findall(r"`(streamae config init .*?)`", ON_FILES)


def test_the_readme_has_examples() -> None:
    assert len(EXAMPLES) >= 5
    assert len(EXAMPLES) == README.count("```python\n")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.splitlines()[0])
def test_example(
    example: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A comment behind `print` is what it prints."""
    monkeypatch.chdir(tmp_path)
    expected = re.findall(r"^ *print\(.*\)  # (.*)$", example, re.M)
    exec(compile(example, "README.md", "exec"), {"__name__": "__main__"})  # noqa: S102
    assert capsys.readouterr().out.splitlines() == expected


def test_the_readme_has_commands() -> None:
    assert len(COMMANDS) == 3
    assert len(DRAFT) == 1


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, str]:
    """Make the files the commands speak of; return an environment with `streamae` in its path."""
    (tmp_path / "metrics.jsonl").write_text(RECORDS)
    (tmp_path / "metrics.log").touch()
    labelled = "".join(f"{a},{b},{int(b == 50)}\n" for a, b in ROWS)
    (tmp_path / "labelled.csv").write_text("a,b,is_anomaly\n" + labelled)
    program = tmp_path / "bin/streamae"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m streamae "$@"\n')
    program.chmod(0o755)
    path = f"{program.parent}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "STREAMAE_HTTP__PORT": "0"}


@pytest.mark.slow
@pytest.mark.parametrize("command", [*COMMANDS, *DRAFT])
def test_a_command_on_files(command: str, tmp_path: Path, machine: dict[str, str]) -> None:
    """Those that would go on for ever are stopped by Ctrl-C once they judge records."""
    endless = "follow" in command or "tail -F" in command
    log = tmp_path / "log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            cwd=tmp_path,
            env=machine,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    try:
        if endless:
            appears(log, "started")
            (tmp_path / "metrics.log").write_text(RECORDS)
            appears(log, "warm-up is over")
            os.killpg(process.pid, signal.SIGINT)
            appears(log, "stopped")
        assert process.wait(60) == (-signal.SIGINT if endless else 0), log.read_text()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def appears(log: Path, event: str) -> None:
    deadline = time.monotonic() + 60
    while f'"event":"{event}' not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
