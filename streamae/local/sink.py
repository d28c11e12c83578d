"""Outputs to files, with the guarantee of a transaction.

The commit file records, for one moment, the length of every output file, the offsets reached and
the snapshots that belong to them. It is replaced atomically after everything it speaks of is on
disk. What a crash leaves behind it in an output file is cut off at the next start.
"""

import base64
import fcntl
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import crc32c
import msgspec

from streamae.config import OutputConfig
from streamae.errors import ConfigError, SnapshotError, StorageError, why
from streamae.local.durable import read_json, replace_file
from streamae.local.source import is_pipe
from streamae.types import Channel, Commit, Committed, Output, StateStore, TopicPartition

STDOUT = "-"
COMMIT_FILE = "commit.json"
HEAD_BYTES = 4096
"""More than the header line of a CSV file, which every file of a rotation has."""


class PartitionCommit(msgspec.Struct, frozen=True):
    """Where a partition stands."""

    offset: int
    snapshot: str | None


class Head(msgspec.Struct, frozen=True):
    """What an input file begins with; a rotation leaves another one in its place."""

    length: int
    crc32c: int


class CommitFile(msgspec.Struct):
    """Content of `commit.json`."""

    format: int = 1
    input: Head | None = None
    """Of the file that was read; None for what cannot be read again."""
    lengths: dict[str, int] = {}
    """Bytes of each output file, by absolute path."""
    partitions: dict[str, PartitionCommit] = {}


class DeadLetter(msgspec.Struct, frozen=True):
    """A line of the dead letters' file: text as it is, other bytes as `{"base64": ...}`."""

    key: str | dict[str, str] | None
    value: str | dict[str, str] | None
    timestamp_ms: int
    headers: list[tuple[str, str | dict[str, str]]]


def read_commit(directory: Path) -> CommitFile:
    """Return what was committed last; raise `SnapshotError` when the file is damaged."""
    advice = "restore it, or start afresh by moving the state directory and the outputs away"
    return read_json(directory / COMMIT_FILE, CommitFile, advice)


class FileSink:
    """Appends messages to one file per channel; one sink per state directory."""

    def __init__(
        self, config: OutputConfig, directory: Path, store: StateStore, source: str | None = None
    ) -> None:
        """`source` is the file that offsets are lines of, if there is one."""
        self._source = None if source is None or is_pipe(source) else source
        self._paths: dict[Channel, str] = {
            "alerts": config.alerts,
            "dead_letters": config.dead_letters,
        }
        if config.scores is not None:
            self._paths["scores"] = config.scores
        self._directory = directory
        self._store = store
        self._lock = lock(directory)
        self._files: dict[Channel, BinaryIO] = {}
        try:
            self._last = read_commit(directory)
            self._open()
        except BaseException:
            self.close()
            raise

    def commit(self, commit: Commit) -> bool:
        """Write the commit; return True.

        1. Append the outputs and wait until they are on disk.
        2. Save the snapshots.
        3. Replace the commit file, which makes all of it count.
        """
        self._follow_rotation()
        for channel, file in self._files.items():
            with _writing(f"output.{channel}", self._paths[channel]):
                _append(channel, file, commit.outputs)
        for partition, offset in commit.offsets.items():
            before = self._last.partitions.get(str(partition))
            snapshot = before.snapshot if before else None
            if partition in commit.snapshots:
                snapshot = self._store.save(partition, commit.snapshots[partition], snapshot)
            self._last.partitions[str(partition)] = PartitionCommit(offset, snapshot)
        if self._last.input is None or self._last.input.length < HEAD_BYTES:
            self._last.input = self._head()
        self._record()
        return True

    def committed(self, partition: TopicPartition) -> Committed | None:
        """Return what the commit file says of `partition`.

        Raise `SnapshotError` when the input is not the file that it speaks of.
        """
        last = self._last.partitions.get(str(partition))
        if last is None:
            return None
        read = self._last.input
        if read is not None and self._head(read.length) not in (None, read):
            raise SnapshotError(
                f"{self._source} does not begin as the file that was read: it was cut or replaced;"
                " move the state directory away to start afresh"
            )
        snapshot = None if last.snapshot is None else self._store.load(partition, last.snapshot)
        return Committed(last.offset, snapshot)

    def close(self) -> None:
        """Close the files and let another daemon use the directory."""
        for file in self._files.values():
            if file is not sys.stdout.buffer:
                # What a full disk did not take is tried again and refused again; no commit has it.
                with suppress(OSError):
                    file.close()
        self._lock.close()

    def _head(self, length: int = HEAD_BYTES) -> Head | None:
        """Return what the input begins with; None where it cannot be read, as the source says."""
        if self._source is None:
            return None
        try:
            with Path(self._source).open("rb") as file:
                content = file.read(length)
        except OSError:
            return None
        return Head(len(content), crc32c.crc32c(content))

    def _follow_rotation(self) -> None:
        """Go on in new files where a log rotation moved the old ones away."""
        moved = [channel for channel, file in self._files.items() if self._is_moved(channel, file)]
        for channel in moved:
            self._files[channel].close()
            self._files[channel] = _open_output(channel, self._paths[channel])
        if moved:
            self._record()

    def _is_moved(self, channel: Channel, file: BinaryIO) -> bool:
        if file is sys.stdout.buffer:
            return False
        path = Path(self._paths[channel])
        with _writing(f"output.{channel}", path):
            return not path.exists() or not os.path.samestat(path.stat(), os.fstat(file.fileno()))

    def _open(self) -> None:
        """Open every output, cut back to what the last commit made of it."""
        for channel, name in self._paths.items():
            if name == STDOUT:
                if sys.__stdout__ is None:
                    raise StorageError(f"output.{channel}: standard output is closed")
                self._files[channel] = sys.stdout.buffer
                continue
            file = self._files[channel] = _open_output(channel, name)
            length = self._last.lengths.get(str(Path(name).absolute()))
            if length is not None and length < os.fstat(file.fileno()).st_size:
                with _writing(f"output.{channel}", name):
                    file.truncate(length)
        self._record()

    def _record(self) -> None:
        self._last.lengths = {
            str(Path(self._paths[channel]).absolute()): os.fstat(file.fileno()).st_size
            for channel, file in self._files.items()
            if file is not sys.stdout.buffer
        }
        with _writing("state.directory", self._directory / COMMIT_FILE):
            replace_file(self._directory / COMMIT_FILE, msgspec.json.encode(self._last))


