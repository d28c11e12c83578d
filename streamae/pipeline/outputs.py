"""Scores and dead letters as messages."""

from collections.abc import Iterable
from itertools import repeat
from typing import TypeVar

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from streamae import __version__
from streamae.config import OutputConfig
from streamae.dead_letters import ERROR_HEADER
from streamae.decode import Reject
from streamae.pipeline.online import OnlineDetector, Scored
from streamae.records import Position, Score, ScoreBlock, text
from streamae.types import UNREADABLE, Doubles, Floats, Output, RecordBatch

JSON_HEADERS = (("content-type", b"application/json"),)

T = TypeVar("T")

_encoder = msgspec.json.Encoder()


def scores(
    config: OutputConfig, online: OnlineDetector, scored: Scored, alpha: float
) -> list[Output]:
    """Return a message per new record, or one for a full block, as the configuration asks.

    A p-value of at most `alpha` is an anomaly.
    """
    if config.scores is None or (config.scores_per == "block" and not online.full):
        return []
    if config.scores_per == "block":
        return [_score_block(config, online, scored, alpha)]
    return _scores(config, online, scored, alpha)


def _scores(
    config: OutputConfig, online: OnlineDetector, scored: Scored, alpha: float
) -> list[Output]:
    rows = scored.rows
    score = scored.scores.score[scored.slots]
    p_value = scored.scores.p_value[scored.slots]
    columns = zip(
        rows.inputs.keys,
        rows.offsets.tolist(),
        rows.inputs.timestamps_ms.tolist(),
        _significant(score).tolist(),
        _significant(p_value).tolist(),
        (p_value <= alpha).tolist(),
        _each(_codes(config, online, scored.slots), len(score)),
        _each(_reconstructions(config, online, scored.slots), len(score)),
        map(scored.head, range(scored.slots.start, scored.slots.stop)),
        strict=True,
    )
    return [
        Output(
            "scores",
            online.partition,
            key,
            _encoder.encode(
                Score(
                    source=Position(*online.partition, offset),
                    key=text(key),
                    score=a_score,
                    p_value=a_p_value,
                    anomaly=flagged,
                    code=code,
                    reconstruction=recons,
                    head=head,
                )
            ),
            JSON_HEADERS,
            timestamp_ms,
        )
        for key, offset, timestamp_ms, a_score, a_p_value, flagged, code, recons, head in columns
    ]


def _score_block(
    config: OutputConfig, online: OnlineDetector, scored: Scored, alpha: float
) -> Output:
    """Return the message of a full block; its time is that of the block's last record."""
    score, p_value = scored.scores.score, scored.scores.p_value
    whole = slice(0, len(score))
    message = ScoreBlock(
        topic=online.partition.topic,
        partition=online.partition.partition,
        block=scored.first_ordinal // len(online.block),
        offsets=online.offsets.tolist(),
        scores=_significant(score).tolist(),
        p_values=_significant(p_value).tolist(),
        anomalies=np.flatnonzero(p_value <= alpha).tolist(),
        codes=_codes(config, online, whole),
        reconstructions=_reconstructions(config, online, whole),
    )
    if scored.labels is not None:
        probability = scored.probability
        message.probabilities = None if probability is None else _significant(probability).tolist()
        message.labels = scored.labels
    timestamp_ms = int(online.block.timestamps_ms[-1])
    return Output(
        "scores", online.partition, None, _encoder.encode(message), JSON_HEADERS, timestamp_ms
    )


def _codes(
    config: OutputConfig, online: OnlineDetector, slots: slice
) -> list[list[float]] | UnsetType | None:
    """Return the codes of the records in `slots`; None where there is no model yet."""
    if "codes" not in config.emit:
        return UNSET
    codes = online.codes(slots)
    return None if codes is None else _significant(codes).tolist()


def _reconstructions(
    config: OutputConfig, online: OnlineDetector, slots: slice
) -> list[dict[str, float]] | UnsetType | None:
    """Return the reconstructions of the records in `slots` by feature; None without a model."""
    if "reconstruction" not in config.emit:
        return UNSET
    recons = online.reconstructions(slots)
    if recons is None:
        return None
    names = online.block.transforms.names
    return [dict(zip(names, row, strict=True)) for row in _significant(recons).tolist()]


def _each(values: list[T] | UnsetType | None, n: int) -> Iterable[T | UnsetType | None]:
    """Return one value per record."""
    return values if isinstance(values, list) else repeat(values, n)


def dead_letter(batch: RecordBatch, reject: Reject) -> Output:
    """Return the rejected record as it came, with headers that say where from and why.

    Headers that could not be read cannot be written either.
    """
    row = reject.index
    topic, number = batch.partition
    headers = batch.headers[row]
    timestamp_ms = int(batch.timestamps_ms[row])
    why = {
        "topic": topic,
        "partition": number,
        "offset": int(batch.offsets[row]),
        "timestamp": timestamp_ms,
        "stage": "decode",
        "reason": reject.reason.value,
        "message": reject.detail,
        "version": __version__,
    }
    added = tuple((ERROR_HEADER + name, str(value).encode()) for name, value in why.items())
    return Output(
        "dead_letters",
        batch.partition,
        batch.keys[row],
        batch.values[row],
        (*(() if headers is UNREADABLE else headers), *added),
        timestamp_ms,
    )


def _significant(values: Floats | Doubles) -> Doubles:
    """Round to seven significant digits, what float32 carries, so that numbers print short."""
    wide = values.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        exponent = 6 - np.floor(np.log10(np.abs(wide)))
        scale = np.power(10.0, np.clip(exponent, -300, 300))
        rounded = np.round(wide * scale) / scale
    return np.where(np.isfinite(rounded), rounded, wide)
