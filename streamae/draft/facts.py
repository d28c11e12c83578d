"""What the decoder makes of a sample: ranges, counters, rate, and what it rejects."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from streamae.budget import DAY_MS
from streamae.config import DetectorConfig, RecordConfig
from streamae.decode import Decoder
from streamae.transforms import Inputs
from streamae.transforms.diff import Diff
from streamae.types import NO_TIMESTAMP, Floats, Longs, RecordBatch, TopicPartition


class Facts(NamedTuple):
    """About m valid records of d features."""

    x: Floats
    """[m, d]"""
    counters: list[str]
    """Features that rise and never fall, each key's by itself."""
    rejects: Counter[str]
    first_reject: int | None
    """Its offset."""
    records_per_day: float | None
    """By event time, of a partition; None without."""


def facts(batches: Sequence[RecordBatch], record: RecordConfig) -> Facts:
    """Decode the sample as the daemon would with `record`, whose features are named."""
    decoders: dict[TopicPartition, Decoder] = {}
    parts: list[Floats] = []
    times_ms: dict[TopicPartition, list[Longs]] = {}
    keys: list[bytes] = []
    rejects: Counter[str] = Counter()
    first_reject = None
    for batch in batches:
        if batch.partition not in decoders:  # Each takes a while for thousands of features.
            decoders[batch.partition] = Decoder(record, batch.columns)
        decoded = decoders[batch.partition].decode(batch)
        parts.append(decoded.x)
        times_ms.setdefault(batch.partition, []).append(decoded.timestamps_ms)
        keys += [f"{batch.partition} {key!r}".encode() for key in decoded.keys]
        for reject in decoded.rejects:
            rejects[reject.reason.value] += 1
            if first_reject is None:
                first_reject = int(batch.offsets[reject.index])
    x = np.concatenate(parts)
    diff = Diff(DetectorConfig(max_keys=max(len(set(keys)), 1)), record.features)
    if len(x):
        diff.fit(Inputs(x, np.zeros(len(x), np.int64), keys))
    rates = [_records_per_day(np.concatenate(pieces)) for pieces in times_ms.values()]
    known = [rate for rate in rates if rate is not None]
    return Facts(
        x,
        [name for name, counts in zip(record.features, diff.columns, strict=True) if counts],
        rejects,
        first_reject,
        sum(known) / len(known) if known else None,
    )


def _records_per_day(times_ms: Longs) -> float | None:
    times_ms = times_ms[times_ms != NO_TIMESTAMP]
    span_ms = int(np.ptp(times_ms)) if len(times_ms) else 0
    return (len(times_ms) - 1) * DAY_MS / span_ms if span_ms else None
