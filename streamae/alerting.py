"""From flagged records to alerts: what is worth one, severity, episodes, deterministic ids.

The first flagged record of an episode is the alert, and the episode's end is a record of its own.
Nothing here depends on the clock or on how records were batched.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from streamae import __version__
from streamae.config import CHANGE, AlertingConfig
from streamae.episodes import Episode, Episodes, Flagged, Times
from streamae.records import (
    ANOMALY,
    CONFIGURATION,
    DRIFT,
    RECOVERED,
    Alert,
    Attribution,
    ConfigurationChange,
    Drift,
    Event,
    Model,
    Moved,
    Position,
    Reasons,
    Recovered,
    Severity,
    Suppression,
    iso_time,
    significant,
    text,
)
from streamae.types import Headers, Output, TopicPartition

PASSED_ON = ("traceparent", "tracestate")
"""Headers of the input record that its alert carries on (W3C Trace Context)."""


Explain = Callable[[Flagged], Reasons]


MOST_MOVED = 100
"""Features a drift names; a stream may have ten thousand."""


class Place(NamedTuple):
    """A record's place in the input."""

    ordinal: int
    offset: int
    timestamp_ms: int


class Raised(NamedTuple):
    """What flagged records caused."""

    events: list[tuple[Event, Output]]
    """In log order."""
    suppressed: Counter[Suppression]
    """The flagged records that raised no alert."""


