"""What a replay found out about one range of a partition."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from streamae import detector
from streamae.config import Config
from streamae.errors import ConfigError
from streamae.ranges import Bound, offset_of, partitions
from streamae.records import Alert, Event
from streamae.replay.against import Change, compare_alerts
from streamae.replay.compare import Comparison, channels, compare
from streamae.replay.playback import Begun, Playback, beginning_unknown, oldest_offset
from streamae.types import Archive, Channel, LabelLog, TopicPartition


class Range(NamedTuple):
    """Records of one partition."""

    partition: TopicPartition
    start: int
    end: int
    """Behind the last one."""


class Report(msgspec.Struct, frozen=True):
    """What became of one range."""

    partition: str
    start: int
    end: int
    begun: Begun
    notes: list[str]
    alerts: list[Alert]
    comparison: Mapping[Channel, Comparison] | None = None
    """With `--compare`."""
    changes: list[Change] | None = None
    """With `--against`."""

    @property
    def differs(self) -> bool:
        """Whether something that was committed is not what the log gives."""
        return any(one.difference is not None for one in (self.comparison or {}).values())


class Replay:
    """Recomputes ranges; its progress may be asked for from another thread."""

    def __init__(
        self,
        archive: Archive,
        config: Config,
        labels: LabelLog | None = None,
        *,
        from_scratch: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        detector.set_threads(config.detector.threads)  # Bits depend on it.
        self._archive = archive
        self._config = config
        self._labels = labels
        self._from_scratch = from_scratch
        self._clock = clock
        self._started = clock()
        self._n_before = 0
        self._playback: Playback | None = None
        self._end = 0

    def report(self, one: Range) -> Report:
        """Return the alerts of a range."""
        playback = self._play(self._config, one)
        return self._made(one, playback, _events(playback, one))

    def compare(self, one: Range) -> Report:
        """Return how the outputs that were committed compare with those of the log."""
        playback = self._play(self._config, one)
        start, end = one.start, one.end
        found = compare(self._archive, playback, start, end, channels(self._config.output))
        return self._made(one, playback, comparison=found)

    def compare_with(self, other: Config, one: Range) -> Report:
        """Return which alerts another configuration would have raised."""
        playback = self._play(self._config, one)
        then = _events(playback, one)
        varied = self._play(other, one, varied=True)
        changes = list(compare_alerts(then, _events(varied, one)))
        playback.notes += [note for note in varied.notes if note not in playback.notes]
        return self._made(one, playback, then, changes=changes)

    def status(self) -> Mapping[str, Any]:
        """Return what a progress bar shows."""
        playback = self._playback
        done = playback.pipeline.position - playback.begun.offset if playback else 0
        n_records = self._n_before + done
        return {
            "records": n_records,
            "lag": self._end - playback.pipeline.position if playback else 0,
            "records_per_second": n_records / max(self._clock() - self._started, 1e-3),
            "alerts": playback.n_alerts if playback else 0,
            "warmup": playback.pipeline.warmup_progress if playback else 1.0,
        }

    def _play(self, config: Config, one: Range, *, varied: bool = False) -> Playback:
        if self._playback is not None:
            self._n_before += self._playback.pipeline.position - self._playback.begun.offset
        self._end = one.end
        self._playback = Playback(
            self._archive,
            config,
            (one.partition, one.start),
            self._labels,
            from_scratch=self._from_scratch,
            varied=varied,
        )
        return self._playback

    def _made(
        self,
        one: Range,
        playback: Playback,
        events: Sequence[Event] = (),
        comparison: Mapping[Channel, Comparison] | None = None,
        changes: list[Change] | None = None,
    ) -> Report:
        empty = ["the range holds no record"] if one.start == one.end else []
        return Report(
            str(one.partition),
            one.start,
            one.end,
            playback.begun,
            playback.notes + empty,
            [event for event in events if isinstance(event, Alert)],
            comparison,
            changes,
        )


def ranges(
    archive: Archive,
    config: Config,
    bounds: tuple[Bound, Bound],
    number: int | None,
    *,
    committed: bool,
) -> list[Range]:
    """Return the range of every partition, or of those of a number.

    `bounds` are its two ends. By default it begins where the model did, or where the first snapshot
    left can take over, and ends where the group has come to. With `committed` it must not go
    beyond. Raise `ConfigError` where a partition has no such records.
    """
    return [
        _range(archive, config, one, bounds, committed=committed)
        for one in partitions(archive, number)
    ]


def _range(
    archive: Archive,
    config: Config,
    partition: TopicPartition,
    bounds: tuple[Bound, Bound],
    *,
    committed: bool,
) -> Range:
    edges, point = archive.bounds(partition), archive.committed(partition)
    if committed and point is None:
        raise ConfigError(f"{partition}: nothing was committed that could be compared")
    last = edges.end if point is None else min(point.offset, edges.end)
    first = edges.first
    start, end = (offset_of(archive, partition, one) for one in bounds)
    if start is None and beginning_unknown(archive, config, partition):
        first = max(first, oldest_offset(archive, partition) or 0)
    begin = first if start is None else start
    stop = last if end is None else end
    if not edges.first <= begin <= stop <= edges.end:
        raise ConfigError(
            f"{partition} has records from offset {edges.first} to before {edges.end}:"
            f" {begin} to {stop} is no range of them"
        )
    if committed and stop > last:
        raise ConfigError(f"{partition}: outputs are committed up to offset {last}, not to {stop}")
    return Range(partition, begin, stop)


def _events(playback: Playback, one: Range) -> list[Event]:
    playback.skip(one.start)
    return [event for done in playback.run(one.end) for event in done.alerts]
