"""What was expected beside what came: each difference, said so that one sees what to change."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, TypeVar

from streamae.cases.file import Case, ExpectedDrift
from streamae.cases.nearest import Blame, differences, nearest
from streamae.cases.outcome import Outcome
from streamae.cases.words import alert_in_words, drift_in_words, expectation_in_words
from streamae.config import Span
from streamae.records import Drift

Kind = Literal[
    "stopped",
    "never_judged",
    "missing_alert",
    "unexpected_alert",
    "too_many_alerts",
    "missing_drift",
    "unexpected_drift",
    "dead_letters",
]

W = TypeVar("W")
R = TypeVar("R")

_MOST_LISTED = 10


class Mismatch(NamedTuple):
    """One way in which a test fails."""

    kind: Kind
    message: str
    detail: tuple[str, ...] = ()
    """Lines below the message."""


def compare(
    case: Case, outcome: Outcome, places: Mapping[str, str], blame: Blame
) -> list[Mismatch]:
    """Return what differs; `places` has the place of each expectation, such as `alerts[0]`."""
    return [
        *_progress(outcome),
        *_alerts(case, outcome, places, blame),
        *_drifts(case, outcome, places),
        *_dead_letters(case, outcome),
    ]


def _progress(outcome: Outcome) -> Iterator[Mismatch]:
    if outcome.stop is not None:
        yield Mismatch("stopped", f"the daemon would have stopped here, exit 65: {outcome.stop}")
    elif outcome.warm_from is None and not outcome.dead_letters:
        yield Mismatch(
            "never_judged",
            f"nothing could be flagged: the warm-up takes more than these"
            f" {len(outcome.judged):,} records",
        )


def _alerts(
    case: Case, outcome: Outcome, places: Mapping[str, str], blame: Blame
) -> Iterator[Mismatch]:
    pairs = pair(case.alerts, outcome.alerts, lambda wanted, alert: not differences(wanted, alert))
    others = [alert for at, alert in enumerate(outcome.alerts) if at not in pairs.values()]
    for at, wanted in enumerate(case.alerts):
        if at not in pairs:
            words, place = expectation_in_words(wanted), places[f"alerts[{at}]"]
            yield Mismatch(
                "missing_alert",
                f"expected, not raised: {words} ({place})",
                nearest(wanted, others, outcome, blame),
            )
    if case.at_most is None:
        for alert in others:
            yield Mismatch("unexpected_alert", f"raised, not expected: {alert_in_words(alert)}")
    elif len(outcome.alerts) > case.at_most:
        listed = [alert_in_words(alert) for alert in outcome.alerts[:_MOST_LISTED]]
        yield Mismatch(
            "too_many_alerts",
            f"{len(outcome.alerts):,} alerts, at most {case.at_most:,} expected",
            (*listed, *(["..."] if len(outcome.alerts) > _MOST_LISTED else [])),
        )


def _drifts(case: Case, outcome: Outcome, places: Mapping[str, str]) -> Iterator[Mismatch]:
    pairs = pair(case.drifts, outcome.drifts, _is_drift)
    for at, wanted in enumerate(case.drifts):
        if at not in pairs:
            words, place = expectation_in_words(wanted), places[f"drifts[{at}]"]
            yield Mismatch("missing_drift", f"expected, not seen: drift, {words} ({place})")
    for at, drift in enumerate(outcome.drifts):
        if at not in pairs.values():
            yield Mismatch(
                "unexpected_drift", f"seen, not expected: drift, {drift_in_words(drift)}"
            )


def _dead_letters(case: Case, outcome: Outcome) -> Iterator[Mismatch]:
    for reason, wanted in case.letters.items():
        n = outcome.dead_letters[reason]
        if n not in wanted:
            first = outcome.first_reject.get(reason)
            where = "" if first is None else f", the first at offset {first}"
            yield Mismatch(
                "dead_letters", f"dead letters, {reason}: {n:,}{where}; expected {wanted}"
            )


def pair(wanted: Sequence[W], raised: Sequence[R], fits: Callable[[W, R], bool]) -> dict[int, int]:
    """Return as many pairs (index of `wanted`, index of `raised`) as there can be, each used once.

    Kuhn's augmenting paths: what fits much gives way to what fits little.
    """
    edges = [[at for at, each in enumerate(raised) if fits(want, each)] for want in wanted]
    holder: dict[int, int] = {}

    def place(want: int, tried: set[int]) -> bool:
        for at in edges[want]:
            if at not in tried:
                tried.add(at)
                if at not in holder or place(holder[at], tried):
                    holder[at] = want
                    return True
        return False

    for want in range(len(wanted)):
        place(want, set())
    return {want: at for at, want in holder.items()}


def _is_drift(wanted: ExpectedDrift, drift: Drift) -> bool:
    return (
        _is_in(wanted.offset, drift.source.offset)
        and _is_in(wanted.since, drift.since.offset)
        and wanted.feature in (None, *(moved.feature for moved in drift.moved))
    )


def _is_in(span: Span | None, number: int) -> bool:
    return span is None or number in span
