import os
from pathlib import Path

import pytest

from streamae.errors import ConfigError, StorageError
from streamae.local import FileLabels
from tests.streams import PARTITION


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "labels.jsonl"
    file.write_bytes(b"a\nb\nc\n")
    return file


def test_lines_are_read_from_any_number(path: Path) -> None:
    log = FileLabels(str(path), follow=True)
    assert log.read(PARTITION, 0, 2) == ([b"a\n", b"b\n"], 2)
    assert log.read(PARTITION, 2, 2) == ([b"c\n"], 3)
    assert log.read(PARTITION, 1, 9) == ([b"b\n", b"c\n"], 3)
    log.close()


def test_line_is_taken_when_it_is_whole(path: Path) -> None:
    log = FileLabels(str(path), follow=True)
    with path.open("ab") as file:
        file.write(b"d")
        file.flush()
        assert log.read(PARTITION, 3, 9) == ([], 3)
        file.write(b"e\nf")
        file.flush()
        assert log.read(PARTITION, 3, 9) == ([b"de\n"], 4)
    log.close()
    unfollowed = FileLabels(str(path), follow=False)
    assert unfollowed.read(PARTITION, 3, 9) == ([b"de\n", b"f"], 5)
    unfollowed.close()


def test_file_that_lost_lines_is_refused(path: Path) -> None:
    log = FileLabels(str(path), follow=True)
    with pytest.raises(StorageError, match="fewer than the 4 labels"):
        log.read(PARTITION, 4, 1)
    log.close()


def test_file_that_an_editor_replaced_is_read_on(path: Path) -> None:
    log = FileLabels(str(path), follow=True)
    assert log.read(PARTITION, 0, 9).next_offset == 3
    edited = path.with_name("edited")
    edited.write_bytes(path.read_bytes() + b"d\n")
    path.unlink()
    assert log.read(PARTITION, 3, 9) == ([], 3)
    edited.rename(path)
    assert log.read(PARTITION, 3, 9) == ([b"d\n"], 4)
    log.close()


def test_file_that_is_cut_while_it_is_read_is_refused(path: Path) -> None:
    log = FileLabels(str(path), follow=True)
    assert log.read(PARTITION, 0, 9).next_offset == 3
    path.write_bytes(b"a\n")
    with pytest.raises(StorageError, match="fewer than the 3 labels"):
        log.read(PARTITION, 3, 9)
    log.close()


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"labels\.source"):
        FileLabels(str(tmp_path / "none"), follow=False)


def test_pipe_is_refused_without_waiting_for_its_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "labels")
    with pytest.raises(ConfigError, match="is a pipe, and labels are read again"):
        FileLabels(str(tmp_path / "labels"), follow=True)


def test_byte_order_mark_is_no_part_of_a_label(path: Path) -> None:
    path.write_bytes("\ufeffa\n\ufeffb\n".encode())
    log = FileLabels(str(path), follow=False)
    assert log.read(PARTITION, 0, 9) == ([b"a\n", "\ufeffb\n".encode()], 2)
    log.close()
