"""Why a record was flagged or not: the model as it was then, taken apart."""

import re
import time
from collections.abc import Callable, Mapping

import msgspec

from streamae import detector
from streamae.config import Config
from streamae.errors import ConfigError, StreamaeError
from streamae.pipeline import Examined, Pipeline
from streamae.records import (
    Attribution,
    Counterfactual,
    Evidence,
    Position,
    Severity,
    iso_time,
    significant,
    source_of,
    text,
)
from streamae.replay.past import NEIGHBOURS, Level, Nearest, Past, named
from streamae.replay.playback import Begun, Playback, beginning_unknown, oldest_offset
from streamae.types import Archive, LabelLog, RecordBatch, TopicPartition

HISTORY_BLOCKS = 16
"""Blocks before the record whose thresholds are told."""

_POSITION = re.compile(r"(.+):(\d+):(\d+)")


class Verdict(msgspec.Struct, frozen=True):
    """What a model says of the record; numbers are null where it cannot say."""

    block: int
    """Blocks it had learnt."""
    score: float
    p_value: float
    threshold: float
    alpha: float
    """P-value at which records are flagged; 0 during warm-up."""
    severity: Severity | None
    """Null when it is not flagged."""


class Explanation(msgspec.Struct, frozen=True):
    """All there is to say about one record."""

    source: Position
    key: str | None
    event_time: str | None
    value: str | None
    ordinal: int
    begun: Begun
    notes: list[str]
    verdict: Verdict
    now: Verdict | None
    """With the newest model, if the record came next; None where none was kept."""
    evidence: Evidence | None
    """None before there was a model."""
    attribution: list[Attribution]
    missing: list[str]
    counterfactual: Counterfactual | None
    """None when it is not flagged."""
    reconstruction: dict[str, float]
    """What the record's code stands for, feature by feature."""
    nearest: Nearest | None
    thresholds: list[Level]
    """Oldest first; the last is that of the record."""


class Explainer:
    """Takes one record apart; its progress may be asked for from another thread."""

    def __init__(
        self,
        archive: Archive,
        config: Config,
        at: Position,
        labels: LabelLog | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raise `ConfigError` when there is no such record."""
        self._clock = clock
        self._started = clock()
        detector.set_threads(config.detector.threads)  # Bits depend on it.
        self._archive = archive
        self._config = config
        self._at = at
        self._partition = TopicPartition(at.topic, at.partition)
        self._record = _record(archive, self._partition, at.offset)
        self._labels = labels
        scored = msgspec.structs.replace(
            config.output, scores="scores", scores_per="record", emit=()
        )
        self._playback = Playback(
            archive,
            msgspec.structs.replace(config, output=scored),
            (self._partition, self._beginning()),
            labels,
        )

    def explain(self) -> Explanation:
        """Go through the log up to the record; raise `StreamaeError` when it was rejected."""
        past = Past()
        pipeline = self._playback.pipeline
        self._playback.skip(self._at.offset - self._lookback)
        for done in self._playback.run(self._at.offset, by_block=True):
            past.remember(done, pipeline)
        examined = pipeline.examine(self._record)
        if examined is None or pipeline.online is None:
            why = _rejection(pipeline, self._record)
            raise StreamaeError(f"{self._partition}, offset {self._at.offset}, was rejected: {why}")
        past.level(pipeline)
        names = pipeline.online.block.transforms.names
        reasons = examined.reasons
        return Explanation(
            source=self._at,
            key=text(examined.key),
            event_time=iso_time(examined.timestamp_ms),
            value=text(self._record.values[0]),
            ordinal=examined.ordinal,
            begun=self._playback.begun,
            notes=self._playback.notes,
            verdict=_verdict(examined),
            now=self._now(),
            evidence=reasons.evidence if reasons else None,
            attribution=reasons.attribution if reasons else [],
            missing=reasons.missing if reasons else [],
            counterfactual=reasons.counterfactual if reasons and examined.severity else None,
            reconstruction={} if examined.recons is None else named(names, examined.recons),
            nearest=past.nearest(examined, pipeline),
            thresholds=list(past.levels.values())[-HISTORY_BLOCKS:],
        )

    def status(self) -> Mapping[str, float]:
        """Return what a progress bar shows."""
        pipeline, begun = self._playback.pipeline, self._playback.begun
        n_records = pipeline.position - begun.offset
        return {
            "records": n_records,
            "records_per_second": n_records / max(self._clock() - self._started, 1e-3),
            "lag": self._at.offset - pipeline.position,
            "alerts": self._playback.n_alerts,
            "warmup": pipeline.warmup_progress,
        }

    @property
    def _lookback(self) -> int:
        return max(NEIGHBOURS, HISTORY_BLOCKS * self._config.detector.block_size)

    def _beginning(self) -> int:
        """Return where to begin to know the past; the oldest snapshot is better than the start."""
        wanted = self._at.offset - self._lookback
        unknown = beginning_unknown(self._archive, self._config, self._partition)
        if wanted <= 0 and not unknown:
            return 0
        oldest = oldest_offset(self._archive, self._partition)
        return wanted if oldest is None or oldest > self._at.offset else max(wanted, oldest)

    def _now(self) -> Verdict | None:
        point = self._archive.committed(self._partition)
        if point is None or point.pointer is None:
            return None
        blob = self._archive.load(self._partition, point.pointer)
        pipeline = Pipeline.restored(self._config, self._partition, blob, labels=self._labels)
        examined = pipeline.examine(self._record)
        return None if examined is None else _verdict(examined)


def locate(archive: Archive, target: str) -> Position:
    """Return the record that `TOPIC:PARTITION:OFFSET` names, or that an alert is about.

    Raise `ConfigError` for a partition that is none of the input's, `StreamaeError` for an alert
    that is not in the alerts channel.
    """
    partitions = archive.partitions()
    if match := _POSITION.fullmatch(target):
        at = Position(match[1], int(match[2]), int(match[3]))
        if TopicPartition(at.topic, at.partition) not in partitions:
            names = ", ".join(f"{one.topic}:{one.partition}" for one in partitions)
            raise ConfigError(f"{target}: the input is {names}")
        return at
    wanted = f'"alert_id":"{target}"'.encode()
    for partition in partitions:
        for written in archive.outputs("alerts", partition):
            if wanted not in (written.output.value or b""):
                continue
            source = source_of(written.output)
            if source is None:
                raise StreamaeError(f"the alert at {written.place} does not say what it is about")
            return source
    raise StreamaeError(f"there is no alert {target}; a record is named TOPIC:PARTITION:OFFSET")


def _record(archive: Archive, partition: TopicPartition, offset: int) -> RecordBatch:
    edges = archive.bounds(partition)
    if not edges.first <= offset < edges.end:
        raise ConfigError(
            f"{partition} has records from offset {edges.first} to before {edges.end}, not {offset}"
        )
    for batch in archive.records(partition, offset, offset + 1):
        if len(batch):
            return batch
    raise ConfigError(f"{partition} has no record at offset {offset}")


def _rejection(pipeline: Pipeline, record: RecordBatch) -> str:
    """Return the reason and what it is about."""
    ((reason, first),) = pipeline.process(record, again=True).first_rejects.items()
    return f"{reason}, {first.message}"


def _verdict(examined: Examined) -> Verdict:
    return Verdict(
        examined.block,
        significant(examined.score),
        significant(examined.p_value),
        significant(examined.threshold),
        significant(examined.alpha),
        examined.severity,
    )
