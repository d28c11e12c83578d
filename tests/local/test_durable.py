"""Files written whole."""

import os
from pathlib import Path

import pytest

from streamae.local.durable import replace_file


def test_old_or_new(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content in (b"old", b"new"):
        replace_file(path, content)
        assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_what_root_writes_is_the_directorys_owners(tmp_path: Path) -> None:
    os.chown(tmp_path, 1234, 5678)
    replace_file(tmp_path / "file", b"")
    status = (tmp_path / "file").stat()
    assert (status.st_uid, status.st_gid) == (1234, 5678)
