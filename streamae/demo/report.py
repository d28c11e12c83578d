"""What the demo says: an alert in words, and the summary of a labelled run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from streamae.evaluate import UNJUDGED_ROWS
from streamae.numerics.ranking import average_precision, roc_auc
from streamae.records import Alert, Attribution, Drift, Recovered, Score, Severity
from streamae.terminal import Style, counted
from streamae.types import Bools

ENOUGH_SHARE = 0.8
MOST_FEATURES = 3
"""An explanation names features until they make up `ENOUGH_SHARE` of the anomaly."""
RAREST = 1e-6
THOUSAND = 1000

STYLES: Mapping[Severity, Style] = {"warning": "yellow", "critical": "red"}


def headline(alert: Alert) -> str:
    """Return which record is flagged, and how rare its score is."""
    record = f"record {alert.model.ordinal + 1:,} of {alert.source.topic}"
    if alert.p_value < RAREST:
        return f"{record}: less than 1 in a million scores as high (p = {alert.p_value:.2g})"
    # The tail is an estimate: more than two digits would claim too much.
    rarity = number(float(f"{1 / alert.p_value:.2g}"))
    return f"{record}: 1 in {rarity} scores as high (p = {alert.p_value:.2g})"


def deviations(attribution: Sequence[Attribution]) -> list[str]:
    """Return one phrase per feature that matters, most important first."""
    phrases: list[str] = []
    explained = 0.0
    for part in attribution[:MOST_FEATURES]:
        what = " of the anomaly" if not phrases else ""
        phrases.append(
            f"{part.feature} was {number(part.observed)}, expected {number(part.expected)}"
            f" ({part.share:.0%}{what})"
        )
        explained += part.share
        if explained >= ENOUGH_SHARE:
            break
    return phrases


def reasons(alert: Alert) -> list[str]:
    """Return what deviates, and what would have made the difference."""
    phrases = deviations(alert.attribution)
    without = [] if alert.counterfactual is None else alert.counterfactual.features
    if 0 < len(without) <= MOST_FEATURES:
        phrases.append(f"not flagged without {', '.join(without)}")
    return phrases


def shift(drift: Drift) -> str:
    """Return a drift as one line."""
    first = drift.moved[0]
    others = f" and {counted(drift.n_moved - 1, 'other feature')}" if drift.n_moved > 1 else ""
    return (
        f"record {drift.model.ordinal + 1:,} of {drift.source.topic}: another level is normal now,"
        f" {first.feature}{others}, {number(first.before)} before and {number(first.after)} since"
    )


def ending(recovered: Recovered) -> str:
    """Return how long an episode was."""
    return (
        f"record {recovered.model.ordinal + 1:,} of {recovered.source.topic}: the episode is over,"
        f" {recovered.n_flagged:,} of {recovered.n_records:,} records flagged"
    )


def number(value: float) -> str:
    """Return a number as people write it: four digits, thousands separated, no exponent."""
    if abs(value) >= THOUSAND:
        return f"{value:,.0f}"
    text = f"{value:.4g}"
    return text if "e" not in text else f"{value:.2g}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The scores a run wrote, beside the labels it never saw."""

    records: int
    flagged: int
    true_flagged: int
    alerts: int
    true_alerts: int
    anomalies: int
    roc_auc: float | None
    average_precision: float | None


def compare(scores: Path, alerts: Sequence[Alert], anomalous: Bools) -> Outcome:
    """Join the scores file with `anomalous` [n], the labels by offset."""
    decoder = msgspec.json.Decoder(Score)
    lines = [decoder.decode(line) for line in scores.read_bytes().splitlines()]
    offsets = np.array([line.source.offset for line in lines], np.int64)
    score = np.array([np.nan if line.score is None else line.score for line in lines])
    flagged = np.array([line.anomaly for line in lines], np.bool_)
    labels = anomalous[offsets]
    judged = slice(UNJUDGED_ROWS, None)
    return Outcome(
        records=len(lines),
        flagged=int(flagged.sum()),
        true_flagged=int((flagged & labels).sum()),
        alerts=len(alerts),
        true_alerts=sum(bool(anomalous[alert.source.offset]) for alert in alerts),
        anomalies=int(labels.sum()),
        roc_auc=roc_auc(score[judged], labels[judged]),
        average_precision=average_precision(score[judged], labels[judged]),
    )
