import itertools
import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from streamae.config import (
    CommitConfig,
    Config,
    DeadLetterConfig,
    Duration,
    SourceConfig,
    StateConfig,
)
from streamae.errors import DeadLetterLimitError, TemporaryError
from streamae.local import MemoryLog, MemorySink, MemorySource
from streamae.metrics import Metrics, Status
from streamae.observer import Observer
from streamae.types import Channel, Commit, Committed, LabelLog, Output, TopicPartition
from streamae.watchdog import Watchdog
from streamae.worker import Worker
from tests.streams import ONE_BY_ONE, config, keys, timestamps, values

N = 900
PARTITIONS = [TopicPartition("vectors", number) for number in range(4)]


class Clock:
    """Time that passes a little with every look at it."""

    def __init__(self, step_s: float = 0.01) -> None:
        self.now, self.step_s = 0.0, step_s

    def __call__(self) -> float:
        self.now += self.step_s
        return self.now


class InterruptedRunError(Exception):
    """Stands for a kill: nothing after it runs."""


class DyingSink(MemorySink):
    """Dies once it has taken its first commit, or just before."""

    def __init__(self, before: MemorySink, *, taken: bool) -> None:
        super().__init__(before.outputs, before.partitions)
        self.taken = taken

    def commit(self, commit: Commit) -> bool:
        if self.taken:
            super().commit(commit)
        raise InterruptedRunError


class RefusingSink(MemorySink):
    """Refuses so many commits before it takes one."""

    refusals = 0

    def commit(self, commit: Commit) -> bool:
        self.refusals -= 1
        return self.refusals < 0 and super().commit(commit)


class NotingSink(MemorySink):
    """Notes the offset of each commit of the first partition."""

    def __init__(self) -> None:
        super().__init__()
        self.offsets: list[int] = []

    def commit(self, commit: Commit) -> bool:
        self.offsets.append(commit.offsets[PARTITIONS[0]])
        return super().commit(commit)


def logs(n_partitions: int = 1) -> dict[TopicPartition, MemoryLog]:
    return {
        tp: MemoryLog(values(N, seed=10 + tp.partition, bad_share=0.01), keys(N), timestamps(N))
        for tp in PARTITIONS[:n_partitions]
    }


def settings(**sections: object) -> Config:
    quick = StateConfig(snapshot_interval=Duration(0.2))
    often = CommitConfig(interval=Duration(0.05), alert_interval=Duration(0.01))
    return msgspec.structs.replace(config(), state=quick, commit=often, **sections)


def worker(
    source: MemorySource,
    sink: MemorySink,
    used: Config | None = None,
    labels: LabelLog | None = None,
) -> Worker:
    metrics = Metrics(CollectorRegistry())
    watchdog = Watchdog(60)
    observer = Observer(metrics, Status(metrics), watchdog, now=lambda: 1_700_000_100.0)
    return Worker(used or settings(), source, sink, observer, Clock(), labels)


def run(source: MemorySource, sink: MemorySink, used: Config | None = None) -> MemorySink:
    worker(source, sink, used).run(threading.Event())
    return sink


def by_partition(sink: MemorySink) -> dict[tuple[TopicPartition, Channel], list[Output]]:
    outputs = defaultdict(list)
    for output in sink.outputs:
        outputs[output.source, output.channel].append(output)
    return dict(outputs)


def assert_equal(found: MemorySink, expected: MemorySink) -> None:
    assert by_partition(found) == by_partition(expected)
    assert found.partitions == expected.partitions


@pytest.fixture(scope="module")
def undisturbed() -> MemorySink:
    return run(MemorySource(logs(2)), MemorySink())


