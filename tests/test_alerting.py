from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest

from streamae.alerting import Alerter, Place
from streamae.config import AlertingConfig
from streamae.episodes import Flagged, Times
from streamae.records import (
    Alert,
    Attribution,
    Counterfactual,
    Drift,
    Moved,
    Reasons,
    Recovered,
)
from streamae.types import NO_TIMESTAMP, TopicPartition
from tests.alerts import EVIDENCE

PARTITION = TopicPartition("in", 3)
BUDGET = 0.01


def flagged(
    ordinal: int, key: bytes | None = b"a", p_value: float = 0.005, headers: Sequence = ()
) -> Flagged:
    return Flagged(
        ordinal=ordinal,
        offset=ordinal + 100,
        timestamp_ms=1_700_000_000_000 + ordinal,
        key=key,
        headers=headers,
        score=10.0 / p_value,
        p_value=p_value,
        threshold=5.0,
        alpha=BUDGET,
        budget=BUDGET,
        block=1,
    )


def explain(record: Flagged) -> Reasons:
    return blaming(3.0)


def blaming(deviation: float) -> Reasons:
    attribution = [Attribution("f0", 1.0, 0.0, deviation, 0.5), Attribution("f1", 1.0, 0.0, 9, 0.5)]
    return Reasons(EVIDENCE, attribution, ["gone"], Counterfactual(["f0"], 0.5))


def alerter(**keys: Any) -> Alerter:
    return Alerter("name", AlertingConfig(**{"quiet_records": 5, **keys}), PARTITION)


def events(
    machine: Alerter, records: Sequence[Flagged], last_ordinal: int
) -> list[Alert | Recovered]:
    return [alert for alert, _ in machine.process(records, times(last_ordinal), explain).events]


def times(last_ordinal: int) -> Times:
    return Times(last_ordinal, 1_700_000_000_000 + np.arange(last_ordinal + 1))


def test_episode_is_one_alert_and_one_end() -> None:
    records = [flagged(1), flagged(3, p_value=0.0001), flagged(7)]
    opened, ended = events(alerter(), records, 12)
    assert isinstance(opened, Alert)
    assert isinstance(ended, Recovered)
    assert opened.source.offset == 101
    assert ended.source.offset == 107
    assert (ended.n_flagged, ended.n_records) == (3, 7)
    assert ended.episode_id == opened.episode_id == opened.alert_id != ended.alert_id
    assert (opened.severity, ended.severity) == ("warning", "critical")
    assert ended.peak_p_value == 0.0001
    assert ended.peak_score == 100000.0


def test_episode_ends_with_its_last_quiet_record() -> None:
    machine = alerter()
    assert len(events(machine, [flagged(10)], 14)) == 1
    (ended,) = events(machine, [], 15)
    assert isinstance(ended, Recovered)
    assert events(machine, [], 100) == []


def test_record_flagged_where_the_episode_would_end_prolongs_it() -> None:
    machine = alerter()
    assert len(events(machine, [flagged(10), flagged(15)], 19)) == 1
    assert len(events(machine, [], 20)) == 1


def test_keys_have_episodes_of_their_own() -> None:
    found = events(alerter(), [flagged(1, b"a"), flagged(2, b"b"), flagged(3, None)], 3)
    assert [event.key for event in found] == ["a", "b", None]


def test_events_do_not_depend_on_batching() -> None:
    ordinals = [3, 4, 9, 14, 15, 21, 40, 41, 60]
    records = [flagged(at, b"ab"[at % 2 :][:1]) for at in ordinals]
    whole = events(alerter(), records, 79)
    machine, pieces = alerter(), []
    for ordinal in range(80):
        pieces += events(machine, [r for r in records if r.ordinal == ordinal], ordinal)
    assert pieces == whole
    assert sum(isinstance(event, Recovered) for event in whole) > 2


def test_state_survives_json_and_is_not_shared() -> None:
    machine = alerter()
    events(machine, [flagged(1, b"\xff"), flagged(2, None)], 3)
    state = machine.state()
    saved = msgspec.json.decode(msgspec.json.encode(state))
    events(machine, [flagged(4, b"\xff")], 4)
    assert msgspec.json.decode(msgspec.json.encode(state)) == saved
    copy = alerter()
    copy.load_state(saved)
    events(copy, [flagged(4, b"\xff")], 4)
    assert events(copy, [], 50) == events(machine, [], 50)


def test_alert_is_a_cloud_event_and_carries_the_trace() -> None:
    trace = [("traceparent", b"00-1"), ("other", b"x")]
    raised = alerter().process([flagged(1, headers=trace)], times(1), explain)
    ((alert, output),) = raised.events
    headers = dict(output.headers)
    assert headers["ce_specversion"] == b"1.0"
    assert headers["ce_id"].decode() == alert.alert_id
    assert headers["ce_source"] == b"/streamae/name/in/3"
    assert headers["ce_type"] == b"io.streamae.anomaly.v1"
    assert headers["ce_subject"] == b"a"
    assert headers["ce_time"] == b"2023-11-14T22:13:20.001Z"
    assert headers["traceparent"] == b"00-1"
    assert "other" not in headers
    body = msgspec.json.decode(output.value or b"")
    assert [part["feature"] for part in body["attribution"]] == ["f0", "f1"]
    assert body["missing"] == ["gone"]
    assert body["counterfactual"] == {"features": ["f0"], "score": 0.5}
    assert (output.key, output.timestamp_ms, output.source) == (b"a", 1_700_000_000_001, PARTITION)


