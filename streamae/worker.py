"""The loop: poll, process, commit; and what happens when partitions come and go."""

import math
import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from streamae.config import Config
from streamae.errors import DeadLetterLimitError, TemporaryError
from streamae.metrics import Rebalance
from streamae.observer import Observer
from streamae.pipeline import Pipeline
from streamae.types import (
    Commit,
    LabelLog,
    Output,
    RecordBatch,
    Sink,
    Source,
    TopicPartition,
)

POLL_TIMEOUT_S = 0.1
"""Bounds how late a commit, a stop or a sign of life can be on an idle stream."""

RETRY_INTERVAL_S = 0.05
"""Between two tries of a commit that a rebalance refused."""

Reload = Callable[[], Config | None]


def nothing_new() -> Config | None:
    """Reload nothing."""
    return None


@dataclass(slots=True)
class Lane:
    """A partition in this worker's hands."""

    pipeline: Pipeline
    committed: int
    """Next offset to read as last committed; outputs of earlier records are out already."""
    outputs: list[Output] = field(default_factory=list)
    """Computed since the last commit; they are pure, so a refused commit is sent again as is."""
    snapshot: bytes | None = None
    """Due with the next commit, or refused with the last."""
    snapshot_offset: int | None = None
    """Boundary of the last snapshot; None before the first."""
    snapshot_given: tuple[Any, ...] = ()
    """What was given until then that the log does not hold; outputs that depend on anything given
    later need a later snapshot beside them."""
    snapshot_at: float = -math.inf
    """When it was taken; a restored partition's next one is due at once, so that a process that
    dies again and again does not learn more and more again."""

    @property
    def restoring(self) -> bool:
        """Whether records are being learnt again whose outputs are out already."""
        return self.pipeline.position < self.committed

    @property
    def dirty(self) -> bool:
        """Whether a commit would say anything new."""
        return self.pipeline.position > self.committed or self.snapshot is not None


