"""`checkpoint` on files: what is kept, whether it is whole, and the way back."""

import itertools
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from streamae.config import file as configfile
from streamae.local import DirectoryStore, FileSource
from streamae.local.sink import lock, read_commit
from streamae.pipeline import Pipeline
from streamae.types import TopicPartition
from tests import streams
from tests.embedded import SETTINGS, run, write

FIRST, MORE, RUNS = 400, 120, 6
N = FIRST + MORE * (RUNS - 1)
KEEP = "state.keep=4"
IN = TopicPartition("in", 0)


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory where a daemon has been through N records, a snapshot each time."""
    directory = tmp_path_factory.mktemp("used")
    values = streams.values(N)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(directory)
        for start, stop in itertools.pairwise([0, *range(FIRST, N + 1, MORE)]):
            write(directory / "in.jsonl", values[start:stop])
            assert daemon() == 0
    return directory


@pytest.fixture
def directory(used: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a copy of it."""
    copy = tmp_path / "copy"
    shutil.copytree(used, copy)
    commit = copy / "state" / "commit.json"
    commit.write_text(commit.read_text().replace(str(used), str(copy)))
    monkeypatch.chdir(copy)
    return copy


def daemon() -> int:
    return run(("run",), KEEP, "log.level=error")


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    """Return what `checkpoint` prints, or its one line of error."""
    capsys.readouterr()
    assert run(("checkpoint", *words), KEEP) == code
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    return printed.out if printed.out else printed.err


def kept(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(said(capsys, "ls", "--json"))["snapshots"]
    return found


def content(directory: Path) -> Mapping[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_what_is_kept_is_listed_shown_and_verified(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = content(directory)
    found = kept(capsys)
    assert len(found) == 4
    assert [one["committed"] for one in found] == [None, None, None, N]
    assert [one["records_learnt"] for one in found] == sorted(
        one["records_learnt"] for one in found
    )
    assert found[-1]["records_learnt"] == N // 64 * 64
    table = said(capsys, "ls").splitlines()
    assert table[0].split() == ["partition", "name", "written", "learnt", "offset", "bytes"]
    assert [line.split()[1] for line in table[1:]] == [one["name"] for one in found]
    assert table[-1].endswith("committed, goes on at 1,000")
    (shown,) = json.loads(said(capsys, "show"))
    assert shown["features"] == list(streams.FEATURES)
    assert (shown["warmup"], shown["model"]["detector.block_size"]) == (1.0, 64)
    (older,) = json.loads(said(capsys, "show", found[0]["name"][:6]))
    assert older["records_learnt"] < shown["records_learnt"]
    verified = said(capsys, "verify").splitlines()
    assert len(verified) == 5
    assert all(line.startswith("ok ") for line in verified)
    assert content(directory) == before


def test_damage_and_misfits_are_found(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    oldest, *_, newest = sorted((directory / "state").glob("*.safetensors"))
    raw = bytearray(newest.read_bytes())
    raw[-9] ^= 1
    newest.write_bytes(raw)
    lines = said(capsys, "verify", code=1).splitlines()
    assert [line.split()[0] for line in lines] == ["ok", "ok", "ok", "fail", "fail"]
    assert "checksum does not match" in lines[-1]
    damaged = kept(capsys)[-1]
    assert damaged["records_learnt"] is None
    error = said(capsys, "rollback", damaged["name"], "--position=keep", "--yes", code=78)
    assert "damaged" in error
    oldest.unlink()
    capsys.readouterr()
    assert run(("checkpoint", "verify"), KEEP, "detector.block_size=32") == 1
    assert capsys.readouterr().out.count("detector.block_size is 32 and was 64") == 2


def test_a_rollback_says_what_it_would_do(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, name = content(directory), kept(capsys)[0]["name"]
    for position, text in (("keep", "are not learnt"), ("rewind", "are written once more")):
        plan = said(capsys, "rollback", name, "--position", position)
        assert text in plan
        assert plan.endswith("nothing is changed: add --yes to do it\n")
    assert content(directory) == before


def test_rewound_the_same_outputs_come_again(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = (directory / "scores.jsonl").read_bytes().splitlines()
    state = committed_state(directory)
    first = kept(capsys)[0]
    assert said(capsys, "rollback", first["name"], "--position=rewind", "--yes").endswith("done\n")
    assert daemon() == 0
    again = (directory / "scores.jsonl").read_bytes().splitlines()
    assert again == scores + scores[first["offset"] :]
    assert committed_state(directory) == state


def test_with_its_position_kept_an_old_model_goes_on(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = kept(capsys)[0]
    path = min((directory / "state").glob("*.safetensors"))
    config = configfile.load(None, SETTINGS, {})
    pipeline = Pipeline.restored(config, IN, path.read_bytes())
    said(capsys, "rollback", first["name"], "--position=keep", "--yes")
    write(directory / "in.jsonl", streams.values(300, seed=5))
    assert kept(capsys)[-1]["skipped_from"] == first["offset"]
    assert f"skipped from {first['offset']}" in said(capsys, "ls")
    before = len((directory / "scores.jsonl").read_bytes().splitlines())
    assert run(("run",), KEEP) == 0
    assert "rolled back with the position kept" in capsys.readouterr().err
    assert kept(capsys)[-1]["skipped_from"] is None
    pipeline.skip_to(N)
    source = FileSource(config.source)
    source.seek(IN, N)
    (batch,) = source.poll(0.0).batches
    source.close()
    done = pipeline.process(batch)
    expected = [one.value for one in done.outputs if one.channel == "scores"]
    assert (directory / "scores.jsonl").read_bytes().splitlines()[before:] == expected
    assert kept(capsys)[-1]["records_learnt"] == first["records_learnt"] + 256


def committed_state(directory: Path) -> bytes:
    (commit,) = read_commit(directory / "state").partitions.values()
    assert commit.snapshot is not None
    return DirectoryStore(directory / "state", 4).load(IN, commit.snapshot)


def test_nothing_goes_back_under_a_daemon(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = kept(capsys)[0]["name"]
    before = content(directory)
    with lock(directory / "state"):
        error = said(capsys, "rollback", name, "--position=keep", "--yes", code=78)
        assert kept(capsys)
    assert "in use by another streamae process" in error
    assert content(directory) == before


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("show", "zz"), 78, "no snapshot is called zz"),
        (("rollback", "", "--position=keep", "--yes"), 78, "more than one snapshot is called"),
        (("rollback", "zz", "--position=keep", "--yes"), 78, "no snapshot is called zz"),
    ],
)
def test_names_that_mean_nothing(
    directory: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    before = content(directory)
    error = said(capsys, *words, code=code)
    assert error.startswith(message)
    assert error.count("\n") == 1
    assert content(directory) == before


def test_where_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "in.jsonl", [])
    elsewhere = (
        f"state.directory: there is no {tmp_path / 'state'}: run this where the daemon runs\n"
    )
    for words in (("ls",), ("verify",), ("show",), ("rollback", "x", "--position=keep")):
        assert said(capsys, *words, code=78) == elsewhere
    (tmp_path / "state").mkdir()
    assert len(said(capsys, "ls").splitlines()) == 1
    assert said(capsys, "verify") == "ok    in-0: nothing is committed yet\n"
    assert json.loads(said(capsys, "show")) == []
    with pytest.raises(SystemExit):
        run(("checkpoint", "rollback", "x"))
