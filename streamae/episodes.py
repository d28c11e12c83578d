"""Episodes: the flagged records of one key that make one alert.

An episode opens with a flagged record. It is over when `quiet_records` records of the partition
went by without another one and its cooldown has passed: `cooldown_records` records, and `cooldown`
of event time, after its first. Nothing here depends on the clock or on how records were batched.

A first record whose clock was years ahead would silence its key for years: a flagged record of the
key from long before it ends that cooldown, too.
"""

from typing import Any, NamedTuple

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from streamae.config import AlertingConfig
from streamae.records import Head, Severity, Suppression
from streamae.types import NO_TIMESTAMP, Headers, Longs

SET_BACK_MS = 86_400_000
"""What is further behind is not late: the clock was ahead, and was set back."""


class Flagged(NamedTuple):
    """A record whose p-value is at most `alpha`."""

    ordinal: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    headers: Headers
    score: float
    p_value: float
    threshold: float
    alpha: float
    budget: float
    block: int
    head: Head | UnsetType = UNSET


class Episode(msgspec.Struct, array_like=True):
    """An open episode; part of the state."""

    episode_id: str
    first_ordinal: int
    last_ordinal: int
    last_offset: int
    last_timestamp_ms: int
    started_ms: int
    n_flagged: int
    n_suppressed: int
    """Of these, the ones that would have opened another episode but for the cooldown."""
    peak_score: float
    peak_p_value: float
    severity: Severity
    block: int
    cooled_at: int | None
    """Ordinal of the first record with which `cooldown` had passed; None before there is one."""


class Times(NamedTuple):
    """Event times of consecutive records."""

    last_ordinal: int
    timestamps_ms: Longs
    """[m], up to that of `last_ordinal`."""

    def reached(self, timestamp_ms: float, after: int) -> int | None:
        """Return the first ordinal beyond `after` with that event time or a later one."""
        first = self.last_ordinal + 1 - len(self.timestamps_ms)
        later = np.flatnonzero(self.timestamps_ms >= timestamp_ms) + first
        later = later[later > after]
        return int(later[0]) if later.size else None


class Episodes:
    """The open episodes of one partition, by key."""

    def __init__(self, config: AlertingConfig) -> None:
        # Ordered by last flagged ordinal, so those whose quiet is over are in front.
        self._open: dict[bytes | None, Episode] = {}
        self.configure(config)

    def configure(self, config: AlertingConfig) -> None:
        """Let open episodes and new ones last as `config` has it."""
        self._quiet = config.quiet_records
        self._cooldown_records = config.cooldown_records
        self._cooldown_ms = 1000 * config.cooldown

    def __len__(self) -> int:
        """Return how many are open."""
        return len(self._open)

    def state(self) -> list[tuple[bytes | None, Episode]]:
        """Return the open episodes as plain values, independent of later changes."""
        return [(key, msgspec.structs.replace(episode)) for key, episode in self._open.items()]

    def load_state(self, state: Any) -> None:
        """Continue from what `state` returned, possibly after a trip through JSON."""
        self._open = dict(msgspec.convert(state, list[tuple[bytes | None, Episode]]))

    def cool(self, times: Times) -> None:
        """Take in the event times of the next records, before those among them that are flagged."""
        if not self._cooldown_ms or not len(times.timestamps_ms):
            return
        latest = int(times.timestamps_ms.max())
        for episode in self._open.values():
            if episode.cooled_at is None and latest >= episode.started_ms + self._cooldown_ms:
                episode.cooled_at = self._cooled_at(
                    episode.first_ordinal, episode.started_ms, times
                )

    def open(self, episode_id: str, record: Flagged, severity: Severity, times: Times) -> None:
        """Open an episode with its first record, one of those of `times`."""
        self._open[record.key] = Episode(
            episode_id=episode_id,
            first_ordinal=record.ordinal,
            last_ordinal=record.ordinal,
            last_offset=record.offset,
            last_timestamp_ms=record.timestamp_ms,
            started_ms=record.timestamp_ms,
            n_flagged=1,
            n_suppressed=0,
            peak_score=record.score,
            peak_p_value=record.p_value,
            severity=severity,
            block=record.block,
            cooled_at=self._cooled_at(record.ordinal, record.timestamp_ms, times),
        )

    def extend(self, record: Flagged, severity: Severity) -> Suppression | None:
        """Add a record to its key's open episode and return what keeps that open; None if none is.

        It is the cooldown when the episode would have been over by now without it.
        """
        episode = self._open.pop(record.key, None)
        if episode is None:
            return None
        self._open[record.key] = episode
        late = record.ordinal > episode.last_ordinal + self._quiet
        episode.n_suppressed += late
        episode.last_ordinal = record.ordinal
        episode.last_offset = record.offset
        episode.last_timestamp_ms = record.timestamp_ms
        episode.n_flagged += 1
        episode.peak_score = max(episode.peak_score, record.score)
        episode.peak_p_value = min(episode.peak_p_value, record.p_value)
        if severity == "critical":
            episode.severity = severity
        earliest = episode.started_ms - max(self._cooldown_ms, SET_BACK_MS)
        if NO_TIMESTAMP < record.timestamp_ms < earliest:
            # Times of later records of the batch may be taken in already.
            cooled_at = record.ordinal if episode.cooled_at is None else episode.cooled_at
            episode.cooled_at = min(cooled_at, record.ordinal)
        return "cooldown" if late else "open_episode"

    def end(self, before: int) -> list[tuple[bytes | None, Episode]]:
        """End and return the episodes whose last record to wait for has an ordinal below `before`.

        They come in the order of these ordinals.
        """
        over: list[tuple[int, bytes | None]] = []
        for key, episode in self._open.items():
            quiet_at = episode.last_ordinal + self._quiet
            if quiet_at >= before:
                break
            # A cooldown that the configuration no longer has is over.
            cooled_at = episode.cooled_at if self._cooldown_ms else episode.first_ordinal
            if cooled_at is not None:
                last = max(quiet_at, cooled_at, episode.first_ordinal + self._cooldown_records)
                if last < before:
                    over.append((last, key))
        over.sort(key=lambda place: place[0])
        return [(key, self._open.pop(key)) for _, key in over]

    def end_since(self, ordinal: int) -> list[tuple[bytes | None, Episode]]:
        """End and return the episodes whose first record is `ordinal` or a later one."""
        keys = [key for key, episode in self._open.items() if episode.first_ordinal >= ordinal]
        return [(key, self._open.pop(key)) for key in keys]

    def _cooled_at(self, ordinal: int, started_ms: int, times: Times) -> int | None:
        if not self._cooldown_ms or started_ms == NO_TIMESTAMP:
            return ordinal
        return times.reached(started_ms + self._cooldown_ms, after=ordinal)
