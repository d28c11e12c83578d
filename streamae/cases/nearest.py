"""Why an expected alert was not raised: the alert and the record that come nearest to it."""

import math
from collections.abc import Callable, Sequence

from streamae.cases.file import ExpectedAlert
from streamae.cases.outcome import Judged, Outcome
from streamae.cases.words import blame_in_words
from streamae.records import Alert, Attribution

Blame = Callable[[int], Sequence[Attribution]]
"""What stands out in the record at an offset."""

_MOST = 10
"""Keys listed."""


def differences(wanted: ExpectedAlert, alert: Alert) -> dict[str, str]:
    """Return what of an alert is not as wanted, by key of the expectation; empty when all is."""
    blamed = alert.attribution[0].feature if alert.attribution else "none"
    differs: dict[str, str] = {}
    if not _is_place(wanted, alert.source.offset, alert.model.ordinal):
        differs["place"] = f"offset {alert.source.offset} (ordinal {alert.model.ordinal})"
    if wanted.key not in (None, alert.key):
        differs["key"] = "no key" if alert.key is None else f"key {alert.key}"
    if wanted.severity not in (None, alert.severity):
        differs["severity"] = f"severity {alert.severity}"
    if wanted.top_feature not in (None, blamed):
        differs["top_feature"] = f"top feature {blamed}"
    return differs


def nearest(
    wanted: ExpectedAlert, others: Sequence[Alert], outcome: Outcome, blame: Blame
) -> tuple[str, ...]:
    """Return a line on the other alert with the fewest differences, and one on the record meant."""
    lines = []
    differs: dict[str, str] = {}
    if others:
        alert = min(
            others, key=lambda other: (len(differences(wanted, other)), _off(wanted, other))
        )
        differs = differences(wanted, alert)
        place = differs.get("place", f"offset {alert.source.offset}")
        rest = [text for what, text in differs.items() if what != "place"]
        lines.append(
            f"nearest alert: {' but '.join([place, ', '.join(rest)] if rest else [place])}"
        )
    if not others or "place" in differs:
        lines.append(_nearest_record(wanted, outcome, blame))
    return tuple(lines)


def _off(wanted: ExpectedAlert, alert: Alert) -> int:
    """Return how many records lie between an alert and where it is wanted."""
    off = 0
    for span, at in ((wanted.offset, alert.source.offset), (wanted.ordinal, alert.model.ordinal)):
        if span is not None:
            off += max(span.first - at, at - span.last, 0)
    return off


def _nearest_record(wanted: ExpectedAlert, outcome: Outcome, blame: Blame) -> str:
    there = [record for record in outcome.judged if _is_there(wanted, record)]
    if not there:
        return f"there is no such record: {_extent(wanted, outcome)}"
    judged = [record for record in there if not math.isnan(record.threshold)]
    if not judged:
        warm = outcome.warm_from
        until = "does not end" if warm is None else f"ends before ordinal {warm}"
        return f"all records there are within the warm-up, which {until}"
    best = min(judged, key=lambda record: 1.0 if record.p_value is None else record.p_value)
    place = f"offset {best.offset} (ordinal {best.ordinal})"
    blamed = blame_in_words(blame(best.offset))
    return f"nearest record: {place}{_fate(best, outcome)}{blamed and f'; {blamed}'}"


def _is_there(wanted: ExpectedAlert, record: Judged) -> bool:
    at_place = _is_place(wanted, record.offset, record.ordinal)
    return at_place and wanted.key in (None, record.key)


def _is_place(wanted: ExpectedAlert, offset: int, ordinal: int) -> bool:
    return (wanted.offset is None or offset in wanted.offset) and (
        wanted.ordinal is None or ordinal in wanted.ordinal
    )


def _extent(wanted: ExpectedAlert, outcome: Outcome) -> str:
    if not outcome.judged:
        return "none was valid"
    at_place = [
        record for record in outcome.judged if _is_place(wanted, record.offset, record.ordinal)
    ]
    if at_place:
        keys = sorted({record.key or "none" for record in at_place})
        return f"the keys are {', '.join(keys[:_MOST])}{', ...' if len(keys) > _MOST else ''}"
    first, last = outcome.judged[0], outcome.judged[-1]
    return f"offsets go from {first.offset} to {last.offset}, ordinals to {last.ordinal}"


def _fate(record: Judged, outcome: Outcome) -> str:
    """Return what became of a record that was judged."""
    numbers = f", p-value {record.p_value:.2g}, score {record.score:.4g} of {record.threshold:.4g}"
    if not record.flagged:
        return f"{numbers}: not flagged"
    of_key = [alert for alert in outcome.alerts if alert.key == record.key]
    before = [alert for alert in of_key if alert.model.ordinal <= record.ordinal]
    if before and before[-1].source.offset == record.offset:
        return f"{numbers}: its alert differs, or is another expectation's"
    ended = {each.episode_id: each.model.ordinal for each in outcome.recovered}
    if before and ended.get(before[-1].episode_id, record.ordinal) >= record.ordinal:
        opened = before[-1].source.offset
        return f"{numbers}: flagged, part of the episode that the alert at offset {opened} opened"
    return f"{numbers}: flagged, held back by `alerting.min_deviation`, `up_only` or `down_only`"
