"""What a pipeline makes of records, told in figures and a few examples."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter

from streamae.check import Check, Verdict
from streamae.config import Config
from streamae.pipeline import Pipeline, Processed, Rejected
from streamae.records import Alert
from streamae.terminal import counted, duration
from streamae.types import NO_TIMESTAMP, Edges, RecordBatch

N_NAMES = 8
"""Features named in a line."""

N_ALERTS = 3
"""Alerts told in lines of their own, the rarest."""


@dataclass(slots=True)
class Trial:
    """One partition's pipeline on trial."""

    pipeline: Pipeline
    notes: list[Check] = field(default_factory=list)
    restored: bool = False
    """Whether the model has learnt before."""
    n_records: int = 0
    n_judged: int = 0
    n_flagged: int = 0
    first: int | None = None
    """Offset of the first record that was not just learnt again."""
    rejects: dict[str, tuple[int, Rejected]] = field(default_factory=dict)
    """How many for each reason, and the first."""
    alerts: list[Alert] = field(default_factory=list)
    times_ms: list[int] = field(default_factory=list)
    """Earliest and latest event time of each batch."""
    n_timed: int = 0
    """Records with an event time."""
    stop: str | None = None
    """Why a run would end here."""

    def note(self, verdict: Verdict, text: str) -> None:
        """Add a line about the partition."""
        self.notes.append(Check(verdict, str(self.pipeline.partition), text))

    def go_on(self, edges: Edges, committed: int) -> None:
        """Compare what is restored with what the log still holds; skip what is gone."""
        self.restored = True
        boundary = self.pipeline.boundary
        self.note("ok", f"the saved state fits: {boundary.ordinal:,} records learnt")
        gap = what_is_gone(boundary.offset, committed, edges)
        if gap is not None:
            self.note(*gap)
        if boundary.offset < edges.first:
            self.pipeline.skip_to(edges.first)

    def take(self, batches: Iterable[RecordBatch], judge_from: int = 0) -> "Trial":
        """Run batches through the pipeline; records before `judge_from` are only learnt again."""
        for batch in batches:
            again = batch.before(judge_from)
            if len(again):
                self.pipeline.process(again, again=True)
            new = batch.tail(len(again))
            if len(new):
                self._count(new, self.pipeline.process(new))
            if self.stop is not None:
                break
        return self

    def checks(self, config: Config) -> Iterator[Check]:
        """Yield everything there is to say."""
        if self.n_records == 0:
            if not self.notes:
                self.note("warn", "holds no records to look at")
        else:
            self._tell(config)
        yield from self.notes

    def _count(self, batch: RecordBatch, done: Processed) -> None:
        if self.first is None:
            self.first = int(batch.offsets[0])
        self.n_records += done.n_records
        self.n_judged += done.n_judged
        self.n_flagged += done.n_flagged
        self.alerts += [event for event in done.alerts if isinstance(event, Alert)]
        self.stop = done.stop
        for reason, n in done.rejects.items():
            before, first = self.rejects.get(reason, (0, done.first_rejects[reason]))
            self.rejects[reason] = (before + n, first)
        times_ms = done.timestamps_ms[done.timestamps_ms != NO_TIMESTAMP]
        if len(times_ms):
            self.n_timed += len(times_ms)
            self.times_ms += [int(times_ms.min()), int(times_ms.max())]

    def _tell(self, config: Config) -> None:
        online = self.pipeline.online
        looked = f"{self.n_records:,} records from offset {self.first}"
        for reason, (n, first) in self.rejects.items():
            text = f"{n:,} of {looked} rejected: {reason}, first at offset {first.offset}"
            self.note("warn" if online is not None else "fail", f"{text}: {first.message}")
        if self.stop is not None:
            self.note("fail", f"a run would end here (exit 65): {self.stop}")
        if online is None:
            return
        names = online.features
        more = f" and {len(names) - N_NAMES} more" if len(names) > N_NAMES else ""
        listed = ", ".join(names[:N_NAMES]) + more
        self.note("ok", f"{looked}, {len(names)} features: {listed}")
        self._tell_warmup(config)
        if self.n_judged:
            self._tell_alerts()

    def _tell_warmup(self, config: Config) -> None:
        """Say how long it takes until records are judged."""
        done = self.pipeline.warmup_progress
        share = self.pipeline.budget_share
        if self.restored:
            text = "over" if done >= 1.0 else f"{done:.0%} done"
            self.note("ok", f"the warm-up is {text}")
        elif not share:
            text = "is counted by event times, and there are none yet: no record would be judged"
            self.note("warn", f"alerting.budget {config.alerting.budget!r} {text}")
        else:
            needed = config.detector.records_before(share)
            self.note("ok", f"the warm-up takes {needed:,} records{self._takes(needed)}")

    def _takes(self, n: int) -> str:
        """Return how long n records take at the rate of those seen, where their times tell it."""
        span_ms = max(self.times_ms) - min(self.times_ms) if self.times_ms else 0
        if not span_ms:
            return ""
        rate = (self.n_timed - 1) / span_ms * 1000
        return f", {duration(n / rate)} at {rate:,.3g} records/s, their rate by event time"

    def _tell_alerts(self) -> None:
        share = self.n_flagged / self.n_judged
        text = f"{counted(len(self.alerts), 'alert')} on {self.n_judged:,} judged records"
        flagged = f"{self.n_flagged:,} flagged, {share:.2%}; budget {self.pipeline.alert_share:.2%}"
        self.note("ok", f"{text}: {flagged}")
        for alert in sorted(self.alerts, key=attrgetter("p_value"))[:N_ALERTS]:
            self.note("ok", f"alert at offset {alert.source.offset}: {_blame(alert)}")


def what_is_gone(boundary: int, committed: int, edges: Edges) -> tuple[Verdict, str] | None:
    """Return what a restart misses in a log: of its end, or from the snapshot's boundary on."""
    if committed > edges.end:
        text = f"offset {committed} is committed, and the log ends at {edges.end}: it was truncated"
        return "fail", f"{text} or made anew; start afresh by another `name` or state directory"
    if boundary < edges.first:
        n = max(edges.first - committed, 0)
        text = f"the log begins at {edges.first}, behind the block that was begun at {boundary}"
        return "warn", f"{text}, which will begin empty{_unread(n)}"
    return None


def _unread(n: int) -> str:
    return f"; {n:,} records were deleted unread" if n else ""


def _blame(alert: Alert) -> str:
    """Return how bad the record is and what most gave it away."""
    text = f"{alert.severity}, p-value {alert.p_value:.2g}"
    if alert.key is not None:
        text = f"key {alert.key}, {text}"
    if not alert.attribution:
        return text
    worst = alert.attribution[0]
    return f"{text}, {worst.feature} {worst.observed:g} instead of {worst.expected:g}"
