"""What a daemon without Kafka made of its input, read beside it without disturbing it."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from streamae.config import Config
from streamae.decode import first_at
from streamae.errors import ConfigError, StorageError, why
from streamae.local.sink import COMMIT_FILE, STDOUT, read_commit, unwrapped
from streamae.local.source import FileSource, is_pipe, named, partition_of
from streamae.local.state import DirectoryStore
from streamae.records import source_of
from streamae.types import (
    NO_TIMESTAMP,
    Channel,
    CommitPoint,
    Edges,
    Output,
    RecordBatch,
    Stored,
    TopicPartition,
    Written,
)

_CHUNK_BYTES = 1 << 20


class FileArchive:
    """The files of a configuration as an `Archive`.

    Outputs are those of the present files, up to the committed length: what a rotation moved away
    is not looked for.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._directory = Path(config.state.directory)
        self._store = DirectoryStore(self._directory, config.state.keep)

    def partitions(self) -> Sequence[TopicPartition]:
        """Return the only one."""
        return [partition_of(self._config.source)]

    def bounds(self, partition: TopicPartition) -> Edges:  # noqa: ARG002 - there is only one.
        """Count the lines; one without its line feed counts where the daemon takes it."""
        path, n, last = self._input(), 0, b"\n"
        try:
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK_BYTES):
                    n, last = n + chunk.count(b"\n"), chunk[-1:]
        except OSError as error:
            raise ConfigError(f"source.path: cannot read {path}: {why(error)}") from error
        if last != b"\n" and not self._config.source.follow:
            n += 1
        return Edges(0, max(n - (path.suffix == ".csv"), 0))

    def offset_at(self, partition: TopicPartition, timestamp_ms: int) -> int:
        """Look for the first line with that event time; raise `ConfigError` where lines have none.

        Lines that are rejected have none.
        """
        if self._config.record.timestamp_field is None:
            raise ConfigError("the lines of a file have no times without record.timestamp_field")
        end = self.bounds(partition).end
        found = first_at(self.records(partition, 0, end), self._config.record, timestamp_ms)
        return end if found is None else found

    def records(self, partition: TopicPartition, start: int, end: int) -> Iterator[RecordBatch]:
        """Yield the lines; raise `StorageError` where there are fewer than `start`."""
        self._input()
        config = msgspec.structs.replace(self._config.source, follow=False)
        with closing(FileSource(config)) as source:
            position = source.seek(partition, start)
            finished = False
            while position < end and not finished:
                poll = source.poll(0.0)
                finished = poll.finished
                for batch in poll.batches:
                    position = batch.next_offset
                    yield batch.before(end)

    def outputs(self, channel: Channel, partition: TopicPartition) -> Iterator[Written]:
        """Yield the lines of the channel's file up to the committed length."""
        path = self._output(channel)
        lengths = read_commit(self._directory).lengths
        left = lengths.get(str(path.absolute()))
        if left is None:
            commit = self._directory / COMMIT_FILE
            raise ConfigError(
                f"output.{channel}: {commit} knows nothing of {path}: it was moved, or no run has"
                " written to it yet"
            )
        try:
            with path.open("rb") as file:
                for number, line in enumerate(file, 1):
                    left -= len(line)
                    if left < 0:
                        break
                    output = _output(channel, partition, line.removesuffix(b"\n"))
                    source = source_of(output)
                    if source is None or (source.topic, source.partition) == partition:
                        yield Written(f"{path}, line {number}", number, output)
        except OSError as error:
            raise StorageError(f"output.{channel}: cannot read {path}: {why(error)}") from error

    def is_cut(self, channel: Channel, partition: TopicPartition) -> bool:  # noqa: ARG002
        """Return False: what a rotation moved away leaves no trace."""
        return False

    def written(self, output: Output) -> Output:
        """Return its value alone, but for a dead letter, of which everything is kept."""
        if output.channel == "dead_letters":
            return output._replace(headers=tuple(output.headers))
        return output._replace(key=None, headers=(), timestamp_ms=NO_TIMESTAMP)

    def committed(self, partition: TopicPartition) -> CommitPoint | None:
        """Return what the commit file says."""
        last = read_commit(self._directory).partitions.get(str(partition))
        return None if last is None else CommitPoint(last.offset, last.snapshot)

    def snapshots(self, partition: TopicPartition) -> Iterator[Stored]:
        """Yield those of the directory."""
        return self._store.snapshots(partition)

    def load(self, partition: TopicPartition, pointer: str) -> bytes:
        """Return one of them."""
        return self._store.load(partition, pointer)

    def close(self) -> None:
        """Do nothing: files are closed when they were read."""

    def _input(self) -> Path:
        source = self._config.source
        if source.kind == "host":
            raise ConfigError("source.kind: what `host` sampled is not kept")
        if is_pipe(source.path):
            raise ConfigError(f"source.path: {named(source.path)} cannot be read again")
        return Path(source.path)

    def _output(self, channel: Channel) -> Path:
        name: str | None = getattr(self._config.output, channel)
        if name is None:
            raise ConfigError(f"output.{channel}: no file is configured")
        if name == STDOUT:
            raise ConfigError(f"output.{channel}: what went to standard output is not kept")
        return Path(name)


def _output(channel: Channel, partition: TopicPartition, line: bytes) -> Output:
    if channel == "dead_letters":
        return unwrapped(line, partition)
    return Output(channel, partition, None, line)
