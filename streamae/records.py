"""The records streamae writes, field by field; the shipped JSON Schemas are made from them."""

from typing import Literal

import msgspec

ANOMALY: Literal["anomaly"] = "anomaly"
RECOVERED: Literal["recovered"] = "recovered"

Severity = Literal["warning", "critical"]


class Attribution(msgspec.Struct, frozen=True):
    """One feature's part in an alert, in the feature's own unit."""

    feature: str
    observed: float
    expected: float
    share: float
    """Part of the deviation, 0 to 1; all features of the record add up to 1."""


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
    budget: float
    """Share of records flagged in the long run, the p-value the threshold stands for."""
    severity: Severity
    episode_id: str
    start_of_episode: bool = True
    attribution: list[Attribution]
    missing: list[str]
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
    n_records: int
    """Records of the partition from the first flagged one to the last."""
    peak_score: float
    peak_p_value: float
    started_at: str | None
    model: Model


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """One scored record; numbers are null while the detector has no model yet."""

    source: Position
    key: str | None
    score: float | None
    p_value: float | None
    anomaly: bool


class ScoreBlock(msgspec.Struct, frozen=True, kw_only=True):
    """The scored records of one finished block, in log order."""

    topic: str
    partition: int
    block: int
    offsets: list[int]
    scores: list[float | None]
    p_values: list[float | None]
    anomalies: list[int]
    """Positions within the block of the flagged records."""
