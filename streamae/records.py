"""The records streamae writes, and the labels it reads, field by field.

The shipped JSON Schemas are made from them.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import UNSET, Meta, UnsetType

from streamae.dead_letters import errors_of
from streamae.types import NO_TIMESTAMP, Output

ANOMALY: Literal["anomaly"] = "anomaly"
RECOVERED: Literal["recovered"] = "recovered"
DRIFT: Literal["drift"] = "drift"
CONFIGURATION: Literal["configuration"] = "configuration"

Severity = Literal["warning", "critical"]

Suppression = Literal["open_episode", "cooldown", "min_deviation", "direction"]
"""Why a flagged record raises no alert."""


class Attribution(msgspec.Struct, frozen=True):
    """One feature's part in an alert, in the feature's own unit."""

    feature: str
    observed: float
    expected: float
    deviation: float
    """Observed minus expected, in the feature's standard deviations."""
    share: float
    """Part of the anomaly, 0 to 1; all features of the record add up to 1."""


class Counterfactual(msgspec.Struct, frozen=True):
    """The fewest features without which the record would have been below the threshold."""

    features: list[str]
    """The first ones of `attribution`."""
    score: float
    """The record's score without them, as if they had been missing."""


class Evidence(msgspec.Struct, frozen=True):
    """How far the record stood out, by kind of evidence.

    Above the median of earlier records, in their median absolute deviations.
    """

    covariance: float
    """Distance from the mean under the running covariance."""
    values: float
    """Distances of the single features from their means."""
    residual: float
    """What the autoencoder's reconstruction leaves of the record."""
    rarity: float
    """How seldom such values were seen before."""
    distance: float
    """From the most similar one of earlier records, as the autoencoder reconstructs both."""


class Reasons(NamedTuple):
    """Why a record is anomalous."""

    evidence: Evidence

    attribution: list[Attribution]
    """Most important first."""
    missing: list[str]
    """Names of the features that were not observed."""
    counterfactual: Counterfactual | None


class Position(msgspec.Struct, frozen=True):
    """Where a record stands in the input."""

    topic: str
    partition: int
    offset: int


class Model(msgspec.Struct, frozen=True):
    """What scored the record."""

    version: str
    ordinal: int
    """Valid records of the partition before this one."""
    block: int
    """Blocks learnt from before this one."""


class Head(msgspec.Struct, frozen=True):
    """What labelled records say about a record."""

    probability: float | None
    """That it would be labelled an anomaly, were both labels given equally often; null until there
    are enough of both."""
    labels: int
    """Offset in the labels log behind the last label that was known."""


class Alert(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=ANOMALY):
    """The first flagged record of an episode."""

    alert_id: str
    detector: str
    key: str | None
    event_time: str | None
    source: Position
    score: float
    p_value: float
    threshold: float
    """The score whose p-value is `alpha`."""
    alpha: float
    """P-value at which records were flagged: the budget, corrected by how many were before."""
    budget: float
    """Share of records flagged in the long run."""
    severity: Severity
    episode_id: str
    start_of_episode: bool = True
    evidence: Evidence
    attribution: list[Attribution]
    missing: list[str]
    counterfactual: Counterfactual | None = None
    """None when the features in `attribution` alone do not explain the alert."""
    head: Head | UnsetType = UNSET
    """Absent without a labels log."""
    model: Model


class Recovered(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=RECOVERED):
    """The end of an episode; `source` is its last flagged record."""

    alert_id: str
    detector: str
    key: str | None
    event_time: str | None
    source: Position
    episode_id: str
    severity: Severity
    """The worst of the episode."""
    n_flagged: int
    n_suppressed: int
    """Of these, the ones that would have opened another episode but for the cooldown."""
    n_records: int
    """Records of the partition from the first flagged one to the last."""
    peak_score: float
    peak_p_value: float
    started_at: str | None
    drift_id: str | None = None
    """The `alert_id` of the drift that the episode turned out to be."""
    model: Model


class Moved(msgspec.Struct, frozen=True):
    """A feature whose level has shifted, in the feature's own unit."""

    feature: str
    before: float
    """Mean before the shift."""
    after: float
    """Mean since, and the new normal."""


