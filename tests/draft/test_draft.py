"""A configuration drafted from records: what it finds, and that it works on them."""

import json
import shlex
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamae import app
from streamae.cli import main
from streamae.config import Config
from streamae.config.file import load
from tests.streams import vectors

Draft = Callable[..., tuple[Config, str]]

N = 1000


@pytest.fixture
def draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Draft:
    """Return what writes a file, drafts from it, and loads what was drafted."""
    monkeypatch.chdir(tmp_path)

    def make(
        content: str | Iterable[dict[str, Any]], name: str = "in.jsonl", more: str = ""
    ) -> Any:
        if not isinstance(content, str):
            content = "".join(json.dumps(record) + "\n" for record in content)
        Path(name).write_text(content)
        assert main(["config", "init", name, *shlex.split(more)]) == 0
        text = capsys.readouterr().out
        Path("drafted.yaml").write_text(text)
        assert main(["lint", "drafted.yaml"]) == 0
        capsys.readouterr()
        return load(Path("drafted.yaml")), text

    return make


def records(n: int = N, **constant: Any) -> list[dict[str, Any]]:
    """Return readings of five pumps, one a minute each."""
    rng = np.random.default_rng(0)
    total = np.zeros(5, dtype=int)
    made = []
    for row in range(n):
        total[row % 5] += int(rng.integers(1, 9))
        made.append(
            {
                "pump_id": f"pump-{row % 5}",
                "site": "north" if row % 3 else "south",
                "time": f"2026-01-01T{row // 300:02}:{row // 5 % 60:02}:00Z",
                "flow": round(float(rng.normal(10, 1)), 3),
                "heat": None if row % 10 == 0 else float(row % 7),
                "litres_total": int(total[row % 5]),
                "limit": 3,
                "message": f"reading {row}",
                "ok": True,
            }
            | constant
        )
    return made


def test_what_is_found(draft: Draft) -> None:
    config, text = draft(records())
    assert config.name == "in"
    assert config.source.path == "in.jsonl"
    assert config.record.features == ("flow", "heat", "litres_total", "limit")
    assert (config.record.key_field, config.record.timestamp_field) == ("pump_id", "time")
    assert config.detector.diff == ("litres_total",)
    lines = [line.strip() for line in text.splitlines()]
    assert "# What alerts are about: text, 5 values: 'pump-0', 'pump-1', 'pump-2', ..." in lines
    assert "# Or site: text, 2 values: 'north', 'south'" in lines
    heat = np.mean([record["heat"] for record in records() if record["heat"] is not None])
    assert f"- heat  # 0 to 6, mean {heat:.4g}, 10.00% missing" in lines
    assert "- limit  # constant 3" in lines
    assert any(line.endswith("only grows") for line in lines if line.startswith("- litres_total"))
    assert (
        "# Left out: message, text, 1,000 values: 'reading 0', 'reading 1', 'reading 2', ..."
        in (lines)
    )
    assert "# Left out: ok, true or false" in lines
    assert max(map(len, text.splitlines())) <= 120


def test_the_budget_comes_from_the_rate(draft: Draft) -> None:
    config, text = draft(records())
    assert (
        config.alerting.budget == "7.23 per day"
    )  # Of 1,000 records in 199 minutes, one in 1,000.
    assert "# By their event times 7,229 records come a day, so this is 0.001 of them." in text
    assert "# Nothing is flagged in the first 1,280, 4.25 h at this rate." in text


@pytest.mark.parametrize(
    ("step_s", "budget"),
    [(600, "0.14 per day"), (1, "20 per day"), (0.01, "86 per day"), (10**7, 0.001)],
)
def test_budgets_of_other_rates(draft: Draft, step_s: float, budget: object) -> None:
    rows = [{"x": row % 7, "ts": 1_767_225_600 + row * step_s} for row in range(200)]
    config, _ = draft(rows)
    assert config.record.timestamp_unit == "s"
    assert config.alerting.budget == budget


def test_the_drafted_file_runs(draft: Draft, capsys: pytest.CaptureFixture[str]) -> None:
    draft(records(2000), more="--set http.enabled=false --set output.scores=scores.jsonl")
    app.build(load(Path("drafted.yaml"))).run()
    assert Path("dead-letters.jsonl").read_text() == ""
    scores = [json.loads(line) for line in Path("scores.jsonl").read_text().splitlines()]
    assert len(scores) == 2000
    assert {score["key"] for score in scores} == {f"pump-{number}" for number in range(5)}


def test_what_is_set_stays(draft: Draft) -> None:
    more = (
        "--set record.key_field=site --set record.features=heat,rust,flow --set name=mine"
        " --set alerting.budget=0.01 --set detector.diff=[] --set log.level=debug"
        " --set kafka.sasl_password=hunter2"
    )
    config, text = draft(records(), more=more)
    assert (config.name, config.record.key_field, config.log.level) == ("mine", "site", "debug")
    assert config.record.features == ("heat", "rust", "flow")
    assert "- rust  # in no record that can be read" in text
    assert (config.alerting.budget, config.detector.diff) == (0.01, ())
    assert "hunter2" not in text
    assert "# A secret: give it by STREAMAE_KAFKA__SASL_PASSWORD." in text


def test_csv(draft: Draft) -> None:
    rows = "".join(f"{row % 3},{1_767_225_600_000 + row * 1000},a{row % 2}\n" for row in range(99))
    config, text = draft(f"x,at,unit\n{rows}", "in.csv")
    assert config.record.features == ("x",)
    assert (config.record.key_field, config.record.timestamp_field) == ("unit", "at")
    assert "timestamp_unit: ms" not in text or config.record.timestamp_unit == "ms"


