"""Files of tests: what is read from them, and what is said of the ones that cannot be used."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from streamae.cases.file import CaseFile, load, schema
from streamae.decode import Reason
from streamae.errors import ConfigError

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "config/tests").glob("*.yaml"))
GENERATED = "generate: {records: 9, features: [{name: a}, {name: b}]"


def read(tmp_path: Path, text: str) -> CaseFile:
    path = tmp_path / "t.yaml"
    path.write_text(text)
    return load(path, {"N": "7"})


def test_every_key(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").touch()
    file = read(
        tmp_path,
        """
tests:
- name: all there is
  input: in.jsonl
  topic: pumps
  alerts:
  - {offset: 3-4, ordinal: "${N}", key: p, severity: critical, top_feature: a (change)}
  -
  at_most: 2
  drifts: [{since: 1, offset: 9, feature: a}]
  dead_letters: {invalid_json: 2, empty: 1-3}
""",
    )
    (case,) = file.cases
    alert, anything = case.alerts
    assert (str(alert.offset), str(alert.ordinal), alert.key) == ("3-4", "7", "p")
    assert (alert.severity, alert.top_feature) == ("critical", "a (change)")
    assert anything == type(anything)()
    assert (case.topic, case.at_most, case.drifts[0].feature) == ("pumps", 2, "a")
    letters = {reason: str(span) for reason, span in case.letters.items() if span.last}
    assert letters == {"invalid_json": "2", "empty": "1-3"}
    assert set(case.letters) == {reason.value for reason in Reason}
    assert file.places["tests[0].alerts[1]"] == f"{file.path}:8"
    assert file.places_of(0)["alerts[1]"] == f"{file.path}:8"
    assert file.places_of(1) == {}


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        ("", ["t.yaml: tests: there is none"]),
        (
            "a: [",
            [
                "t.yaml:1: not YAML: while parsing a flow node, expected the node content, but"
                " found '<stream end>'"
            ],
        ),
        (
            "tests:\n- nam: x\n",
            [
                "t.yaml:2: tests[0].nam: unknown key; did you mean 'name'? (valid: name, input,"
                " topic, generate, alerts, at_most, drifts, dead_letters)"
            ],
        ),
        (
            "tests:\n- alerts:\n  - {severity: bad}\n  - {offset: x}\n  dead_letters: {json: 1}\n",
            [
                "t.yaml:3: tests[0].alerts[0].severity: expected one of warning, critical or null,"
                " got 'bad'",
                "t.yaml:4: tests[0].alerts[1].offset: expected a whole number or a range such as"
                " 10-20 or null, got 'x'",
                "t.yaml:5: tests[0].dead_letters.json: unknown key; did you mean"
                " 'tests[].dead_letters.invalid_json'?"
                f" (valid: {', '.join(Reason)})",
            ],
        ),
        (
            "tests:\n- name:\n  input: no\n- name: x\n- {name: x, " + GENERATED + "}, input: no}\n",
            [
                "t.yaml:2: tests[0].name: expected text, got null",
            ],
        ),
        (
            "tests:\n- input: no\n- name: x\n- {name: x, " + GENERATED + "}, input: no}\n",
            [
                "t.yaml:2: tests[0].name: say what it shows",
                "t.yaml:2: tests[0].input: 'no' cannot be read: No such file or directory",
                "t.yaml:3: tests[1].input: name a file, or say under `generate.features` what to"
                " make",
                "t.yaml:4: tests[2].name: 'x' is the name of an earlier test",
                "t.yaml:4: tests[2].generate: give `input` or `generate`, not both",
                "t.yaml:4: tests[2].input: 'no' cannot be read: No such file or directory",
            ],
        ),
        (
            "tests:\n- name: x\n  " + GENERATED + "}\n  alerts: [{}, {}]\n  at_most: 1\n",
            ["t.yaml:5: tests[0].at_most: must be at least 2, `alerts` lists as many"],
        ),
        (
            'tests:\n- name: x\n  input: "\\0"\n',
            ["t.yaml:3: tests[0].input: '\0' cannot be read: embedded null byte"],
        ),
    ],
)
def test_findings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, findings: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        read(Path(), text)
    assert str(caught.value).splitlines() == findings


@pytest.mark.parametrize(
    ("generate", "findings"),
    [
        ("features: [{}, {name: a}, {name: a}]", {"features[0].name", "features[2].name"}),
        ("features: [{name: a, follows: b}, {name: b}]", {"features[0].follows"}),
        ("features: [{name: a}], changes: [{feature: a, add: 1}]", {"changes[0].records"}),
        (
            "records: 9, features: [{name: a}], changes: [{feature: b, add: 1, records: 9}]",
            {"changes[0].records", "changes[0].feature"},
        ),
        ("features: [{name: a}], changes: [{records: 1, feature: a}]", {"changes[0].becomes"}),
        (
            "features: [{name: a}], changes: [{records: 1, feature: a, add: 1, becomes: 2}]",
            {"changes[0].becomes"},
        ),
        (
            "features: [{name: a}], changes: [{records: 1, feature: a, raw: x}]",
            {"changes[0].raw"},
        ),
    ],
)
def test_findings_of_generate(tmp_path: Path, generate: str, findings: set[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, f"tests:\n- name: x\n  generate: {{{generate}}}\n")
    prefix = "tests[0].generate."
    assert {line.split(prefix)[1].split(": ")[0] for line in str(caught.value).splitlines()} == (
        findings
    )
    assert all(line.startswith(f"{tmp_path}/t.yaml:3: ") for line in str(caught.value).splitlines())


def errors(document: Any) -> list[str]:
    validator = jsonschema.Draft202012Validator(schema())
    return [error.message for error in validator.iter_errors(document)]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_files_satisfy_the_schema(path: Path) -> None:
    load(path, {})
    assert path.read_text().splitlines()[0].endswith("$schema=../streamae.tests.schema.json")
    assert errors(yaml.safe_load(path.read_text())) == []


def test_schema_rejects() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert errors({"tests": [{"nme": "x"}]})
    assert errors({"tests": [{"alerts": [{"offset": "x"}]}]})
    assert errors({"tests": [{"dead_letters": {"json": 1}}]})
