"""A keyed input topic of several partitions, and all that one consumer group made of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any, NamedTuple, Self

import msgspec
from kafka import KafkaProducer
from kafka.errors import RetriableError

from streamae.kafka.sink import metadata
from streamae.kafka.state import Pointer
from tests.daemon import Daemon
from tests.kafka.cluster import Cluster, until
from tests.streams import keys, timestamps, values

CHANNELS = ("alerts", "scores", "dead_letters")
RESTART = 75
"""The exit code that asks the supervisor for a restart."""


class Message(NamedTuple):
    """What a reader of a topic sees of a record, its offset apart."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class Result:
    """What a group committed."""

    outputs: Mapping[tuple[str, int], Sequence[Message]]
    """By channel and partition, in the order of the log."""
    offsets: Mapping[int, int]
    """Next offset to read, by partition."""
    states: Mapping[int, bytes] = field(repr=False)
    """The snapshots the committed offsets point to."""

    def messages(self, channel: str) -> list[Message]:
        """Return the messages of a channel, partition by partition."""
        return [
            one for (name, _), log in sorted(self.outputs.items()) if name == channel for one in log
        ]


def mostly_good(n: int, seed: int) -> list[bytes]:
    return values(n, seed, bad_share=0.01)


class Stream:
    """An input topic of n records per partition, written bit by bit."""

    def __init__(
        self,
        cluster: Cluster,
        topic: str,
        n: int,
        partitions: int = 4,
        draw: Callable[[int, int], Sequence[bytes | None]] = mostly_good,
    ) -> None:
        """`draw` gives the values of a partition by their number and the partition's."""
        self.cluster = cluster
        self.topic = topic
        self.written = 0
        """Records written to each partition."""
        self.logs = [
            [
                Message(key, value, (("traceparent", b"00-%032x-%016x-01" % (at + 1, at + 1)),), ms)
                for at, (key, value, ms) in enumerate(
                    zip(keys(n), draw(n, seed), timestamps(n), strict=True)
                )
            ]
            for seed in range(partitions)
        ]
        cluster.create(topic, partitions=partitions)

    def write(self, n: int | None = None) -> None:
        """Append the next n records, or all that are left, to every partition."""
        start, self.written = self.written, len(self.logs[0]) if n is None else self.written + n
        producer = KafkaProducer(bootstrap_servers=self.cluster.bootstrap, linger_ms=5)
        for number, log in enumerate(self.logs):
            for record in log[start : self.written]:
                producer.send(
                    self.topic,
                    record.value,
                    record.key,
                    list(record.headers),
                    number,
                    record.timestamp_ms,
                )
        producer.flush()
        producer.close()

    @contextmanager
    def feeding(self, chunk: int = 50) -> Iterator[None]:
        """Write `chunk` records to every partition each tenth of a second; in the end the rest."""
        over = Event()
        feeder = Thread(target=self._feed, args=(chunk, over))
        feeder.start()
        try:
            yield
        finally:
            over.set()
            feeder.join()
        self.write()

    def _feed(self, chunk: int, over: Event) -> None:
        while self.written + chunk <= len(self.logs[0]) and not over.wait(0.1):
            self.write(chunk)


