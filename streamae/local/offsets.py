"""Setting what the next daemon on a state directory goes on with."""

from pathlib import Path

import msgspec

from streamae.config import Config
from streamae.errors import StorageError, why
from streamae.local.durable import replace_file
from streamae.local.sink import COMMIT_FILE, PartitionCommit, lock, read_commit
from streamae.local.state import DirectoryStore
from streamae.types import TopicPartition


class FileOffsets:
    """Holds the state directory, so that no daemon works on it meanwhile."""

    def __init__(self, config: Config) -> None:
        """Raise `ConfigError` while a daemon does."""
        self._directory = Path(config.state.directory)
        self._store = DirectoryStore(self._directory, config.state.keep)
        self._lock = lock(self._directory)

    def commit(self, partition: TopicPartition, content: bytes, offset: int) -> None:
        """Save `content` as the newest snapshot and commit `offset` with it; outputs stay."""
        last = read_commit(self._directory)
        before = last.partitions.get(str(partition))
        pointer = self._store.save(partition, content, before.snapshot if before else None)
        last.partitions[str(partition)] = PartitionCommit(offset, pointer)
        try:
            replace_file(self._directory / COMMIT_FILE, msgspec.json.encode(last))
        except OSError as error:
            raise StorageError(f"cannot write to {self._directory}: {why(error)}") from error

    def close(self) -> None:
        """Let daemons use the directory."""
        self._lock.close()