def test_id_is_a_function_of_what_the_alert_is_about() -> None:
    one, same = (events(alerter(), [flagged(1)], 1)[0].alert_id for _ in range(2))
    other = events(alerter(), [flagged(2)], 2)[0].alert_id
    assert one == same != other


def test_time_is_left_out_where_the_record_has_none() -> None:
    record = flagged(1, key=None)._replace(timestamp_ms=-1)
    ((alert, output),) = alerter().process([record], times(1), explain).events
    assert alert.event_time is None
    assert not {"ce_time", "ce_subject"} & dict(output.headers).keys()


@pytest.mark.parametrize(
    ("keys", "deviation", "suppression"),
    [
        ({"min_deviation": 2.0}, 2.5, None),
        ({"min_deviation": 2.0}, -2.5, None),
        ({"min_deviation": 2.0}, 1.5, "min_deviation"),
        ({"min_deviation": 2.0}, -1.5, "min_deviation"),
        ({"up_only": ("f0",)}, 2.5, None),
        ({"up_only": ("f0",)}, -2.5, "direction"),
        ({"up_only": ("f1",)}, -2.5, None),
        ({"up_only": "all"}, -2.5, "direction"),
        ({"down_only": ("f0",)}, 2.5, "direction"),
        ({"down_only": "all"}, -2.5, None),
        ({"down_only": ("f0",), "min_deviation": 2.0}, 1.5, "min_deviation"),
    ],
)
def test_an_alert_needs_a_deviation_of_the_size_and_direction_asked_for(
    keys: dict[str, Any], deviation: float, suppression: str | None
) -> None:
    machine = alerter(**keys)
    raised = machine.process([flagged(1)], times(1), lambda _: blaming(deviation))
    assert [type(event) for event, _ in raised.events] == ([Alert] if suppression is None else [])
    assert raised.suppressed == ({} if suppression is None else {suppression: 1})


@pytest.mark.parametrize("name", ["bytes", "bytes (change)"])
def test_a_counter_that_is_judged_by_its_change_goes_by_both_names(name: str) -> None:
    machine = alerter(up_only=(name,))
    attribution = [Attribution("bytes (change)", 1.0, 9.0, -4.0, 1.0)]
    reasons = Reasons(EVIDENCE, attribution, [], None)
    assert not machine.process([flagged(1)], times(1), lambda _: reasons).events


def test_a_deviation_that_is_not_asked_for_keeps_no_episode_open() -> None:
    machine = alerter(up_only="all")
    machine.process([flagged(1)], times(1), lambda _: blaming(3.0))
    raised = machine.process([flagged(4)], times(6), lambda _: blaming(-3.0))
    ((ended, _),) = raised.events
    assert isinstance(ended, Recovered)
    assert ended.n_flagged == 1
    assert raised.suppressed == {"direction": 1}


def test_a_record_without_any_value_may_raise_an_alert() -> None:
    nothing = Reasons(EVIDENCE, [], ["f0", "f1"], None)
    raised = alerter(min_deviation=1.0).process([flagged(1)], times(1), lambda _: nothing)
    assert len(raised.events) == 1


def test_flagged_records_without_an_alert_are_counted_by_reason() -> None:
    machine = alerter(cooldown_records=50)
    records = [flagged(10), flagged(12), flagged(30), flagged(31), flagged(59), flagged(61)]
    raised = machine.process(records, times(65), explain)
    assert raised.suppressed == {"open_episode": 3, "cooldown": 2}
    (ended,) = (event for event, _ in machine.process([], times(66), explain).events)
    assert isinstance(ended, Recovered)
    assert (ended.n_flagged, ended.n_suppressed) == (6, 2)


def test_drift_ends_the_episodes_of_its_shift_and_no_others() -> None:
    machine = alerter()
    events(machine, [flagged(8, b"old"), flagged(12, b"new")], 12)
    since, at = Place(15, 115, 1_700_000_000_015), Place(30, 130, NO_TIMESTAMP)
    moved = [Moved(f"f{n}", 0.0, 1.0) for n in range(300)]
    (ended, _), (drift, output) = machine.drifted(since, at, moved, block_size=5)
    assert isinstance(ended, Recovered)
    assert isinstance(drift, Drift)
    assert (ended.key, ended.drift_id) == ("new", drift.alert_id)
    assert (drift.since.offset, drift.source.offset, drift.n_records) == (115, 130, 16)
    assert (drift.since_time, drift.event_time) == ("2023-11-14T22:13:20.015Z", None)
    assert (len(drift.moved), drift.n_moved) == (100, 300)
    assert dict(output.headers)["ce_type"] == b"io.streamae.drift.v1"
    assert [key for key, _ in machine.state()] == [b"old"]
