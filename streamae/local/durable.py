"""Files that a crash or a power cut leaves with the old content or the new, never a part."""

import os
from pathlib import Path
from typing import TypeVar

import msgspec

from streamae.errors import SnapshotError, StorageError, why

T = TypeVar("T")


def read_json(path: Path, kind: type[T], advice: str) -> T:
    """Return what `path` holds as a `kind`, an empty one where there is no file.

    Raise `StorageError` when it cannot be read, `SnapshotError` with `advice` when it is damaged.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return kind()
    except OSError as error:
        raise StorageError(f"cannot read {path}: {why(error)}") from error
    except msgspec.MsgspecError as error:
        raise SnapshotError(f"{path} is damaged ({error}): {advice}") from error


def replace_file(path: Path, content: bytes) -> None:
    """Write `content` to `path` atomically and durably.

    What root writes beside the files of a daemon, for a rollback say, is the daemon's to read.
    """
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        if os.geteuid() == 0:
            owner = path.parent.stat()
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make renames and new names in `directory` durable."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
