"""Opens what a configured stream has left behind, for the verbs that only look."""

from contextlib import ExitStack

from streamae.config import Config
from streamae.local import FileArchive, snapshot_directory
from streamae.types import Archive


def open_archive(config: Config, cleanups: ExitStack) -> Archive:
    """Open the log, the outputs and the snapshots; closing them is pushed on `cleanups`.

    Raise `AuthenticationError` or `UnreachableError` when the brokers do not answer.
    """
    archive: Archive
    if config.source.kind == "kafka":
        from streamae.kafka import KafkaArchive  # noqa: PLC0415 - files need no Kafka client.

        archive = KafkaArchive(config, snapshot_directory(config))
    else:
        archive = FileArchive(config)
    cleanups.callback(archive.close)
    return archive
