"""What the worker tells the outside: metrics, status, watchdog and log, once per batch."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import numpy as np

from streamae.config import CHANGE
from streamae.decode import Reason
from streamae.log import Logger
from streamae.metrics import Metric, Metrics, Rebalance, Stage, Status
from streamae.pipeline import Pipeline, Processed
from streamae.records import Alert, ConfigurationChange, Drift
from streamae.types import NO_TIMESTAMP, Commit, Poll, RecordBatch, TopicPartition
from streamae.watchdog import Watchdog

log = Logger(__name__)

AHEAD_S = 300.0
"""An event time further ahead of this machine's clock comes of a wrong clock or unit. It takes no
part in the watermark, which it would pin until then."""

_N_NAMES = 20
"""Features named in a log line; a stream may have thousands."""


class Observer:
    """Passes on what happened; takes no decision and changes nothing the worker does."""

    def __init__(
        self,
        metrics: Metrics,
        status: Status,
        watchdog: Watchdog,
        now: Callable[[], float],
        turned: Callable[[], None] = lambda: None,
    ) -> None:
        """`now` is Unix time in seconds; `turned` is called once per turn of the loop."""
        self.metrics = metrics
        self.status = status
        self._watchdog = watchdog
        self._now = now
        self._turned = turned
        self._rejects: Counter[tuple[TopicPartition, str]] = Counter()

    @contextmanager
    def broker_call(self, stage: Stage) -> Iterator[None]:
        """Time a call that may hang, under the watchdog's eyes; its end is a sign of life."""
        with self._watchdog.guard(stage), self.metrics.stage(stage):
            yield
        self._turned()

    @contextmanager
    def stage(self, stage: Stage) -> Iterator[None]:
        """Time a part of the work on a batch; its end is a sign of life.

        A poll is many blocks, and of thousands of features each takes seconds.
        """
        with self.metrics.stage(stage):
            yield
        self._watchdog.progress()
        self._turned()

    def polled(self, poll: Poll, seconds: float) -> None:
        """Take note of a poll; records that wait while none arrive are no progress."""
        self.metrics.polled(seconds, poll.lag)
        for partition, n in poll.deleted.items():
            self.metrics.offsets_lost(partition, n)
        self.status.turned()
        waiting = sum(poll.lag.values())
        self._watchdog.waiting(waiting)
        if poll.batches or not waiting:
            self._watchdog.progress()
        self._turned()

    def processed(self, batch: RecordBatch, done: Processed, pipeline: Pipeline) -> None:
        """Take note of a batch whose outputs will be written."""
        partition, metrics = batch.partition, self.metrics
        metrics.consumed(partition, done.n_records, done.n_bytes)
        self._rejected(partition, done)
        metrics.missing(partition, done.n_missing)
        metrics.nonfinite(partition, "input", done.rejects[Reason.OUT_OF_RANGE])
        metrics.nonfinite(partition, "score", done.n_nonfinite)
        if pipeline.online is not None and done.scores and not done.first_ordinal:
            names = pipeline.online.features
            more: dict[str, object] = {"times": pipeline.times} if pipeline.times else {}
            if len(names) > _N_NAMES:
                more["more"] = len(names) - _N_NAMES
            log.info("features", partition=str(partition), names=names[:_N_NAMES], **more)
        if done.scores:
            self._scored(partition, done)
        metrics.judged(partition, done.n_judged, done.n_flagged)
        metrics.episodes(partition, done.n_open_episodes)
        self._coded(pipeline, done)
        self.learned(pipeline, done)
        self._alerted(partition, done)

    def learned(self, pipeline: Pipeline, done: Processed) -> None:
        """Take note of the blocks a pipeline learnt from, also when it did so again."""
        if pipeline.online is None:
            return
        partition = pipeline.partition
        self.metrics.features(partition, pipeline.online.features)
        for learned in done.learned:
            self.metrics.learned(partition, pipeline.online.n_learnt, learned)
        for labelled in done.labelled:
            self.metrics.labelled(partition, labelled.outcomes, labelled.n_waiting)
            if not math.isnan(labelled.roc_auc):
                self.metrics.judged_head(partition, labelled.log_loss, labelled.roc_auc)
        if done.learned:
            n_keys = pipeline.online.block.transforms.n_keys
            self.metrics.keys(partition, n_keys, done.n_keys_forgotten)
            self._judging(pipeline, done.first_judged)
        if done.learned and done.first_ordinal < len(pipeline.online.block):
            log.info("features decided", partition=str(partition), **pipeline.decisions)

    def relearned(self, partition: TopicPartition, n: int) -> None:
        """Take note of records learnt again after a restore."""
        self.metrics.relearned(partition, n)
        self._watchdog.progress()

    def committed(self, commit: Commit, *, done: bool) -> None:
        """Take note of a commit or its refusal."""
        counts = Counter(output.channel for output in commit.outputs)
        self.metrics.commit("committed" if done else "aborted", counts)
        if not done:
            for partition in commit.snapshots:
                self.metrics.checkpoint_failed(partition)
            log.warning("commit refused, it is sent again", outputs=len(commit.outputs))
            return
        self._watchdog.progress()
        for partition, snapshot in commit.snapshots.items():
            self.metrics.checkpoint(partition, len(snapshot))
        times = [o.timestamp_ms for o in commit.outputs if o.timestamp_ms != NO_TIMESTAMP]
        if times:
            waited = self._now() - np.array(times, dtype=np.float64) / 1000
            self.metrics.latency(np.maximum(waited, 0.0))  # A sum of them must never fall.

    def checkpointed(self, partitions: Iterable[TopicPartition]) -> None:
        """Take note of a commit that somebody asked for, and of which snapshots are in it."""
        log.info("checkpoint as asked for", snapshots=[str(tp) for tp in partitions])

    def assigned(self, pipelines: Iterable[Pipeline]) -> None:
        """Take note of new partitions, the offsets they are read from, and what is known already.

        What a restored detector learnt in earlier runs shows at once, not with its next block.
        """
        for pipeline in pipelines:
            partition = pipeline.partition
            self.metrics.assigned([partition])
            self._judging(pipeline)
            log.info("partition assigned", partition=str(partition), offset=pipeline.position)

    def restored(self, pipeline: Pipeline, committed: int) -> None:
        """Take note of a detector that was loaded from a snapshot."""
        log.info(
            "detector restored",
            partition=str(pipeline.partition),
            ordinal=pipeline.boundary.ordinal,
            relearn_from=pipeline.position,
            committed=committed,
        )
        if pipeline.labels_before is not None:
            log.warning(
                "labels.source names another log than before, which is read from its start",
                partition=str(pipeline.partition),
                before=pipeline.labels_before,
            )
        if pipeline.skipped_from is not None:
            log.warning(
                "rolled back with the position kept: records before it were not learnt, so scores"
                " are not what an undisturbed run would have given",
                partition=str(pipeline.partition),
                skipped_from=pipeline.skipped_from,
                position=pipeline.boundary.offset,
            )

    def input_gone(self, partition: TopicPartition, wanted: int, taken: int) -> None:
        """Take note of a log that was cut behind the unfinished block's first record."""
        self.metrics.offsets_lost(partition, taken - wanted)
        log.warning(
            "input before the commit cannot be read again: the unfinished block starts empty, so"
            " scores are not what an undisturbed run would have given",
            partition=str(partition),
            wanted=wanted,
            taken=taken,
        )

    def removed(self, partitions: Iterable[TopicPartition], event: Rebalance) -> None:
        """Take note of partitions this process no longer owns."""
        gone = list(partitions)
        self.metrics.removed(gone, event)
        self.status.removed(gone)
        if gone:
            log.info("partitions let go", why=event, partitions=[str(tp) for tp in gone])

    def _judging(self, pipeline: Pipeline, first: int | None = None) -> None:
        """Take note of how far the warm-up is, and of the threshold once it is over."""
        partition, online, alpha = pipeline.partition, pipeline.online, pipeline.alpha
        before = self.metrics.value(Metric.WARMUP_PROGRESS_RATIO, partition)
        self.metrics.warmup(partition, pipeline.warmup_progress)
        if online is None:
            return
        self.status.transformed(partition, pipeline.decisions)
        if not alpha:
            return
        threshold = online.threshold(alpha)
        self.metrics.threshold(partition, threshold, alpha, pipeline.alert_share)
        if before is not None and before < 1.0:
            log.info(
                "warm-up is over, records are judged from here on",
                partition=str(partition),
                ordinal=online.n_learnt if first is None else first,
                threshold=threshold,
                budget=pipeline.alert_share,
            )

    def _rejected(self, partition: TopicPartition, done: Processed) -> None:
        """Count rejects; warn of the first one for each reason, of the 10th, the 100th and so on.

        That many lines show a feed that has gone wrong, and no feed can fill a disk with them.
        """
        for reason, n in done.rejects.items():
            self.metrics.invalid(partition, reason, n)
            before = self._rejects[partition, reason]
            self._rejects[partition, reason] = total = before + n
            if before and len(str(total)) == len(str(before)):
                continue
            first = done.first_rejects[reason]
            log.warning(
                "records rejected",
                partition=str(partition),
                reason=reason,
                total=total,
                offset=first.offset,
                message=first.message,
            )

    def _scored(self, partition: TopicPartition, done: Processed) -> None:
        happened = done.timestamps_ms[done.timestamps_ms <= (self._now() + AHEAD_S) * 1000]
        latest_ms = int(happened.max(initial=NO_TIMESTAMP))
        self.metrics.scored(partition, np.concatenate(done.scores), latest_ms)
        start = 0
        for scores, threshold in zip(done.scores, done.thresholds, strict=True):
            stop = start + len(scores)
            times = done.timestamps_ms[start:stop]
            self.status.scored(partition, done.first_ordinal + start, scores, times, threshold)
            start = stop

    def _coded(self, pipeline: Pipeline, done: Processed) -> None:
        """Take note of the codes of the last records, some times a second."""
        partition, online = pipeline.partition, pipeline.online
        if online is None or online.detector.n_blocks == 0 or done.last is None:
            return
        if self.status.codes_due(partition):
            flagged = done.scores[-1] >= done.thresholds[-1]
            self.status.coded(partition, online.detector.codes(done.last), flagged)

    def _alerted(self, partition: TopicPartition, done: Processed) -> None:
        self.status.alerted(done.alerts)
        for reason, n in done.suppressed.items():
            self.metrics.suppressed(partition, reason, n)
        for alert in done.alerts:
            if isinstance(alert, Alert):
                self.metrics.alerts(partition, alert.severity)
                for most in alert.attribution[:1]:
                    self.metrics.blamed(partition, most.feature.removesuffix(CHANGE))
                log.info(
                    "alert",
                    severity=alert.severity,
                    key=alert.key,
                    p_value=alert.p_value,
                    score=alert.score,
                    features=[a.feature for a in alert.attribution],
                    partition=str(partition),
                    offset=alert.source.offset,
                    alert_id=alert.alert_id,
                )
            elif isinstance(alert, Drift):
                self.metrics.drift(partition)
                log.info(
                    "drift",
                    features=[moved.feature for moved in alert.moved],
                    records=alert.n_records,
                    partition=str(partition),
                    offset=alert.source.offset,
                    alert_id=alert.alert_id,
                )
            elif isinstance(alert, ConfigurationChange):
                changed = {k: v for k, v in alert.after.items() if alert.before.get(k) != v}
                log.info(
                    "alerting reconfigured",
                    partition=str(partition),
                    ordinal=alert.model.ordinal + 1,
                    **changed,
                )
