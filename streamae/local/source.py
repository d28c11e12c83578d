"""Lines of a file or of a pipe as records; a line's offset is its number."""

import csv
import os
import select
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np

from streamae.config import SourceConfig
from streamae.errors import ConfigError, StorageError, why
from streamae.types import (
    NO_TIMESTAMP,
    AssignmentListener,
    Poll,
    RecordBatch,
    TopicPartition,
)

STDIN = "-"
_CHUNK_BYTES = 1 << 20
_STDIN_DESCRIPTOR = 0
_FOLLOW_INTERVAL_S = 0.05
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NO_TEXT = {
    b"\x1f\x8b": "compressed by gzip: unpack it first",
    b"\x28\xb5\x2f\xfd": "compressed by zstd: unpack it first",
    b"\xfd7zXZ\x00": "compressed by xz: unpack it first",
    b"BZh": "compressed by bzip2: unpack it first",
    b"\xff\xfe": "UTF-16: convert it to UTF-8 first",
    b"\xfe\xff": "UTF-16: convert it to UTF-8 first",
}
"""What files begin with whose every line would be rejected."""


def is_pipe(path: str) -> bool:
    """Return whether what `path` names can be read but once: standard input, a FIFO, a device."""
    file = Path(path)
    return path == STDIN or (file.exists() and not file.is_file() and not file.is_dir())


def named(path: str) -> str:
    """Return what people call the file."""
    return "standard input" if path == STDIN else path


def partition_of(config: SourceConfig) -> TopicPartition:
    """Return the only partition of a local source."""
    unnamed = "stdin" if config.path == STDIN else Path(config.path).stem
    return TopicPartition(config.topic or ("host" if config.kind == "host" else unnamed), 0)


