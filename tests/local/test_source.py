import bz2
import gzip
import lzma
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from streamae.config import SourceConfig
from streamae.errors import ConfigError, StorageError
from streamae.local import FileSource
from streamae.types import RecordBatch, TopicPartition


class Owner:
    """Seeks to a given line when the partition is assigned."""

    def __init__(self, source: FileSource, offset: int | None = None) -> None:
        self.source, self.offset = source, offset

    def on_assign(self, partitions: Iterable[TopicPartition]) -> None:
        for partition in partitions:
            self.source.seek(partition, self.offset)

    def on_revoke(self, partitions: Iterable[TopicPartition]) -> None: ...

    def on_lost(self, partitions: Iterable[TopicPartition]) -> None: ...


Opened = Callable[..., FileSource]


@pytest.fixture
def opened() -> Iterator[Opened]:
    sources: list[FileSource] = []

    def open_(path: Path, offset: int | None = None, **keys: object) -> FileSource:
        source = FileSource(SourceConfig(path=str(path), **keys))  # type: ignore[arg-type]
        source.start(Owner(source, offset))
        sources.append(source)
        return source

    yield open_
    for source in sources:
        source.close()


def read(source: FileSource, polls: int = 1000) -> list[RecordBatch]:
    batches: list[RecordBatch] = []
    for _ in range(polls):
        poll = source.poll(0)
        batches += poll.batches
        if poll.finished:
            break
    return batches


def lines(batches: list[RecordBatch]) -> list[tuple[int, bytes | None]]:
    return [
        pair for batch in batches for pair in zip(batch.offsets.tolist(), batch.values, strict=True)
    ]


def test_offsets_are_line_numbers_and_empty_lines_keep_theirs(
    opened: Opened, tmp_path: Path
) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(b"a\nb\n\n \nc\nlast")
    batches = read(opened(path))
    assert lines(batches) == [(0, b"a"), (1, b"b"), (4, b"c"), (5, b"last")]
    assert batches[-1].next_offset == 6
    assert batches[0].partition == TopicPartition("in", 0)


@pytest.mark.parametrize("size", [1, 2, 5000])
def test_polls_are_limited(opened: Opened, tmp_path: Path, size: int) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(b"".join(b"%d\n" % at for at in range(5)))
    batches = read(opened(path, max_poll_records=size))
    assert max(map(len, batches)) == min(size, 5)
    assert lines(batches) == [(at, b"%d" % at) for at in range(5)]


