"""`streamae explain` over what a real daemon wrote."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.replay.runs import Daemon
from tests.streams import FEATURES

pytestmark = pytest.mark.slow

Said = Callable[[], str]


@pytest.fixture
def explain(daemon: Daemon, said: Said) -> Callable[..., dict[str, Any]]:
    def run(target: str, *arguments: str) -> dict[str, Any]:
        assert daemon.run("explain", target, "--json", *arguments) == 0
        answer: dict[str, Any] = json.loads(said())
        return answer

    return run


Explain = Callable[..., dict[str, Any]]


def anomalies(daemon: Daemon) -> list[dict[str, Any]]:
    return [alert for alert in daemon.alerts() if alert["type"] == "anomaly"]


@pytest.mark.parametrize("number", [0, 7, -1])
def test_an_alert_is_explained_as_it_was_raised(
    daemon: Daemon, explain: Explain, number: int
) -> None:
    before = daemon.content()
    alert = anomalies(daemon)[number]
    found = explain(alert["alert_id"])
    for name in ("source", "key", "event_time", "missing"):
        assert found[name] == alert[name], name
    for name in ("score", "p_value", "threshold", "alpha", "severity"):
        assert found["verdict"][name] == alert[name], name
    assert (found["verdict"]["block"], found["ordinal"]) == (
        alert["model"]["block"],
        alert["model"]["ordinal"],
    )
    assert found["attribution"][: len(alert["attribution"])] == alert["attribution"]
    assert found["evidence"] == alert["evidence"]
    if alert["counterfactual"] is not None:
        assert found["counterfactual"] == alert["counterfactual"]
    assert daemon.content() == before


def test_every_feature_has_its_part(daemon: Daemon, explain: Explain) -> None:
    found = explain(anomalies(daemon)[3]["alert_id"])
    named = [one["feature"] for one in found["attribution"]] + found["missing"]
    assert sorted(named) == list(FEATURES)
    assert sum(one["share"] for one in found["attribution"]) == pytest.approx(1, abs=1e-4)
    assert sorted(found["reconstruction"]) == list(FEATURES)
    assert json.loads(found["value"])["host"] == found["key"]


def test_the_nearest_record_is_an_earlier_normal_one(daemon: Daemon, explain: Explain) -> None:
    scores = {one["source"]["offset"]: one for one in map(json.loads, daemon.lines("scores"))}
    lines = (daemon.directory / "in.jsonl").read_bytes().splitlines()
    alert = anomalies(daemon)[-2]
    nearest = explain(alert["alert_id"])["nearest"]
    assert nearest["offset"] < alert["source"]["offset"]
    assert not scores[nearest["offset"]]["anomaly"]
    record = json.loads(lines[nearest["offset"]])
    for name, value in nearest["values"].items():
        assert (value is None) == (record[name] is None)
        assert value is None or value == pytest.approx(record[name], rel=1e-4)


def test_thresholds_are_those_the_alerts_were_judged_by(daemon: Daemon, explain: Explain) -> None:
    alerts = anomalies(daemon)
    found = explain(alerts[-1]["alert_id"])
    levels = {level["block"]: level["threshold"] for level in found["thresholds"]}
    assert len(levels) == 16
    judged = {alert["model"]["block"]: alert["threshold"] for alert in alerts}
    common = levels.keys() & judged.keys()
    assert len(common) > 3
    assert {block: levels[block] for block in common} == {block: judged[block] for block in common}


def test_a_record_that_raised_no_alert(daemon: Daemon, explain: Explain) -> None:
    score = next(
        one
        for one in map(json.loads, daemon.lines("scores"))
        if one["source"]["offset"] > 2500 and not one["anomaly"]
    )
    found = explain(f"in:0:{score['source']['offset']}")
    assert (found["verdict"]["severity"], found["counterfactual"]) == (None, None)
    assert found["verdict"]["score"] == pytest.approx(score["score"], rel=1e-5)
    assert found["now"]["block"] > found["verdict"]["block"]
    assert found["now"]["score"] != found["verdict"]["score"]


def test_a_record_before_there_was_a_model(daemon: Daemon, explain: Explain, said: Said) -> None:
    found = explain("in:0:3")
    assert found["verdict"] | {"block": 0, "score": None, "alpha": 0.0} == found["verdict"]
    assert (found["attribution"], found["nearest"], found["evidence"]) == ([], None, None)
    assert found["now"]["alpha"] > 0
    assert daemon.run("explain", "in:0:3") == 0
    printed = said()
    assert "no feature can be blamed" in printed
    assert "warming up" in printed


def test_text(daemon: Daemon, explain: Explain, said: Said) -> None:
    alert = anomalies(daemon)[-1]
    found = explain(alert["alert_id"])
    assert daemon.run("explain", alert["alert_id"]) == 0
    printed = said()
    lines = printed.splitlines()
    at = f"in-0, offset {alert['source']['offset']} key {alert['key']} {alert['event_time']}"
    assert lines[0] == at
    for part in (found["value"], alert["severity"], f"offset {found['nearest']['offset']}"):
        assert part in printed
    blamed = next(line for line in lines if line.startswith(alert["attribution"][0]["feature"]))
    assert f"{alert['attribution'][0]['share']:.1%}" in blamed
    assert f"residual {alert['evidence']['residual']:.1f}, rarity" in printed


def test_an_alert_that_does_not_say_what_it_is_about(
    daemon: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = daemon.lines("alerts")
    daemon.write("alerts", [lines[0].replace(b'"source":{', b'"source":['), *lines[1:]])
    assert daemon.run("explain", json.loads(lines[0])["alert_id"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "alerts.jsonl, line 1 does not say" in line


REJECTED = "rejected"


@pytest.mark.parametrize(
    ("target", "arguments", "code", "reason"),
    [
        ("0123456789abcdef", [], 1, "there is no alert 0123456789abcdef"),
        ("out:0:3", [], 78, "out:0:3: the input is in:0"),
        ("in:1:3", [], 78, "in:1:3: the input is in:0"),
        ("in:0:3000", [], 78, "from offset 0 to before 3000, not 3000"),
        (REJECTED, [], 1, "was rejected: "),
        ("none:0:9", ["--set", "source.path=none.jsonl"], 78, "cannot read none.jsonl"),
        ("abc", ["--set", "output.alerts='-'"], 78, "standard output is not kept"),
        ("in:0:2900", ["--set", "detector.n_latents=16"], 78, "n_latents is 16 and was 32"),
    ],
    ids=lambda one: str(one)[:40],
)
def test_bad_input_is_one_line(
    daemon: Daemon,
    target: str,
    arguments: list[str],
    code: int,
    reason: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if target == REJECTED:
        headers = dict(json.loads(daemon.lines("dead_letters")[5])["headers"])
        target = f"in:0:{headers['__streamae.errors.offset']}"
        reason += headers["__streamae.errors.reason"]
    before = daemon.content()
    assert daemon.run("explain", target, *arguments) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert reason in printed.err
    assert daemon.content() == before