class FileSource:
    """One file as one partition, `topic-0`.

    A CSV file's header line names its columns and has no offset. Empty lines keep their number but
    are no records. A line without its line feed is taken at the end of the file, unless the file is
    followed: then its rest is waited for. A pipe cannot be read again: after a restart its lines
    are numbered on from the last commit.
    """

    def __init__(self, config: SourceConfig) -> None:
        self._config = config
        self._stdin = config.path == STDIN
        self._pipe = is_pipe(config.path)
        self._csv = config.path.endswith(".csv")
        self.partition = partition_of(config)
        self._file = self._open()
        self._columns: tuple[str, ...] | None = None
        self._listener: AssignmentListener | None = None
        self._assigned = False
        self._line = 0
        self._sought = 0
        """Line to pass over the others to."""
        self._lines: list[bytes] = []
        self._rest: list[bytes] = []
        """Pieces of the line whose line feed has not come yet."""
        self._begun = False
        self._ended = False

    def start(self, listener: AssignmentListener) -> None:
        """Assign the file's partition at the first poll."""
        self._listener = listener

    def poll(self, timeout_s: float) -> Poll:
        """Return the next lines, or nothing when none came within `timeout_s`.

        Raise `StorageError` when the file cannot be read or has fewer lines than were sought.
        """
        if not self._assigned and self._listener is not None:
            self._assigned = True
            self._listener.on_assign([self.partition])
        if self._line < self._sought and not self._pass_over():
            return Poll()
        if not self._lines and not self._ended:
            self._fill(timeout_s)
        batch = self._batch()
        finished = self._ended and not self._lines
        lag = {self.partition: self._waiting()}
        return Poll([batch] if batch is not None else [], lag, finished)

    def seek(
        self,
        partition: TopicPartition,  # noqa: ARG002 - there is only one.
        offset: int | None,
        fallback: int | None = None,
    ) -> int:
        """Go to line `offset`; a pipe goes on at `fallback`.

        The lines before it are passed over in the next polls: a file of months takes minutes.
        """
        if self._pipe:
            self._line = fallback if fallback is not None else offset or 0
            return self._line
        self._rewind()
        self._sought = offset or 0
        return self._sought

    def close(self) -> None:
        """Close the file."""
        if not self._stdin:
            self._file.close()

    def _open(self) -> BinaryIO:
        if self._stdin:
            if sys.__stdin__ is None:
                raise ConfigError("source.path: standard input is closed")
            return os.fdopen(_STDIN_DESCRIPTOR, "rb", buffering=0, closefd=False)
        path = self._config.path
        try:
            return open(path, "rb", buffering=0, opener=_at_once)
        except OSError as error:
            raise ConfigError(f"source.path: cannot read {path}: {why(error)}") from error

    def _rewind(self) -> None:
        self._file.seek(0)
        self._line, self._lines, self._rest = 0, [], []
        self._begun = self._ended = False
        self._columns = None

    def _pass_over(self) -> bool:
        """Pass over a chunk of lines that were read before; return whether that was the last."""
        if not self._lines and (self._ended or not self._fill(0)):
            raise StorageError(
                f"{self._config.path} has fewer than the {self._sought} lines already read: it was"
                " cut or replaced; move the state directory away to start afresh"
            )
        passed = min(self._sought - self._line, len(self._lines))
        del self._lines[:passed]
        self._line += passed
        return self._line == self._sought

    def _fill(self, timeout_s: float) -> bool:
        """Read what is there; return whether anything was."""
        chunk = self._read(timeout_s)
        if chunk is None:
            return False
        ended = not chunk
        if ended and self._config.follow and not self._stdin:
            if not self._pipe:
                self._check_not_rotated()
            time.sleep(min(timeout_s, _FOLLOW_INTERVAL_S))
            return False
        if not self._begun:
            self._begun = True
            chunk = _text(chunk, named(self._config.path))
        *lines, rest = chunk.split(b"\n")
        if lines:
            lines[0] = b"".join([*self._rest, lines[0]])
            self._rest = []
        self._rest.append(rest)
        if ended:
            self._ended = True
            last = b"".join(self._rest)
            lines += [last] if last else []
        if self._csv and self._columns is None and lines:
            self._columns = _header(lines.pop(0), self._config.path)
        self._lines += lines
        return not ended or bool(lines)

    def _read(self, timeout_s: float) -> bytes | None:
        """Return bytes, b"" at the end, or None when a pipe is silent."""
        if self._pipe and not select.select([self._file], [], [], timeout_s)[0]:
            return None
        try:
            return self._file.read(_CHUNK_BYTES)
        except OSError as error:
            raise StorageError(f"cannot read {named(self._config.path)}: {why(error)}") from error

    def _check_not_rotated(self) -> None:
        opened = os.fstat(self._file.fileno())
        with suppress(FileNotFoundError):  # Moved away, and no new one there yet.
            there = Path(self._config.path).stat()
            if opened.st_size < self._file.tell() or not os.path.samestat(opened, there):
                raise StorageError(
                    f"{self._config.path} was cut or replaced while it was followed, so its line"
                    " numbers mean nothing any more; read a log that rotates by `tail -F FILE |`"
                )

    def _batch(self) -> RecordBatch | None:
        taken = self._lines[: self._config.max_poll_records]
        if not taken:
            return None
        del self._lines[: len(taken)]
        first, self._line = self._line, self._line + len(taken)
        present = [at for at, line in enumerate(taken) if line.strip()]
        n = len(present)
        return RecordBatch(
            partition=self.partition,
            offsets=first + np.array(present, dtype=np.int64),
            timestamps_ms=np.full(n, NO_TIMESTAMP, dtype=np.int64),
            keys=[None] * n,
            values=[taken[at] for at in present] if n < len(taken) else taken,
            headers=[()] * n,
            next_offset=self._line,
            columns=self._columns,
        )

    def _waiting(self) -> int:
        """Lines known to wait, the unread part of the file estimated by its size."""
        unread = 0
        if not self._pipe and self._line:
            position = self._file.tell()
            unread = max(os.fstat(self._file.fileno()).st_size - position, 0)
            unread = unread * (self._line + len(self._lines)) // max(position, 1)
        return len(self._lines) + unread


def _at_once(path: str, flags: int) -> int:
    """Open without waiting for the writer of a FIFO, which would hold up what a signal ends."""
    return os.open(path, flags | os.O_NONBLOCK)


def _text(beginning: bytes, path: str) -> bytes:
    """Return what an input begins with, without a byte order mark.

    Raise `ConfigError` where every line would be rejected.
    """
    for magic, what in _NO_TEXT.items():
        if beginning.startswith(magic):
            raise ConfigError(f"source.path: {path} is {what}")
    return beginning.removeprefix(BYTE_ORDER_MARK)


def _header(line: bytes, path: str) -> tuple[str, ...]:
    """Return the names; raise `ConfigError` where they cannot be those of a CSV file's columns."""
    text = line.decode(errors="replace").rstrip("\r")
    if "\r" in text:
        raise ConfigError(
            f"source.path: the lines of {path} end in carriage returns alone: convert them first"
        )
    names = tuple(name.strip() for name in next(csv.reader([text]), []))
    # Whole numbers may be names: pandas numbers the columns that have none.
    if all(map(_is_number, names)) and not all(map(str.isdecimal, names)):
        raise ConfigError(f"source.path: {path} has no header: its first line is {text[:80]!r}")
    if len(names) == 1 and any(separator in text for separator in ";\t|"):
        raise ConfigError(
            f"source.path: {path} is not separated by commas: its first line is {text[:80]!r}"
        )
    return names


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