def test_csv_header_names_the_columns_and_has_no_offset(opened: Opened, tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(b'\xef\xbb\xbfa,"b, c"\r\n1,2\r\n3,4\r\n')
    batches = read(opened(path))
    assert batches[0].columns == ("a", "b, c")
    assert [offset for offset, _ in lines(batches)] == [0, 1]
    after = read(opened(path, offset=1))
    assert after[0].columns == ("a", "b, c")
    assert [offset for offset, _ in lines(after)] == [1]


def test_seek_goes_to_a_line(opened: Opened, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(b"x" * 3_000_000 + b"\nb\nc\n")
    assert lines(read(opened(path, offset=2))) == [(2, b"c")]


def test_seek_goes_behind_a_last_line_without_its_line_feed(opened: Opened, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(b"a\nlast")
    assert lines(read(opened(path, offset=1))) == [(1, b"last")]
    assert lines(read(opened(path, offset=2))) == []


def test_lines_read_before_are_passed_over_bit_by_bit(opened: Opened, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(b"%01023d\n" % 0 * 5000 + b"last\n")
    source, n_polls = opened(path, offset=5000, follow=True), 0
    while not (poll := source.poll(0)).batches:
        assert not poll.lag  # Nothing that a watchdog would wait for.
        n_polls += 1
    assert n_polls >= 4  # A mebibyte each.
    assert lines(list(poll.batches)) == [(5000, b"last")]


def test_long_line_is_put_together_once(opened: Opened, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(b"a\n" + b"x" * 5_000_000 + b"\nb\n" + b"y" * 3_000_000)
    found = lines(read(opened(path)))
    assert found == [(0, b"a"), (1, b"x" * 5_000_000), (2, b"b"), (3, b"y" * 3_000_000)]


def test_seek_behind_the_end_says_the_file_was_cut(opened: Opened, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(b"a\n")
    with pytest.raises(StorageError, match="cut or replaced"):
        read(opened(path, offset=2))


def test_followed_file_may_grow_and_half_a_line_is_waited_for(
    opened: Opened, tmp_path: Path
) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(b"a\nhal")
    source = opened(path, follow=True)
    assert lines(read(source, polls=3)) == [(0, b"a")]
    with path.open("ab") as file:
        file.write(b"f\nb\n")
    assert lines(read(source, polls=3)) == [(1, b"half"), (2, b"b")]
    assert not source.poll(0).finished


def test_followed_file_that_is_cut_is_an_error(opened: Opened, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(b"a\nb\n")
    source = opened(path, follow=True)
    read(source, polls=2)
    path.write_bytes(b"")
    with pytest.raises(StorageError, match="cut"):
        read(source, polls=2)


def test_followed_file_that_is_replaced_is_an_error(opened: Opened, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(b"a\n")
    source = opened(path, follow=True)
    read(source, polls=2)
    path.rename(tmp_path / "in.jsonl.1")
    assert read(source, polls=2) == []  # The new one may be on its way.
    path.write_bytes(b"a\nb\n")
    with pytest.raises(StorageError, match="replaced while it was followed"):
        read(source, polls=2)


def test_missing_file_is_the_configurations_fault(tmp_path: Path) -> None:
    missing = tmp_path / "none.jsonl"
    with pytest.raises(ConfigError) as caught:
        FileSource(SourceConfig(path=str(missing)))
    assert str(caught.value) == f"source.path: cannot read {missing}: No such file or directory"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (gzip.compress(b"1\n"), "compressed by gzip: unpack it first"),
        (lzma.compress(b"1\n"), "compressed by xz: unpack it first"),
        (bz2.compress(b"1\n"), "compressed by bzip2: unpack it first"),
        ("1\n".encode("utf-16"), "UTF-16: convert it to UTF-8 first"),
    ],
    ids=["gzip", "xz", "bzip2", "UTF-16"],
)
@pytest.mark.parametrize("follow", [False, True])
def test_what_is_no_text_is_refused(
    opened: Opened, tmp_path: Path, content: bytes, reason: str, follow: bool
) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=reason):
        opened(path, follow=follow).poll(0)


def test_carriage_returns_alone_end_no_lines(opened: Opened, tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(b"a,b\r1,2\r")
    with pytest.raises(ConfigError, match="carriage returns"):
        read(opened(path))


@pytest.mark.parametrize("first", [b"a;b;c", b"a\tb"])
def test_other_separators_are_refused(opened: Opened, tmp_path: Path, first: bytes) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(first + b"\n1;2;3\n")
    with pytest.raises(ConfigError, match="not separated by commas: its first line is"):
        read(opened(path))


@pytest.mark.parametrize("first", [b"0.5,-1.25", b"1,2.5\r", b"-1,3"])
def test_csv_file_without_a_header_is_refused(opened: Opened, tmp_path: Path, first: bytes) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(first + b"\n1,2\n")
    with pytest.raises(ConfigError, match="has no header: its first line is"):
        read(opened(path))


@pytest.mark.parametrize("header", [b"a,1.5", b"0,1", b",0,1", b"a"])
def test_csv_columns_may_have_numbers_for_names(
    opened: Opened, tmp_path: Path, header: bytes
) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(header + b"\n1,2\n")
    assert read(opened(path))[0].columns == tuple(header.decode().split(","))


def test_lag_is_known_while_lines_wait(opened: Opened, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(b"1\n" * 100)
    source = opened(path, max_poll_records=10)
    assert source.poll(0).lag[source.partition] == 90
    read(source)
    assert source.poll(0).lag[source.partition] == 0


def test_standard_input_goes_on_from_the_fallback(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"a\nb\n")
    os.close(writing)
    monkeypatch.setattr("streamae.local.source._STDIN_DESCRIPTOR", reading)
    source = FileSource(SourceConfig())
    assert source.seek(source.partition, 40, 50) == 50
    assert lines(read(source)) == [(50, b"a"), (51, b"b")]
    os.close(reading)


def test_a_fifo_is_read_once_and_numbered_on(opened: Opened, tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    source = opened(path, 40)
    assert not source.poll(0).finished  # Nobody writes yet.
    with path.open("wb", buffering=0) as writer:
        writer.write(b"a\nb")
        assert lines(source.poll(0).batches) == [(40, b"a")]
        assert not source.poll(0).finished
        writer.write(b"c\n")
    assert lines(read(source)) == [(41, b"bc")]
    assert source.poll(0).finished


def test_a_followed_fifo_waits_for_the_next_writer(opened: Opened, tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    source = opened(path, follow=True)
    for number, value in enumerate((b"a", b"b")):
        source.poll(0)
        path.write_bytes(value + b"\n")
        assert lines(read(source, polls=3)) == [(number, value)]


@pytest.mark.parametrize("name", ["in.jsonl", "in.csv"])
def test_a_byte_order_mark_is_no_part_of_a_record(
    opened: Opened, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes("\ufeffa,b\n1,2\n".encode())
    batches = read(opened(path))
    assert batches[0].values[0] == (b"1,2" if name == "in.csv" else b"a,b")
    assert batches[0].columns in (None, ("a", "b"))


def test_a_closed_standard_input_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.__stdin__", None)
    with pytest.raises(ConfigError, match="standard input is closed"):
        FileSource(SourceConfig())


def test_nothing_that_is_opened_is_taken_for_a_closed_standard_input() -> None:
    code = "import os; from streamae.cli import main; main(['version']); os.fstat(0)"
    command = ["sh", "-c", f'exec {sys.executable} -c "{code}" <&-']
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
