"""Snapshots as files in a directory."""

import re
from collections.abc import Iterator
from pathlib import Path

import crc32c

from streamae.errors import SnapshotError, StorageError, why
from streamae.local.durable import replace_file
from streamae.types import Stored, TopicPartition

_SUFFIX = ".safetensors"
_AFRESH = "; restore it, or start afresh by moving the state directory and the outputs away"


class DirectoryStore:
    """Keeps the newest snapshots of each partition; a pointer is a file name.

    The name holds a number that grows and the CRC-32C of the content, so saving the same snapshot
    again, as a commit does that is tried twice, writes nothing new.
    """

    def __init__(self, directory: Path, keep: int) -> None:
        self._directory = directory
        self._keep = keep

    def save(self, partition: TopicPartition, snapshot: bytes) -> str:
        """Write `snapshot` durably and keep `keep` >= 2: the one before it is the committed one."""
        checksum = f"{crc32c.crc32c(snapshot):08x}"
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            saved = self._saved(partition)
            if saved and _checksum(saved[-1].name) == checksum:
                return saved[-1].name
            for old in saved[: 1 - self._keep]:
                old.unlink()
            number = _number(saved[-1].name) + 1 if saved else 0
            name = f"{_prefix(partition)}.{number:08d}.{checksum}{_SUFFIX}"
            replace_file(self._directory / name, snapshot)
        except OSError as error:
            raise StorageError(
                f"state.directory: cannot write to {self._directory}: {why(error)}"
            ) from error
        return name

    def load(self, partition: TopicPartition, pointer: str) -> bytes:
        """Return the snapshot; raise `SnapshotError` when it is missing or damaged."""
        path = self._directory / pointer
        if Path(pointer).name != pointer or not pointer.startswith(_prefix(partition)):
            raise SnapshotError(f"{pointer!r} does not name a snapshot of {partition}")
        try:
            snapshot = path.read_bytes()
        except OSError as error:
            raise SnapshotError(f"{path} cannot be read: {why(error)}{_AFRESH}") from error
        if f"{crc32c.crc32c(snapshot):08x}" != _checksum(pointer):
            raise SnapshotError(f"{path} is damaged: its checksum does not match{_AFRESH}")
        return snapshot

    def snapshots(self, partition: TopicPartition) -> Iterator[Stored]:
        """Yield the ones there are, oldest first; raise `StorageError` when one cannot be read."""
        for path in self._saved(partition):
            try:
                written_ms = int(path.stat().st_mtime * 1000)
                yield Stored(path.name, written_ms, path.read_bytes())
            except FileNotFoundError:  # A newer one took its place.
                continue
            except OSError as error:
                raise StorageError(f"cannot read {path}: {why(error)}") from error

    def close(self) -> None:
        """Do nothing: every save is complete when it returns."""

    def _saved(self, partition: TopicPartition) -> list[Path]:
        pattern = f"{_prefix(partition)}.*{_SUFFIX}"
        return sorted(self._directory.glob(pattern), key=lambda path: _number(path.name))


def _prefix(partition: TopicPartition) -> str:
    """Return a file name that no other partition has."""
    topic = re.sub(r"[^A-Za-z0-9_-]", lambda match: f"%{ord(match[0]):02x}", partition.topic)
    return f"{topic}-{partition.partition}"


def _number(name: str) -> int:
    return int(name.split(".")[-3])


def _checksum(name: str) -> str:
    return name.split(".")[-2]
