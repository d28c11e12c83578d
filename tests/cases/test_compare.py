from typing import Any

import pytest

from streamae.cases.compare import Mismatch, compare, pair
from streamae.cases.file import Case, DeadLetters, ExpectedAlert, ExpectedDrift
from streamae.cases.outcome import Judged, Outcome
from streamae.config import Span
from streamae.records import Alert, Attribution, Drift, Model, Moved, Position, Recovered
from tests.alerts import EVIDENCE

NAN = float("nan")


def alert(offset: int, **keys: Any) -> Alert:
    values: dict[str, Any] = {
        "key": "p",
        "event_time": None,
        "score": 9.0,
        "p_value": 2e-4,
        "threshold": 8.0,
        "alpha": 1e-3,
        "budget": 1e-3,
        "severity": "warning",
        "episode_id": f"e{offset}",
        "evidence": EVIDENCE,
        "attribution": [Attribution("flow", 3.0, 1.0, 4.0, 0.8), Attribution("heat", 7, 6, 1, 0.2)],
        "missing": [],
        "model": Model("0", offset - 5, 1),
    }
    position = Position("t", 0, offset)
    return Alert(alert_id=f"e{offset}", detector="d", source=position, **values | keys)


def recovered(of: Alert, last: int) -> Recovered:
    return Recovered(
        alert_id="r",
        detector="d",
        key=of.key,
        event_time=None,
        source=Position("t", 0, last),
        episode_id=of.episode_id,
        severity="warning",
        n_flagged=1,
        n_suppressed=0,
        n_records=1,
        peak_score=9.0,
        peak_p_value=1e-4,
        started_at=None,
        model=Model("0", last - 5, 1),
    )


def drift(offset: int, feature: str) -> Drift:
    return Drift(
        alert_id="d",
        detector="d",
        event_time=None,
        source=Position("t", 0, offset),
        since=Position("t", 0, offset - 50),
        since_time=None,
        n_records=51,
        moved=[Moved(feature, 1.0, 2.0)],
        n_moved=1,
        model=Model("0", offset, 1),
    )


def judged(*flagged: int, key: str = "p") -> list[Judged]:
    """Return 100 records of offsets 5 to 104, those up to 24 in the warm-up, 60 the rarest."""
    return [
        Judged(
            ordinal,
            ordinal + 5,
            key,
            score=8.5 if ordinal + 5 in flagged else 2.0,
            p_value=5e-4 if ordinal + 5 in flagged else 0.02 if ordinal + 5 == 60 else 0.5,
            threshold=NAN if ordinal < 20 else 8.0,
            flagged=ordinal + 5 in flagged,
        )
        for ordinal in range(100)
    ]


def differences(outcome: Outcome, *wanted: ExpectedAlert, **keys: Any) -> list[Mismatch]:
    case = Case(name="x", alerts=wanted, **keys)
    places = {f"alerts[{at}]": f"t.yaml:{10 + at}" for at in range(len(wanted))}
    places |= {f"drifts[{at}]": "t.yaml:90" for at in range(9)}
    return compare(case, outcome, places, lambda offset: [Attribution("heat", offset, 2, 9, 1)])


def kinds(outcome: Outcome, *wanted: ExpectedAlert, **keys: Any) -> list[str]:
    return [mismatch.kind for mismatch in differences(outcome, *wanted, **keys)]


FITTING = [
    ExpectedAlert(),
    ExpectedAlert(offset=Span(40, 40)),
    ExpectedAlert(offset=Span(35, 45), ordinal=Span(35, 35), key="p"),
    ExpectedAlert(severity="warning", top_feature="flow"),
]
OTHER = [
    ExpectedAlert(offset=Span(41, 50)),
    ExpectedAlert(ordinal=Span(40, 40)),
    ExpectedAlert(key="q"),
    ExpectedAlert(severity="critical"),
    ExpectedAlert(top_feature="heat"),
]


@pytest.mark.parametrize("wanted", FITTING)
def test_an_alert_as_expected(wanted: ExpectedAlert) -> None:
    assert differences(Outcome([alert(40)], judged=judged(40)), wanted) == []


@pytest.mark.parametrize("wanted", OTHER)
def test_an_alert_unlike_the_expected(wanted: ExpectedAlert) -> None:
    outcome = Outcome([alert(40)], judged=judged(40))
    assert kinds(outcome, wanted) == ["missing_alert", "unexpected_alert"]
    assert kinds(outcome, wanted, at_most=1) == ["missing_alert"]


def test_no_alert_and_no_other() -> None:
    quiet = Outcome(judged=judged())
    loud = Outcome([alert(40), alert(50)], judged=judged(40, 50))
    assert kinds(quiet) == []
    assert kinds(loud) == ["unexpected_alert"] * 2
    assert kinds(loud, ExpectedAlert(offset=Span(50, 50))) == ["unexpected_alert"]
    assert kinds(loud, at_most=2) == []
    assert kinds(loud, at_most=1) == ["too_many_alerts"]
    assert kinds(quiet, ExpectedAlert()) == ["missing_alert"]


