"""What `replay` and `explain` refuse: one line each, the documented code, nothing changed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from streamae import snapshot
from streamae.cli import main
from tests.replay.runs import Daemon

BAD = [
    (["--from", "5", "--to", "3"], 78, "in-0 has records from offset 0 to before 3000: 5 to 3"),
    (["--to", "3001"], 78, "in-0 has records from offset 0 to before 3000"),
    (["--partition", "3"], 78, "there is no partition 3, only in-0"),
    (["--against", "none.yaml"], 78, "none.yaml: cannot be read"),
    (["--set", "source.path=none.jsonl"], 78, "source.path: cannot read none.jsonl"),
    (["--set", "source.path='-'"], 78, "standard input cannot be read again"),
    (["--set", "source.kind=host"], 78, "what `host` sampled is not kept"),
    (["--compare", "--set", "output.alerts='-'"], 78, "standard output is not kept"),
    (["--compare", "--set", "output.alerts=none"], 78, "knows nothing of none"),
    (["--compare", "--set", "state.directory=none"], 78, "in-0: nothing was committed"),
    (["--set", "detector.n_latents=16", "--from", "2900"], 78, "n_latents is 16 and was 32"),
]


@pytest.mark.parametrize(("arguments", "code", "reason"), BAD, ids=lambda one: str(one)[:40])
def test_bad_input_is_one_line(
    daemon: Daemon,
    arguments: list[str],
    code: int,
    reason: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = daemon.content()
    assert daemon.run("replay", *arguments) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert reason in printed.err
    assert daemon.content() == before


def test_a_damaged_snapshot(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    damaged = sorted((daemon.directory / "state").glob("*.safetensors"))[3]
    content = bytearray(damaged.read_bytes())
    content[-7] ^= 1
    damaged.write_bytes(content)
    assert daemon.run("replay", "--compare") == 78
    (line,) = capsys.readouterr().err.splitlines()
    assert snapshot.name_of(bytes(content)) in line
    assert "does not match" in line
    assert daemon.run("replay", "--compare", "--from-scratch") == 0


@pytest.mark.parametrize(
    ("name", "damage", "answer"),
    [
        ("alerts.jsonl", Path.unlink, (74, "cannot read")),
        ("in.jsonl", Path.unlink, (78, "source.path: cannot read")),
        ("state/commit.json", lambda path: path.write_bytes(b"{"), (78, "commit.json is damaged")),
    ],
)
@pytest.mark.parametrize("verb", [["replay", "--compare"], ["explain", "abc"]], ids=" ".join)
def test_damaged_files(
    daemon: Daemon,
    verb: list[str],
    name: str,
    damage: Callable[[Path], object],
    answer: tuple[int, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    damage(daemon.directory / name)
    before = daemon.content()
    if verb[0] == "explain" and name == "in.jsonl":
        verb = ["explain", "in:0:3"]
    assert daemon.run(*verb) == answer[0]
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert answer[1] in printed.err
    assert daemon.content() == before


@pytest.mark.parametrize("verb", [["replay"], ["explain", "in:0:3"]], ids=lambda words: words[0])
def test_a_device_that_is_not_here(
    daemon: Daemon,
    verb: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert daemon.run(*verb, "--set", "detector.device=cuda") == 78
    assert capsys.readouterr().err == "detector.device: no CUDA device can be used here\n"


@pytest.mark.parametrize("place", ["x", "-3", "2026-13-01"])
def test_what_is_no_place(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["replay", f"--from={place}"])
    assert caught.value.code == 2
    assert "is neither an offset nor a time" in capsys.readouterr().err
