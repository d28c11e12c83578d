import json
from xml.etree import ElementTree

import pytest

from streamae.cases.compare import Mismatch
from streamae.cases.outcome import Outcome
from streamae.cases.report import Result, junit, render, summary, total
from tests.cases.test_compare import alert, drift, judged

OUTCOME = Outcome([alert(40)], [drift(80, "flow")], n_records=1234, judged=judged(40))
OUTCOME.dead_letters["empty"] = 2
FAILED = Result("a.yaml", "bad <\x00>", OUTCOME, [Mismatch("stopped", "it\x1b", ("why",))], 0.25)
PASSED = Result("b.yaml", "good", Outcome(n_records=1), [], 0.5)


def test_text() -> None:
    assert render(PASSED) == "ok    b.yaml: good (1 record, 0 alerts)"
    assert render(FAILED).splitlines() == [
        "FAIL  a.yaml: bad <\\x00> (1,234 records, 1 alert, 1 drift, 2 dead letters)",
        "      it\\x1b",
        "        why",
    ]


def test_last_line() -> None:
    assert total([FAILED, PASSED]) == "2 tests, 1 failed"
    assert total([PASSED]) == "1 test, 0 failed"


def test_summary_is_json() -> None:
    document = json.loads(json.dumps(summary([FAILED, PASSED])))
    assert (document["tests"], document["failed"]) == (2, 1)
    first, second = document["results"]
    assert (first["passed"], second["passed"]) == (False, True)
    assert first["mismatches"] == [{"kind": "stopped", "message": "it\x1b", "detail": ["why"]}]
    assert first["alerts"][0]["source"]["offset"] == 40
    assert (first["warm_from"], second["warm_from"]) == (20, None)


def test_junit_is_xml_whatever_the_names() -> None:
    root = ElementTree.fromstring(junit([FAILED, PASSED, PASSED]))  # noqa: S314 - our own.
    suites = [(suite.get("name"), suite.get("tests"), suite.get("failures")) for suite in root]
    assert suites == [("a.yaml", "1", "1"), ("b.yaml", "2", "0")]
    (case,) = root[0]
    assert (case.get("classname"), case.get("time")) == ("a.yaml", "0.250")
    assert case.get("name") == "bad <\\x00>"
    (failure,) = case
    assert failure.get("message") == "it\\x1b"
    assert failure.text == "it\\x1b\n  why"
    assert [len(case) for case in root[1]] == [0, 0]


@pytest.mark.parametrize("results", [[], [PASSED]])
def test_nothing_failed(results: list[Result]) -> None:
    assert summary(results)["failed"] == 0
    assert "<failure" not in junit(results)
