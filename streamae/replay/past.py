"""What the records before one say about it: the nearest normal one, and the thresholds."""

from collections import deque
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from streamae.autoencoders.retrieval import NearestCodes
from streamae.detector import Detector
from streamae.pipeline import Examined, Pipeline, Processed
from streamae.records import Score, significant
from streamae.types import Floats

NEIGHBOURS = 4096
"""Latest records among which the nearest is looked for."""


class Nearest(msgspec.Struct, frozen=True):
    """The record not flagged whose code is nearest."""

    offset: int
    distance: float
    """Euclidean, between the codes."""
    values: dict[str, float]


class Level(msgspec.Struct, frozen=True):
    """By what the records of a block were judged."""

    block: int
    alpha: float
    threshold: float


class _Row(NamedTuple):
    offset: int
    columns: Floats


class _Codes:
    """A detector as `NearestCodes` takes it."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def transform(self, x: npt.ArrayLike, /) -> Floats:
        return self._detector.codes(np.asarray(x, np.float32))


class Past:
    """What is remembered of the records before."""

    def __init__(self) -> None:
        self.levels: dict[int, Level] = {}
        self._rows: deque[_Row] = deque(maxlen=NEIGHBOURS)

    def remember(self, done: Processed, pipeline: Pipeline) -> None:
        """Take in records of one block: which of them were judged normal, and by what."""
        self.level(pipeline)
        values = (output.value or b"" for output in done.outputs if output.channel == "scores")
        scores = [msgspec.json.decode(value, type=Score) for value in values]
        columns = () if done.last is None else done.last
        for score, row in zip(scores, columns, strict=True):
            if score.score is not None and not score.anomaly:
                self._rows.append(_Row(score.source.offset, row))

    def level(self, pipeline: Pipeline) -> None:
        """Note by what the next records are judged."""
        online, alpha = pipeline.online, pipeline.alpha
        if online is not None:
            n = online.detector.n_blocks
            threshold = online.threshold(alpha)
            self.levels[n] = Level(n, significant(alpha), significant(threshold))

    def nearest(self, examined: Examined, pipeline: Pipeline) -> Nearest | None:
        """Return the nearest of them to a record, by the codes as they are now."""
        if pipeline.online is None or not self._rows:
            return None
        codes = NearestCodes(_Codes(pipeline.online.detector))
        codes.add(np.stack([row.columns for row in self._rows]))
        places, distances = codes.nearest(examined.columns[None])
        found = self._rows[int(places[0, 0])]
        transforms = pipeline.online.block.transforms
        values = transforms.original(found.columns[transforms.context.n_columns :])
        distance = significant(float(distances[0, 0]))
        return Nearest(found.offset, distance, named(transforms.names, values))


def named(names: tuple[str, ...], values: Floats) -> dict[str, float]:
    """Return values [d] by the features' names."""
    pairs = zip(names, values.tolist(), strict=True)
    return {name: significant(value) for name, value in pairs}