class Run:
    """One consumer group on a stream, with output topics and a state topic of its own."""

    def __init__(
        self,
        stream: Stream,
        directory: Path,
        name: str,
        sections: Mapping[str, Any] | None = None,
        *,
        topics: bool = True,
    ) -> None:
        """With `topics` they are made here."""
        self.group = f"{stream.topic}.{name}"
        self._stream = stream
        self._cluster = stream.cluster
        self._directory = directory / self.group
        self._sections = sections or {}
        self._n = len(stream.logs)
        self._daemons: list[Daemon] = []
        if topics:
            self._cluster.create(*map(self._topic, CHANNELS), partitions=self._n)
            self._cluster.create(self._topic("state"), partitions=self._n, compact=True)

    def daemon(self, instance: str = "a") -> Daemon:
        """Return a worker of the group, not yet started."""
        self._daemons.append(Daemon(self._directory, self._settings(instance), instance))
        return self._daemons[-1]

    def settings(self) -> Path:
        """Return the file of a configuration as the workers have it."""
        return self.daemon("looking").settings

    def offsets(self) -> dict[int, int]:
        """Return the committed offsets; partitions without one are left out."""
        return {one: committed.offset for one, committed in self._committed().items()}

    def done(self) -> bool:
        """Return whether everything written to the input is committed."""
        return self.offsets() == dict.fromkeys(range(self._n), self._stream.written)

    def complete(self, workers: Iterable[Daemon], timeout_s: float = 120.0) -> int:
        """Wait until everything is committed, then stop; return how often a worker was restarted.

        Workers that end with the code for a restart get one, as from any supervisor. The last
        snapshots are the states at the end, so detectors that are being restored are waited for,
        and so are partitions that are still those of a static member that was killed.
        """
        daemons = list(workers)
        restarts = 0

        def finished() -> bool:
            nonlocal restarts
            for daemon in daemons:
                if (code := daemon.exit_code) is not None:
                    assert code == RESTART, daemon.log.read_text()[-4000:]
                    daemon.start()
                    restarts += 1
            return self.done() and sum(daemon.n_restored for daemon in daemons) == self._n

        until(finished, timeout_s)
        for daemon in daemons:
            assert daemon.stop() == 0, daemon.log.read_text()[-4000:]
        return restarts

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for daemon in self._daemons:
            if daemon.alive:
                daemon.kill()

    def result(self) -> Result:
        """Return what readers of committed records see."""
        outputs: dict[tuple[str, int], list[Message]] = {
            (channel, number): [] for channel in CHANNELS for number in range(self._n)
        }
        topics = {channel: self._topic(channel) for channel in CHANNELS}
        until(lambda: all(map(self._cluster.settled, topics.values())))
        for channel, topic in topics.items():
            for record in self._cluster.read(topic):
                outputs[channel, record.partition].append(
                    Message(record.key, record.value, tuple(record.headers), record.timestamp)
                )
        return Result(outputs, self.offsets(), self._states())

    def n_discarded(self) -> int:
        """Return how many outputs were written in transactions that were taken back."""
        topics = [self._topic(channel) for channel in CHANNELS]
        levels = ("read_uncommitted", "read_committed")
        everything, seen = (
            sum(len(self._cluster.read(topic, level)) for topic in topics) for level in levels
        )
        return everything - seen

    def _topic(self, name: str) -> str:
        return f"{self.group}.{name}"

    def _committed(self) -> dict[int, Any]:
        try:
            found = self._cluster.admin.list_group_offsets([self.group])[self.group]
        except RetriableError:  # The coordinator of a new broker, or of one that is back.
            return {}
        return {one.partition: committed for one, committed in found.items()}

    def _states(self) -> dict[int, bytes]:
        """Follow the pointers of the committed offsets, with nothing but their text."""
        records = self._cluster.read(self._topic("state"))
        found = {(record.partition, record.offset): record for record in records}
        states = {}
        for number, committed in self._committed().items():
            pointer = msgspec.json.decode(metadata(committed), type=Pointer)
            owner = f"{self.group}/{self._stream.topic}/{number}/{pointer.slot}/".encode()
            parts = [
                found[pointer.partition, offset].value
                for offset in range(pointer.first, pointer.last + 1)
                if found[pointer.partition, offset].key.startswith(owner)
            ]
            states[number] = b"".join(parts)
            assert len(states[number]) == pointer.length
        return states

    def _settings(self, instance: str) -> dict[str, Any]:
        """Return small commits and snapshots, so that a fault falls into each of them."""
        base: dict[str, Any] = {
            "name": "shared",
            "source": {"kind": "kafka", "topics": [self._stream.topic]},
            "output": {channel: self._topic(channel) for channel in CHANNELS},
            "detector": {"block_size": 64, "warmup_records": 256},
            "alerting": {"budget": 0.01, "quiet_records": 20},
            "commit": {"interval": 0.05, "alert_interval": 0.01},
            "state": {"topic": self._topic("state"), "snapshot_interval": 0.2},
            "kafka": {
                "bootstrap_servers": [self._cluster.bootstrap],
                "group": self.group,
                "instance": instance,
                "session_timeout": 3,
                "transaction_timeout": 5,
            },
        }
        for section, keys_ in self._sections.items():
            base[section] = {**base.get(section, {}), **keys_} if isinstance(keys_, dict) else keys_
        return base


def undisturbed(stream: Stream, directory: Path) -> Result:
    """Return what one worker makes of everything written, with nothing in its way."""
    with Run(stream, directory, "undisturbed") as run:
        assert run.complete([run.daemon().start()]) == 0
        return run.result()


def assert_equal(found: Result, expected: Result) -> None:
    """Fail at the first message that differs: a comparison of everything would print everything."""
    assert found.offsets == expected.offsets
    for (channel, number), wanted in expected.outputs.items():
        log = found.outputs[channel, number]
        for at, (one, other) in enumerate(zip(log, wanted, strict=False)):
            assert one == other, (
                f"{channel}-{number}, message {at} of {len(log)}, {len(wanted)} expected:"
                f" {one} instead of {other}"
            )
        assert len(log) == len(wanted), f"{channel}-{number}"
    different = [
        number for number, state in expected.states.items() if found.states[number] != state
    ]
    assert not different, f"states of partitions {different}"
