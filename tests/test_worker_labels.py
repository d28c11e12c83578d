"""Labels under everything that happens to a worker; see `streamae.pipeline.labels`."""

import itertools
import threading
from collections.abc import Sequence

import msgspec
import pytest

from streamae.config import Config, LabelsConfig
from streamae.local import MemoryLabels, MemoryLog, MemorySink, MemorySource
from streamae.types import Poll, TopicPartition
from tests.labels import labels, replayed
from tests.streams import ONE_BY_ONE
from tests.test_worker import (
    PARTITIONS,
    DyingSink,
    InterruptedRunError,
    Moving,
    RefusingSink,
    assert_equal,
    by_partition,
    logs,
    settings,
    worker,
)

N = 900
"""Records of a log, which is not a whole number of blocks."""
PARTITION = PARTITIONS[0]
WRITTEN = labels(N, seed=10, partition=PARTITION, every=3)


def labelled() -> Config:
    return settings(labels=LabelsConfig(memory=200))


def run(source: MemorySource, sink: MemorySink, taken_from: MemoryLabels) -> MemorySink:
    worker(source, sink, labelled(), taken_from).run(threading.Event())
    return sink


@pytest.fixture(scope="module")
def undisturbed() -> MemorySink:
    return run(MemorySource(logs(2)), MemorySink(), MemoryLabels(WRITTEN))


class Live(MemorySource):
    """With each poll come some records and some labels."""

    def __init__(self, taken_from: MemoryLabels, size: int, n_partitions: int = 1) -> None:
        super().__init__(logs(n_partitions), size)
        self.taken_from = taken_from

    def poll(self, timeout_s: float) -> Poll:
        self.taken_from.values = WRITTEN[: len(self.taken_from.values) + 13]
        return super().poll(timeout_s)


def assert_replayable(sink: MemorySink, n_moments: int) -> None:
    """Compare with a run that takes labels when the scores say they were taken."""
    outputs = by_partition(sink)
    scores = [output.value for output in outputs[PARTITION, "scores"]]
    taken = [msgspec.json.decode(score or b"")["head"]["labels"] for score in scores]
    assert taken == sorted(taken)
    assert len(set(taken)) >= n_moments
    log = logs(1)[PARTITION].read(PARTITION, 0, N)
    again, found = replayed(labelled(), log, scores, WRITTEN)
    for channel in ("scores", "alerts", "dead_letters"):
        assert [o for o in found if o.channel == channel] == outputs[PARTITION, channel]
    assert again.snapshot() == sink.partitions[PARTITION].snapshot


@pytest.mark.parametrize("size", [ONE_BY_ONE, 7, 256])
def test_labels_written_first_are_merged_alike_under_any_poll_size(
    undisturbed: MemorySink, size: int
) -> None:
    assert_equal(run(MemorySource(logs(2), size), MemorySink(), MemoryLabels(WRITTEN)), undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("taken", [True, False])
def test_labels_written_first_are_merged_alike_after_restarts(
    undisturbed: MemorySink, taken: bool
) -> None:
    sink = MemorySink()
    for size in itertools.count(90):
        dying = DyingSink(sink, taken=taken)
        with pytest.raises(InterruptedRunError):
            run(MemorySource(logs(2), size), dying, MemoryLabels(WRITTEN))
        if not taken or {committed.offset for committed in sink.partitions.values()} == {N}:
            break
    assert_equal(run(MemorySource(logs(2)), sink, MemoryLabels(WRITTEN)), undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("event", ["revoke", "lost"])
def test_labels_written_first_are_merged_alike_after_a_rebalance(
    undisturbed: MemorySink, event: str
) -> None:
    moving = Moving(PARTITIONS[:2], event)
    assert_equal(run(moving, MemorySink(), MemoryLabels(WRITTEN)), undisturbed)


@pytest.mark.parametrize("event", ["revoke", "lost"])
def test_labels_of_partitions_that_go_are_released(event: str) -> None:
    released: list[TopicPartition] = []

    class Released(MemoryLabels):
        def release(self, partition: TopicPartition) -> None:
            released.append(partition)

    run(Moving(PARTITIONS[:2], event), MemorySink(), Released(WRITTEN))
    assert released == [PARTITIONS[1]]


@pytest.mark.parametrize("sizes", [(31,), (80, 100, 120, 140), (50, 200)])
def test_scores_tell_when_labels_were_taken_also_over_restarts(sizes: Sequence[int]) -> None:
    """Each run but the last dies with its first, third, ... commit, taken or not."""
    sink, taken_from = MemorySink(), MemoryLabels([])
    for at, size in enumerate(sizes[:-1]):
        with pytest.raises(InterruptedRunError):
            run(Live(taken_from, size), DyingSink(sink, taken=at % 2 == 0), taken_from)
    run(Live(taken_from, sizes[-1]), sink, taken_from)
    assert_replayable(sink, n_moments=5)


@pytest.mark.parametrize("refusals", [1, 4, 9])
def test_refused_commit_goes_out_with_the_labels_taken_meanwhile(refusals: int) -> None:
    taken_from, sink = MemoryLabels([]), RefusingSink()
    sink.refusals = refusals

    class StopAfterCommit(Live):
        """Ends the first worker as soon as something was committed."""

        def poll(self, timeout_s: float) -> Poll:
            if sink.partitions:
                raise InterruptedRunError
            return super().poll(timeout_s)

    with pytest.raises(InterruptedRunError):
        run(StopAfterCommit(taken_from, 40), sink, taken_from)
    run(Live(taken_from, 40), sink, taken_from)
    assert_replayable(sink, n_moments=5)


def test_another_labels_log_is_read_from_its_start(caplog: pytest.LogCaptureFixture) -> None:
    """The same one is read on."""
    sink = MemorySink()

    def taken(source: str, n_labels: int, end: int) -> tuple[int, list[str]]:
        """Run to `end`; return how many labels the last score knows, and what was warned of."""
        caplog.clear()
        log = MemoryLog(logs(1)[PARTITION].values[:end])
        used = settings(labels=LabelsConfig(source=source))
        before = MemorySource({PARTITION: log})
        worker(before, sink, used, MemoryLabels(WRITTEN[:n_labels])).run(threading.Event())
        scores = [output.value for output in sink.outputs if output.channel == "scores"]
        known = msgspec.json.decode(scores[-1] or b"")["head"]["labels"]
        return known, [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]

    assert taken("a", 60, 300)[0] == 60
    known, warned = taken("b", 30, 600)
    assert known == 30
    assert any("labels.source" in line for line in warned)
    known, warned = taken("b", 40, 900)
    assert known == 40
    assert not any("labels.source" in line for line in warned)