@pytest.mark.parametrize(
    ("text", "format_", "features"),
    [
        ("[1, 2.5, 3]\n" * 50, "auto", ("x0", "x1", "x2")),
        ("1,2,3\n" * 50, "csv", ("x0", "x1", "x2")),
        ('{"features": {"a": 1, "b": 2}, "x": 7, "host": "h"}\n' * 50, "auto", ("a", "b")),
    ],
)
def test_other_shapes(draft: Draft, text: str, format_: str, features: tuple[str, ...]) -> None:
    config, _ = draft(text)
    assert (config.record.format, config.record.features) == (format_, features)
    assert config.record.key_field == ("host" if "host" in text else None)


def test_names_of_any_kind(draft: Draft) -> None:
    names = ["a: b", "#x", "true", "null", "~", "1", "${x}", "${x:y}", "é😀", "a\nb\x07", "", " x "]
    names += ["[a]", "- a", '"', "'", "\u2028", "a,b", "&a", "*a", "!t", "%", "@", "x" * 200, "{"]
    config, _ = draft({name: row % 5 + at for at, name in enumerate(names)} for row in range(60))
    assert config.record.features == tuple(names)


def test_what_no_file_can_hold_is_passed_over(draft: Draft) -> None:
    text = '{"features": {"a": 1, "\\ud800": 2}, "n": %s, "host": "\\ud800"}\n' % ("9" * 400)
    config, _ = draft(text * 20)
    assert config.record.features == ("a",)


def test_dead_letters_are_counted(draft: Draft) -> None:
    lines = [json.dumps({"a": row % 9, "b": 1}) for row in range(100)]
    lines[7] = "{"
    lines[50] = '{"a": "x"}'
    _, text = draft("\n".join(lines) + "\n")
    assert "# Left out: a, of several kinds: number 98, text 1" in text
    assert "# Dead letters among them: " in text
    assert "invalid_json 1" in text
    assert "the first at offset 7." in text


def test_a_broken_record_in_a_hundred_changes_no_role(draft: Draft) -> None:
    made = records()
    made[3]["flow"] = "broken"
    made[5]["pump_id"] = 7.5
    made[8]["time"] = "yesterday"
    made[9]["heat"] = [1.0]
    expected, _ = draft(records())
    config, text = draft(made)
    assert config.record == expected.record
    assert "# Dead letters among them: wrong_type 2, " in text
    assert "bad_timestamp 1" in text
    seconds = [{"ts": 0 if row == 50 else 1_700_000_000 + row, "a": row % 7} for row in range(200)]
    config, _ = draft(seconds)
    assert (config.record.timestamp_field, config.record.timestamp_unit) == ("ts", "s")


def test_only_so_many_records(draft: Draft) -> None:
    _, text = draft(records(), more="--records 100")
    assert "from 100 records." in text


def test_keys_are_not_what_never_comes_back(draft: Draft) -> None:
    rows = [{"uuid": f"{row:x}-x", "order_id": row, "x": row % 3} for row in range(100)]
    config, _ = draft(rows)
    assert config.record.key_field is None
    assert config.record.features == ("order_id", "x")
    config, _ = draft([row | {"order_id": row["order_id"] % 4} for row in rows])
    assert (config.record.key_field, config.record.features) == ("order_id", ("x",))


def test_vectors_have_no_counters_nor_times(draft: Draft) -> None:
    names = "abcdef"
    config, _ = draft(dict(zip(names, row, strict=True)) for row in vectors(300).tolist())
    assert config.record.features == tuple(names)
    assert config.detector.diff == "auto"
    assert (config.record.key_field, config.record.timestamp_field) == (None, None)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["none.jsonl"], "source.path: cannot read none.jsonl: No such file or directory"),
        (["empty.jsonl"], "empty.jsonl has no records to draft a configuration from"),
        (["texts.jsonl"], "no field is a number (a: text, 1 value: 'b')"),
        (["broken.jsonl"], "no field is a number (no record is readable)"),
        (["huge.jsonl"], "every record is a dead letter: out_of_range 2; the first at offset 0"),
        (["-"], "source.path: standard input cannot be read again"),
        (["kafka://x"], "kafka://x: write kafka://HOST:PORT/TOPIC"),
        (["--set", "source.kind=host"], "source.kind: what `host` sampled is not kept"),
        (["--set", "a=1"], "--set: a: unknown key"),
        (["-c", "none.yaml"], "none.yaml: cannot be read: No such file or directory"),
    ],
)
def test_what_cannot_be_read_is_one_line(
    arguments: list[str],
    error: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty.jsonl").touch()
    Path("texts.jsonl").write_text('{"a": "b"}\n')
    Path("broken.jsonl").write_text("{\n")
    Path("huge.jsonl").write_text('{"a": 1e300}\n' * 2)
    assert main(["config", "init", *arguments]) == 78
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert printed.err.startswith(error)


def test_more_than_memory_takes_are_listed_to_choose_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wide, drafted = tmp_path / "wide.jsonl", tmp_path / "drafted.yaml"
    wide.write_text(json.dumps({f"f{number}": 0.5 for number in range(253)}) + "\n")
    assert main(["config", "init", str(wide), "--set", "detector.lag=64"]) == 0
    drafted.write_text(capsys.readouterr().out)
    assert "# Choose among them: 253 features and" in drafted.read_text()
    assert main(["lint", str(drafted)]) == 78
    assert "16,384 are the most" in capsys.readouterr().err
