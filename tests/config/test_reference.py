from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from streamae.config import Config, reference
from streamae.config.file import load
from streamae.config.keys import keys
from tests.regenerate import generated

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "config").glob("*.yaml"))
SCHEMA = reference.schema()


def errors(document: Any) -> list[str]:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    return [error.message for error in validator.iter_errors(document)]


@pytest.mark.parametrize("path", generated(), ids=lambda path: path.name)
def test_generated_files_are_current(path: Path) -> None:
    assert path.read_text() == generated()[path], "run `python -m tests.regenerate`"


def test_template_is_the_defaults() -> None:
    assert load(ROOT / "config/streamae.yaml") == Config()


def test_template_fits_the_page() -> None:
    assert max(map(len, reference.template().splitlines())) <= 100


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_files_satisfy_the_schema(path: Path) -> None:
    load(path)
    assert errors(yaml.safe_load(path.read_text())) == []


def test_minimal_is_short_and_kafka() -> None:
    path = ROOT / "config/minimal.yaml"
    assert len(path.read_text().splitlines()) < 15
    assert load(path).source.kind == "kafka"


def test_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for path, key in keys().items():
        schema = SCHEMA
        for name in path.split("."):
            schema = schema["properties"][name]
        assert schema["description"] == key.about
        assert "default" in schema


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"source": None},
        {"source": {"topics": "a, b"}},
        {"http": {"port": "${PORT:9109}", "enabled": False}},
        {"commit": {"interval": 0.5}, "record": {"max_bytes": "64 KiB"}},
        {"alerting": {"budget": "20 per day"}, "kafka": {"sasl_password": "x"}},
    ],
)
def test_schema_accepts(document: Any) -> None:
    assert errors(document) == []


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"sorce": {}},
        {"source": {"kind": "kafak"}},
        {"source": {"topics": [1]}},
        {"http": {"port": 65536}},
        {"http": {"enabled": "maybe"}},
        {"commit": {"interval": "5 parsecs"}},
        {"commit": {"interval": -1}},
        {"record": {"max_bytes": 1.5}},
    ],
)
def test_schema_rejects(document: Any) -> None:
    assert errors(document)


def test_table_has_every_key_and_one_line_each() -> None:
    rows = reference.table().splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == list(keys())
    assert "| `source.kind` | one of file, kafka, host | `file` |" in reference.table()
