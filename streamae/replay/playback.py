"""A pipeline that goes through a partition's log again, with the outputs of the first time."""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from streamae import snapshot
from streamae.config import AlertingConfig, Config, DeadLetterConfig
from streamae.config.document import read_plain
from streamae.errors import ConfigError, SnapshotError
from streamae.pipeline import Pipeline, Processed
from streamae.records import ConfigurationChange
from streamae.replay.labels import RecordedLabels, known_labels
from streamae.types import Archive, LabelLog, RecordBatch, Stored, TopicPartition

_ENDLESS = DeadLetterConfig(max_consecutive=None, max_share=None)
"""A limit only ever stops the daemon: where it went on, it goes on here."""


class Begun(msgspec.Struct, frozen=True):
    """Where the recomputation begins."""

    offset: int
    ordinal: int
    snapshot: str | None
    """The snapshot's name; None for an empty model, saved or not."""


class _Changed(NamedTuple):
    """Another alerting configuration, from behind the record at `offset` on."""

    offset: int
    before: AlertingConfig
    after: AlertingConfig


class Playback:
    """Computes a partition's past from the newest snapshot before it, or from the log's start.

    As the daemon did, it changes the alerting configuration where the log of outputs says so.
    """

    def __init__(
        self,
        archive: Archive,
        config: Config,
        at: tuple[TopicPartition, int],
        labels: LabelLog | None = None,
        *,
        from_scratch: bool = False,
        varied: bool = False,
    ) -> None:
        """`at` is the first record of interest; `from_scratch` takes no snapshot.

        `varied` means another configuration than was used: its alerting takes effect at the first
        block boundary, and where no snapshot fits its model, that is learnt from the log's start.
        Raise `SnapshotError` when a snapshot is damaged or does not fit the configuration.
        """
        self.partition, offset = at
        self._archive = archive
        self._config = msgspec.structs.replace(config, dead_letters=_ENDLESS)
        self.notes: list[str] = []
        """What keeps the outputs from being those of the first time, for people."""
        labels = None if labels is None else self._recorded(labels)
        changes = [] if varied else self._changes()
        found = None if from_scratch else newest(archive, self.partition, offset)
        if found is not None and varied and not self._fits(found):
            self.notes.append("the other configuration has another model: learnt from the start")
            found = None
        if found is None:
            self.pipeline = self._empty(changes, labels)
        else:
            content = found.content
            self.pipeline = Pipeline.restored(self._config, self.partition, content, labels=labels)
            if not varied:
                self._judge_by(self.pipeline.alerting)
        boundary = self.pipeline.boundary
        name = snapshot.name_of(found.content) if found and boundary.ordinal else None
        self.begun = Begun(boundary.offset, boundary.ordinal, name)
        self._pending = deque(change for change in changes if change.offset >= boundary.offset)
        self.n_alerts = 0

    def run(self, end: int, *, by_block: bool = False) -> Iterator[Processed]:
        """Process the log from the position to before offset `end`, a poll or a block at a time."""
        for batch in self._archive.records(self.partition, self.pipeline.position, end):
            for piece in self._pieces(batch):
                for part in self._blocks(piece) if by_block else (piece,):
                    done = self.pipeline.process(part)
                    self.n_alerts += len(done.alerts)
                    yield done

    def skip(self, end: int) -> None:
        """Process the log to before offset `end`, for the state alone."""
        for _ in self.run(end):
            pass

    def _pieces(self, batch: RecordBatch) -> Iterator[RecordBatch]:
        """Cut the batch where the alerting configuration changes: a block ends there."""
        while self._pending and self._pending[0].offset < batch.next_offset:
            change = self._pending.popleft()
            head = batch.before(change.offset)
            batch = batch.tail(len(head))
            if len(head):
                yield head
            self._judge_by(change.after)
        yield batch

    def _blocks(self, batch: RecordBatch) -> Iterator[RecordBatch]:
        """Cut the batch so that no part reaches over a block boundary."""
        while len(batch):
            online = self.pipeline.online
            head = batch.head(online.room if online else self._config.detector.block_size)
            batch = batch.tail(len(head))
            yield head
        if batch.next_offset > self.pipeline.position:
            yield batch

    def _empty(self, changes: list[_Changed], labels: LabelLog | None) -> Pipeline:
        first = self._archive.bounds(self.partition).first
        alerting = changes[0].before if changes else self._config.alerting
        config = msgspec.structs.replace(self._config, alerting=alerting)
        if reason := beginning_unknown(self._archive, self._config, self.partition):
            self.notes.append(f"{reason}, so equal outputs cannot be promised")
        return Pipeline(config, self.partition, first, labels=labels)

    def _fits(self, found: Stored) -> bool:
        try:
            snapshot.check_fits(_header(self.partition, found), self._config)
        except SnapshotError:
            return False
        return True

    def _judge_by(self, alerting: AlertingConfig) -> None:
        self.pipeline.reconfigure(msgspec.structs.replace(self._config, alerting=alerting))

    def _recorded(self, labels: LabelLog) -> RecordedLabels:
        """Return the labels log as the daemon read it, as far as its outputs tell."""
        scores = self._config.output.scores is not None
        if not scores:
            self.notes.append(
                "without scores it is not known when labels came: those that came while the daemon"
                " ran may make a difference"
            )
        outputs = self._archive.outputs("scores" if scores else "alerts", self.partition)
        return RecordedLabels(labels, known_labels(outputs), self._last_offset)

    def _last_offset(self) -> int:
        """Return the last record of the full block."""
        online = self.pipeline.online
        return -1 if online is None else int(online.offsets[-1])

    def _changes(self) -> list[_Changed]:
        try:
            return list(_changes(self._archive, self.partition))
        except ConfigError as error:
            self.notes.append(f"changes of `alerting` are not known: {error}")
            return []