class Alerter:
    """Raises the alerts of one partition."""

    def __init__(self, name: str, config: AlertingConfig, partition: TopicPartition) -> None:
        self._name = name
        self._partition = partition
        self._episodes = Episodes(config)
        self.configure(config)

    def configure(self, config: AlertingConfig) -> None:
        """Raise alerts by `config` from the next record on; episodes stay open."""
        self._config = config
        self._episodes.configure(config)
        self._selective = bool(config.min_deviation or config.up_only or config.down_only)

    @property
    def n_open(self) -> int:
        """Episodes that go on."""
        return len(self._episodes)

    def state(self) -> list[tuple[bytes | None, Episode]]:
        """Return the open episodes as plain values, independent of later changes."""
        return self._episodes.state()

    def load_state(self, state: Any) -> None:
        """Continue from what `state` returned, possibly after a trip through JSON."""
        self._episodes.load_state(state)

    def process(self, flagged: Sequence[Flagged], times: Times, explain: Explain) -> Raised:
        """Return what the next records cause, whose event times are `times`.

        `flagged` are the flagged ones among them, ascending.
        """
        raised = Raised([], Counter())
        self._episodes.cool(times)
        for record in flagged:
            self._end(record.ordinal, raised)
            reasons = explain(record) if self._selective else None
            suppression = self._suppression(record, reasons)
            if suppression is not None:
                raised.suppressed[suppression] += 1
                continue
            alert, output = self._alert(record, reasons or explain(record))
            raised.events.append((alert, output))
            self._episodes.open(alert.episode_id, record, alert.severity, times)
        self._end(times.last_ordinal + 1, raised)
        return raised

    def drifted(
        self, since: Place, at: Place, moved: Sequence[Moved], block_size: int
    ) -> list[tuple[Event, Output]]:
        """Return the end of all episodes that belong to a lasting shift, and the drift itself.

        The shift was seen from the block that begins with `since` to the one that ends with `at`;
        it may have begun in the block before.
        """
        drift_id = self._id(DRIFT, at.offset)
        events: list[tuple[Event, Output]] = [
            self._recovered(key, episode, drift_id)
            for key, episode in self._episodes.end_since(since.ordinal - block_size)
        ]
        drift = Drift(
            alert_id=drift_id,
            detector=self._name,
            event_time=iso_time(at.timestamp_ms),
            source=Position(*self._partition, at.offset),
            since=Position(*self._partition, since.offset),
            since_time=iso_time(since.timestamp_ms),
            n_records=at.ordinal - since.ordinal + 1,
            moved=list(moved[:MOST_MOVED]),
            n_moved=len(moved),
            model=Model(__version__, at.ordinal, at.ordinal // block_size),
        )
        return [*events, (drift, self._output(drift, None, at.timestamp_ms, []))]

    def changed(
        self, before: Mapping[str, Any], after: Mapping[str, Any], at: Place, block_size: int
    ) -> tuple[Event, Output]:
        """Return that `after` is the alerting configuration behind the record `at`, as values."""
        change = ConfigurationChange(
            alert_id=self._id(CONFIGURATION, at.offset),
            detector=self._name,
            event_time=iso_time(at.timestamp_ms),
            source=Position(*self._partition, at.offset),
            before=before,
            after=after,
            model=Model(__version__, at.ordinal, at.ordinal // block_size),
        )
        return change, self._output(change, None, at.timestamp_ms, [])

    def severity(self, p_value: float, budget: float) -> Severity:
        """Return `critical` for the rarest part of what the budget flags."""
        return "critical" if p_value <= budget * self._config.critical_share else "warning"

    def _suppression(self, record: Flagged, reasons: Reasons | None) -> Suppression | None:
        """Return why a record raises no alert; None if it does. It joins its key's open episode."""
        if reasons is not None and (unfit := self._unfit(reasons.attribution)):
            return unfit
        return self._episodes.extend(record, self.severity(record.p_value, record.budget))

    def _unfit(self, attribution: Sequence[Attribution]) -> Suppression | None:
        """Return what forbids an alert on the feature to blame most; None if nothing does."""
        if not attribution:
            return None
        config, blamed = self._config, attribution[0]
        if abs(blamed.deviation) < config.min_deviation:
            return "min_deviation"
        unwanted = config.up_only if blamed.deviation < 0 else config.down_only
        names = {blamed.feature, blamed.feature.removesuffix(CHANGE)}
        return "direction" if unwanted == "all" or names & set(unwanted) else None

    def _end(self, before: int, raised: Raised) -> None:
        for key, episode in self._episodes.end(before):
            raised.events.append(self._recovered(key, episode))

    def _alert(self, record: Flagged, reasons: Reasons) -> tuple[Alert, Output]:
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
            evidence=reasons.evidence,
            attribution=reasons.attribution,
            missing=reasons.missing,
            counterfactual=reasons.counterfactual,
            head=record.head,
            model=Model(__version__, record.ordinal, record.block),
        )
        passed_on = [header for header in record.headers if header[0] in PASSED_ON]
        return alert, self._output(alert, record.key, record.timestamp_ms, passed_on)

    def _recovered(
        self, key: bytes | None, episode: Episode, drift_id: str | None = None
    ) -> tuple[Recovered, Output]:
        recovered = Recovered(
            alert_id=self._id(RECOVERED, episode.last_offset),
            detector=self._name,
            key=text(key),
            event_time=iso_time(episode.last_timestamp_ms),
            source=Position(*self._partition, episode.last_offset),
            episode_id=episode.episode_id,
            severity=episode.severity,
            n_flagged=episode.n_flagged,
            n_suppressed=episode.n_suppressed,
            n_records=episode.last_ordinal - episode.first_ordinal + 1,
            peak_score=significant(episode.peak_score),
            peak_p_value=significant(episode.peak_p_value),
            started_at=iso_time(episode.started_ms),
            drift_id=drift_id,
            model=Model(__version__, episode.last_ordinal, episode.block),
        )
        return recovered, self._output(recovered, key, episode.last_timestamp_ms, [])

    def _output(self, event: Event, key: bytes | None, timestamp_ms: int, extra: Headers) -> Output:
        """Wrap an event as a CloudEvent, Kafka protocol binding 1.0.2, binary content mode."""
        kind = event.__struct_config__.tag
        topic, partition = self._partition
        headers = [
            ("ce_specversion", b"1.0"),
            ("ce_id", event.alert_id.encode()),
            ("ce_source", f"/streamae/{self._name}/{topic}/{partition}".encode()),
            ("ce_type", f"io.streamae.{kind}.v1".encode()),
            ("content-type", b"application/json"),
        ]
        if event.event_time is not None:
            headers.append(("ce_time", event.event_time.encode()))
        if key is not None:
            headers.append(("ce_subject", (text(key) or "").encode()))
        return Output(
            channel="alerts",
            source=self._partition,
            key=key,
            value=msgspec.json.encode(event),
            headers=(*headers, *extra),
            timestamp_ms=timestamp_ms,
        )

    def _id(self, kind: str, offset: int) -> str:
        """Return the id any run gives this alert: a digest of what it is about."""
        topic, partition = self._partition
        parts = [self._name, kind, topic, partition, offset]
        return hashlib.blake2b(msgspec.json.encode(parts), digest_size=16).hexdigest()
