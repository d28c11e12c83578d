"""Records to draft from: the first of a file, the latest of each partition of a topic."""

from contextlib import ExitStack
from typing import NamedTuple

from streamae.archive import open_archive
from streamae.config import Config
from streamae.errors import ConfigError
from streamae.types import RecordBatch


class Sample(NamedTuple):
    """What was read."""

    batches: list[RecordBatch]
    n_partitions: int

    @property
    def n_records(self) -> int:
        """How many records they are."""
        return sum(map(len, self.batches))


def sample(config: Config, n_records: int) -> Sample:
    """Read up to `n_records` of the configured source, as many of each partition.

    Raise `ConfigError` when there is none, and what reading raises.
    """
    with ExitStack() as cleanups:
        archive = open_archive(config, cleanups)
        partitions = archive.partitions()
        each = -(-n_records // len(partitions))
        batches = []
        for partition in partitions:
            if config.source.kind == "kafka":
                bounds = archive.bounds(partition)
                start, end = max(bounds.first, bounds.end - each), bounds.end
            else:
                start, end = 0, each
            batches += [batch for batch in archive.records(partition, start, end) if len(batch)]
    found = Sample(batches, len(partitions))
    if not found.n_records:
        source = config.source
        where = ", ".join(source.topics) if source.kind == "kafka" else source.path
        raise ConfigError(f"{where} has no records to draft a configuration from")
    return found
