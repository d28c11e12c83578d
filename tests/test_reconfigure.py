"""Another alerting configuration while the daemon runs: what it changes, and what it does not."""

import json
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import pytest

from streamae.config import AlertingConfig, Config, Duration
from streamae.config.document import read_plain
from streamae.local import MemoryLog, MemorySink, MemorySource
from streamae.pipeline import Pipeline
from streamae.types import Commit, Output
from tests import streams
from tests.streams import ONE_BY_ONE, PARTITION, config, keys, timestamps, values
from tests.test_worker import InterruptedRunError, settings, worker

N = 1500
SIZE = 64
LOG = MemoryLog(values(N, seed=10, bad_share=0.01), keys(N), timestamps(N))
OTHERS = [
    AlertingConfig(budget=0.05, quiet_records=5, critical_share=0.5),
    AlertingConfig(budget="2000 per day", quiet_records=40, cooldown=Duration(60)),
    AlertingConfig(budget=0.02, min_deviation=3.0, top_features=2, up_only=("a",)),
]


def alerting(other: AlertingConfig, of: Config | None = None) -> Config:
    return msgspec.structs.replace(of or config(), alerting=other)


def run(pipeline: Pipeline, end: int = N, size: int = N) -> list[Output]:
    return streams.run(pipeline, LOG, size, end)


def decoded(outputs: Sequence[Output], channel: str) -> list[dict[str, Any]]:
    return [json.loads(output.value or b"") for output in outputs if output.channel == channel]


def changes(outputs: Sequence[Output]) -> list[dict[str, Any]]:
    return [event for event in decoded(outputs, "alerts") if event["type"] == "configuration"]


def assert_replayable(outputs: Sequence[Output], state: bytes | None, last: Config) -> None:
    """One run that changes its configuration where `outputs` say so gives them and the state."""
    events = changes(outputs)
    first = read_plain(AlertingConfig, events[0]["before"]) if events else last.alerting
    pipeline = Pipeline(alerting(first, last), PARTITION, 0)
    again: list[Output] = []
    for event in events:
        again += run(pipeline, event["source"]["offset"])
        pipeline.reconfigure(alerting(read_plain(AlertingConfig, event["after"]), last))
    assert by_channel(again + run(pipeline)) == by_channel(outputs)
    assert pipeline.snapshot() == state


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("size", [ONE_BY_ONE, 7, 256])
def test_it_begins_at_the_next_block_under_any_poll_size(other: AlertingConfig, size: int) -> None:
    pipeline = Pipeline(config(), PARTITION, 0)
    outputs = run(pipeline, 1000, size)
    pipeline.reconfigure(alerting(other))
    outputs += run(pipeline, N, size)
    (change,) = changes(outputs)
    assert change["model"]["ordinal"] % SIZE == SIZE - 1
    assert 1000 <= change["source"]["offset"] < 1000 + SIZE + 5
    assert read_plain(AlertingConfig, change["before"]) == config().alerting
    assert read_plain(AlertingConfig, change["after"]) == other
    assert_replayable(outputs, pipeline.snapshot(), config())


def test_the_budget_changes_thresholds_from_there_on_and_nothing_else() -> None:
    plain, changed = Pipeline(config(), PARTITION, 0), Pipeline(config(), PARTITION, 0)
    before, after = run(plain, 1000), run(changed, 1000)
    changed.reconfigure(alerting(msgspec.structs.replace(config().alerting, budget=0.1)))
    before, after = before + run(plain), after + run(changed)
    begins = changes(after)[0]["source"]["offset"] + 1
    pairs = list(zip(decoded(before, "scores"), decoded(after, "scores"), strict=True))
    for one, other in pairs:
        same = one["source"]["offset"] < begins
        assert same <= (one == other)
        assert {**one, "anomaly": None} == {**other, "anomaly": None}
    flagged = [sum(score["anomaly"] for score in scores) for scores in zip(*pairs, strict=True)]
    assert flagged[1] > 2 * flagged[0]
    assert [e for e in decoded(before, "alerts") if e["source"]["offset"] < begins] == [
        e
        for e in decoded(after, "alerts")
        if e["source"]["offset"] < begins and e["type"] != "configuration"
    ]


def test_the_same_configuration_changes_nothing() -> None:
    pipeline = Pipeline(config(), PARTITION, 0)
    outputs = run(pipeline, 1000)
    pipeline.reconfigure(alerting(AlertingConfig(budget=0.01, quiet_records=20)))
    outputs += run(pipeline)
    assert_replayable(outputs, pipeline.snapshot(), config())
    assert not changes(outputs)


def test_a_rate_takes_over_from_a_share_without_a_pause() -> None:
    pipeline = Pipeline(config(budget=0.05), PARTITION, 0)
    run(pipeline, 1000)
    pipeline.reconfigure(config(budget="8640 per day"))
    run(pipeline, 1100)
    assert pipeline.alert_share == pytest.approx(0.1, rel=0.05)


class NthSink(MemorySink):
    """Dies behind its nth commit."""

    def __init__(self, before: MemorySink, n: int) -> None:
        super().__init__(before.outputs, before.partitions)
        self.left = n

    def commit(self, commit: Commit) -> bool:
        done = super().commit(commit)
        self.left -= 1
        if not self.left:
            raise InterruptedRunError
        return done


def run_reloading(source: MemorySource, sink: MemorySink, first: Config, second: Config) -> None:
    turns = iter(reloads(second))
    worker(source, sink, first).run(threading.Event(), lambda: next(turns))


def reloads(later: Config) -> Iterator[Config | None]:
    for _ in range(4):
        yield None
    yield later
    while True:
        yield None


def test_outputs_and_state_follow_from_the_log_and_the_changes_written() -> None:
    sink = MemorySink()
    for life in range(100):
        used = [alerting(OTHERS[(life + at) % 3], settings()) for at in range(2)]
        try:
            run_reloading(MemorySource({PARTITION: LOG}, 30 + life), NthSink(sink, 4), *used)
        except InterruptedRunError:
            continue
        break
    assert sink.partitions[PARTITION].offset == N
    assert len(changes(sink.outputs)) > 5
    assert_replayable(sink.outputs, sink.partitions[PARTITION].snapshot, used[1])


def by_channel(outputs: Sequence[Output]) -> dict[str, list[Output]]:
    found: dict[str, list[Output]] = {}
    for output in outputs:
        found.setdefault(output.channel, []).append(output)
    return found
