"""Alerts, drifts and expectations as one line each."""

from collections.abc import Iterator, Sequence

from msgspec import structs

from streamae.cases.file import ExpectedAlert, ExpectedDrift
from streamae.records import Alert, Attribution, Drift

_TOP_FEATURES = 3


def expectation_in_words(wanted: ExpectedAlert | ExpectedDrift) -> str:
    """Return the keys that are given."""
    given = [
        f"{field.replace('_', ' ')} {value}"
        for field, value in structs.asdict(wanted).items()
        if value is not None
    ]
    return ", ".join(given) or "any"


def alert_in_words(alert: Alert) -> str:
    """Return where it is, how rare it is and what gave it away."""
    return ", ".join(_alert_parts(alert))


def drift_in_words(drift: Drift) -> str:
    """Return where it is and what moved how far."""
    moved = "; ".join(
        f"{each.feature} from {each.before:.6g} to {each.after:.6g}"
        for each in drift.moved[:_TOP_FEATURES]
    )
    return f"offset {drift.source.offset}, since {drift.since.offset}: {moved}"


def blame_in_words(attribution: Sequence[Attribution]) -> str:
    """Return the features to blame most, with what was expected of them."""
    return "; ".join(_blame(each) for each in attribution[:_TOP_FEATURES])


def _alert_parts(alert: Alert) -> Iterator[str]:
    yield f"offset {alert.source.offset} (ordinal {alert.model.ordinal})"
    if alert.key is not None:
        yield f"key {alert.key}"
    if alert.event_time is not None:
        yield alert.event_time
    yield alert.severity
    blamed = blame_in_words(alert.attribution)
    yield f"p-value {alert.p_value:.2g} of {alert.alpha:.2g}: {blamed}"


def _blame(each: Attribution) -> str:
    observed, expected = f"{each.observed:.5g}", f"{each.expected:.5g}"
    return f"{each.feature} {observed} instead of {expected} ({each.share:.0%})"
