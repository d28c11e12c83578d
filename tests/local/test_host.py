import json
from collections.abc import Callable, Iterable, Iterator

import pytest

from streamae.config import Duration, SourceConfig
from streamae.local.host import HostSource, Machine, Sample
from streamae.types import Poll, RecordBatch, TopicPartition

HOST = TopicPartition("host", 0)
WALL_S = 1_800_000_000.0


class Clock:
    """Time that passes only while someone sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.wall_offset = WALL_S - self.now

    def __call__(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now + self.wall_offset

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds


class Owner:
    """Seeks what it is assigned, as a worker does."""

    def __init__(self, offset: int | None = None, fallback: int | None = None) -> None:
        self.target = (offset, fallback)
        self.source: HostSource | None = None
        self.assigned: list[TopicPartition] = []
        self.position = -1

    def on_assign(self, partitions: Iterable[TopicPartition]) -> None:
        assert self.source is not None
        for partition in partitions:
            self.assigned.append(partition)
            self.position = self.source.seek(partition, *self.target)

    def on_revoke(self, partitions: Iterable[TopicPartition]) -> None: ...

    def on_lost(self, partitions: Iterable[TopicPartition]) -> None: ...


def samples(*counts: float) -> Callable[[], Sample]:
    each: Iterator[float] = iter(counts)
    return lambda: Sample({"reads_per_s": next(each)}, {"load": 0.5})


def source(clock: Clock, sample: Callable[[], Sample], owner: Owner, **keys: object) -> HostSource:
    config = SourceConfig(kind="host", interval=Duration(2), **keys)  # type: ignore[arg-type]
    made = HostSource(config, sample, clock.wall, clock, clock.sleep)
    owner.source = made
    made.start(owner)
    return made


def only(poll: Poll) -> RecordBatch:
    (batch,) = poll.batches
    assert len(batch) == 1
    assert batch.next_offset == batch.offsets[0] + 1
    return batch


def values(batch: RecordBatch) -> dict[str, float | None]:
    (value,) = batch.values
    assert value is not None
    return json.loads(value)  # type: ignore[no-any-return]


def test_rates() -> None:
    clock, owner = Clock(), Owner()
    host = source(clock, samples(10, 14, 20), owner)
    first, second = only(host.poll(5)), only(host.poll(5))
    assert values(first) == {"load": 0.5, "reads_per_s": 2}
    assert values(second) == {"load": 0.5, "reads_per_s": 3}
    assert first.partition == HOST
    assert owner.assigned == [HOST]
    assert first.timestamps_ms.tolist() == [(WALL_S + 2) * 1000]
    assert second.timestamps_ms.tolist() == [(WALL_S + 4) * 1000]


def test_poll_keeps_its_timeout() -> None:
    clock = Clock()
    host = source(clock, samples(0, 0), Owner())
    assert not host.poll(0.5).batches
    assert clock.now == 100.5
    assert not host.poll(0).batches
    assert only(host.poll(60)).timestamps_ms[0] == (WALL_S + 2) * 1000
    assert clock.now == 102


def test_missed_samples_are_left_out() -> None:
    clock = Clock()
    host = source(clock, samples(0, 70, 74), Owner())
    clock.sleep(7)
    assert values(only(host.poll(0)))["reads_per_s"] == 10
    assert not host.poll(1.5).batches
    assert values(only(host.poll(1)))["reads_per_s"] == 2
    assert clock.now == 109


def test_counter_that_went_backwards_is_missing() -> None:
    host = source(Clock(), samples(10, 4, 6), Owner())
    assert values(only(host.poll(2)))["reads_per_s"] is None
    assert values(only(host.poll(2)))["reads_per_s"] == 1


@pytest.mark.parametrize(
    ("offset", "fallback", "position"), [(None, None, 0), (7, None, 7), (7, 9, 9), (0, 0, 0)]
)
def test_offsets_count_on_behind_the_commit(
    offset: int | None, fallback: int | None, position: int
) -> None:
    owner = Owner(offset, fallback)
    host = source(Clock(), samples(0, 0, 0), owner)
    offsets = [only(host.poll(2)).offsets[0] for _ in range(2)]
    assert owner.position == position
    assert offsets == [position, position + 1]


def test_topic() -> None:
    owner = Owner()
    host = source(Clock(), samples(0, 0), owner, topic="server")
    assert only(host.poll(2)).partition == TopicPartition("server", 0)
    with pytest.raises(ValueError, match="host-0 is not a partition"):
        host.seek(HOST, 0)
    host.close()


def test_this_machine() -> None:
    before, after = Machine().sample(), Machine().sample()
    assert before.counters.keys() == after.counters.keys()
    assert after.counters["context_switches_per_s"] >= before.counters["context_switches_per_s"] > 0
    assert 0 < after.gauges["memory_used_percent"] < 100
    assert 0 <= after.gauges["filesystem_used_percent:/"] <= 100
    assert after.gauges["processes"] >= 1


@pytest.mark.slow
def test_cpu_percent_adds_up_to_the_machine() -> None:
    owner = Owner()
    host = HostSource(SourceConfig(kind="host", interval=Duration(1.5)))
    owner.source = host
    host.start(owner)
    record = values(only(host.poll(10)))
    cpu = [value for name, value in record.items() if name.startswith("cpu_")]
    assert 90 < sum(value or 0 for value in cpu) < 110
    assert all(isinstance(value, int | float) for value in record.values())
