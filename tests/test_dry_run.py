"""`dry-run` without Kafka, as its users run it."""

import json
import re
from pathlib import Path

import pytest
import torch

from streamae.cli import main
from tests import streams
from tests.embedded import run, write

N = 600
DRY_RUN = ("dry-run",)


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a directory with an input of N records."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "in.jsonl", streams.values(N, bad_share=0.01))
    return tmp_path


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    said = capsys.readouterr()
    assert said.err == ""
    return said.out.splitlines()


def test_a_file_is_scored_and_nothing_is_written(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(DRY_RUN) == 0
    said = lines(capsys)
    assert said[:5] == [
        "ok    device: cpu",
        "ok    output.alerts: alerts.jsonl can be made",
        "ok    output.scores: scores.jsonl can be made",
        "ok    output.dead_letters: dead-letters.jsonl can be made",
        "ok    state.directory: state can be made",
    ]
    assert any(" of 600 records from offset 0 rejected: invalid_json" in line for line in said)
    assert "ok    in-0: the warm-up takes 320 records" in said
    assert any(re.search(r"\d alerts? on \d+ judged records", line) for line in said)
    assert [path.name for path in directory.iterdir()] == ["in.jsonl"]


def test_what_is_saved_is_gone_on_with(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(("run",)) == 0
    saved = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    capsys.readouterr()
    assert run(DRY_RUN) == 0
    assert any("no record waits" in line for line in lines(capsys))
    with (directory / "in.jsonl").open("ab") as file:
        file.writelines(value + b"\n" for value in streams.values(50, seed=3))
    assert run((*DRY_RUN, "--json", "--records", "10")) == 0
    checks = json.loads(lines(capsys)[0])["checks"]
    (scored,) = [one["text"] for one in checks if "10 records from offset 600" in one["text"]]
    assert scored.endswith("6 features: a, b, c, d, e, f")
    assert run(DRY_RUN, "detector.block_size=32") == 1
    assert "does not fit" in lines(capsys)[-1]
    saved.pop(directory / "in.jsonl")
    assert saved == {path: path.read_bytes() for path in saved}


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("source.path=none.jsonl", "source.path: cannot read none.jsonl: No such file"),
        ("output.alerts=.", "fail  output.alerts: . is a directory"),
        ("state.directory=in.jsonl", "fail  state.directory: in.jsonl is no directory"),
        ("output.alerts=in.jsonl/x", "cannot be made: "),
        ("labels.source=none.jsonl", "fail  input: labels.source: "),
        ("record.format=csv", "fail  in-0: "),
        ("dead_letters.max_consecutive=1", "a run would end here (exit 65): 1 records in a row"),
    ],
)
@pytest.mark.usefixtures("directory")
def test_findings(override: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(DRY_RUN, override) == 1
    failed = [line for line in lines(capsys) if line.startswith("fail")]
    assert said in failed[0]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
@pytest.mark.usefixtures("directory")
def test_without_the_device_nothing_is_scored(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(DRY_RUN, "detector.device=cuda") == 1
    said = lines(capsys)
    assert said[0] == "fail  device: detector.device: no CUDA device can be used here"
    assert not any("in-0" in line for line in said)


@pytest.mark.usefixtures("directory")
def test_standard_input_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(DRY_RUN, "source.path='-'") == 0
    assert lines(capsys)[-1] == "ok    input: standard input is left for a run to read"


def test_this_machine_is_looked_at(capsys: pytest.CaptureFixture[str], directory: Path) -> None:
    assert run((*DRY_RUN, "--records", "2"), "source={kind: host, interval: 10ms}") == 0
    said = lines(capsys)
    assert any("host-0: 2 records from offset 0" in line for line in said)
    assert [path.name for path in directory.iterdir()] == ["in.jsonl"]


def test_what_is_no_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dry-run", "-c", "none.yaml"]) == 78
    assert capsys.readouterr().err == "none.yaml: cannot be read: No such file or directory\n"
    with pytest.raises(SystemExit):
        main(["dry-run", "--records", "0"])
