"""Decoding beside the bare parser of the same bytes, interleaved in one run, on one thread."""

import json
import math
import time
from collections.abc import Callable
from statistics import median
from typing import NamedTuple

import msgspec
import numpy as np

from streamae.config import RecordConfig
from streamae.decode import Decoder
from streamae.types import RecordBatch, TopicPartition

N_RECORDS = 5000  # The default `source.max_poll_records`.
N_ROUNDS = 15
SIZES = (10, 40, 128)
KEYED = {"key_field": "host", "timestamp_field": "ts"}
FLOAT32 = {"format": "float32"}

Work = Callable[[], object]


def run() -> list[str]:
    """Return a table of thousands of records per second of CPU time, by number of features."""
    lines = [
        "decode, thousands of records per CPU second and share of what bare msgspec parses",
        f"{'':20}" + "".join(f"{f'd = {d}':>16}" for d in SIZES),
    ]
    by_size = [rates(d) for d in SIZES]
    for name in by_size[0]:
        cells = (f"{ours:.0f} / {ours / bare:.0%}" for ours, bare in (of[name] for of in by_size))
        lines.append(f"{name:20}" + "".join(f"{cell:>16}" for cell in cells))
    return lines


class Kind(NamedTuple):
    values: list[bytes]
    config: dict[str, str]
    bare: list[bytes]
    """What msgspec parses for comparison: the same bytes where it can."""


def rates(d: int) -> dict[str, tuple[float, float]]:
    """Return the rates of the decoder and of the bare parser, by kind of record."""
    return {name: pair(kind) for name, kind in kinds(d).items()}


def kinds(d: int) -> dict[str, Kind]:
    """Return `N_RECORDS` values of each kind."""
    x = np.random.default_rng(d).normal(size=(N_RECORDS, d)).round(6)
    named = [{f"feature_{i}": cell for i, cell in enumerate(row)} for row in x.tolist()]
    stamps = {"ts": 1_700_000_000_000, "host": "web-1"}
    flat = [encoded(row) for row in named]
    bad = [value[:-5] if i % 100 == 0 else value for i, value in enumerate(flat)]
    keyed = [encoded(stamps | row) for row in named]
    nested = [encoded({**stamps, "features": row}) for row in named]
    array = [encoded(row) for row in x.tolist()]
    nan, null = ([encoded(row | {"feature_1": v}) for row in named] for v in (math.nan, None))
    csv = [",".join(map(str, row)).encode() for row in x.tolist()]
    return {
        "flat": Kind(flat, {}, flat),
        "flat, 1 % truncated": Kind(bad, {}, bad),
        "flat, key and time": Kind(keyed, KEYED, keyed),
        "nested": Kind(nested, {}, nested),
        "array": Kind(array, {}, array),
        "flat, NaN (as null)": Kind(nan, {}, null),
        "csv (as array)": Kind(csv, {"format": "csv"}, array),
        "float32 (as array)": Kind([v.tobytes() for v in x.astype("<f4")], FLOAT32, array),
    }


def encoded(record: object) -> bytes:
    return json.dumps(record).encode()


def pair(kind: Kind) -> tuple[float, float]:
    """Return thousands of records per second, decoded and merely parsed."""
    decoder, batch = Decoder(RecordConfig(**kind.config)), batch_of(kind.values)
    decoded = decoder.decode(batch)
    if len(decoded.rows) < 0.99 * N_RECORDS:
        raise AssertionError(decoded.rejects[:3])
    ours, bare = [], []
    for _ in range(N_ROUNDS):
        ours.append(seconds(lambda: decoder.decode(batch)))
        bare.append(seconds(lambda: parse_all(kind.bare)))
    return N_RECORDS / median(ours) / 1e3, N_RECORDS / median(bare) / 1e3


def parse_all(values: list[bytes]) -> None:
    parse = msgspec.json.Decoder().decode
    for value in values:
        try:
            parse(value)
        except msgspec.DecodeError:
            continue


def seconds(work: Work) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def batch_of(values: list[bytes]) -> RecordBatch:
    n = len(values)
    offsets = np.arange(n, dtype=np.int64)
    return RecordBatch(
        TopicPartition("input", 0), offsets, offsets, [b"k"] * n, values, [()] * n, n
    )
