"""Which records are too rare for the alert budget, and what is said about it.

Another alerting configuration takes effect at a block boundary, and an event says so in the log of
outputs: a replay knows by which one each record was judged.
"""

from typing import Any

import msgspec
import numpy as np

from streamae.alerting import Alerter, Place
from streamae.budget import AlertBudget, Ledger
from streamae.config import AlertingConfig, parse_budget
from streamae.config.document import read_plain
from streamae.config.file import redact
from streamae.detector import Learned
from streamae.episodes import Flagged, Times
from streamae.errors import SnapshotError
from streamae.pipeline.online import OnlineDetector, Scored
from streamae.pipeline.processed import Examined, Processed
from streamae.records import Reasons
from streamae.types import TopicPartition

MOST_NAMED = 100
"""Features whose part in a record's score is told; a stream may have ten thousand."""


class Judge:
    """Flags the records of one partition and raises its alerts."""

    def __init__(self, name: str, config: AlertingConfig, partition: TopicPartition) -> None:
        self._alerter = Alerter(name, config, partition)
        self._shifted: tuple[Place, ...] = ()
        """First record of each block of a shift that may become a drift."""
        self._begin(config, Ledger())
        self._next = config

    @property
    def n_open_episodes(self) -> int:
        """Keys that have alerted and not yet recovered."""
        return self._alerter.n_open

    @property
    def config(self) -> AlertingConfig:
        """What records are judged by; that given last takes effect at the next boundary."""
        return self._config

    def state(self) -> dict[str, Any]:
        """Return the state as plain values, independent of later changes."""
        return {
            "alerting": self._plain,
            "budget": self._budget.ledger,
            "episodes": self._alerter.state(),
            "shifted": self._shifted,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned, possibly after a trip through JSON.

        The configuration given at the start takes effect at the next block boundary, if it is
        another. Raise `SnapshotError` for one this version does not know.
        """
        try:
            then = read_plain(AlertingConfig, state["alerting"])
        except (msgspec.ValidationError, ValueError) as error:
            raise SnapshotError(
                f"snapshot has an unknown alerting configuration: {error}"
            ) from error
        self._begin(then, Ledger(*state["budget"]))
        self._alerter.load_state(state["episodes"])
        self._shifted = tuple(Place(*place) for place in state["shifted"])

    def reconfigure(self, config: AlertingConfig) -> None:
        """Judge by `config` from the next block boundary on."""
        self._next = config

    @property
    def budget_share(self) -> float:
        """Share of records that the budget allows to flag; 0 while the record rate is unknown."""
        return self._budget.share

    def warmup_progress(self, online: OnlineDetector) -> float:
        """Return the share of the warm-up done; at 1 the budget can be judged by."""
        share = self._budget.share
        return online.detector.warmup_progress(share) if share else 0.0

    def alert_share(self, online: OnlineDetector) -> float:
        """Return the share of records to flag; 0 during warm-up."""
        return self._budget.share if self.warmup_progress(online) >= 1.0 else 0.0

    def alpha(self, online: OnlineDetector) -> float:
        """Return the p-value at which records are flagged; 0 during warm-up."""
        return self._budget.alpha if self.warmup_progress(online) >= 1.0 else 0.0

    def judge(self, online: OnlineDetector, scored: Scored, alpha: float, done: Processed) -> None:
        """Turn new records whose p-value is at most `alpha` into episodes and alerts."""
        threshold = online.threshold(alpha)
        flagged = self._flagged(online, scored, alpha, threshold) if alpha else []
        done.thresholds.append(threshold)
        done.n_flagged += len(flagged)
        done.n_judged += len(scored.rows.offsets) if alpha else 0

        def explain(record: Flagged) -> Reasons:
            slot = record.ordinal - scored.first_ordinal
            return online.explain(scored, slot, threshold, self._config.top_features)

        times = Times(scored.last_ordinal, scored.rows.inputs.timestamps_ms)
        events, suppressed = self._alerter.process(flagged, times, explain)
        done.suppressed.update(suppressed)
        done.add(events)

    def examine(self, online: OnlineDetector, scored: Scored) -> Examined:
        """Return what there is to say about the first of new records; open no episode."""
        slot, alpha = scored.slots.start, self.alpha(online)
        threshold = online.threshold(alpha)
        p_value = float(scored.scores.p_value[slot])
        flagged = bool(alpha) and p_value <= alpha
        recons = online.reconstructions(scored.slots)
        return Examined(
            ordinal=scored.first_ordinal + slot,
            block=online.detector.n_blocks,
            key=scored.rows.inputs.keys[0],
            timestamp_ms=int(scored.rows.inputs.timestamps_ms[0]),
            columns=online.block.x[slot].copy(),
            score=float(scored.scores.score[slot]),
            p_value=p_value,
            alpha=alpha,
            threshold=threshold,
            severity=self._alerter.severity(p_value, self._budget.share) if flagged else None,
            reasons=None if recons is None else online.explain(scored, slot, threshold, MOST_NAMED),
            recons=None if recons is None else recons[0],
        )

    def close_block(
        self, online: OnlineDetector, scored: Scored, alpha: float, done: Processed
    ) -> None:
        """Take in a full block that was judged by `alpha` and learnt as `done.learned` says."""
        hits = int((scored.scores.p_value <= alpha).sum()) if alpha else None
        self._budget.observe(online.block.timestamps_ms, hits)
        self._follow_shift(online, done.learned[-1], done)

    def adopt(self, online: OnlineDetector, done: Processed) -> None:
        """Judge by the configuration last given from here on, behind a full block; say so."""
        if self._next == self._config:
            return
        _, last = online.places()
        before = self._plain
        self._begin(self._next, self._budget.ledger)
        done.add([self._alerter.changed(before, self._plain, last, len(online.block))])

    def _begin(self, config: AlertingConfig, ledger: Ledger) -> None:
        self._config = config
        self._plain = redact(config)
        self._alerter.configure(config)
        self._budget = AlertBudget(parse_budget(config.budget), ledger)

    def _follow_shift(self, online: OnlineDetector, learned: Learned, done: Processed) -> None:
        """Remember where the blocks of a shift began; report the one that has become normal."""
        first, last = online.places()
        begun = (*self._shifted, first)
        if learned.drift is not None:
            since = begun[-learned.drift.n_blocks]
            moved = online.moved(learned.drift)
            done.add(self._alerter.drifted(since, last, moved, len(online.block)))
        self._shifted = begun[len(begun) - learned.n_shifted :]

    def _flagged(
        self, online: OnlineDetector, scored: Scored, alpha: float, threshold: float
    ) -> list[Flagged]:
        rows, first = scored.rows, scored.slots.start
        score, p_value = scored.scores.score, scored.scores.p_value
        return [
            Flagged(
                ordinal=scored.first_ordinal + first + row,
                offset=int(rows.offsets[row]),
                timestamp_ms=int(rows.inputs.timestamps_ms[row]),
                key=rows.inputs.keys[row],
                headers=rows.headers[row],
                score=float(score[first + row]),
                p_value=float(p_value[first + row]),
                threshold=threshold,
                alpha=alpha,
                budget=self._budget.share,
                block=online.detector.n_blocks,
                head=scored.head(first + row),
            )
            for row in np.flatnonzero(p_value[scored.slots] <= alpha).tolist()
        ]
