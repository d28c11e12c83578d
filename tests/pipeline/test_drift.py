"""A shift of level through the whole pipeline: one drift, however the log is read."""

import json
from typing import Any

import msgspec
import numpy as np
import pytest
from jsonschema import Draft202012Validator

from streamae.config import Config
from streamae.local import MemoryLog
from streamae.pipeline import Pipeline
from streamae.types import Output
from tests.schemas import schemas
from tests.streams import FEATURES, ONE_BY_ONE, PARTITION, config, keys, run, timestamps, vectors

N = 3000
AT = 2000
"""The 17th record of a block."""
MOVED = ("e", "b")
SIZE = 64


def shifting() -> Config:
    plain = config(scores=None)
    detector = msgspec.structs.replace(plain.detector, drift_records=4 * SIZE)
    return msgspec.structs.replace(plain, detector=detector)


@pytest.fixture(scope="module")
def log() -> MemoryLog:
    x = vectors(N)
    for name, size in zip(MOVED, (8.0, 5.0), strict=True):
        x[AT:, FEATURES.index(name)] += size * x[:, FEATURES.index(name)].std()
    values = [json.dumps(dict(zip(FEATURES, row, strict=True))).encode() for row in x.tolist()]
    return MemoryLog(values, keys(N), timestamps(N))


@pytest.fixture(scope="module")
def outputs(log: MemoryLog) -> list[Output]:
    return run(Pipeline(shifting(), PARTITION, 0), log, N)


def events(outputs: list[Output]) -> list[dict[str, Any]]:
    return [msgspec.json.decode(output.value or b"") for output in outputs]


def test_a_lasting_shift_is_one_drift_and_ends_its_episodes(outputs: list[Output]) -> None:
    found = events(outputs)
    (drift,) = [event for event in found if event["type"] == "drift"]
    assert drift["since"]["offset"] == AT // SIZE * SIZE
    assert drift["source"]["offset"] == (AT // SIZE + 4) * SIZE - 1
    assert drift["since_time"] == "2023-11-14T22:46:24.000Z"
    assert drift["n_records"] == 4 * SIZE
    assert [moved["feature"] for moved in drift["moved"]] == list(MOVED)
    x = vectors(N)
    for moved, size in zip(drift["moved"], (8.0, 5.0), strict=True):
        column = x[:, FEATURES.index(moved["feature"])].astype(np.float64)
        assert moved["before"] == pytest.approx(column.mean(), abs=0.3 * column.std())
        assert moved["after"] - moved["before"] == pytest.approx(size * column.std(), rel=0.1)
    ended = {event["episode_id"] for event in found if event.get("drift_id") == drift["alert_id"]}
    opened = {
        event["alert_id"]
        for event in found
        if event["type"] == "anomaly" and event["source"]["offset"] >= AT
    }
    assert ended
    assert ended <= opened
    assert len(opened - ended) < 20


def test_it_is_a_cloud_event_that_follows_its_schema(outputs: list[Output]) -> None:
    (output,) = [output for output in outputs if b'"type":"drift"' in (output.value or b"")]
    drift = msgspec.json.decode(output.value or b"")
    Draft202012Validator(schemas()["alert.v1.json"]).validate(drift)
    headers = dict(output.headers)
    assert headers["ce_type"] == b"io.streamae.drift.v1"
    assert headers["ce_id"].decode() == drift["alert_id"]
    assert (output.key, output.channel) == (None, "alerts")
    assert output.timestamp_ms == timestamps(N)[drift["source"]["offset"]]


@pytest.mark.parametrize("size", [ONE_BY_ONE, 7, 64, 1000])
def test_batches_do_not_matter(outputs: list[Output], log: MemoryLog, size: int) -> None:
    assert run(Pipeline(shifting(), PARTITION, 0), log, size) == outputs


@pytest.mark.slow
@pytest.mark.parametrize("at", [AT + 10, AT + 100, AT + 200, AT + 239, AT + 240, AT + 241])
def test_restarts_do_not_matter(outputs: list[Output], log: MemoryLog, at: int) -> None:
    first = Pipeline(shifting(), PARTITION, 0)
    before = run(first, log, 50, end=at)
    second = Pipeline.restored(shifting(), PARTITION, first.snapshot())
    run(second, log, 50, end=at)
    assert before + run(second, log, 50) == outputs
    again = Pipeline(shifting(), PARTITION, 0)
    run(again, log, N)
    assert second.snapshot() == again.snapshot()


def test_no_shift_no_drift() -> None:
    values = [
        json.dumps(dict(zip(FEATURES, row, strict=True))).encode() for row in vectors(N).tolist()
    ]
    pipeline = Pipeline(shifting(), PARTITION, 0)
    found = events(run(pipeline, MemoryLog(values, keys(N), timestamps(N)), N))
    assert {event["type"] for event in found} == {"anomaly", "recovered"}
    assert np.isfinite([event["threshold"] for event in found if "threshold" in event]).all()
