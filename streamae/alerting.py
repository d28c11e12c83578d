"""From scores to alerts: budget, episodes, severity, deterministic ids.

An episode of a key opens with its first flagged record, which is the alert, and ends when
`quiet_records` records of the partition went by without another one; its end is a record of its
own. Nothing here depends on the clock or on how records were batched.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from streamae import __version__
from streamae.config import AlertingConfig
from streamae.records import (
    ANOMALY,
    RECOVERED,
    Alert,
    Head,
    Model,
    Position,
    Reasons,
    Recovered,
    Severity,
    iso_time,
    significant,
    text,
)
from streamae.types import Headers, Output, TopicPartition

PASSED_ON = ("traceparent", "tracestate")
"""Headers of the input record that its alert carries on (W3C Trace Context)."""


class Episode(msgspec.Struct, array_like=True):
    """An open episode; part of the state."""

    episode_id: str
    first_ordinal: int
    last_ordinal: int
    last_offset: int
    last_timestamp_ms: int
    started_ms: int
    n_flagged: int
    peak_score: float
    peak_p_value: float
    severity: Severity
    block: int


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


Explain = Callable[[Flagged], Reasons]


class Alerter:
    """Open episodes of one partition."""

    def __init__(self, name: str, config: AlertingConfig, partition: TopicPartition) -> None:
        self._name = name
        self._config = config
        self._partition = partition
        # Ordered by last flagged ordinal, so ended episodes are always in front.
        self._open: dict[bytes | None, Episode] = {}

    def state(self) -> list[tuple[bytes | None, Episode]]:
        """Return the open episodes as plain values, independent of later changes."""
        return [(key, msgspec.structs.replace(episode)) for key, episode in self._open.items()]

    def load_state(self, state: Any) -> None:
        """Continue from what `state` returned, possibly after a trip through JSON."""
        pairs = msgspec.convert(state, list[tuple[bytes | None, Episode]])
        self._open = dict(pairs)

    def process(
        self, flagged: Sequence[Flagged], last_ordinal: int, explain: Explain
    ) -> Iterator[tuple[Alert | Recovered, Output]]:
        """Yield what the records up to `last_ordinal` cause, in log order.

        `flagged` are the flagged ones among them, ascending.
        """
        for record in flagged:
            yield from self._ended(before=record.ordinal)
            episode = self._open.pop(record.key, None)
            if episode is None:
                alert, output = self._alert(record, explain)
                yield alert, output
                self._open[record.key] = _opened(alert, record)
            else:
                self._extend(episode, record)
                self._open[record.key] = episode
        yield from self._ended(before=last_ordinal + 1)

    def severity(self, p_value: float, budget: float) -> Severity:
        """Return `critical` for the rarest part of what the budget flags."""
        return "critical" if p_value <= budget * self._config.critical_share else "warning"

    def _extend(self, episode: Episode, record: Flagged) -> None:
        episode.last_ordinal = record.ordinal
        episode.last_offset = record.offset
        episode.last_timestamp_ms = record.timestamp_ms
        episode.n_flagged += 1
        episode.peak_score = max(episode.peak_score, record.score)
        episode.peak_p_value = min(episode.peak_p_value, record.p_value)
        if self.severity(record.p_value, record.budget) == "critical":
            episode.severity = "critical"

    def _ended(self, before: int) -> Iterator[tuple[Recovered, Output]]:
        """End the episodes whose last quiet record has an ordinal below `before`."""
        quiet = self._config.quiet_records
        while self._open:
            key = next(iter(self._open))
            if self._open[key].last_ordinal + quiet >= before:
                return
            yield self._recovered(key, self._open.pop(key))

    def _alert(self, record: Flagged, explain: Explain) -> tuple[Alert, Output]:
        reasons = explain(record)
        alert_id = self._id(ANOMALY, record.offset)
        alert = Alert(
            alert_id=alert_id,
            detector=self._name,
            key=text(record.key),
            event_time=iso_time(record.timestamp_ms),
            source=Position(*self._partition, record.offset),
            score=significant(record.score),
            p_value=significant(record.p_value),
            threshold=significant(record.threshold),
            alpha=significant(record.alpha),
            budget=significant(record.budget),
            severity=self.severity(record.p_value, record.budget),
            episode_id=alert_id,
            attribution=reasons.attribution,
            missing=reasons.missing,
            counterfactual=reasons.counterfactual,
            head=record.head,
            model=Model(__version__, record.ordinal, record.block),
        )
        passed_on = [header for header in record.headers if header[0] in PASSED_ON]
        return alert, self._output(alert, record.key, record.timestamp_ms, passed_on)

    def _recovered(self, key: bytes | None, episode: Episode) -> tuple[Recovered, Output]:
        recovered = Recovered(
            alert_id=self._id(RECOVERED, episode.last_offset),
            detector=self._name,
            key=text(key),
            event_time=iso_time(episode.last_timestamp_ms),
            source=Position(*self._partition, episode.last_offset),
            episode_id=episode.episode_id,
            severity=episode.severity,
            n_flagged=episode.n_flagged,
            n_records=episode.last_ordinal - episode.first_ordinal + 1,
            peak_score=significant(episode.peak_score),
            peak_p_value=significant(episode.peak_p_value),
            started_at=iso_time(episode.started_ms),
            model=Model(__version__, episode.last_ordinal, episode.block),
        )
        return recovered, self._output(recovered, key, episode.last_timestamp_ms, [])

    def _output(
        self, alert: Alert | Recovered, key: bytes | None, timestamp_ms: int, extra: Headers
    ) -> Output:
        """Wrap an alert as a CloudEvent, Kafka protocol binding 1.0.2, binary content mode."""
        kind = ANOMALY if isinstance(alert, Alert) else RECOVERED
        topic, partition = self._partition
        headers = [
            ("ce_specversion", b"1.0"),
            ("ce_id", alert.alert_id.encode()),
            ("ce_source", f"/streamae/{self._name}/{topic}/{partition}".encode()),
            ("ce_type", f"io.streamae.{kind}.v1".encode()),
            ("content-type", b"application/json"),
        ]
        if alert.event_time is not None:
            headers.append(("ce_time", alert.event_time.encode()))
        if alert.key is not None:
            headers.append(("ce_subject", alert.key.encode()))
        return Output(
            channel="alerts",
            source=self._partition,
            key=key,
            value=msgspec.json.encode(alert),
            headers=(*headers, *extra),
            timestamp_ms=timestamp_ms,
        )

    def _id(self, kind: str, offset: int) -> str:
        """Return the id any run gives this alert: a digest of what it is about."""
        topic, partition = self._partition
        parts = [self._name, kind, topic, partition, offset]
        return hashlib.blake2b(msgspec.json.encode(parts), digest_size=16).hexdigest()


def _opened(alert: Alert, record: Flagged) -> Episode:
    return Episode(
        episode_id=alert.episode_id,
        first_ordinal=record.ordinal,
        last_ordinal=record.ordinal,
        last_offset=record.offset,
        last_timestamp_ms=record.timestamp_ms,
        started_ms=record.timestamp_ms,
        n_flagged=1,
        peak_score=record.score,
        peak_p_value=record.p_value,
        severity=alert.severity,
        block=record.block,
    )
