"""Labels of records: how they are merged with the log, and the head that learns from them.

A label says of one record whether it was an anomaly. Labels come in a log of their own, so two logs
have to be merged, and which labels are here when a block ends is a matter of chance. The promise
(equal logs give equal outputs, whatever dies in between) holds nevertheless:

* Labels are taken at block boundaries only, and never between a committed snapshot and the
  committed offset: a commit of outputs from behind a boundary where labels were taken carries a
  snapshot of that boundary or of a later one. So what a restart learns again took no labels the
  first time, takes none the second time, and arrives at the same bits; and the labels' offset needs
  no place in the commit beside the snapshot's.
* What the labels log held when its reader was opened is waited for, and a label that is taken
  before its record waits for it. So labels that were written first are merged by content alone: a
  replay of finished logs gives the same bytes under any poll size, restart or kill.
* A label that comes while the daemon runs takes effect at the next boundary, and that moment is
  not in any log. The outputs name it: each probability comes with the offset in the labels log
  behind the last label that it knew, and it is a function of the two logs up to these offsets.

A label finds its record among the last `memory` records and as many last flagged ones, for those
are what people look into. A label of a record that is in neither is late, counted and dropped.
Labels whose record is not there yet wait, at most `memory` of them; others stay in their log.

The head is a logistic regression on the autoencoder's code of the labelled records and on their
score, which tells what the code does not hold: how far it is from the record. Records are kept,
the last `examples` of each kind, and not their codes: the encoder goes on learning, and the
head is fitted to the code as it is now.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np

from streamae.config import LabelsConfig
from streamae.decode import MAX_TIMESTAMP_MS
from streamae.detector import Detector, LogisticHead
from streamae.numerics.ranking import roc_auc
from streamae.numerics.state import State, prefixed, within
from streamae.pipeline.recent import Recent, Rows, Target, text_digest
from streamae.records import Label
from streamae.types import Bools, Doubles, Floats, LabelLog, TopicPartition

MIN_EXAMPLES = 10
"""Of each kind, before a probability is given: fewer say little about a code of a hundred units."""

REFIT_BLOCKS = 16
"""Blocks between two fits without new labels, to follow the encoder, which moves slowly."""

SCORE_SCALE = 30.0
"""Large beside latents, which are of order 1: the score is believed from the first labels on."""

MOST_OFFSET = 2**63 - 1
"""Of a log; JSON has larger numbers."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_decoder = msgspec.json.Decoder(Label)


@dataclass(slots=True)
class Labelled:
    """What a block boundary did with labels."""

    outcomes: Counter[str] = field(default_factory=Counter)
    """Labels that were `matched` with their record, `late` or `invalid`."""
    n_waiting: int = 0
    """Labels that were taken and wait for their record."""
    log_loss: float = float("nan")
    """Mean -log P(label) the head gave labelled records before their labels were known, both kinds
    counting equally."""
    roc_auc: float = float("nan")
    """Chance that it gave an anomaly more than a normal record; NaN until both kinds were given."""