def newest(archive: Archive, partition: TopicPartition, at: int) -> Stored | None:
    """Return the newest committed snapshot of a boundary at or before offset `at`; None if none is.

    Raise `SnapshotError` when one is damaged: where it belongs is not known then.
    """
    point = archive.committed(partition)
    best: tuple[int, Stored] | None = None
    # Without a pointer, what is kept was learnt before the group's offsets were set by hand.
    for stored in archive.snapshots(partition) if point and point.pointer else ():
        offset = _header(partition, stored).offset
        if offset <= at and (best is None or offset >= best[0]):
            best = offset, stored
        if point and stored.pointer == point.pointer:
            break
    return best and best[1]


def beginning_unknown(archive: Archive, config: Config, partition: TopicPartition) -> str | None:
    """Return why the model did not begin with the first record of the log; None if it did."""
    first = archive.bounds(partition).first
    if first > 0:
        return f"the log begins at offset {first}, and what was learnt before is gone"
    if config.source.kind == "kafka" and config.source.start == "latest":
        return "with `source.start: latest` the model did not begin where the log does"
    return None


def oldest_offset(archive: Archive, partition: TopicPartition) -> int | None:
    """Return the boundary of the oldest snapshot kept; None when there is none."""
    point = archive.committed(partition)
    if point is None or point.pointer is None:
        return None
    offsets = (_header(partition, stored).offset for stored in archive.snapshots(partition))
    return min(offsets, default=None)


def _header(partition: TopicPartition, stored: Stored) -> snapshot.Header:
    try:
        return snapshot.decode(stored.content)[0]
    except SnapshotError as error:
        name = snapshot.name_of(stored.content)
        raise SnapshotError(
            f"{partition}: snapshot {name}: {error}; `streamae checkpoint verify` checks all, and"
            " `streamae replay --from-scratch` uses none"
        ) from error


def _changes(archive: Archive, partition: TopicPartition) -> Iterator[_Changed]:
    for written in archive.outputs("alerts", partition):
        if b'"configuration"' not in (written.output.value or b""):
            continue
        try:
            event = msgspec.json.decode(written.output.value or b"", type=ConfigurationChange)
            before, after = (read_plain(AlertingConfig, one) for one in (event.before, event.after))
        except (msgspec.MsgspecError, ValueError):  # Another kind, or not what was written.
            continue
        yield _Changed(event.source.offset, before, after)
