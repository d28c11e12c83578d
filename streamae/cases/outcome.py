"""What a configuration makes of the records of a test: the daemon's own pipeline, in memory."""

import math
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import msgspec

from streamae.cases.file import Case
from streamae.cases.generate import generate
from streamae.config import Config, LabelsConfig, SourceConfig
from streamae.errors import ConfigError
from streamae.local import FileArchive
from streamae.local.source import partition_of
from streamae.pipeline import Pipeline
from streamae.records import Alert, Attribution, Drift, Event, Recovered, Score
from streamae.types import RecordBatch, TopicPartition

_POLL_RECORDS = 5000
"""Bounds memory; outputs do not depend on it."""


class Judged(NamedTuple):
    """A valid record and what was thought of it."""

    ordinal: int
    offset: int
    key: str | None
    score: float | None
    p_value: float | None
    threshold: float
    """NaN during warm-up."""
    flagged: bool


@dataclass(slots=True)
class Outcome:
    """What a stream gave."""

    alerts: list[Alert] = field(default_factory=list)
    drifts: list[Drift] = field(default_factory=list)
    recovered: list[Recovered] = field(default_factory=list)
    dead_letters: Counter[str] = field(default_factory=Counter)
    first_reject: dict[str, int] = field(default_factory=dict)
    """Offset of the first dead letter by reason."""
    judged: list[Judged] = field(default_factory=list)
    """The valid records by ordinal."""
    n_records: int = 0
    stop: str | None = None
    """Why the daemon would have stopped before the end."""

    @property
    def warm_from(self) -> int | None:
        """First ordinal that could be flagged; None when the warm-up did not end."""
        warm = (record.ordinal for record in self.judged if not math.isnan(record.threshold))
        return next(warm, None)

    def take(self, event: Event) -> None:
        """Add an event."""
        if isinstance(event, Alert):
            self.alerts.append(event)
        elif isinstance(event, Drift):
            self.drifts.append(event)
        elif isinstance(event, Recovered):
            self.recovered.append(event)


def run(case: Case, config: Config, directory: Path) -> Outcome:
    """Run the records of `case`, whose file is relative to `directory`, through the pipeline.

    Labels are left out: they change no alert. Raise `ConfigError` where the input is no stream.
    """
    pipeline, batches = _begin(case, config, directory)
    outcome = Outcome()
    try:
        for batch in batches:
            _advance(pipeline, batch, outcome)
            if outcome.stop is not None:
                break
    except ConfigError as error:
        raise ConfigError(str(error).replace("source.path: ", "input: ", 1)) from error
    return outcome


def blame(case: Case, config: Config, directory: Path, offset: int) -> list[Attribution]:
    """Return what stands out in the valid record at `offset`, seen when it came: run anew."""
    pipeline, batches = _begin(case, config, directory)
    for batch in batches:
        earlier = batch.before(offset)
        pipeline.process(earlier)
        if earlier is not batch:
            found = pipeline.examine(batch.tail(len(earlier)).head(1))
            return found.reasons.attribution if found and found.reasons else []
    return []


def _begin(case: Case, config: Config, directory: Path) -> tuple[Pipeline, Iterator[RecordBatch]]:
    config = _observed(config, case)
    partition = TopicPartition(case.topic or _topic(config.source), 0)
    pipeline = Pipeline(config, partition, offset=0)
    return pipeline, _batches(case, config, partition, directory)


def _advance(pipeline: Pipeline, batch: RecordBatch, outcome: Outcome) -> None:
    done = pipeline.process(batch)
    outcome.n_records += done.n_records
    outcome.stop = done.stop
    for event in done.alerts:
        outcome.take(event)
    outcome.dead_letters.update(done.rejects)
    for reason, rejected in done.first_rejects.items():
        outcome.first_reject.setdefault(reason, rejected.offset)
    scores = [output.value for output in done.outputs if output.channel == "scores"]
    thresholds = [
        threshold
        for piece, threshold in zip(done.scores, done.thresholds, strict=True)
        for _ in range(len(piece))
    ]
    for value, threshold in zip(scores, thresholds, strict=True):
        score = msgspec.json.decode(value or b"", type=Score)
        outcome.judged.append(
            Judged(
                len(outcome.judged),
                score.source.offset,
                score.key,
                score.score,
                score.p_value,
                threshold,
                score.anomaly,
            )
        )


def _observed(config: Config, case: Case) -> Config:
    """Return the configuration with a score per record, and a format that text can be in."""
    output = msgspec.structs.replace(config.output, scores="scores", scores_per="record", emit=())
    record = config.record
    if case.input is None:
        record = msgspec.structs.replace(record, format="json")
    elif record.format == "float32":  # No line of text holds it; its features are named.
        record = msgspec.structs.replace(record, format="auto")
    return msgspec.structs.replace(config, output=output, record=record, labels=LabelsConfig())


def _batches(
    case: Case, config: Config, partition: TopicPartition, directory: Path
) -> Iterator[RecordBatch]:
    if case.input is None:
        log = generate(case.generate, config.record)
        starts = range(0, log.end, _POLL_RECORDS)
        return (log.read(partition, start, _POLL_RECORDS) for start in starts)
    source = SourceConfig(path=str(directory / case.input), topic=partition.topic)
    archive = FileArchive(msgspec.structs.replace(config, source=source))
    return archive.records(partition, 0, sys.maxsize)


def _topic(source: SourceConfig) -> str:
    """Return the topic of the records that `source` reads; of several the first."""
    return source.topics[0] if source.kind == "kafka" else partition_of(source).topic