class Drift(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=DRIFT):
    """A lasting shift of level, normal from now on; `source` is the record that made it so."""

    alert_id: str
    detector: str
    event_time: str | None
    source: Position
    since: Position
    """First record of the block that the shift was first seen in; it began there or in the block
    before."""
    since_time: str | None
    n_records: int
    """Records of the partition from `since` to `source`."""
    moved: list[Moved]
    """The furthest first, in standard deviations."""
    n_moved: int
    """Features that moved; `moved` names the first hundred."""
    model: Model


class ConfigurationChange(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=CONFIGURATION
):
    """Another alerting configuration, in effect from the record behind `source` on."""

    alert_id: str
    detector: str
    event_time: str | None
    source: Position
    """Last record judged by `before`."""
    before: Mapping[str, Any]
    """The keys of `alerting` and their values, as a configuration file has them."""
    after: Mapping[str, Any]
    model: Model


Event = Alert | Recovered | Drift | ConfigurationChange
"""What the alerts channel carries."""


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """One scored record; numbers are null while the detector has no model yet."""

    source: Position
    key: str | None
    score: float | None
    p_value: float | None
    anomaly: bool
    code: list[float] | UnsetType | None = UNSET
    """Latents of the autoencoder; with `output.emit: codes`."""
    reconstruction: dict[str, float] | UnsetType | None = UNSET
    """What the code says the features should be; with `output.emit: reconstruction`."""
    head: Head | UnsetType = UNSET
    """Absent without a labels log."""


class ScoreBlock(msgspec.Struct, kw_only=True):
    """The scored records of one finished block, in log order."""

    topic: str
    partition: int
    block: int
    offsets: list[int]
    scores: list[float | None]
    p_values: list[float | None]
    anomalies: list[int]
    """Positions within the block of the flagged records."""
    codes: list[list[float]] | UnsetType | None = UNSET
    """Latents of the autoencoder, by record; with `output.emit: codes`."""
    reconstructions: list[dict[str, float]] | UnsetType | None = UNSET
    """What the code says the features should be, by record; with `output.emit: reconstruction`."""
    probabilities: list[float] | UnsetType | None = UNSET
    """See `Head`; all records of a block have the same `labels`."""
    labels: int | UnsetType = UNSET
    """Absent without a labels log, as are `probabilities`."""


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """About the record of `source`, else of `key` and `event_time`; other fields are ignored."""

    anomaly: bool
    source: Position | None = None
    key: str | None = None
    event_time: Annotated[datetime, Meta(tz=True)] | int | None = None
    """RFC 3339 with a time zone, or milliseconds since the epoch."""


class _Sourced(msgspec.Struct):
    """What messages say of their source: a position, or those of a whole block."""

    source: Position | None = None
    topic: str = ""
    partition: int = -1
    offsets: list[int] = []


def source_of(output: Output) -> Position | None:
    """Return the input record that an output is about, the last one of a block; None if unsaid."""
    try:
        if output.channel == "dead_letters":
            said = errors_of(output)
            return Position(said["topic"].decode(), int(said["partition"]), int(said["offset"]))
        found = msgspec.json.decode(output.value or b"", type=_Sourced)
    except (msgspec.MsgspecError, UnicodeError, KeyError, ValueError):
        return None
    if found.source is None and found.offsets:
        return Position(found.topic, found.partition, found.offsets[-1])
    return found.source


def text(key: bytes | None) -> str | None:
    r"""Return a record key as text; bytes that are not UTF-8 are written as `\xNN`."""
    return None if key is None else key.decode("utf-8", errors="backslashreplace")


def iso_time(timestamp_ms: int) -> str | None:
    """Return milliseconds since the epoch as RFC 3339 in UTC; None where there is no time."""
    if timestamp_ms == NO_TIMESTAMP:
        return None
    try:
        moment = datetime.fromtimestamp(timestamp_ms / 1000, tz=UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def significant(value: float) -> float:
    """Return `value` to six significant digits, about what float32 carries."""
    return float(f"{value:.6g}")
