import base64
import json
import os
from pathlib import Path

import pytest

from streamae.config import OutputConfig
from streamae.errors import ConfigError, SnapshotError, StorageError
from streamae.local import DirectoryStore, FileSink
from streamae.types import Channel, Commit, Committed, Output, TopicPartition

PARTITION = TopicPartition("in", 0)


def sink(directory: Path, scores: str | None = "scores.jsonl") -> FileSink:
    outputs = OutputConfig(
        alerts=str(directory / "alerts.jsonl"),
        scores=str(directory / scores) if scores else None,
        dead_letters=str(directory / "dead.jsonl"),
    )
    state = directory / "state"
    return FileSink(outputs, state, DirectoryStore(state, keep=2))


def output(value: bytes, channel: Channel = "alerts") -> Output:
    return Output(channel, PARTITION, b"key", value)


def commit(offset: int, *outputs: Output, snapshot: bytes | None = None) -> Commit:
    snapshots = {} if snapshot is None else {PARTITION: snapshot}
    return Commit(outputs, {PARTITION: offset}, snapshots)


def test_commit_is_read_back(tmp_path: Path) -> None:
    first = sink(tmp_path)
    assert first.committed(PARTITION) is None
    assert first.commit(commit(5, output(b"1"), snapshot=b"state"))
    assert first.commit(commit(9, output(b"2"), output(b"s", "scores")))
    first.close()
    second = sink(tmp_path)
    assert second.committed(PARTITION) == Committed(9, b"state")
    assert (tmp_path / "alerts.jsonl").read_bytes() == b"1\n2\n"
    assert (tmp_path / "scores.jsonl").read_bytes() == b"s\n"
    second.close()


def test_outputs_behind_the_last_commit_are_cut_off(tmp_path: Path) -> None:
    first = sink(tmp_path)
    first.commit(commit(5, output(b"1")))
    first.close()
    with (tmp_path / "alerts.jsonl").open("ab") as file:
        file.write(b"never committed")
    sink(tmp_path).close()
    assert (tmp_path / "alerts.jsonl").read_bytes() == b"1\n"


def test_content_before_the_first_commit_stays_and_what_follows_it_is_cut(tmp_path: Path) -> None:
    alerts = tmp_path / "alerts.jsonl"
    alerts.write_bytes(b"older run\n")
    sink(tmp_path).close()
    with alerts.open("ab") as file:
        file.write(b"half")
    sink(tmp_path).close()
    assert alerts.read_bytes() == b"older run\n"


def test_rotated_file_is_left_alone(tmp_path: Path) -> None:
    writer = sink(tmp_path)
    writer.commit(commit(1, output(b"1" * 50)))
    (tmp_path / "alerts.jsonl").rename(tmp_path / "alerts.1")
    writer.commit(commit(2, output(b"2")))
    writer.close()
    with (tmp_path / "alerts.jsonl").open("ab") as file:
        file.write(b"never committed")
    sink(tmp_path).close()
    assert (tmp_path / "alerts.1").read_bytes() == b"1" * 50 + b"\n"
    assert (tmp_path / "alerts.jsonl").read_bytes() == b"2\n"


@pytest.mark.parametrize("raw", [b"text \xc3\xa9", b"\xff\x00"])
def test_dead_letter_keeps_every_byte(tmp_path: Path, raw: bytes) -> None:
    writer = sink(tmp_path)
    letter = Output("dead_letters", PARTITION, None, raw, (("why", b"because"),), 7)
    writer.commit(commit(1, letter))
    writer.close()
    line = json.loads((tmp_path / "dead.jsonl").read_text())
    if isinstance(line["value"], dict):
        assert base64.b64decode(line["value"]["base64"]) == raw
    else:
        assert line["value"].encode() == raw
    assert line["headers"] == [["why", "because"]]
    assert (line["key"], line["timestamp_ms"]) == (None, 7)


