"""What `run` would meet and do: all it needs is asked for once, then records are scored.

Nothing is written, no group is joined, and what was learnt on the way is forgotten.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice

from streamae import detector
from streamae.app import device, open_labels
from streamae.archive import open_archive
from streamae.check import Check
from streamae.config import Config
from streamae.errors import ConfigError, StreamaeError
from streamae.local import HostSource, check_outputs, check_state, is_pipe, named
from streamae.pipeline import Pipeline
from streamae.trial import Trial
from streamae.types import Archive, LabelLog, RecordBatch, TopicPartition

N_SAMPLES = 3
"""This machine is looked at once per `source.interval`; its past cannot be read."""


def checks(config: Config, n: int) -> Iterator[Check]:
    """Check all that `run` needs, then score up to `n` records of each partition.

    Raise `UnreachableError` or `AuthenticationError` when the brokers cannot be asked at all.
    """
    found = _device(config)
    yield found
    readable = found.verdict == "ok"
    for check in _parts(config):
        readable &= check.verdict != "fail" or check.subject not in config.source.topics
        yield check
    if not readable:
        return
    detector.set_threads(config.detector.threads)
    with ExitStack() as cleanups:
        try:
            yield from _trials(config, n, cleanups)
        except StreamaeError as error:
            yield Check("fail", "input", str(error))


def _device(config: Config) -> Check:
    try:
        return Check("ok", "device", device(config))
    except ConfigError as error:
        return Check("fail", "device", str(error))


def _parts(config: Config) -> Iterator[Check]:
    if config.source.kind == "kafka":
        from streamae import kafka  # noqa: PLC0415 - the embedded mode needs no Kafka client.

        yield from kafka.checks(config)
    else:
        yield from check_outputs(config.output)
    if config.state_store == "directory":
        yield check_state(config.state.directory)


def _trials(config: Config, n: int, cleanups: ExitStack) -> Iterator[Check]:
    if config.source.kind == "file" and is_pipe(config.source.path):
        yield Check("ok", "input", f"{named(config.source.path)} is left for a run to read")
        return
    labels = open_labels(config, cleanups)
    if config.source.kind == "host":
        batches = _samples(config, min(n, N_SAMPLES))
        trial = Trial(Pipeline(config, batches[0].partition, 0, labels=labels))
        yield from trial.take(batches).checks(config)
        return
    archive = open_archive(config, cleanups)
    for partition in archive.partitions():
        try:
            trial = _trial(config, archive, partition, n, labels)
        except StreamaeError as error:
            yield _failed(config, partition, error)
        else:
            yield from trial.checks(config)


def _failed(config: Config, partition: TopicPartition, error: StreamaeError) -> Check:
    if config.source.kind == "kafka" and config.kafka.client == "confluent":
        from streamae import kafka  # noqa: PLC0415 - see `_parts`.

        if kafka.is_codec_missing(error):
            text = f"not looked at, a run can read it by `kafka.client: confluent`: {error}"
            return Check("warn", str(partition), text)
    return Check("fail", str(partition), str(error))


def _trial(
    config: Config, archive: Archive, partition: TopicPartition, n: int, labels: LabelLog | None
) -> Trial:
    """Score what a run would go on with, or the latest records with a new model if none wait."""
    edges, committed = archive.bounds(partition), archive.committed(partition)
    latest = max(edges.first, edges.end - n)
    start = edges.first if config.source.start == "earliest" else latest
    notes: list[Check] = []
    if committed is not None and committed.pointer is not None:
        snapshot = archive.load(partition, committed.pointer)
        trial = Trial(Pipeline.restored(config, partition, snapshot, labels=labels))
        trial.go_on(edges, committed.offset)
        if committed.offset < edges.end:
            end = min(edges.end, max(committed.offset, edges.first) + n)
            batches = archive.records(partition, trial.pipeline.position, end)
            return trial.take(batches, judge_from=committed.offset)
        trial.note("ok", "no record waits, so the latest are scored with a new model")
        notes, start = trial.notes, latest
    elif committed is not None:
        start = min(max(edges.first, committed.offset), edges.end)
    trial = Trial(Pipeline(config, partition, start, labels=labels), notes)
    return trial.take(archive.records(partition, start, min(edges.end, start + n)))


def _samples(config: Config, n: int) -> list[RecordBatch]:
    """Look at this machine n times."""
    source = HostSource(config.source)
    source.start(_Beginning(source))
    polls = (source.poll(float(config.source.interval)) for _ in iter(int, 1))
    return list(islice((batch for poll in polls for batch in poll.batches), n))


class _Beginning:
    """Begins every partition at its beginning."""

    def __init__(self, source: HostSource) -> None:
        self._source = source

    def on_assign(self, partitions: Iterable[TopicPartition]) -> None:
        for partition in partitions:
            self._source.seek(partition, 0)

    def on_revoke(self, partitions: Iterable[TopicPartition]) -> None:
        """Do nothing: this machine is nobody else's."""

    on_lost = on_revoke