def lock(directory: Path, name: str = "lock") -> BinaryIO:
    """Hold the directory until the returned file is closed or the process ends."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        file = (directory / name).open("wb")
    except OSError as error:
        raise StorageError(f"state.directory: cannot use {directory}: {why(error)}") from error
    _hold(file, f"state.directory: {directory}")
    return file


def _open_output(channel: Channel, name: str) -> BinaryIO:
    """Open an output to append to it; no other daemon can, or each would cut off the other's."""
    path = Path(name)
    with _writing(f"output.{channel}", name):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    if path.is_file():  # Any number may write to a device.
        _hold(file, f"output.{channel}: {name}")
    return file


@contextmanager
def _writing(key: str, path: str | Path) -> Iterator[None]:
    """Raise `StorageError` that names what cannot be written."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"{key}: cannot write {path}: {why(error)}") from error


def _hold(file: BinaryIO, what: str) -> None:
    """Lock `file`; close it and raise `ConfigError` when another process has done so."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise ConfigError(f"{what} is in use by another streamae process") from error


def _append(channel: Channel, file: BinaryIO, outputs: Iterable[Output]) -> None:
    lines = [_line(output) for output in outputs if output.channel == channel]
    if not lines:
        return
    file.writelines(lines)
    file.flush()
    # Pipes and devices cannot be waited for.
    if file is not sys.stdout.buffer and stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        os.fsync(file.fileno())


def _line(output: Output) -> bytes:
    """Return an output as one line; a dead letter, which may be anything, is wrapped."""
    if output.channel != "dead_letters":
        return (output.value or b"") + b"\n"
    letter = DeadLetter(
        _readable(output.key),
        _readable(output.value),
        output.timestamp_ms,
        [(name, _readable(value) or "") for name, value in output.headers],
    )
    return msgspec.json.encode(letter) + b"\n"


def unwrapped(line: bytes, source: TopicPartition) -> Output:
    """Return the dead letter that a line holds; the line itself when it was not written here."""
    try:
        letter = msgspec.json.decode(line, type=DeadLetter)
        headers = tuple((name, _bytes(value) or b"") for name, value in letter.headers)
        key, value = _bytes(letter.key), _bytes(letter.value)
    except (msgspec.MsgspecError, KeyError, ValueError):
        return Output("dead_letters", source, None, line)
    output = Output("dead_letters", source, key, value, headers, letter.timestamp_ms)
    same = _line(output).removesuffix(b"\n") == line
    return output if same else Output("dead_letters", source, None, line)


def _readable(raw: bytes | None) -> str | dict[str, str] | None:
    """Return bytes as text, or as `{"base64": ...}` where they are not UTF-8: never altered."""
    if raw is None:
        return None
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(raw).decode()}


def _bytes(readable: str | dict[str, str] | None) -> bytes | None:
    """Return what `_readable` was made of; raise ValueError or KeyError where it was not made."""
    if isinstance(readable, dict):
        return base64.b64decode(readable["base64"], validate=True)
    return None if readable is None else readable.encode()
