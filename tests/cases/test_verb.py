"""`streamae test`, on the shipped examples and on what goes wrong."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch

from streamae.cli import main

ROOT = Path(__file__).parents[2]
MINIMAL = str(ROOT / "config/minimal.yaml")
SHIPPED = [str(path) for path in sorted((ROOT / "config/tests").glob("*.yaml"))]
SHUTTLE = str(ROOT / "config/tests/shuttle.yaml")


@pytest.mark.slow
def test_the_shipped_tests_pass(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    report = tmp_path / "junit.xml"
    assert main(["test", "-c", MINIMAL, *SHIPPED, "--junit", str(report)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "4 tests, 0 failed"
    assert all(line.startswith("ok    ") for line in lines[:-1])
    suites = ElementTree.fromstring(report.read_text())  # noqa: S314 - our own.
    assert [suite.get("name") for suite in suites] == SHIPPED


def test_another_configuration_fails_them(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["test", "-c", MINIMAL, SHUTTLE, "--set", "alerting.critical_share=0.01"]
    assert main(command) == 1
    printed = capsys.readouterr().out
    assert "nearest alert: offset 1374 but severity warning" in printed
    assert "raised, not expected: offset 1374 (ordinal 1374), warning, p-value" in printed
    assert main([*command, "--json"]) == 1
    (result,) = json.loads(capsys.readouterr().out)["results"]
    assert [each["kind"] for each in result["mismatches"]] == ["missing_alert", "unexpected_alert"]
    assert result["alerts"][0]["attribution"][0]["feature"] == "f2"


def test_every_fault_of_every_file_before_anything_runs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("tests:\n- nmae: x\n")
    assert main(["test", SHUTTLE, str(bad), str(tmp_path / "none.yaml")]) == 78
    printed = capsys.readouterr()
    assert printed.out == ""
    first, second = printed.err.splitlines()
    assert first.startswith(f"{bad}:2: tests[0].nmae: unknown key; did you mean 'name'?")
    assert second == f"{tmp_path}/none.yaml: cannot be read: No such file or directory"


@pytest.mark.parametrize(
    ("arguments", "exit_code", "error"),
    [
        (["-c", "none.yaml", SHUTTLE], 78, "none.yaml: cannot be read: No such file or directory"),
        ([SHUTTLE, "--set", "a=1"], 78, "--set: a: unknown key"),
        (["headless.yaml"], 78, "headless.yaml:3: tests[0].input: headless.csv has no header"),
        pytest.param(
            [SHUTTLE, "--set", "detector.device=cuda"],
            78,
            "detector.device: no CUDA device can be used here",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is one"),
        ),
        ([SHUTTLE, "--junit", "none/x.xml"], 74, "--junit: cannot write none/x.xml: No such file"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    exit_code: int,
    error: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("headless.yaml").write_text("tests:\n- name: x\n  input: headless.csv\n")
    Path("headless.csv").write_text("1.5,2\n3,4\n")
    assert main(["test", *arguments]) == exit_code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(error)


def test_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "schema", "--tests"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((ROOT / "config/streamae.tests.schema.json").read_text())
