"""The records of a test go the daemon's way."""

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from streamae import app
from streamae.cases.file import Case, Change, Feature, Generate
from streamae.cases.outcome import Outcome, blame, run
from streamae.config import (
    CommitConfig,
    Config,
    DeadLetterConfig,
    HttpConfig,
    LabelsConfig,
    OutputConfig,
    RecordConfig,
    SourceConfig,
    Span,
    StateConfig,
)
from streamae.errors import ConfigError
from tests import streams

N = 900


def configured(**sections: Any) -> Config:
    return msgspec.structs.replace(streams.config(), **sections)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("cases")
    values = streams.values(N, bad_share=0.02)
    (directory / "in.jsonl").write_bytes(b"".join(value + b"\n" for value in values))
    return directory


@pytest.fixture(scope="module")
def outcome(directory: Path) -> Outcome:
    return run(Case(input="in.jsonl"), configured(source=SourceConfig(path="in.jsonl")), directory)


def test_it_is_what_the_daemon_writes(
    directory: Path, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(directory)
    config = configured(
        source=SourceConfig(path="in.jsonl", max_poll_records=77),
        output=OutputConfig(scores="scores.jsonl"),
        state=StateConfig(directory="state"),
        commit=CommitConfig(),
        http=HttpConfig(enabled=False),
    )
    app.build(config).run()
    written = [json.loads(line) for line in Path("alerts.jsonl").read_text().splitlines()]
    raised = msgspec.to_builtins([*outcome.alerts, *outcome.recovered, *outcome.drifts])
    by_id = {event["alert_id"]: event for event in raised}
    assert len(outcome.alerts) > 2
    assert {event["alert_id"]: event for event in written} == by_id
    scores = [json.loads(line) for line in Path("scores.jsonl").read_text().splitlines()]
    assert [score["p_value"] for score in scores] == [each.p_value for each in outcome.judged]
    letters = Path("dead-letters.jsonl").read_text().splitlines()
    assert outcome.dead_letters.total() == len(letters) > 2


def test_what_is_kept_of_each_record(outcome: Outcome) -> None:
    assert [each.ordinal for each in outcome.judged] == list(range(len(outcome.judged)))
    assert outcome.n_records == N == len(outcome.judged) + outcome.dead_letters.total()
    assert outcome.warm_from == 320  # The first block end from which 256 scores are known.
    warm = outcome.judged[320:]
    assert not np.isnan([each.threshold for each in warm]).any()
    assert any(each.flagged for each in warm)
    assert all(each.flagged == ((each.score or 0) >= each.threshold) for each in warm)
    (first,) = {min(outcome.first_reject.values())}
    assert first not in {each.offset for each in outcome.judged}


@pytest.mark.parametrize(
    ("source", "topic"),
    [
        ({"kind": "kafka", "topics": ("pumps", "fans")}, "pumps"),
        ({"path": "logs/pumps.csv"}, "pumps"),
        ({"path": "x.csv", "topic": "pumps"}, "pumps"),
        ({}, "stdin"),
        ({"kind": "host"}, "host"),
    ],
)
def test_the_topic_is_that_of_the_configuration(
    directory: Path, source: dict[str, Any], topic: str
) -> None:
    config = configured(source=SourceConfig(**source))
    case = Case(input="in.jsonl")
    assert run(case, config, directory).alerts[0].source.topic == topic
    named = msgspec.structs.replace(case, topic="mine")
    assert run(named, config, directory).alerts[0].source.topic == "mine"


def test_neither_output_nor_labels_nor_float32_matter(directory: Path, outcome: Outcome) -> None:
    config = configured(
        source=SourceConfig(path="in.jsonl"),
        record=RecordConfig(format="float32"),
        output=OutputConfig(scores_per="block", emit=("codes",)),
        labels=LabelsConfig(source="none.jsonl"),
    )
    again = run(Case(input="in.jsonl"), config, directory)
    assert (again.alerts, again.judged[-1]) == (outcome.alerts, outcome.judged[-1])


def test_generated_records_pass_whatever_the_format() -> None:
    made = Generate(
        records=400,
        keys=("p",),
        features=(Feature(name="a"), Feature(name="b")),
        changes=(Change(records=Span(390, 390), feature="b", add=50.0),),
    )
    config = configured(record=RecordConfig(format="csv", key_field="pump"))
    outcome = run(Case(generate=made), config, Path())
    assert [alert.source.offset for alert in outcome.alerts][-1] == 390
    assert outcome.alerts[-1].key == "p"


def test_what_stands_out_in_a_record_is_as_its_alert_says(
    directory: Path, outcome: Outcome
) -> None:
    config, case = configured(source=SourceConfig(path="in.jsonl")), Case(input="in.jsonl")
    alert = outcome.alerts[-1]
    found = blame(case, config, directory, alert.source.offset)
    assert found[: len(alert.attribution)] == alert.attribution
    assert blame(case, config, directory, 0) == []


def test_the_dead_letter_limit_stops(directory: Path) -> None:
    config = configured(dead_letters=DeadLetterConfig(max_share=0.001))
    outcome = run(Case(input="in.jsonl"), config, directory)
    assert outcome.stop is not None
    assert outcome.n_records < N


@pytest.mark.parametrize("text", ["1.5,2\n3,4\n", "a;b\n1;2\n"])
def test_input_that_is_no_stream(tmp_path: Path, text: str) -> None:
    (tmp_path / "in.csv").write_text(text)
    with pytest.raises(ConfigError, match=r"^input: .*in\.csv "):
        run(Case(input="in.csv"), configured(), tmp_path)
