"""The stream the Kafka benchmarks read: 40 named features per record, some 700 bytes of JSON."""

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
from kafka import KafkaProducer

from streamae.types import Bools, Doubles

N_FEATURES = 40
N_FACTORS = 6
N_KEYS = 20
FEATURES = tuple(f"f{number:02}" for number in range(N_FEATURES))
START_MS = 1_700_000_000_000
CHUNK = 10_000


class Record(msgspec.Struct):
    """What a value holds; the daemon reads the features under `features`."""

    ts: int
    key: str
    features: dict[str, float]


def vectors(n: int, seed: int, odd_share: float) -> tuple[Doubles, Bools]:
    """Return x[n, 40], six factors and noise, and which rows are odd: their factors are mixed up.

    A row's single values stay usual, so only a model of how features belong together sees it.
    """
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(0).normal(size=(N_FACTORS, N_FEATURES))
    x = rng.normal(size=(n, N_FACTORS)) @ mixing
    odd = rng.random(n) < odd_share
    x[odd] = x[odd][:, rng.permutation(N_FEATURES)]
    return (x + 0.3 * rng.normal(size=x.shape)).round(6), odd


def values(n: int, seed: int = 1, odd_share: float = 0.0005) -> Iterator[bytes]:
    """Yield n records as JSON, made in chunks so that any number fits in memory."""
    encode = msgspec.json.Encoder().encode
    for start in range(0, n, CHUNK):
        x, _ = vectors(min(CHUNK, n - start), seed + start, odd_share)
        for at, row in enumerate(x.tolist(), start):
            features = dict(zip(FEATURES, row, strict=True))
            yield encode(Record(START_MS + at, f"host-{at % N_KEYS}", features))


def key(at: int) -> bytes:
    """Return the key of the record at a place in the stream."""
    return b"host-%d" % (at % N_KEYS)


def producer(bootstrap: str, linger_ms: int) -> Any:
    """Return a producer that keeps the order of what it sends."""
    return KafkaProducer(
        bootstrap_servers=bootstrap, linger_ms=linger_ms, batch_size=1 << 18, metrics_enabled=False
    )


def fill(bootstrap: str, topic: str, n: int) -> None:
    """Append n records to the only partition of `topic`."""
    sender = producer(bootstrap, linger_ms=5)
    for at, value in enumerate(values(n)):
        sender.send(topic, value, key(at), partition=0, timestamp_ms=START_MS + at)
    sender.flush()
    sender.close()
