"""Labels of the streams in `streams`, as somebody would write them, and a log they come in."""

import json
from collections.abc import Iterable, Sequence

from streamae.config import Config
from streamae.pipeline import Pipeline
from streamae.records import iso_time
from streamae.types import LabelBatch, Output, RecordBatch, TopicPartition
from tests.streams import PARTITION, labelled_vectors


def label(offset: int, *, anomaly: bool, partition: TopicPartition = PARTITION) -> bytes:
    """Return the label of the record at `offset`, by its position."""
    source = {"topic": partition.topic, "partition": partition.partition, "offset": offset}
    return json.dumps({"source": source, "anomaly": anomaly}).encode()


def label_of_key(key: bytes, timestamp_ms: int, *, anomaly: bool) -> bytes:
    """Return the label of a record, by its key and event time."""
    names = {"key": key.decode(), "event_time": iso_time(timestamp_ms)}
    return json.dumps({**names, "anomaly": anomaly}).encode()


def labels(
    n: int, seed: int = 0, partition: TopicPartition = PARTITION, every: int = 7
) -> list[bytes | None]:
    """Return true labels of the anomalies among n records and of every so many of the others."""
    odd = labelled_vectors(n, seed)[1].tolist()
    named = [at for at in range(n) if odd[at] or at % every == 0]
    return [label(at, anomaly=odd[at], partition=partition) for at in named]


class RecordedLabels:
    """Gives labels at the moments an earlier run took them."""

    def __init__(self, values: Sequence[bytes | None], moments: Iterable[int]) -> None:
        """`moments` are the offsets reached at the block boundaries, one after the other."""
        self._values = values
        self._moments = iter(moments)

    def read(self, _: TopicPartition, offset: int, limit: int) -> LabelBatch:
        reached = next(self._moments, offset)
        assert reached - offset <= limit
        return LabelBatch(self._values[offset:reached], reached)

    def release(self, partition: TopicPartition) -> None:
        pass

    def close(self) -> None:
        pass


def replayed(
    config: Config,
    log: RecordBatch,
    scores: Sequence[bytes | None],
    written: Sequence[bytes | None],
) -> tuple[Pipeline, list[Output]]:
    """Run a whole log with the labels taken when the `scores` of a run say it took them.

    Both end behind the same record, one that is not the last of its block.
    """
    taken = [json.loads(score or b"")["head"]["labels"] for score in scores]
    size = config.detector.block_size
    assert len(taken) % size
    again = Pipeline(config, log.partition, 0, labels=RecordedLabels(written, taken[size::size]))
    return again, again.process(log).outputs
