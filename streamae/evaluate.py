"""Prequential evaluation: every row of a labelled stream is scored before it is learnt.

The detector sees what the daemon would show it, in the same blocks and with the same seed. Labels
are read for the report only.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from streamae.budget import AlertBudget
from streamae.config import Budget, Config, RecordConfig, parse_budget
from streamae.decode.parse import cell_value, key_of, timestamp_of
from streamae.decode.rejects import RejectedError
from streamae.detector.blockwise import BlockwiseDetector, Verdicts, numbered
from streamae.errors import ConfigError
from streamae.labelled import LabelledStream, read, select
from streamae.numerics.ranking import average_precision, roc_auc
from streamae.transforms import Inputs
from streamae.types import NO_TIMESTAMP, Bools, Doubles, Floats

UNJUDGED_ROWS = 512
"""First rows, which no quality figure counts: two default blocks, one of them without a model."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a labelled stream says about a configuration; None where a figure is undefined."""

    rows: int
    """Rows scored; rejected ones are not among them."""
    features: int
    anomalies: int
    rejected: int
    """Rows left out, as the daemon would: a value is infinite or no number."""
    judged_rows: int
    """Rows the next two figures count: those after the first 512, or after a larger first block."""
    roc_auc: float | None
    """Chance that an anomaly scores above a clean row, ties counting half."""
    average_precision: float | None
    alert_rate: float | None
    """Share of the rows after warm-up that would be flagged."""
    alert_rate_clean: float | None
    """That of the clean ones among them."""
    alert_budget: float
    warmup_rows: int
    """Rows before the detector would flag anything."""
    records_per_second: float
    seconds: float
    """Scoring and learning, without reading the file."""
    notes: tuple[str, ...] = ()

    @property
    def _unjudged(self) -> int:
        return self.rows - self.judged_rows

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        return asdict(self)

    def render(self) -> str:
        """Return the report as aligned text."""
        lines = [
            ("rows", f"{self.rows:,}"),
            ("features", f"{self.features:,}"),
            ("anomalies", f"{self.anomalies:,} ({self.anomalies / self.rows:.2%})"),
            ("judged rows", f"{self.judged_rows:,} (after the first {self._unjudged:,})"),
            ("ROC-AUC", _figure(self.roc_auc, ".4f")),
            ("average precision", _figure(self.average_precision, ".4f")),
            ("alert rate", _figure(self.alert_rate, ".3%")),
            ("alert rate, clean rows", _figure(self.alert_rate_clean, ".3%")),
            ("alert budget", f"{self.alert_budget:.3%}"),
            ("warm-up rows", f"{self.warmup_rows:,}"),
            ("records per second", f"{self.records_per_second:,.0f}"),
            ("seconds", f"{self.seconds:.2f}"),
        ]
        text = [f"{name:<24}{value}" for name, value in lines]
        return "\n".join(text + [f"note: {note}" for note in self.notes])


