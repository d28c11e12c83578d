"""`dlq replay` on files: letters go back once, and only those that are records by now."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from streamae import letters
from streamae.config import Config
from streamae.dead_letters import Letter
from streamae.local import FileSender
from streamae.types import Output, TopicPartition
from tests import streams
from tests.embedded import run, write

N = 300
LONG, BROKEN = (50, 120, 200), (70, 130)
"""Offsets of records that are too long at first, and of records that never will be any."""
IN = TopicPartition("in", 0)


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a directory with the dead letters of a daemon that took no long records."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "in.jsonl", values())
    assert run(("run",), "record.max_bytes=200B", "log.level=error") == 0
    return tmp_path


def values() -> list[bytes]:
    drawn = streams.values(N)
    for at in LONG:
        drawn[at] = drawn[at][:-1] + b', "note": "%s"}' % (b"x" * 200)
    for at in BROKEN:
        drawn[at] = b'{"a":'
    return drawn


def replay(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> list[str]:
    """Return what the verb says."""
    capsys.readouterr()
    assert run(("dlq", "replay", *words)) == code
    printed = capsys.readouterr()
    return (printed.err if code else printed.out).splitlines()


def content(directory: Path) -> Mapping[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def appended(directory: Path, name: str = "in.jsonl") -> list[bytes]:
    return (directory / name).read_bytes().splitlines()[N if name == "in.jsonl" else 0 :]


def test_letters_go_back_once(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = content(directory)
    ready = "in-0: 3 of 5 dead letters can be read now"
    still = "  2 cannot: invalid_json, first at offset 70: "
    said = replay(capsys)
    assert said[0] == ready
    assert said[1].startswith(still)
    assert said[2] == "nothing is sent: add --yes to do it"
    assert content(directory) == before
    assert replay(capsys, "--yes")[-1] == "3 sent"
    wanted = [values()[at] for at in LONG]
    assert appended(directory) == wanted
    said = replay(capsys, "--yes")
    assert said[0] == ready.replace("3", "0", 1)
    assert said[2:] == ["  3 sent back before", "0 sent"]
    assert appended(directory) == wanted
    assert run(("run",), "log.level=error") == 0
    scored = [json.loads(one) for one in (directory / "scores.jsonl").read_text().splitlines()]
    assert [one["source"]["offset"] for one in scored[-3:]] == [N, N + 1, N + 2]


@pytest.mark.parametrize(
    ("words", "at"),
    [
        (("--from", "60"), (120, 200)),
        (("--to", "120"), (50,)),
        (("--from", "120", "--to", "121", "--reason", "too_large"), (120,)),
        (("--reason", "invalid_json"), ()),
        (("--partition", "0", "--to", "60"), (50,)),
    ],
    ids=["from", "to", "one", "reason", "partition"],
)
def test_only_what_is_asked_for(
    directory: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], at: tuple[int, ...]
) -> None:
    assert replay(capsys, *words, "--yes")[-1] == f"{len(at)} sent"
    assert appended(directory) == [values()[one] for one in at]
    assert replay(capsys, "--yes")[-1] == f"{len(LONG) - len(at)} sent"
    assert sorted(appended(directory)) == sorted(values()[one] for one in LONG)


def test_another_file_can_take_them(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (directory / "other.jsonl").write_bytes(b"unended")
    assert replay(capsys, "--output", "other.jsonl", "--yes")[-1] == "3 sent"
    assert appended(directory, "other.jsonl") == [b"unended", *(values()[at] for at in LONG)]
    assert appended(directory) == []
    assert replay(capsys, "--output", "other.jsonl", "--yes")[-1] == "0 sent"
    assert replay(capsys, "--yes")[-1] == "3 sent"


@pytest.mark.parametrize("dies_in", ["_write", "_finish"], ids=["before", "behind"])
def test_a_process_that_dies_while_it_appends(
    directory: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    dies_in: str,
) -> None:
    """It has written its note and not yet the lines, or the lines and not yet the receipt."""
    really = getattr(FileSender, dies_in)

    def die(sender: FileSender) -> None:
        if dies_in == "_write":
            really(sender)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(FileSender, dies_in, die)
        replay(capsys, "--yes", code=130)
    assert len(appended(directory)) == (0 if dies_in == "_write" else 3)
    assert replay(capsys)[0].startswith(f"in-0: {0 if dies_in == '_finish' else 3} of 5 ")
    replay(capsys, "--yes")
    assert appended(directory) == [values()[at] for at in LONG]


def test_the_rate_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ready = [Letter(at, "too_large", Output("dead_letters", IN, None, b"x")) for at in range(25)]
    sender, slept = FileSender(Config(), Path("out"), dry=False), list[float]()
    assert letters.send(sender, IN, [ready[:20], ready[20:]], 10, slept.append) == 25
    assert slept == [1.0, 1.0]
    assert letters.send(sender, IN, [ready], 2000, slept.append) == 25
    assert len(slept) == 2
    assert Path("out").read_bytes() == b"x\n" * 50
    sender.close()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("source.path='-'", "this input takes nothing back: name a file by --output"),
        ("source={kind: host}", "this input takes nothing back: name a file by --output"),
        (
            "output.dead_letters='-'",
            "output.dead_letters: what went to standard output is not kept",
        ),
        ("state.directory=none", "output.dead_letters: none/commit.json knows nothing of dead-"),
    ],
)
def test_where_there_is_nothing_to_send(
    directory: Path, capsys: pytest.CaptureFixture[str], override: str, message: str
) -> None:
    before = content(directory)
    capsys.readouterr()
    assert run(("dlq", "replay"), override) == 78
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(message)
    assert content(directory) == before


def test_damaged_receipts_are_not_guessed(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (directory / "state" / "replayed.json").write_text("{")
    (line,) = replay(capsys, "--yes", code=78)
    assert "replayed.json is damaged" in line
    assert appended(directory) == []


def test_a_partition_that_does_not_exist(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = replay(capsys, "--partition", "1", "--yes", code=78)
    assert said == ["--partition: there is no partition 1, only in-0"]
    assert appended(directory) == []


def test_a_reason_that_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        run(("dlq", "replay", "--reason", "nope"))
    assert raised.value.code == 2
    assert "--reason nope is none of empty, too_large, " in capsys.readouterr().err
