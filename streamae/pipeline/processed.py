"""What a batch of records caused."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from streamae.detector import Learned
from streamae.pipeline.online import Scored
from streamae.records import Alert, Recovered
from streamae.types import Floats, Longs, Output


@dataclass(slots=True)
class Processed:
    """Outputs to write, and what the metrics count."""

    outputs: list[Output] = field(default_factory=list)
    alerts: list[Alert | Recovered] = field(default_factory=list)
    learned: list[Learned] = field(default_factory=list)
    last: Scored | None = None
    """The last of the pieces at the block boundaries that the batch was cut into."""
    scores: list[Floats] = field(default_factory=list)
    """Scores of the batch's valid records, one piece per block."""
    thresholds: list[float] = field(default_factory=list)
    """Score from which records of each piece are flagged; NaN during warm-up."""
    rejects: Counter[str] = field(default_factory=Counter)
    n_records: int = 0
    n_missing: int = 0
    """Missing values of the valid records."""
    n_nonfinite: int = 0
    """Scores that are no numbers although there was a model to give one."""
    n_bytes: int = 0
    n_judged: int = 0
    """Records compared with a threshold, none during warm-up."""
    n_flagged: int = 0
    first_ordinal: int = 0
    """Ordinal of the first valid record."""
    timestamps_ms: Longs = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    """Event times of the valid records."""
    stop: str | None = None
    """Why the daemon has to stop behind this batch."""