@pytest.mark.parametrize("size", [ONE_BY_ONE, 7, 256])
def test_result_does_not_depend_on_poll_sizes(undisturbed: MemorySink, size: int) -> None:
    assert_equal(run(MemorySource(logs(2), size), MemorySink()), undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("taken", [True, False])
def test_result_does_not_depend_on_restarts(undisturbed: MemorySink, taken: bool) -> None:
    sink = MemorySink()
    for size in itertools.count(40):
        if {committed.offset for committed in sink.partitions.values()} == {N}:
            break
        with pytest.raises(InterruptedRunError):
            run(MemorySource(logs(2), size), DyingSink(sink, taken=taken))
        if not taken:
            stop_after(sink, size, n_polls=3)
    run(MemorySource(logs(2)), sink)
    assert_equal(sink, undisturbed)


def stop_after(sink: MemorySink, size: int, n_polls: int) -> None:
    stopped = threading.Event()

    class Stopping(MemorySource):
        left = n_polls

        def poll(self, timeout_s: float) -> object:  # type: ignore[override]
            self.left -= 1
            if not self.left:
                stopped.set()
            return super().poll(timeout_s)

    worker(Stopping(logs(2), size), sink).run(stopped)


@pytest.mark.slow
def test_two_workers_give_what_one_gives() -> None:
    one = run(MemorySource(logs(4)), MemorySink())
    shared = MemorySink()
    for mine in (PARTITIONS[:1], PARTITIONS[1:4]):
        run(MemorySource({tp: logs(4)[tp] for tp in mine}, 33), shared)
    assert_equal(shared, one)


class Moving(MemorySource):
    """Takes a partition away and gives it back, in the middle of the log."""

    def __init__(self, owned: Sequence[TopicPartition], event: str) -> None:
        super().__init__({tp: logs(2)[tp] for tp in owned}, 50)
        self.event, self.polls = event, 0

    def poll(self, timeout_s: float) -> object:  # type: ignore[override]
        self.polls += 1
        if self.polls == 9:
            moved: Iterable[TopicPartition] = PARTITIONS[1:2]
            assert self._listener is not None
            getattr(self._listener, f"on_{self.event}")(moved)
            self._listener.on_assign(moved)
        return super().poll(timeout_s)


@pytest.mark.parametrize("event", ["revoke", "lost"])
def test_partition_that_moves_continues_where_it_was(undisturbed: MemorySink, event: str) -> None:
    assert_equal(run(Moving(PARTITIONS[:2], event), MemorySink()), undisturbed)


def test_refused_commit_is_sent_again_unchanged(undisturbed: MemorySink) -> None:
    sink = RefusingSink()
    sink.refusals = 5
    assert_equal(run(MemorySource(logs(2), 50), sink), undisturbed)


@pytest.mark.parametrize(("max_poll_records", "early"), [(200, False), (5000, True)])
def test_alert_hurries_a_commit_unless_records_wait(max_poll_records: int, early: bool) -> None:
    used = msgspec.structs.replace(
        settings(),
        source=SourceConfig(max_poll_records=max_poll_records),
        commit=CommitConfig(interval=Duration(3600), alert_interval=Duration(0.01)),
    )
    sink = NotingSink()
    run(MemorySource(logs(1), poll_size=50), sink, used)
    first, second, *_ = sink.offsets
    assert first == 50  # The start of a new partition is committed at once.
    assert (second <= N - 200) == early


def test_endless_refusals_end_the_work() -> None:
    sink = RefusingSink()
    sink.refusals = 10**9
    with pytest.raises(TemporaryError, match="refused"):
        run(MemorySource(logs(1)), sink, settings(watchdog_timeout=Duration(0.1)))


def test_limit_stops_behind_the_committed_dead_letters_and_again_after_a_restart() -> None:
    broken = MemoryLog([*values(100), *[b"?"] * 50])
    used = settings(dead_letters=DeadLetterConfig(max_consecutive=10))
    sink = MemorySink()
    for n_letters in (10, 11):
        with pytest.raises(DeadLetterLimitError, match="max_consecutive"):
            run(MemorySource({PARTITIONS[0]: broken}), sink, used)
        assert len(by_partition(sink)[PARTITIONS[0], "dead_letters"]) == n_letters
        assert sink.partitions[PARTITIONS[0]].offset == 100 + n_letters


def test_log_cut_behind_the_block_keeps_the_model_and_says_so() -> None:
    full = logs(1)[PARTITIONS[0]]
    first = MemoryLog(full.values[:700], full.keys[:700], full.timestamps_ms[:700])
    sink = run(MemorySource({PARTITIONS[0]: first}), MemorySink())
    cut = MemoryLog(full.values[720:], full.keys[720:], full.timestamps_ms[720:], start=720)
    later = worker(MemorySource({PARTITIONS[0]: cut}), sink)
    later.run(threading.Event())
    offsets = [
        msgspec.json.decode(output.value)["source"]["offset"]
        for output in by_partition(sink)[PARTITIONS[0], "scores"]
    ]
    assert offsets == sorted(set(offsets))
    assert max(offsets) >= 890
    assert sink.partitions[PARTITIONS[0]].offset == 900


def test_first_commit_pins_the_start_of_the_log() -> None:
    sink = run(MemorySource({PARTITIONS[0]: MemoryLog([b"?"], start=42)}), MemorySink())
    committed = sink.partitions[PARTITIONS[0]]
    assert committed.offset == 43
    assert committed.snapshot is not None


def test_start_of_a_new_partition_is_committed_at_once() -> None:
    slow = CommitConfig(interval=Duration(1000), alert_interval=Duration(1000))
    patient = msgspec.structs.replace(settings(), commit=slow)
    sink = DyingSink(MemorySink(), taken=True)
    with pytest.raises(InterruptedRunError):
        run(MemorySource(logs(1), 10), sink, patient)
    assert sink.partitions[PARTITIONS[0]].offset == 10


def test_readiness_names_what_is_missing() -> None:
    idle = worker(MemorySource(logs(1)), MemorySink())
    assert idle.unready == ["no partition assigned"]
    idle.run(threading.Event())
    assert idle.unready == []


def test_restoring_many_partitions_is_no_hang() -> None:
    clock, turned = Clock(), []

    class SlowSink(MemorySink):
        """Takes most of the watchdog's patience to find what was committed."""

        def committed(self, partition: TopicPartition) -> Committed | None:
            clock.now += 40.0
            assert watchdog.hang() is None
            return super().committed(partition)

    metrics, watchdog = Metrics(CollectorRegistry()), Watchdog(60, clock)
    observer = Observer(metrics, Status(metrics), watchdog, clock, lambda: turned.append(clock.now))
    one = Worker(settings(), MemorySource(logs(4)), SlowSink(), observer, clock)
    one.on_assign(PARTITIONS)
    assert len(turned) == len(PARTITIONS)  # Signs of life for systemd, too.
