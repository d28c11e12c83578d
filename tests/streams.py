"""Small labelled streams made from a seed, and short ways to run them."""

import json
from collections.abc import Sequence

import numpy as np
import pytest

from streamae.config import AlertingConfig, Config, DetectorConfig, OutputConfig
from streamae.local import MemoryLog
from streamae.pipeline import Pipeline
from streamae.types import Output, TopicPartition

PARTITION = TopicPartition("vectors", 0)
FEATURES = tuple("abcdef")
ONE_BY_ONE = pytest.param(1, marks=pytest.mark.slow)
"""A poll size that takes long."""


def vectors(n: int, seed: int = 0) -> np.ndarray:
    """Return [n, 6]: two factors in six features, about 1 % of the rows far off."""
    return labelled_vectors(n, seed)[0]


def labelled_vectors(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return `vectors` and which of them are far off, [n]."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(n, 2))
    x = factors @ rng.normal(size=(2, 6)) + 0.1 * rng.normal(size=(n, 6))
    odd = rng.random(n) < 0.01
    x[odd] += rng.normal(scale=6, size=(int(odd.sum()), 6))
    return x.astype(np.float32), odd


def values(n: int, seed: int = 0, bad_share: float = 0.0) -> list[bytes]:
    """Return n JSON records with some values missing, a share of them broken."""
    rng = np.random.default_rng(seed + 1)
    records = []
    for row in vectors(n, seed).tolist():
        record = dict(zip(FEATURES, (round(value, 5) for value in row), strict=True))
        if rng.random() < 0.05:
            record[FEATURES[int(rng.integers(6))]] = None
        text = json.dumps(record).encode()
        records.append(text[:-3] if rng.random() < bad_share else text)
    return records


def keys(n: int, n_keys: int = 5) -> list[bytes]:
    """Return n keys in turn."""
    return [f"host-{at % n_keys}".encode() for at in range(n)]


def timestamps(n: int, step_ms: int = 1000) -> list[int]:
    """Return n event times, one every `step_ms`."""
    return [1_700_000_000_000 + at * step_ms for at in range(n)]


def config(budget: float | str = 0.01, block_size: int = 64, **output: object) -> Config:
    """Return a configuration that warms up and alerts within a thousand records."""
    return Config(
        name="test",
        detector=DetectorConfig(block_size=block_size, n_latents=32, warmup_records=256),
        alerting=AlertingConfig(budget=budget, quiet_records=20),
        output=OutputConfig(**{"scores": "scores", **output}),  # type: ignore[arg-type]
    )


def run(pipeline: Pipeline, log: MemoryLog, size: int, end: int | None = None) -> list[Output]:
    """Return the outputs of the log up to `end`, read in polls of `size` records."""
    outputs: list[Output] = []
    end = log.end if end is None else end
    while pipeline.position < end:
        limit = min(size, end - pipeline.position)
        outputs += pipeline.process(log.read(PARTITION, pipeline.position, limit)).outputs
    return outputs


def batched(n: int, size: int) -> Sequence[tuple[int, int]]:
    """Return (start, length) of consecutive batches."""
    return [(start, min(size, n - start)) for start in range(0, n, size)]
