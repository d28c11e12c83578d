"""What a pipeline reports of a batch, and where it stands."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from streamae.detector import Learned
from streamae.pipeline.labels import Labelled
from streamae.pipeline.limits import RejectCounts
from streamae.records import Event, Reasons, Severity, Suppression
from streamae.types import Floats, Longs, Output


class Rejected(NamedTuple):
    """A record that became a dead letter."""

    offset: int
    message: str


@dataclass(slots=True)
class Processed:
    """Outputs to write, and what the metrics count."""

    outputs: list[Output] = field(default_factory=list)
    alerts: list[Event] = field(default_factory=list)
    learned: list[Learned] = field(default_factory=list)
    labelled: list[Labelled] = field(default_factory=list)
    """One for each of `learned` where there is a labels log."""
    last: Floats | None = None
    """What the detector sees of the last piece's records, [m, d]."""
    scores: list[Floats] = field(default_factory=list)
    """Scores of the batch's valid records, one piece per block."""
    thresholds: list[float] = field(default_factory=list)
    """Score from which records of each piece are flagged; NaN during warm-up."""
    rejects: Counter[str] = field(default_factory=Counter)
    """Records rejected, by reason."""
    first_rejects: dict[str, Rejected] = field(default_factory=dict)
    """The first one for each reason."""
    n_records: int = 0
    n_missing: int = 0
    """Missing values of the valid records."""
    n_nonfinite: int = 0
    """Scores that are no numbers although there was a model to give one."""
    n_bytes: int = 0
    n_judged: int = 0
    """Records compared with a threshold, none during warm-up."""
    n_flagged: int = 0
    n_open_episodes: int = 0
    """Keys that have alerted and not yet recovered."""
    n_keys_forgotten: int = 0
    """Keys whose earlier records made way for those of others."""
    suppressed: Counter[Suppression] = field(default_factory=Counter)
    """Flagged records that raised no alert."""
    first_ordinal: int = 0
    """Ordinal of the first valid record."""
    timestamps_ms: Longs = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    """Event times of the valid records."""
    stop: str | None = None
    """Why the daemon has to stop behind this batch."""

    @property
    def first_judged(self) -> int:
        """Ordinal of the first record that was judged, or of the one behind the batch."""
        ordinal = self.first_ordinal
        for scores, threshold in zip(self.scores, self.thresholds, strict=True):
            if not math.isnan(threshold):
                break
            ordinal += len(scores)
        return ordinal

    def add(self, events: Iterable[tuple[Event, Output]]) -> None:
        """Append events and the outputs they are."""
        for event, output in events:
            self.alerts.append(event)
            self.outputs.append(output)


class Examined(NamedTuple):
    """A record as the model sees it that would have to score it next."""

    ordinal: int
    block: int
    """Blocks learnt before."""
    key: bytes | None
    timestamp_ms: int
    columns: Floats
    """[k], what the detector reads."""
    score: float
    """NaN where there is no model yet."""
    p_value: float
    alpha: float
    """P-value at which records are flagged; 0 during warm-up."""
    threshold: float
    """The score whose p-value is `alpha`; NaN during warm-up."""
    severity: Severity | None
    """None when it is not flagged."""
    reasons: Reasons | None
    """All that makes up the score; None where there is no model yet."""
    recons: Floats | None
    """[d], what its code stands for; None where there is no model yet."""


class Boundary(NamedTuple):
    """The last block boundary: where in the log it is, and the state of the small parts there."""

    offset: int
    ordinal: int
    counts: RejectCounts
    labels: int
    """Offset in the labels log behind the last label taken."""
    judge: dict[str, Any]

    @property
    def given(self) -> tuple[Any, ...]:
        """What decided the state so far beside the partition's log: labels, and configuration."""
        return self.labels, self.judge["alerting"]
