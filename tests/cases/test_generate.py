import json
from typing import Any

import msgspec
import numpy as np
import pytest

from streamae.cases.file import Change, Feature, Generate
from streamae.cases.generate import generate
from streamae.config import Duration, RecordConfig, Span
from streamae.local import MemoryLog

N = 2000
LEVEL = Feature(name="level", mean=60, noise=0.5, swing=5, period=100)
LINE = Feature(name="line", mean=4, noise=0.1, follows="level", by=0.5)


def made(*changes: Change, **keys: Any) -> Generate:
    return Generate(records=N, features=(LEVEL, LINE), changes=changes, **keys)


def rows(log: MemoryLog) -> np.ndarray:
    objects = [json.loads(value or b"") for value in log.values]
    return np.array([[row["level"], row["line"]] for row in objects], dtype=np.float64)


@pytest.fixture(scope="module")
def plain() -> np.ndarray:
    return rows(generate(made(), RecordConfig()))


def test_levels_swings_and_dependence(plain: np.ndarray) -> None:
    level, line = plain.T
    assert abs(level.mean() - 60) < 0.1
    assert abs(line.mean() - 4) < 0.1
    wave = 5 * np.sin(2 * np.pi * np.arange(N) / 100)
    assert abs((level - wave).std() - 0.5) < 0.05
    rest = line - 4 - 0.5 * (level - 60)
    assert abs(rest.std() - 0.1) < 0.01


def test_the_seed_decides_every_value(plain: np.ndarray) -> None:
    assert generate(made(), RecordConfig()).values == generate(made(), RecordConfig()).values
    assert not (rows(generate(made(seed=1), RecordConfig())) == plain).any()


def test_changes_touch_nothing_else(plain: np.ndarray) -> None:
    log = generate(
        made(
            Change(records=Span(10, 12), feature="line", add=2),
            Change(records=Span(20, 20), feature="level", becomes=7.0),
            Change(records=Span(21, 21), feature="level", becomes="missing"),
        ),
        RecordConfig(),
    )
    changed = rows(log)
    np.testing.assert_allclose(changed[10:13, 1], plain[10:13, 1] + 2, atol=1e-5)
    assert changed[20, 0] == 7
    assert np.isnan(changed[21, 0])
    same = np.ones((N, 2), bool)
    same[10:13, 1] = same[20:22, 0] = False
    assert (changed[same] == plain[same]).all()


def test_raw_text_is_the_whole_record() -> None:
    log = generate(made(Change(records=Span(3, 4), raw="{")), RecordConfig())
    assert log.values[3] == log.values[4] == b"{"
    assert log.values[5] != b"{"


def test_keys_come_in_turn_and_times_go_on() -> None:
    log = generate(made(keys=("p", "q"), interval=Duration(0.5)), RecordConfig())
    assert log.keys[:3] == [b"p", b"q", b"p"]
    assert np.diff(log.timestamps_ms).tolist() == [500] * (N - 1)
    assert generate(made(), RecordConfig()).keys == []


@pytest.mark.parametrize(("unit", "per_ms"), [("ms", 1), ("s", 1000)])
def test_fields_that_the_configuration_reads_are_there(unit: Any, per_ms: int) -> None:
    record = RecordConfig(key_field="pump", timestamp_field="at", timestamp_unit=unit)
    log = generate(made(keys=("p",)), record)
    first = msgspec.json.decode(log.values[0] or b"")
    assert first["pump"] == "p"
    assert first["at"] * per_ms == log.timestamps_ms[0]
