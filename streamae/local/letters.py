"""Dead letters back into the file they came from."""

import base64
import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from streamae.config import Config
from streamae.dead_letters import Letter, Receipt
from streamae.errors import ConfigError, StorageError, why
from streamae.local.durable import read_json, replace_file
from streamae.local.sink import lock
from streamae.local.source import is_pipe
from streamae.types import TopicPartition

RECEIPTS_FILE = "replayed.json"
LOCK_FILE = "replayed.lock"


class _Begun(msgspec.Struct, frozen=True):
    """Lines that are being appended."""

    receipt: Receipt
    start: int
    """Bytes of the file before it."""
    block: str
    """The lines, in base64."""


class _File(msgspec.Struct):
    """Content of `replayed.json`, by the absolute path of what was appended to."""

    done: dict[str, list[Receipt]] = {}
    begun: dict[str, _Begun] = {}


class FileSender:
    """Appends to the input, or to another file; receipts are in the state directory.

    A process that dies while it appends leaves a note of what it was about to append and where, so
    the next one can see whether it came to it.
    """

    def __init__(self, config: Config, output: Path | None, *, dry: bool) -> None:
        """Raise `ConfigError` where there is no file; `dry` holds and writes nothing."""
        source = config.source
        if output is None and (source.kind == "host" or is_pipe(source.path)):
            raise ConfigError("this input takes nothing back: name a file by --output")
        self._target = Path(source.path) if output is None else output
        self._name = str(self._target.absolute())
        self._directory = Path(config.state.directory)
        self._lock: BinaryIO | None = None if dry else lock(self._directory, LOCK_FILE)
        try:
            self._file = read_json(
                self._directory / RECEIPTS_FILE,
                _File,
                "restore it, or move it away if no letter was sent",
            )
            self._settle()
        except BaseException:
            self.close()
            raise

    def receipts(self, partition: TopicPartition) -> set[int]:
        """Return the offsets of the rejected records that were appended before."""
        done = self._file.done.get(self._name, [])
        return {offset for one in done if one.source == partition for offset in one.offsets}

    def send(self, partition: TopicPartition, letters: Sequence[Letter]) -> None:
        """Append the values as lines; keep a receipt."""
        receipt = Receipt(*partition, [letter.offset for letter in letters])
        lines = b"".join((letter.record.value or b"") + b"\n" for letter in letters)
        try:
            start, ended = self._end()
            block = lines if ended else b"\n" + lines
            self._file.begun[self._name] = _Begun(receipt, start, base64.b64encode(block).decode())
            self._write()
            with self._target.open("ab") as file:
                file.write(block)
                file.flush()
                os.fsync(file.fileno())
            self._finish()
        except OSError as error:
            raise StorageError(f"cannot append to {self._target}: {why(error)}") from error

    def close(self) -> None:
        """Let others send."""
        if self._lock is not None:
            self._lock.close()

    def _settle(self) -> None:
        """Find out what came of lines that were being appended when a process died."""
        begun = self._file.begun.get(self._name)
        if begun is None:
            return
        try:
            with self._target.open("rb") as file:
                file.seek(begun.start)
                appended = base64.b64decode(begun.block) in file.read()
        except OSError as error:
            raise StorageError(f"cannot read {self._target}: {why(error)}") from error
        if appended:
            self._finish()

    def _finish(self) -> None:
        """Turn the note into a receipt."""
        begun = self._file.begun.pop(self._name)
        self._file.done.setdefault(self._name, []).append(begun.receipt)
        self._write()

    def _end(self) -> tuple[int, bool]:
        """Return the length of the file, and whether its last line has ended."""
        if not self._target.exists():
            return 0, True
        with self._target.open("rb") as file:
            length = file.seek(0, os.SEEK_END)
            if length:
                file.seek(length - 1)
            return length, file.read(1) in (b"", b"\n")

    def _write(self) -> None:
        if self._lock is not None:
            replace_file(self._directory / RECEIPTS_FILE, msgspec.json.encode(self._file))
