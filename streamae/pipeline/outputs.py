"""Scores and dead letters as messages."""

import msgspec
import numpy as np

from streamae import __version__
from streamae.decode import Reject
from streamae.pipeline.online import OnlineDetector, Scored
from streamae.records import Position, Score, ScoreBlock, text
from streamae.types import UNREADABLE, Doubles, Floats, Output, RecordBatch, TopicPartition

JSON_HEADERS = (("content-type", b"application/json"),)
ERROR_HEADER = "__streamae.errors."
"""Prefix of the headers a dead letter gets, after Kafka Connect's (KIP-298)."""

_encoder = msgspec.json.Encoder()


def scores(partition: TopicPartition, scored: Scored, alpha: float) -> list[Output]:
    """Return one message per new record; a p-value of at most `alpha` is an anomaly."""
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
        strict=True,
    )
    topic, number = partition
    return [
        Output(
            "scores",
            partition,
            key,
            _encoder.encode(
                Score(
                    source=Position(topic, number, offset),
                    key=text(key),
                    score=a_score,
                    p_value=a_p_value,
                    anomaly=flagged,
                )
            ),
            JSON_HEADERS,
            timestamp_ms,
        )
        for key, offset, timestamp_ms, a_score, a_p_value, flagged in columns
    ]


def score_block(
    partition: TopicPartition, online: OnlineDetector, scored: Scored, alpha: float
) -> Output:
    """Return one message for a full block; its time is that of the block's last record."""
    score, p_value = scored.scores.score, scored.scores.p_value
    message = ScoreBlock(
        topic=partition.topic,
        partition=partition.partition,
        block=scored.first_ordinal // len(online.block),
        offsets=online.offsets.tolist(),
        scores=_significant(score).tolist(),
        p_values=_significant(p_value).tolist(),
        anomalies=np.flatnonzero(p_value <= alpha).tolist(),
    )
    timestamp_ms = int(online.block.timestamps_ms[-1])
    return Output("scores", partition, None, _encoder.encode(message), JSON_HEADERS, timestamp_ms)


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