class Worker:
    """Owns the pipelines of the assigned partitions and commits them together."""

    def __init__(
        self,
        config: Config,
        source: Source,
        sink: Sink,
        observer: Observer,
        clock: Callable[[], float],
        labels: LabelLog | None = None,
    ) -> None:
        """`clock` gives seconds; `labels` is what heads learn from."""
        self._config = config
        self._labels = labels
        self._source = source
        self._sink = sink
        self._observer = observer
        self._clock = clock
        self._lanes: dict[TopicPartition, Lane] = {}
        self._alert_waits = False
        self._behind = False
        self._last_commit = clock()
        self._refused_since: float | None = None
        self._stop: str | None = None
        self._checkpoint_asked = False

    def checkpoint(self) -> None:
        """Have the next turn commit, with snapshots; a signal handler may ask, so nothing locks."""
        self._checkpoint_asked = True

    def run(self, stopped: threading.Event, reload: Reload = nothing_new) -> None:
        """Work until the source ends or `stopped` is set, then commit; the source stays open.

        `reload` is asked once per turn for a configuration to go on with, of other live keys.
        Raise `DeadLetterLimitError` after the commit that holds the last allowed dead letter, and
        `TemporaryError` when commits are refused for longer than the watchdog's patience.
        """
        self._source.start(self)
        while not stopped.is_set() and self._step():
            if config := reload():
                self._reconfigure(config)
            if self._commit_due():
                self.commit()
        self._finish()

    def _step(self) -> bool:
        """Do one poll and process it; return whether to go on."""
        started = self._clock()
        poll = self._source.poll(POLL_TIMEOUT_S)
        self._observer.polled(poll, self._clock() - started)
        self._behind = sum(poll.lag.values()) >= self._config.source.max_poll_records
        for batch in poll.batches:
            self.process(batch)
        return self._stop is None and not poll.finished

    def process(self, batch: RecordBatch) -> None:
        """Run a batch through its partition's pipeline and keep what has to be written."""
        lane = self._lanes[batch.partition]
        batch = self._relearn(lane, batch)
        if batch.next_offset <= lane.pipeline.position:
            return
        done = lane.pipeline.process(batch)
        lane.outputs += done.outputs
        self._alert_waits |= bool(done.alerts)
        self._stop = self._stop or done.stop
        self._observer.processed(batch, done, lane.pipeline)

    def commit(self, final: Collection[TopicPartition] = ()) -> bool:
        """Make everything since the last commit visible at once.

        1. Take the snapshots that are due: a partition's first, an old one's next, all `final`, and
           all when a checkpoint is asked for.
        2. Hand outputs, snapshots and offsets to the sink, which writes all or nothing.
        3. On success forget them; on a refusal keep them for the next try.

        Return whether everything is committed.
        """
        self._last_commit = self._clock()
        asked = self._checkpoint_asked
        lanes = {tp: lane for tp, lane in self._lanes.items() if not lane.restoring}
        for tp, lane in lanes.items():
            self._take_snapshot(lane, now=asked or tp in final)
        lanes = {tp: lane for tp, lane in lanes.items() if lane.dirty}
        commit = Commit(
            outputs=[output for lane in lanes.values() for output in lane.outputs],
            offsets={tp: lane.pipeline.position for tp, lane in lanes.items()},
            snapshots={tp: lane.snapshot for tp, lane in lanes.items() if lane.snapshot},
        )
        done = not lanes or self._hand_over(commit)
        self._settle(lanes.values(), done=done)
        if asked and done:
            self._checkpoint_asked = False
            self._observer.checkpointed(commit.snapshots)
        return done

    def on_assign(self, partitions: Iterable[TopicPartition]) -> None:
        """Restore each partition's pipeline and read from its block boundary."""
        new = list(partitions)
        for partition in new:  # Hundreds take a while, and each of them may hang.
            with self._observer.broker_call("restore"):
                self._lanes[partition] = self._restore(partition)
        # The next commit pins where a new partition begins, which `latest` would else move.
        self._last_commit = -math.inf
        self._observer.assigned([self._lanes[partition].pipeline for partition in new])

    def on_revoke(self, partitions: Iterable[TopicPartition]) -> None:
        """Commit what was processed, then let go; the next owner restores from there."""
        revoked = list(partitions)
        self.commit(final=revoked)
        self._drop(revoked, "revoked")

    def on_lost(self, partitions: Iterable[TopicPartition]) -> None:
        """Let go without committing."""
        self._drop(list(partitions), "lost")

    @property
    def unready(self) -> list[str]:
        """Why records cannot be processed now; empty when they can."""
        lanes = dict(self._lanes)
        restoring = [f"{tp} is being restored" for tp, lane in lanes.items() if lane.restoring]
        return restoring if lanes else ["no partition assigned"]

    def _reconfigure(self, config: Config) -> None:
        self._config = config
        for lane in self._lanes.values():
            lane.pipeline.reconfigure(config)

    def _restore(self, partition: TopicPartition) -> Lane:
        stage = self._observer.stage
        committed = self._sink.committed(partition)
        if committed is None or committed.snapshot is None:
            begin = None if committed is None else committed.offset
            position = self._source.seek(partition, begin)
            pipeline = Pipeline(self._config, partition, position, stage, self._labels)
            return Lane(pipeline, position)
        pipeline = Pipeline.restored(
            self._config, partition, committed.snapshot, stage, self._labels
        )
        boundary = pipeline.boundary.offset
        position = self._source.seek(partition, boundary, committed.offset)
        if position != boundary:
            self._observer.input_gone(partition, boundary, position)
            pipeline.skip_to(position)
        self._observer.restored(pipeline, committed.offset)
        return Lane(
            pipeline,
            max(committed.offset, position),
            snapshot_offset=boundary,
            snapshot_given=pipeline.boundary.given,
        )

    def _relearn(self, lane: Lane, batch: RecordBatch) -> RecordBatch:
        """Learn again from records whose outputs are out already; return the others."""
        if not lane.restoring:
            return batch
        again = int((batch.offsets < lane.committed).sum())
        head = batch.head(again)
        done = lane.pipeline.process(head, again=True)
        self._observer.relearned(batch.partition, again)
        self._observer.learned(lane.pipeline, done)
        return batch.tail(again)

    def _drop(self, partitions: list[TopicPartition], event: Rebalance) -> None:
        for partition in partitions:
            self._lanes.pop(partition, None)
            if self._labels is not None:
                self._labels.release(partition)
        self._observer.removed(partitions, event)

    def _hand_over(self, commit: Commit) -> bool:
        with self._observer.broker_call("commit"):
            done = self._sink.commit(commit)
        self._observer.committed(commit, done=done)
        return done

    def _commit_due(self) -> bool:
        config = self._config.commit
        waited = self._clock() - self._last_commit
        if waited < RETRY_INTERVAL_S and waited < config.alert_interval:
            return False
        n_outputs = sum(len(lane.outputs) for lane in self._lanes.values())
        # An alert on a record that waited behind others is late already, and a commit takes as long
        # as a thousand records: while the next poll will be full, only `interval` counts.
        urgent = self._alert_waits and not self._behind
        return (
            self._checkpoint_asked
            or waited >= config.interval
            or (urgent and waited >= config.alert_interval)
            or n_outputs >= config.max_outputs
        )

    def _take_snapshot(self, lane: Lane, *, now: bool) -> None:
        boundary = lane.pipeline.boundary
        given = boundary.given != lane.snapshot_given
        if boundary.offset == lane.snapshot_offset or (lane.snapshot is not None and not given):
            return
        waited = self._clock() - lane.snapshot_at
        first = lane.snapshot_offset is None
        if now or first or given or waited >= self._config.state.snapshot_interval:
            with self._observer.stage("checkpoint"):
                lane.snapshot = lane.pipeline.snapshot()
            lane.snapshot_offset = boundary.offset
            lane.snapshot_given = boundary.given
            lane.snapshot_at = self._clock()

    def _settle(self, lanes: Iterable[Lane], *, done: bool) -> None:
        """Forget what was committed; give up when commits are refused for too long."""
        if not done:
            self._refused_since = self._refused_since or self._clock()
            if self._clock() - self._refused_since > self._config.watchdog_timeout:
                raise TemporaryError("every commit was refused for watchdog_timeout")
            return
        self._refused_since = None
        self._alert_waits = False
        for lane in lanes:
            lane.outputs.clear()
            lane.snapshot = None
            lane.committed = lane.pipeline.position

    def _finish(self) -> None:
        """Commit the rest with snapshots; polls let a rebalance end that refuses the commit."""
        deadline = self._clock() + self._config.shutdown_timeout
        while not self.commit(final=self._lanes.keys()):
            if self._clock() >= deadline:
                raise TemporaryError("the last commit was refused until shutdown_timeout")
            self._source.poll(RETRY_INTERVAL_S)
        if self._stop is not None:
            raise DeadLetterLimitError(self._stop)
