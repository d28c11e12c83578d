import json
from importlib.resources import files

import msgspec
import pytest
from jsonschema import Draft202012Validator

from streamae.dead_letters import ERROR_HEADER
from streamae.local import MemoryLog
from streamae.pipeline import Pipeline
from streamae.records import Position, iso_time, significant, source_of, text
from streamae.types import NO_TIMESTAMP, Output
from tests.schemas import schemas
from tests.streams import PARTITION, config, keys, timestamps, values

N = 1500


@pytest.mark.parametrize("name", schemas())
def test_shipped_schema_is_that_of_the_code(name: str) -> None:
    shipped = json.loads((files("streamae") / "schemas" / name).read_text())
    Draft202012Validator.check_schema(shipped)
    assert shipped == schemas()[name], "run: python -m tests.regenerate"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scores_per", "score_schema"), [("record", "score.v1.json"), ("block", "score-block.v1.json")]
)
def test_everything_written_follows_its_schema(scores_per: str, score_schema: str) -> None:
    log = MemoryLog(values(N), keys(N), timestamps(N))
    pipeline = Pipeline(config(scores_per=scores_per), PARTITION, 0)
    seen = set()
    for output in pipeline.process(log.read(PARTITION, 0, N)).outputs:
        name = {"alerts": "alert.v1.json", "scores": score_schema}[output.channel]
        Draft202012Validator(schemas()[name]).validate(msgspec.json.decode(output.value or b""))
        seen.add(output.channel)
    assert seen == {"alerts", "scores"}


def test_schema_refuses_an_alert_without_its_id() -> None:
    validator = Draft202012Validator(schemas()["alert.v1.json"])
    assert not validator.is_valid({"type": "anomaly"})


@pytest.mark.parametrize(
    ("timestamp_ms", "expected"),
    [
        (NO_TIMESTAMP, None),
        (0, "1970-01-01T00:00:00.000Z"),
        (1_700_000_000_123, "2023-11-14T22:13:20.123Z"),
        (2**62, None),
    ],
)
def test_time_is_utc_with_milliseconds(timestamp_ms: int, expected: str | None) -> None:
    assert iso_time(timestamp_ms) == expected


def test_keys_are_readable_whatever_their_bytes() -> None:
    assert text(None) is None
    assert text("grün".encode()) == "grün"
    assert text(b"\xff1") == r"\xff1"


def test_numbers_have_six_digits() -> None:
    assert significant(1 / 3) == 0.333333
    assert significant(123456789.0) == 123457000.0


def test_a_dead_letter_is_known_by_the_headers_it_was_given() -> None:
    """The record's own may have the same names."""
    own = [("topic", b"theirs"), ("partition", b"1"), ("offset", b"2")]
    said = [("topic", b"in"), ("partition", b"0"), ("offset", b"7")]
    given = [(ERROR_HEADER + name, value) for name, value in said]
    at = Position("in", 0, 7)
    for headers, source in [(given, at), ([*given, *own], at), (own, None), (given[:2], None)]:
        assert source_of(Output("dead_letters", PARTITION, None, b"", headers)) == source