def test_another_file_in_place_of_the_input_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"

    def opened() -> FileSink:
        config = OutputConfig(
            alerts=str(tmp_path / "alerts"), dead_letters=str(tmp_path / "dead"), scores=None
        )
        state = tmp_path / "state"
        return FileSink(config, state, DirectoryStore(state, 1), str(path))

    path.write_bytes(b"a,b\n1,2\n")
    for n_more in (0, 5_000, 1):  # It may grow.
        with path.open("ab") as file:
            file.write(b"3,4\n" * n_more)
        writer = opened()
        writer.committed(PARTITION)
        writer.commit(commit(1))
        writer.close()
    for other in (b"a,b\n5,6\n" * 5_000, b"a,b\n1,2\n"):
        path.write_bytes(other)
        writer = opened()
        with pytest.raises(SnapshotError, match="it was cut or replaced"):
            writer.committed(PARTITION)
        writer.close()


def test_state_directory_has_one_owner(tmp_path: Path) -> None:
    first = sink(tmp_path)
    with pytest.raises(ConfigError, match="in use"):
        sink(tmp_path)
    first.close()
    sink(tmp_path).close()


def test_standard_output_is_an_output(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    config = OutputConfig(alerts="-", dead_letters=str(tmp_path / "dead"))
    writer = FileSink(config, tmp_path / "state", DirectoryStore(tmp_path / "state", 1))
    writer.commit(commit(1, output(b"alert")))
    writer.close()
    assert capfdbinary.readouterr().out == b"alert\n"


def test_a_closed_standard_output_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.__stdout__", None)
    config = OutputConfig(alerts="-", dead_letters=str(tmp_path / "dead"))
    with pytest.raises(StorageError, match=r"output\.alerts: standard output is closed"):
        FileSink(config, tmp_path / "state", DirectoryStore(tmp_path / "state", 1))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a disk that is always full")
def test_full_disk_is_said_once_and_does_not_keep_the_sink_open(tmp_path: Path) -> None:
    config = OutputConfig(alerts="/dev/full", dead_letters=str(tmp_path / "dead"))
    writer = FileSink(config, tmp_path / "state", DirectoryStore(tmp_path / "state", 1))
    with pytest.raises(
        StorageError, match=r"^output\.alerts: cannot write /dev/full: No space left on device$"
    ):
        writer.commit(commit(1, output(b"alert")))
    writer.close()
    sink(tmp_path).close()


def test_a_commit_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    sink(tmp_path).close()
    (tmp_path / "state" / "commit.json.tmp").mkdir()
    with pytest.raises(StorageError, match=r"state\.directory: cannot write .*/commit\.json: Is a"):
        sink(tmp_path)


def test_damaged_commit_file_is_refused(tmp_path: Path) -> None:
    sink(tmp_path).close()
    (tmp_path / "state" / "commit.json").write_bytes(b"{")
    with pytest.raises(SnapshotError, match="damaged"):
        sink(tmp_path)


@pytest.mark.parametrize(("keep", "kept"), [(2, "8 9"), (3, "6 8 9"), (4, "4 6 8 9")])
def test_store_keeps_the_newest_and_fewer_old_ones(tmp_path: Path, keep: int, kept: str) -> None:
    store = DirectoryStore(tmp_path, keep)
    pointers: list[str] = []
    for at in range(10):
        pointers.append(store.save(PARTITION, b"%d" % at, pointers[-1] if pointers else None))
    assert store.load(PARTITION, pointers[-1]) == b"9"
    assert store.load(PARTITION, pointers[-2]) == b"8"
    assert [stored.content for stored in store.snapshots(PARTITION)] == kept.encode().split()
    with pytest.raises(SnapshotError, match="cannot be read"):
        store.load(PARTITION, pointers[0])


def test_store_never_replaces_the_one_that_was_committed(tmp_path: Path) -> None:
    """A process may die between a save and its commit, any number of times."""
    committed = DirectoryStore(tmp_path, 2).save(PARTITION, b"committed", None)
    for at in range(5):
        store = DirectoryStore(tmp_path, 2)
        assert store.load(PARTITION, committed) == b"committed"
        store.save(PARTITION, b"died with it %d" % at, committed)
        assert len(list(tmp_path.iterdir())) == 2


def test_store_writes_a_repeated_save_once(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path, 2)
    committed = store.save(PARTITION, b"committed", None)
    first = store.save(PARTITION, b"same", committed)
    written = (tmp_path / first).stat().st_ino
    assert store.save(PARTITION, b"same", committed) == first
    assert (tmp_path / first).stat().st_ino == written
    assert store.save(PARTITION, b"same", first) == first


def test_commits_that_are_refused_leave_the_committed_one(tmp_path: Path) -> None:
    """Newer labels make another snapshot of each try."""
    store, content = DirectoryStore(tmp_path, 12), b"0"
    committed = store.save(PARTITION, content, None)
    for at in range(1, 5):
        tried = [store.save(PARTITION, b"%d.%d" % (at, one), committed) for one in range(5)]
        assert store.load(PARTITION, committed) == content
        committed, content = tried[-1], b"%d.4" % at
    contents = [stored.content for stored in store.snapshots(PARTITION)]
    assert contents == [b"0", b"2.4", b"3.4", b"4.4"]


def test_after_a_rewind_older_snapshots_stay(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path, 12)
    first = store.save(PARTITION, b"first", None)
    for before in (None, "", '{"version":1,"topic":"state"}'):
        store.save(PARTITION, b"second", before)
        assert store.load(PARTITION, first) == b"first"


def test_store_finds_damage(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path, 2)
    pointer = store.save(PARTITION, b"state", None)
    (tmp_path / pointer).write_bytes(b"stato")
    with pytest.raises(SnapshotError, match="checksum"):
        store.load(PARTITION, pointer)
    with pytest.raises(SnapshotError, match=r"is `state\.store` as it was"):
        store.load(PARTITION, "../" + pointer)


def test_partitions_with_similar_names_keep_apart(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path, 2)
    one, two = TopicPartition("a.b", 1), TopicPartition("a_b", 1)
    pointers = store.save(one, b"1", None), store.save(two, b"2", None)
    assert store.load(one, pointers[0]) == b"1"
    assert store.load(two, pointers[1]) == b"2"


def elsewhere(directory: Path, **outputs: str) -> FileSink:
    """Return a sink with another state directory and outputs of its own, but for `outputs`."""
    config = OutputConfig(
        **{
            "alerts": str(directory / "other-alerts.jsonl"),
            "dead_letters": str(directory / "other-dead.jsonl"),
            **outputs,
        }
    )
    state = directory / "other-state"
    return FileSink(config, state, DirectoryStore(state, keep=2))


@pytest.mark.parametrize("channel", ["alerts", "dead_letters", "scores"])
def test_one_daemon_writes_an_output(tmp_path: Path, channel: str) -> None:
    shared = str(tmp_path / "alerts.jsonl")
    first = sink(tmp_path)
    first.commit(commit(5, output(b"1")))
    with pytest.raises(ConfigError) as caught:
        elsewhere(tmp_path, **{channel: shared})
    assert str(caught.value) == f"output.{channel}: {shared} is in use by another streamae process"
    elsewhere(tmp_path).close()
    first.commit(commit(6, output(b"2")))
    first.close()
    elsewhere(tmp_path, **{channel: shared}).close()
    assert Path(shared).read_bytes() == b"1\n2\n"


def test_an_output_is_held_after_a_rotation_too(tmp_path: Path) -> None:
    first = sink(tmp_path)
    alerts = tmp_path / "alerts.jsonl"
    alerts.rename(tmp_path / "alerts.jsonl.1")
    first.commit(commit(5, output(b"1")))
    with pytest.raises(ConfigError, match="in use"):
        elsewhere(tmp_path, alerts=str(alerts))
    elsewhere(tmp_path, alerts=str(tmp_path / "alerts.jsonl.1")).close()
    first.close()


def test_any_number_may_write_to_a_device(tmp_path: Path) -> None:
    first = elsewhere(tmp_path, scores="/dev/null")
    state = tmp_path / "third"
    third = OutputConfig(alerts=str(state / "a"), scores="/dev/null", dead_letters=str(state / "d"))
    second = FileSink(third, state, DirectoryStore(state, keep=2))
    for one in (first, second):
        assert one.commit(commit(5, output(b"1", "scores")))
        one.close()


def test_an_output_may_be_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "scores.fifo")
    reader = os.open(tmp_path / "scores.fifo", os.O_RDONLY | os.O_NONBLOCK)
    one = sink(tmp_path, scores="scores.fifo")
    assert one.commit(commit(5, output(b"1", "scores")))
    assert os.read(reader, 100) == b"1\n"
    one.close()
    os.close(reader)
