"""What scores carry on request."""

from typing import Any

import msgspec
import numpy as np
import pytest
from jsonschema import Draft202012Validator

from streamae.local import MemoryLog
from streamae.pipeline import Pipeline
from streamae.types import Output
from tests.schemas import schemas
from tests.streams import FEATURES, PARTITION, config, keys, timestamps, values, vectors

N = 640
BLOCK = 64
EMIT = ("codes", "reconstruction")


def log() -> MemoryLog:
    return MemoryLog(values(N), keys(N), timestamps(N))


def scores(size: int = N, **output: Any) -> tuple[list[Output], list[dict[str, Any]]]:
    """Return the score messages, and what they hold."""
    pipeline, records = Pipeline(config(**output), PARTITION, 0), log()
    written: list[Output] = []
    while pipeline.position < N:
        limit = min(size, N - pipeline.position)
        written += pipeline.process(records.read(PARTITION, pipeline.position, limit)).outputs
    written = [output for output in written if output.channel == "scores"]
    return written, [msgspec.json.decode(output.value or b"") for output in written]


@pytest.mark.parametrize(
    ("scores_per", "schema"), [("record", "score.v1.json"), ("block", "score-block.v1.json")]
)
def test_emitted_messages_follow_their_schema(scores_per: str, schema: str) -> None:
    _, messages = scores(scores_per=scores_per, emit=EMIT)
    validator = Draft202012Validator(schemas()[schema])
    for message in messages:
        validator.validate(message)


@pytest.mark.parametrize("size", [1, 50])
@pytest.mark.parametrize("scores_per", ["record", "block"])
def test_what_is_emitted_does_not_depend_on_batching(size: int, scores_per: str) -> None:
    whole, _ = scores(scores_per=scores_per, emit=EMIT)
    pieces, _ = scores(size, scores_per=scores_per, emit=EMIT)
    assert pieces == whole


def test_nothing_is_emitted_unasked() -> None:
    _, plain = scores()
    _, codes = scores(emit=("codes",))
    _, blocks = scores(scores_per="block", emit=("reconstruction",))
    assert not any({"code", "reconstruction"} & message.keys() for message in plain)
    assert all("code" in message and "reconstruction" not in message for message in codes)
    assert all("reconstructions" in message and "codes" not in message for message in blocks)
    assert [{**message, "code": None} for message in plain] == [
        {**message, "code": None} for message in codes
    ]


def test_blocks_and_records_carry_the_same() -> None:
    _, records = scores(emit=EMIT)
    _, blocks = scores(scores_per="block", emit=EMIT)
    assert all(blocks[0][name] is None for name in ("codes", "reconstructions"))
    assert all(record["code"] is None for record in records[:BLOCK])
    for name, names in (("code", "codes"), ("reconstruction", "reconstructions")):
        emitted = [value for block in blocks[1:] for value in block[names]]
        assert [record[name] for record in records[BLOCK:]] == emitted
    assert {len(record["code"]) for record in records[BLOCK:]} == {32}


def test_the_reconstruction_fills_in_what_is_missing() -> None:
    """Two factors make six features, so five of them tell the sixth."""
    _, messages = scores(emit=("reconstruction",))
    truth, missing = vectors(N), np.zeros((N, len(FEATURES)), bool)
    for row, value in enumerate(values(N)):
        missing[row] = [number is None for number in msgspec.json.decode(value).values()]
    assert all(tuple(message["reconstruction"]) == FEATURES for message in messages[BLOCK:])
    rows = np.array([at for at in range(N // 2, N) if not messages[at]["anomaly"]])
    recons = np.array([list(messages[at]["reconstruction"].values()) for at in rows])
    error = (recons - truth[rows])[missing[rows]]
    assert len(error) > 5
    assert np.abs(error).mean() < 0.5 * np.abs(truth[rows][missing[rows]]).mean()


def test_codes_are_those_of_the_detector() -> None:
    pipeline = Pipeline(config(emit=("codes",)), PARTITION, 0)
    records = log()
    pipeline.process(records.read(PARTITION, 0, 3 * BLOCK))
    done = pipeline.process(records.read(PARTITION, 3 * BLOCK, 10))
    online, last = pipeline.online, done.last
    assert online is not None
    assert last is not None
    codes = online.detector.codes(last)
    written = [msgspec.json.decode(o.value or b"") for o in done.outputs if o.channel == "scores"]
    np.testing.assert_allclose(
        [message["code"] for message in written], codes, rtol=1e-5, atol=1e-5
    )
