"""Everything that belongs to one input partition: decode, score, alert, learn.

A pipeline is a pure function of the configuration and the partition's log. It learns from whole
blocks only, so its state is that of the last finished block boundary at any time, and the records
behind the boundary can be processed again to arrive at the same place.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from streamae import snapshot
from streamae.config import AlertingConfig, Config
from streamae.decode import Decoded, Decoder, Reject
from streamae.errors import ConfigError
from streamae.metrics import Stage
from streamae.pipeline import outputs
from streamae.pipeline.judge import Judge
from streamae.pipeline.limits import RejectCounts, RejectLimit
from streamae.pipeline.online import OnlineDetector, Rows
from streamae.pipeline.processed import Boundary, Examined, Processed, Rejected
from streamae.transforms import Inputs
from streamae.types import Bools, LabelLog, RecordBatch, TopicPartition

StageTimer = Callable[[Stage], AbstractContextManager[None]]


def untimed(stage: Stage) -> AbstractContextManager[None]:  # noqa: ARG001 - a timer's signature.
    """Measure nothing."""
    return nullcontext()


class Pipeline:
    """The detector of one partition with all that turns its log into outputs."""

    def __init__(
        self,
        config: Config,
        partition: TopicPartition,
        offset: int,
        stage: StageTimer = untimed,
        labels: LabelLog | None = None,
    ) -> None:
        """`offset` is the first to be read; `labels` are what a head learns from."""
        self._config = config
        self._labels = labels
        self._stage = stage
        self.partition = partition
        self.position = offset
        """Next offset to read."""
        self.skipped_from: int | None = None
        """See `snapshot.Header`; of the snapshot this was restored from."""
        self.labels_before: str | None = None
        """The labels log that was read until that snapshot, where it is another one by now."""
        self.online: OnlineDetector | None = None
        """None until the features are known."""
        self.times: tuple[str, ...] = ()
        """What `record.features: auto` left out of them; see `Decoder.times`."""
        self._decoder: Decoder | None = None
        self._judge = Judge(config.name, config.alerting, partition)
        self._limit = RejectLimit(config.dead_letters)
        self.boundary = self._here(offset, ordinal=0)

    @classmethod
    def restored(
        cls,
        config: Config,
        partition: TopicPartition,
        blob: bytes,
        stage: StageTimer = untimed,
        labels: LabelLog | None = None,
    ) -> "Pipeline":
        """Return the pipeline as it was at the snapshot's block boundary.

        Raise `SnapshotError` when the snapshot is damaged or does not fit the configuration.
        """
        header, arrays = snapshot.decode(blob)
        snapshot.check_fits(header, config)
        pipeline = cls(config, partition, header.offset, stage, labels)
        pipeline.skipped_from = header.skipped_from
        pipeline._judge.load_state(header.state["judge"])
        pipeline._limit.counts = RejectCounts(*header.state["rejects"])
        if header.features is not None:
            pipeline.online = pipeline._begin(header.features)
            pipeline.times = tuple(header.state["times"])
            pipeline.online.load_state_dict(arrays)
            if pipeline.online.labels_offset and header.state["labels"] != config.labels.source:
                pipeline.labels_before = header.state["labels"]
                pipeline.online.rewind_labels()
        pipeline.boundary = pipeline._here(header.offset, header.ordinal)
        return pipeline

    @property
    def warmup_progress(self) -> float:
        """Share of the warm-up done; at 1 the budget can be judged by."""
        return self._judge.warmup_progress(self.online) if self.online else 0.0

    @property
    def budget_share(self) -> float:
        """Share of records that the budget allows to flag; 0 while the record rate is unknown."""
        return self._judge.budget_share

    @property
    def alert_share(self) -> float:
        """Share of records to flag; 0 during warm-up."""
        return self._judge.alert_share(self.online) if self.online else 0.0

    @property
    def alpha(self) -> float:
        """P-value at which records are flagged; 0 during warm-up."""
        return self._judge.alpha(self.online) if self.online else 0.0

    @property
    def alerting(self) -> AlertingConfig:
        """What records are judged by now."""
        return self._judge.config

    @property
    def decisions(self) -> dict[str, Any]:
        """What was left out as times and what is done to which features, as plain values."""
        done = {} if self.online is None else self.online.decisions
        return {"times": list(self.times), **done}

    def reconfigure(self, config: Config) -> None:
        """Go on with `config`, which differs in live keys only.

        Its alerting takes effect at the next block boundary that is not reached `again`.
        """
        self._config = config
        self._limit.config = config.dead_letters
        self._judge.reconfigure(config.alerting)

    def skip_to(self, offset: int) -> None:
        """Go on at `offset` with an empty block: the records before it are gone."""
        if self.online is not None:
            self.online.block.drop()
        self.position = offset
        self.boundary = self.boundary._replace(offset=offset)

    def snapshot(self) -> bytes:
        """Return the state at the last block boundary."""
        at = self.boundary
        online = self.online if at.ordinal else None
        header = snapshot.Header(
            partition=str(self.partition),
            offset=at.offset,
            ordinal=at.ordinal,
            features=None if online is None else online.features,
            model=snapshot.model_keys(self._config),
            state={
                "judge": at.judge,
                "rejects": at.counts,
                "labels": self._config.labels.source,
                "times": [] if online is None else self.times,
            },
        )
        return snapshot.encode(header, {} if online is None else online.state_dict())

    def process(self, batch: RecordBatch, *, again: bool = False) -> Processed:
        """Decode, score and learn from `batch`, which starts at `position`.

        The batch ends at the reject that exceeds the dead-letter limit. Where outputs of the batch
        are committed already it is processed `again`: no limit ends it, and no labels are taken.
        """
        done = Processed()
        with self._stage("decode"):
            batch, decoded, rejected = self._decode(batch, done, enforce_limit=not again)
        counted = 0
        for online, rows, last in self._pieces(batch, decoded):
            self._limit.observe(rejected[counted : last + 1])
            counted = last + 1
            self._advance(online, rows, done, again=again)
        self._limit.observe(rejected[counted:])
        self._reject(batch, decoded.rejects, done)
        self.position = batch.next_offset
        done.n_open_episodes = self._judge.n_open_episodes
        return done

    def examine(self, batch: RecordBatch) -> Examined | None:
        """Score and explain the only record of `batch` as the next one; None when it is rejected.

        It is not learnt from, but stays in the block: no record can be processed afterwards.
        """
        _, decoded, _ = self._decode(batch, Processed(), enforce_limit=False)
        for online, rows, _ in self._pieces(batch, decoded):
            return self._judge.examine(online, online.score(rows))
        return None

    def _decode(
        self, batch: RecordBatch, done: Processed, *, enforce_limit: bool
    ) -> tuple[RecordBatch, Decoded, Bools]:
        """Decode the batch, or the part of it up to the reject that exceeds a limit.

        With it comes [n], True for each record that was rejected.
        """
        if self._decoder is None:
            self._decoder = Decoder(self._config.record, batch.columns)
            if self.online is not None:
                self._decoder.freeze(self.online.features)
        decoded = self._decoder.decode(batch)
        rejected = np.ones(len(batch), dtype=bool)
        rejected[decoded.rows] = False
        excess = self._limit.excess(rejected) if enforce_limit else None
        if excess is not None:
            done.stop = excess.message
            batch = batch.head(excess.row + 1)
            decoded = self._decoder.decode(batch)
            rejected = rejected[: len(batch)]
        if self.online is None and self._decoder.features is not None and len(decoded.rows):
            self.online, self.times = self._begin(self._decoder.features), self._decoder.times
        done.n_records = len(batch)
        done.n_bytes = sum(map(len, filter(None, batch.values)))
        done.n_missing = int(np.count_nonzero(np.isnan(decoded.x)))
        done.timestamps_ms = decoded.timestamps_ms
        done.first_ordinal = self.boundary.ordinal + (self.online.block.n if self.online else 0)
        return batch, decoded, rejected

    def _pieces(
        self, batch: RecordBatch, decoded: Decoded
    ) -> Iterator[tuple[OnlineDetector, Rows, int]]:
        """Cut the valid records at block boundaries; with each piece its last row in the batch."""
        start = 0
        offsets = batch.offsets[decoded.rows]
        inputs = Inputs(decoded.x, decoded.timestamps_ms, decoded.keys)
        while self.online is not None and start < len(offsets):
            stop = start + self.online.room
            at = decoded.rows[start:stop].tolist()
            rows = Rows(
                inputs.rows(slice(start, stop)),
                offsets[start:stop],
                [batch.headers[row] for row in at],
            )
            yield self.online, rows, at[-1]
            start = stop

    def _begin(self, features: tuple[str, ...]) -> OnlineDetector:
        if reason := self._config.detector.too_many(len(features)):
            raise ConfigError(f"record.features: {reason}")
        online = OnlineDetector(self._config.detector, features, self.partition)
        if self._labels is not None:
            online.supervise(self._config.labels, self._labels)
        return online

    def _advance(self, online: OnlineDetector, rows: Rows, done: Processed, *, again: bool) -> None:
        """Score the rows with the model of the last block; learn when they complete a block."""
        with self._stage("score"):
            scored = online.score(rows)
        done.last = online.block.x[scored.slots].copy()
        alpha = self._judge.alpha(online)
        new = scored.scores.score[scored.slots]
        done.scores.append(new)
        if scored.scores.evidence is not None:
            done.n_nonfinite += int(np.count_nonzero(~np.isfinite(new)))
        with self._stage("alert"):
            self._judge.judge(online, scored, alpha, done)
            done.outputs += outputs.scores(self._config.output, online, scored, alpha)
        if online.full:
            with self._stage("train"):
                done.learned.append(online.learn(scored.scores))
                done.labelled += online.learn_labels(scored, alpha, take=not again)
                self._judge.close_block(online, scored, alpha, done)
                if not again:
                    self._judge.adopt(online, done)
                done.n_keys_forgotten += online.block.finish()
            self.boundary = self._here(int(rows.offsets[-1]) + 1, online.n_learnt)

    def _reject(self, batch: RecordBatch, rejects: list[Reject], done: Processed) -> None:
        for reject in rejects:
            done.rejects[reject.reason] += 1
            first = Rejected(int(batch.offsets[reject.index]), reject.detail)
            done.first_rejects.setdefault(reject.reason, first)
            done.outputs.append(outputs.dead_letter(batch, reject))

    def _here(self, offset: int, ordinal: int) -> Boundary:
        return Boundary(
            offset,
            ordinal,
            self._limit.counts,
            self.online.labels_offset if self.online is not None else 0,
            self._judge.state(),
        )