def test_an_alert_meets_one_expectation_and_the_right_one() -> None:
    loud = Outcome([alert(40), alert(50)], judged=judged(40, 50))
    any_, exact = ExpectedAlert(), ExpectedAlert(offset=Span(40, 40))
    assert kinds(loud, any_, exact) == kinds(loud, exact, any_) == []
    assert kinds(loud, exact, exact) == ["missing_alert", "unexpected_alert"]


def test_pairs_are_as_many_as_there_can_be() -> None:
    fits = {0: {0, 1, 2}, 1: {0}, 2: {0, 1}}
    assert pair(range(3), range(3), lambda a, b: b in fits[a]) == {0: 2, 1: 0, 2: 1}
    assert pair([0, 0], [0], int.__eq__) == {0: 0}


def test_messages_name_the_place_and_what_was_off() -> None:
    raised = alert(40, event_time="2026-01-01T00:00:40.000Z")
    (missing, unexpected) = differences(
        Outcome([raised], judged=judged(40)),
        ExpectedAlert(offset=Span(38, 42), key="q", severity="critical"),
    )
    assert missing.message == (
        "expected, not raised: offset 38-42, key q, severity critical (t.yaml:10)"
    )
    assert missing.detail == ("nearest alert: offset 40 but key p, severity warning",)
    assert unexpected.message == (
        "raised, not expected: offset 40 (ordinal 35), key p, 2026-01-01T00:00:40.000Z, warning,"
        " p-value 0.0002 of 0.001: flow 3 instead of 1 (80%); heat 7 instead of 6 (20%)"
    )


OPENED = alert(40)


@pytest.mark.parametrize(
    ("outcome", "wanted", "said"),
    [
        (
            Outcome(judged=judged()),
            ExpectedAlert(offset=Span(50, 70)),
            "nearest record: offset 60 (ordinal 55), p-value 0.02, score 2 of 8: not flagged;"
            " heat 60 instead of 2 (100%)",
        ),
        (
            Outcome(judged=judged()),
            ExpectedAlert(ordinal=Span(0, 19)),
            "all records there are within the warm-up, which ends before ordinal 20",
        ),
        (
            Outcome(judged=judged()[:20]),
            ExpectedAlert(ordinal=Span(0, 19)),
            "all records there are within the warm-up, which does not end",
        ),
        (
            Outcome(judged=judged()),
            ExpectedAlert(offset=Span(200, 200)),
            "there is no such record: offsets go from 5 to 104, ordinals to 99",
        ),
        (
            Outcome(judged=judged()),
            ExpectedAlert(offset=Span(50, 50), key="q"),
            "there is no such record: the keys are p",
        ),
        (Outcome(), ExpectedAlert(), "there is no such record: none was valid"),
        (
            Outcome([OPENED], judged=judged(40, 44)),
            ExpectedAlert(offset=Span(44, 44)),
            "nearest record: offset 44 (ordinal 39), p-value 0.0005, score 8.5 of 8: flagged, part"
            " of the episode that the alert at offset 40 opened; heat 44 instead of 2 (100%)",
        ),
        (
            Outcome([OPENED], [], [recovered(OPENED, 42)], judged=judged(40, 44)),
            ExpectedAlert(offset=Span(44, 44)),
            "nearest record: offset 44 (ordinal 39), p-value 0.0005, score 8.5 of 8: flagged,"
            " held back by `alerting.min_deviation`, `up_only` or `down_only`;"
            " heat 44 instead of 2 (100%)",
        ),
    ],
)
def test_the_nearest_record(outcome: Outcome, wanted: ExpectedAlert, said: str) -> None:
    found = differences(outcome, wanted, at_most=9)
    (missing,) = [each for each in found if each.kind == "missing_alert"]
    assert missing.detail[-1] == said


def test_drifts() -> None:
    outcome = Outcome(drifts=[drift(80, "flow")], judged=judged())
    for wanted in (
        ExpectedDrift(),
        ExpectedDrift(offset=Span(80, 80), since=Span(20, 30), feature="flow"),
    ):
        assert kinds(outcome, drifts=(wanted,)) == []
    for wanted in (
        ExpectedDrift(offset=Span(81, 81)),
        ExpectedDrift(since=Span(31, 80)),
        ExpectedDrift(feature="heat"),
    ):
        assert kinds(outcome, drifts=(wanted,)) == ["missing_drift", "unexpected_drift"]
    (unexpected,) = differences(outcome)
    assert unexpected.message == (
        "seen, not expected: drift, offset 80, since 30: flow from 1 to 2"
    )


def test_dead_letters() -> None:
    outcome = Outcome(judged=judged(), first_reject={"empty": 7})
    outcome.dead_letters["empty"] = 2
    assert kinds(outcome, dead_letters=DeadLetters(empty=Span(1, 2))) == []
    (mismatch,) = differences(outcome)
    assert mismatch.message == "dead letters, empty: 2, the first at offset 7; expected 0"
    wanted = DeadLetters(empty=Span(2, 2), too_large=Span(1, 1))
    (mismatch,) = differences(outcome, dead_letters=wanted)
    assert mismatch.message == "dead letters, too_large: 0; expected 1"


def test_a_stream_that_shows_nothing_fails() -> None:
    assert kinds(Outcome(judged=judged()[:20])) == ["never_judged"]
    assert kinds(Outcome(judged=judged(), stop="too many")) == ["stopped"]