class Supervision:
    """What one partition's labels have taught; everything is a function of the boundary's state."""

    def __init__(
        self,
        config: LabelsConfig,
        partition: TopicPartition,
        detector: Detector,
        log: LabelLog,
    ) -> None:
        self._config = config
        self._partition = partition
        self._detector = detector
        self._log = log
        self._head = LogisticHead()
        self._recent = Recent(config.memory)
        self._flagged = Recent(config.memory)
        self._examples = Rows.none()
        self._anomalous: Bools = np.empty(0, dtype=bool)
        self._waiting: list[Target] = []
        self._latest_ms = 0
        self.offset = 0
        """In the labels log, behind the last label taken."""

    def predict(self, x: Floats, score: Floats) -> Doubles | None:
        """Return P(anomaly) of records x[n, d] with score[n]; None until there are enough labels.

        NaN is no score.
        """
        if self._head.weights is None:
            return None
        return self._head.probability(self._inputs(x, score))

    def close_block(self, rows: Rows, flagged: Bools, *, take: bool) -> Labelled:
        """Learn at the boundary behind the block `rows`; without `take` no new labels are taken."""
        done = Labelled()
        self._recent.append(rows)
        self._flagged.append(rows.at(flagged))
        self._latest_ms = max(self._latest_ms, int(rows.timestamps_ms.max()))
        if take:
            self._take(done)
        n_matched = self._match(int(rows.offsets[-1]), done)
        due = self._head.weights is not None and self._detector.n_blocks % REFIT_BLOCKS == 0
        if n_matched or due:
            self._fit()
            self._judge(done)
        done.n_waiting = len(self._waiting)
        return done

    def state_dict(self) -> State:
        """Return everything but the rows of the unfinished block."""
        state: State = {
            "offset": np.array(self.offset),
            "latest_ms": np.array(self._latest_ms),
            "waiting": np.array(self._waiting, dtype=np.int64).reshape(-1, len(Target._fields)),
            "anomalous": self._anomalous,
            **prefixed("recent", self._recent.state_dict()),
            **prefixed("flagged", self._flagged.state_dict()),
            **prefixed("examples", self._examples._asdict()),
        }
        return state if self._head.weights is None else state | {"weights": self._head.weights}

    def load_state_dict(self, state: State) -> None:
        """Continue, to the last bit, where `state_dict` was called."""
        self.offset, self._latest_ms = int(state["offset"]), int(state["latest_ms"])
        self._waiting = [
            Target(offset, timestamp_ms, key, bool(anomaly))
            for offset, timestamp_ms, key, anomaly in state["waiting"].tolist()
        ]
        self._anomalous = state["anomalous"]
        self._recent.load_state_dict(within("recent", state))
        self._flagged.load_state_dict(within("flagged", state))
        self._examples = Rows(**within("examples", state))
        self._head.weights = state.get("weights")

    def _take(self, done: Labelled) -> None:
        """Take as many labels as may wait."""
        room = self._config.memory - len(self._waiting)
        if room <= 0:
            return
        batch = self._log.read(self._partition, self.offset, room)
        self.offset = batch.next_offset
        for value in batch.values:
            try:
                target = self._target(_decoder.decode(value or b""))
            except (msgspec.MsgspecError, UnicodeError, ValueError):
                done.outcomes["invalid"] += 1
            else:
                self._waiting += [target] if target is not None else []

    def _target(self, label: Label) -> Target | None:
        """Return what the label is about; None where that is another partition's record.

        Raise ValueError when it names no record.
        """
        if (source := label.source) is not None:
            if (source.topic, source.partition) != self._partition:
                return None
            if not 0 <= source.offset <= MOST_OFFSET:
                raise ValueError("no offset")
            return Target(source.offset, 0, 0, label.anomaly)
        moment = label.event_time
        if moment is None:
            raise ValueError("neither source nor event_time")
        if isinstance(moment, datetime):
            moment = (moment - _EPOCH) // timedelta(milliseconds=1)
        if not 0 <= moment <= MAX_TIMESTAMP_MS:  # Else microseconds would be waited for, for ever.
            raise ValueError("no event time")
        return Target(-1, moment, text_digest(label.key), label.anomaly)

    def _match(self, last_offset: int, done: Labelled) -> int:
        """Make examples of the records whose labels wait; return how many."""
        due = [self._due(target, last_offset) for target in self._waiting]
        n_matched = 0
        for target, is_due in zip(self._waiting, due, strict=True):
            if not is_due:
                continue
            row = self._recent.find(target) or self._flagged.find(target)
            done.outcomes["late" if row is None else "matched"] += 1
            if row is not None:
                self._learn(row, anomaly=target.anomaly)
                n_matched += 1
        pairs = zip(self._waiting, due, strict=True)
        self._waiting = [target for target, is_due in pairs if not is_due]
        return n_matched

    def _due(self, target: Target, last_offset: int) -> bool:
        if target.offset >= 0:
            return target.offset <= last_offset
        return target.timestamp_ms <= self._latest_ms

    def _learn(self, row: Rows, *, anomaly: bool) -> None:
        """Add an example; a second label of a record replaces the first."""
        keep = self._examples.offsets != row.offsets
        kind = np.flatnonzero(keep & (self._anomalous == anomaly))
        keep[kind[: max(len(kind) + 1 - self._config.examples, 0)]] = False
        self._examples = self._examples.at(keep).followed_by(row)
        self._anomalous = np.append(self._anomalous[keep], anomaly)

    def _fit(self) -> None:
        n_anomalous = int(self._anomalous.sum())
        if min(n_anomalous, len(self._anomalous) - n_anomalous) >= MIN_EXAMPLES:
            inputs = self._inputs(self._examples.x, self._examples.score)
            self._head.fit(inputs, self._anomalous)

    def _inputs(self, x: Floats, score: Floats | Doubles) -> Floats:
        """Return what the head reads: codes and the logarithm of the score, [n, h + 1]."""
        rarity = SCORE_SCALE * np.log1p(np.maximum(np.nan_to_num(score), 0.0))
        return np.column_stack([self._detector.codes(x), rarity.astype(np.float32)])

    def _judge(self, done: Labelled) -> None:
        """Compare the labels with what the head said before it knew them."""
        given = ~np.isnan(self._examples.probability)
        probability, anomalous = self._examples.probability[given], self._anomalous[given]
        auc = roc_auc(probability, anomalous)
        if auc is None:
            return
        ones, zeros = probability[anomalous], probability[~anomalous]
        loss = -np.log(np.maximum(ones, 1e-12)).mean() - np.log(np.maximum(1 - zeros, 1e-12)).mean()
        done.log_loss, done.roc_auc = float(loss / 2), auc
