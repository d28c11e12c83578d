"""Lines of a file as labels; a label's offset is the number of its line."""

import os
from pathlib import Path
from typing import BinaryIO

from streamae.errors import ConfigError, StorageError, why
from streamae.local.source import BYTE_ORDER_MARK, is_pipe
from streamae.types import LabelBatch, TopicPartition


class FileLabels:
    """One file with the labels of every partition, read as it grows.

    A line counts once its line feed is there; the last line of a file that is not followed counts
    without. Where an editor has put another file in its place, that is read on from the same line.
    """

    def __init__(self, path: str, *, follow: bool) -> None:
        """Raise `ConfigError` when the file cannot be opened, or not be read again."""
        if is_pipe(path):
            raise ConfigError(f"labels.source: {path} is a pipe, and labels are read again")
        self._path = path
        self._follow = follow
        self._line = 0
        try:
            self._file = self._open()
        except OSError as error:
            raise ConfigError(f"labels.source: cannot read {path}: {why(error)}") from error

    def read(self, partition: TopicPartition, offset: int, limit: int) -> LabelBatch:  # noqa: ARG002
        """Return the lines from number `offset` on, at most `limit` and those that are there.

        Raise `StorageError` when the file cannot be read or has become shorter than `offset`.
        """
        try:
            self._follow_replacement()
            self._go_to(offset)
            lines: list[bytes | None] = []
            while len(lines) < limit and (line := self._next()) is not None:
                lines.append(line)
        except OSError as error:
            raise StorageError(f"cannot read {self._path}: {why(error)}") from error
        return LabelBatch(lines, self._line)

    def release(self, partition: TopicPartition) -> None:
        """Do nothing: the partitions share the file."""

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _open(self) -> BinaryIO:
        return Path(self._path).open("rb")

    def _follow_replacement(self) -> None:
        """Begin again with the file that has taken the place of the open one, or was cut."""
        try:
            there = Path(self._path).stat()
        except FileNotFoundError:  # Moved away, and no new one there yet.
            return
        same = os.path.samestat(there, os.fstat(self._file.fileno()))
        if not same or there.st_size < self._file.tell():
            self._file.close()
            self._file, self._line = self._open(), 0

    def _go_to(self, offset: int) -> None:
        if offset < self._line:
            self._file.seek(0)
            self._line = 0
        while self._line < offset:
            if self._next() is None:
                raise StorageError(
                    f"{self._path} has fewer than the {offset} labels already read: it was cut or"
                    " replaced; move the state directory away to start afresh"
                )

    def _next(self) -> bytes | None:
        """Return the next whole line; None, without having moved, when there is none yet."""
        start = self._file.tell()
        line = self._file.readline()
        if not line or (self._follow and not line.endswith(b"\n")):
            self._file.seek(start)
            return None
        self._line += 1
        return line if start else line.removeprefix(BYTE_ORDER_MARK)
