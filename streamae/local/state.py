"""Snapshots as files in a directory."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import crc32c

from streamae.config import Config
from streamae.errors import SnapshotError, StorageError, why
from streamae.local.durable import replace_file
from streamae.snapshot import slot
from streamae.types import Stored, TopicPartition

_SUFFIX = ".safetensors"
_AFRESH = (
    "; `streamae checkpoint ls` names others to go back to, and starting afresh means moving the"
    " state directory and the outputs away"
)


class DirectoryStore:
    """Keeps snapshots of each partition, the newest and ever fewer old ones; see `snapshot.slot`.

    A pointer is a file name. It holds a number, that of the committed one and one more, and the
    CRC-32C of the content: a commit that is tried twice writes its snapshot once.
    """

    def __init__(self, directory: Path, keep: int) -> None:
        self._directory = directory
        self._keep = keep

    def save(self, partition: TopicPartition, snapshot: bytes, before: str | None) -> str:
        """Write `snapshot` durably, in place of the one that has its slot.

        The committed one has another slot; those behind it are of commits that were refused.
        """
        checksum = f"{crc32c.crc32c(snapshot):08x}"
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            saved = self._saved(partition)
            if not before or not _is_name(partition, before):  # A rewind, or another store's.
                before = saved[-1].name if saved else None
            if before is not None and _checksum(before) == checksum:
                return before
            number = 0 if before is None else _number(before) + 1
            name = f"{_prefix(partition)}.{number:08d}.{checksum}{_SUFFIX}"
            if self._directory / name in saved:
                return name
            for old in self._superseded(saved, number):
                old.unlink()
            replace_file(self._directory / name, snapshot)
        except OSError as error:
            raise StorageError(
                f"state.directory: cannot write to {self._directory}: {why(error)}"
            ) from error
        return name

    def load(self, partition: TopicPartition, pointer: str) -> bytes:
        """Return the snapshot; raise `SnapshotError` when it is missing or damaged."""
        path = self._directory / pointer
        if not _is_name(partition, pointer):
            raise SnapshotError(
                f"what was committed of {partition} names no snapshot in {self._directory}, but"
                f" {pointer[:80]!r}; is `state.store` as it was?"
            )
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

    def _superseded(self, saved: Sequence[Path], number: int) -> list[Path]:
        """Return which of the saved ones the next one leaves no slot for, or no commit knows."""
        newest = {slot(_number(path.name), self._keep): path for path in saved}
        newest.pop(slot(number, self._keep), None)
        return [
            path for path in saved if path not in newest.values() or _number(path.name) >= number
        ]

    def _saved(self, partition: TopicPartition) -> list[Path]:
        pattern = f"{_prefix(partition)}.*{_SUFFIX}"
        return sorted(self._directory.glob(pattern), key=lambda path: _number(path.name))


def snapshot_directory(config: Config) -> DirectoryStore | None:
    """Return the directory that keeps the snapshots; None where the state topic does."""
    if config.state_store == "topic":
        return None
    return DirectoryStore(Path(config.state.directory), config.state.keep)


def _prefix(partition: TopicPartition) -> str:
    """Return a file name that no other partition has."""
    topic = re.sub(r"[^A-Za-z0-9_-]", lambda match: f"%{ord(match[0]):02x}", partition.topic)
    return f"{topic}-{partition.partition}"


def _is_name(partition: TopicPartition, pointer: str) -> bool:
    return Path(pointer).name == pointer and pointer.startswith(f"{_prefix(partition)}.")


def _number(name: str) -> int:
    return int(name.split(".")[-3])


def _checksum(name: str) -> str:
    return name.split(".")[-2]
