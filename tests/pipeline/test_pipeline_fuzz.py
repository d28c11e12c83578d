"""100,000 values, good, odd and broken, through everything a partition has."""

import json
from collections.abc import Sequence

import msgspec
import numpy as np
import pytest

from streamae import snapshot
from streamae.config import RecordConfig
from streamae.dead_letters import ERROR_HEADER
from streamae.decode import Reason
from streamae.pipeline import Pipeline
from streamae.types import UNREADABLE, Output, RecordBatch
from tests.decode.test_fuzz import FEATURES, N_VALUES, Drawn, stream
from tests.streams import PARTITION, config, keys, timestamps

SETTINGS = msgspec.structs.replace(
    config(), record=RecordConfig(features=FEATURES, max_bytes=65_536)
)


def run(drawn: Sequence[Drawn], rows: Sequence[int]) -> tuple[dict[str, list[Output]], Pipeline]:
    """Process the chosen rows of `drawn` as a log; return its outputs by channel."""
    own_keys, times = keys(len(drawn)), timestamps(len(drawn))
    log = RecordBatch(
        partition=PARTITION,
        offsets=np.arange(len(rows)),
        timestamps_ms=np.array([times[row] for row in rows]),
        keys=[own_keys[row] for row in rows],
        values=[drawn[row].value for row in rows],
        headers=[drawn[row].headers for row in rows],
        next_offset=len(rows),
    )
    pipeline, size = Pipeline(SETTINGS, PARTITION, 0), np.random.default_rng(len(rows))
    outputs: dict[str, list[Output]] = {"scores": [], "alerts": [], "dead_letters": []}
    while pipeline.position < len(rows):
        batch = log.tail(pipeline.position).head(int(size.integers(1, 2000)))
        for output in pipeline.process(batch).outputs:
            outputs[output.channel].append(output)
    return outputs, pipeline


def offset_of(letter: Output) -> int:
    return int(dict(letter.headers)[ERROR_HEADER + "offset"])


def anywhere(outputs: Sequence[Output]) -> list[tuple[object, ...]]:
    """Return what outputs say apart from where in the log the record stood."""
    said = []
    for output in outputs:
        body = json.loads(output.value or b"")
        for name in ("source", "alert_id", "episode_id"):
            body.pop(name, None)
        said.append((output.key, output.timestamp_ms, body))
    return said


@pytest.mark.slow
def test_rejected_records_leave_no_trace_but_their_dead_letters() -> None:
    drawn = list(stream(seed=30, n=N_VALUES))
    outputs, pipeline = run(drawn, range(N_VALUES))
    letters = {offset_of(letter): letter for letter in outputs["dead_letters"]}
    scored = [json.loads(one.value or b"")["source"]["offset"] for one in outputs["scores"]]

    assert sorted([*letters, *scored]) == list(range(N_VALUES))
    assert len(letters) == len(outputs["dead_letters"])
    reasons = {reason.value for reason in Reason}
    for offset, letter in letters.items():
        assert drawn[offset].row is None
        assert letter.value == drawn[offset].value
        known = () if drawn[offset].headers is UNREADABLE else tuple(drawn[offset].headers)
        kept = len(letter.headers) - sum(
            name.startswith(ERROR_HEADER) for name, _ in letter.headers
        )
        assert tuple(letter.headers)[:kept] == known
        assert dict(letter.headers)[ERROR_HEADER + "reason"].decode() in reasons

    alone, undisturbed = run(drawn, scored)
    assert not alone["dead_letters"]
    for channel in ("scores", "alerts"):
        assert anywhere(alone[channel]) == anywhere(outputs[channel])
    assert outputs["alerts"]
    states = [snapshot.decode(one.snapshot())[1] for one in (pipeline, undisturbed)]
    assert states[0].keys() == states[1].keys()
    assert all(np.array_equal(states[0][name], states[1][name]) for name in states[0])