def evaluate(
    path: Path,
    config: Config,
    rows: int | None = None,
    label: str | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Report:
    """Score and learn the first `rows` rows of `path` and compare the scores with its labels.

    Raise `ConfigError` when the file cannot be used or the budget is not a share of records.
    """
    share = _share(config.alerting.budget)
    stream = _stream(path, config.record, label, rows)
    inputs, accepted = _inputs(stream, config.record)
    anomalous, features = stream.anomalous[accepted], stream.features
    x = inputs.x
    if len(x) == 0:
        raise ConfigError(f"{path}: no row can be evaluated; each holds an infinite or no number")
    started = clock()
    name = config.source.topic or Path(path.name.removesuffix(".gz")).stem
    verdicts = judge(inputs, config, f"{name}/0", features)
    seconds = clock() - started
    judged = slice(max(UNJUDGED_ROWS, config.detector.block_size), None)
    first, flagged = flag(verdicts.p_value, config, share)
    return Report(
        rows=len(x),
        features=len(features),
        anomalies=int(anomalous.sum()),
        rejected=int((~accepted).sum()),
        judged_rows=len(x[judged]),
        roc_auc=roc_auc(verdicts.score[judged], anomalous[judged]),
        average_precision=average_precision(verdicts.score[judged], anomalous[judged]),
        alert_rate=_mean(flagged),
        alert_rate_clean=_mean(flagged[~anomalous[first:]]),
        alert_budget=share,
        warmup_rows=min(first, len(x)),
        records_per_second=len(x) / seconds,
        seconds=seconds,
        notes=_notes(judged.start, accepted, anomalous, first),
    )


def judge(
    records: Inputs | Floats, config: Config, stream: str, features: Sequence[str] | None = None
) -> Verdicts:
    """Return the prequential verdicts on records, or on rows x[n, d] without keys and event times.

    The features are x0, x1, ... unless named. Rows are scored in blocks with the model of the
    finished blocks; a partial last block is scored and not learnt, as in a daemon that waits for
    the rest of it.
    """
    inputs = records if isinstance(records, Inputs) else Inputs.of(records)
    names = numbered(inputs.x.shape[1]) if features is None else features
    detector = BlockwiseDetector(config.detector, names, stream)
    return detector.score_learn(inputs)


def flag(p_value: Doubles, config: Config, share: float) -> tuple[int, Bools]:
    """Return the first row [n] that the daemon would judge, and which rows from it on it flags."""
    size, budget = config.detector.block_size, AlertBudget(Budget(share=share))
    first = config.detector.records_before(share)
    flagged = [np.zeros(0, np.bool_)]
    for start in range(first, len(p_value), size):
        block = p_value[start : start + size] <= budget.alpha
        flagged.append(block)
        budget.observe(np.full(len(block), NO_TIMESTAMP), int(block.sum()))
    return first, np.concatenate(flagged)


def _stream(
    path: Path, record: RecordConfig, label: str | None, rows: int | None
) -> LabelledStream:
    """Return the stream with the configured features, and the columns that are keys or times."""
    roles = (record.key_field, record.timestamp_field)
    stream = read(path, label, rows, [field for field in roles if field is not None])
    return stream if record.features == "auto" else select(stream, record.features)


def _inputs(stream: LabelledStream, record: RecordConfig) -> tuple[Inputs, Bools]:
    """Return the rows the daemon would accept as records, and which of all they are, [n]."""
    accepted = np.asarray(~np.isinf(stream.x).any(axis=1))
    inputs, beside = Inputs.of(stream.x), list(stream.beside)
    keys, times_ms = list(inputs.keys), inputs.timestamps_ms
    key_cells = beside.pop(0) if record.key_field is not None else ()
    for row, cell in enumerate(key_cells):
        try:
            keys[row] = key_of(None if cell == "" else cell)
        except RejectedError:
            accepted[row] = False
    for row, cell in enumerate(beside.pop(0) if beside else ()):
        try:
            value = cell_value(cell) if isinstance(cell, str) else cell
            times_ms[row] = timestamp_of(value, record.timestamp_unit)
        except RejectedError:
            accepted[row] = False
    kept = [keys[row] for row in np.flatnonzero(accepted).tolist()]
    return Inputs(stream.x[accepted], times_ms[accepted], kept), accepted


def _notes(first: int, accepted: Bools, anomalous: Bools, warm_from: int) -> tuple[str, ...]:
    notes = []
    if not accepted.all():
        n, row = int((~accepted).sum()), int(np.argmin(accepted)) + 1
        notes.append(f"{n:,} rows rejected, the first is row {row:,}: infinite or not a number")
    judged = anomalous[first:]
    if len(judged) == 0:
        notes.append(f"ROC-AUC and average precision need more than {first:,} rows")
    elif judged.all() or not judged.any():
        kind = "an anomaly" if judged.all() else "clean"
        notes.append(f"ROC-AUC and average precision need both labels: all rows are {kind}")
    if warm_from >= len(anomalous):
        notes.append("the detector did not finish its warm-up")
    elif anomalous[warm_from:].all():
        notes.append("no clean row after warm-up")
    return tuple(notes)


def _share(budget: float | str) -> float:
    share = parse_budget(budget).share
    if share is None:
        raise ConfigError(
            f"alerting.budget: {budget!r} needs event time, which a labelled stream does not have;"
            " evaluate with a share of records such as --set alerting.budget=0.001"
        )
    return share


def _mean(flags: Bools) -> float | None:
    return float(flags.mean()) if len(flags) else None


def _figure(value: float | None, spec: str) -> str:
    return "-" if value is None else format(value, spec)
