"""The public detector of array streams: score, learn, explain, save and load."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import msgspec
import numpy as np
import numpy.typing as npt

from streamae import snapshot
from streamae.config import Config, DetectorConfig
from streamae.detector import Explanation, Learned
from streamae.detector.blockwise import BlockwiseDetector, Verdicts, config_of, numbered
from streamae.errors import SnapshotError
from streamae.numerics.state import without
from streamae.transforms import Inputs
from streamae.types import Floats, TopicPartition

Key = bytes | str | None
Keys = Sequence[Key] | None

_MATRIX = 2


class Detector:
    """One stream's detector: rows of d numbers in, scores and p-values out.

    It scores by the autoencoder that `model` names, by default a denoising sparse one; each says in
    `streamae.autoencoders` which paper it is from.

    Rows are learnt in blocks of `block_size` and scored with the model of the last finished block,
    so what a row is told depends on the rows before it and never on how they were cut into calls.
    It equals, to the last bit, what the daemon and `streamae evaluate` say about the log
    `topic`/`partition` with the same features and keys of the section `detector`, which are the
    keyword arguments here.

    Arrays are anything `numpy.asarray` makes [n, d] numbers of, NaN = missing. The first one fixes
    d unless `features` names them. Raise ValueError for another shape, for text, for values that
    are infinite in float32, and for a hyperparameter that is unknown or out of range.

    `timestamps_ms` [n], milliseconds since the epoch, and `keys`, n of them, are for the transforms
    that need them: `calendar`, and `diff` and `lag` where several series are interleaved.
    """

    def __init__(
        self,
        *,
        features: Sequence[str] | None = None,
        topic: str = "stream",
        partition: int = 0,
        **hyperparameters: Any,
    ) -> None:
        self._config = config_of(hyperparameters)
        self._partition = TopicPartition(topic, partition)
        self._features: tuple[str, ...] = ()
        self._blocks: BlockwiseDetector | None = None
        if features is not None:
            self._begin(tuple(features))

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, device: str = "auto", threads: int = 1) -> Self:
        """Return the detector that `save` wrote, or that a daemon's snapshot holds.

        Raise `SnapshotError` when the file is damaged or from another version, and OSError when it
        cannot be read.
        """
        header, arrays = snapshot.decode(Path(path).read_bytes())
        keys = {name.removeprefix("detector."): value for name, value in header.model.items()}
        topic, _, partition = header.partition.rpartition("-")
        try:
            detector = cls(
                features=header.features,
                topic=topic,
                partition=int(partition),
                **(keys | {"device": device, "threads": threads}),
            )
            if detector._blocks is not None:
                detector._blocks.load_state_dict(without("labels", arrays))
        except ValueError as error:
            raise SnapshotError(f"{path}: {error}") from error
        snapshot.check_fits(header, Config(detector=detector.config))
        return detector

    @property
    def config(self) -> DetectorConfig:
        """The hyperparameters, defaults included."""
        return self._config

    @property
    def features(self) -> tuple[str, ...]:
        """[d] names, `x0`, `x1`, ... unless given; empty before d is known."""
        return self._features

    @property
    def judged_by(self) -> tuple[str, ...]:
        """[d], the features as `explain` sees them: `bytes (change)` where `bytes` is a counter."""
        return self._features if self._blocks is None else self._blocks.names

    @property
    def n_learnt(self) -> int:
        """Rows taken in, those of the unfinished block included."""
        return 0 if self._blocks is None else self._blocks.n_learnt

    @property
    def warm(self) -> bool:
        """Whether p-values mean something: after `block_size + warmup_records` rows or more."""
        return self._blocks is not None and self._blocks.detector.warm

    def score(
        self, x: npt.ArrayLike, timestamps_ms: npt.ArrayLike | None = None, keys: Keys = None
    ) -> Verdicts:
        """Score x[n, d] as the next rows of the stream, all with the present model.

        Nothing changes. Rows beyond the end of the block get the scores of a model that has not
        learnt the block; `score_learn` learns it in between.
        """
        inputs = self._inputs(x, timestamps_ms, keys)
        return self._ready().score(inputs)

    def learn(
        self, x: npt.ArrayLike, timestamps_ms: npt.ArrayLike | None = None, keys: Keys = None
    ) -> list[Learned]:
        """Take in x[n, d] and learn each block it completes; return what these taught."""
        inputs = self._inputs(x, timestamps_ms, keys)
        return self._ready().learn(inputs)

    def score_learn(
        self, x: npt.ArrayLike, timestamps_ms: npt.ArrayLike | None = None, keys: Keys = None
    ) -> Verdicts:
        """Score each row of x[n, d], then learn it: prequential evaluation."""
        inputs = self._inputs(x, timestamps_ms, keys)
        return self._ready().score_learn(inputs)

    def explain(
        self, x: npt.ArrayLike, timestamp_ms: int | None = None, key: Key = None
    ) -> Explanation:
        """Return observed and expected values, deviations and shares, [d] each, of one row x[d].

        The values are those of `judged_by`. Raise ValueError before the first block is learnt.
        """
        times = None if timestamp_ms is None else [timestamp_ms]
        row = np.asarray(x)
        if row.ndim != 1:
            raise ValueError(f"x must be one row of features, [d], not {list(row.shape)}")
        inputs = self._inputs(row[None], times, [key])
        return self._ready().explain(inputs)

    def transform(
        self, x: npt.ArrayLike, timestamps_ms: npt.ArrayLike | None = None, keys: Keys = None
    ) -> Floats:
        """Return the codes [n, h] of x[n, d]; raise ValueError before the first block is learnt."""
        inputs = self._inputs(x, timestamps_ms, keys)
        return self._ready().codes(inputs)

    def reconstruct(
        self, x: npt.ArrayLike, timestamps_ms: npt.ArrayLike | None = None, keys: Keys = None
    ) -> Floats:
        """Return what the codes of x[n, d] stand for, [n, d]: denoised, nothing missing.

        The values are those of `judged_by`. Raise ValueError before the first block is learnt.
        """
        inputs = self._inputs(x, timestamps_ms, keys)
        return self._ready().reconstruct(inputs)

    def threshold(self, budget: float) -> float:
        """Return the score whose p-value is `budget`; infinite until warm."""
        if not 0.0 < budget < 1.0:
            raise ValueError(f"budget must be a share between 0 and 1, not {budget}")
        return float("inf") if self._blocks is None else self._blocks.detector.threshold(budget)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything learnt to `path`, atomically: safetensors with a checksum, no pickle.

        Raise OSError when it cannot be written.
        """
        blocks = self._blocks
        header = snapshot.Header(
            partition=str(self._partition),
            offset=self.n_learnt,
            ordinal=self.n_learnt - (0 if blocks is None else len(blocks.unfinished)),
            features=None if blocks is None else self._features,
            model=snapshot.model_keys(Config(detector=self._config)),
            state={},
        )
        blob = snapshot.encode(header, {} if blocks is None else blocks.state_dict())
        path = Path(path)
        temporary = path.with_name(path.name + ".tmp")
        temporary.write_bytes(blob)
        temporary.replace(path)

    def __repr__(self) -> str:
        """Name what differs from the defaults."""
        keys = msgspec.structs.asdict(self._config)
        defaults = msgspec.structs.asdict(DetectorConfig())
        changed = [f"{name}={value!r}" for name, value in keys.items() if value != defaults[name]]
        return (
            f"Detector({', '.join(changed)}): {self.n_learnt} rows, {len(self._features)} features"
        )

    def _rows(self, x: npt.ArrayLike) -> Floats:
        """Return x as float32[n, d]; the first call fixes d."""
        raw = np.asarray(x)
        if raw.ndim != _MATRIX or raw.shape[1] == 0:
            raise ValueError(
                f"x must be rows of features, [n, d] with d > 0, not {list(raw.shape)}"
            )
        if self._features and raw.shape[1] != len(self._features):
            raise ValueError(f"x has {raw.shape[1]} features, not {len(self._features)}")
        if raw.dtype.kind not in "biufO":
            raise ValueError(f"x must hold numbers, not {raw.dtype}")
        try:
            with np.errstate(over="ignore"):  # Beyond float32 is infinite, hence refused.
                rows = np.ascontiguousarray(raw, np.float32)
        except TypeError as error:
            raise ValueError(f"x must hold numbers: {error}") from error
        if np.isinf(rows).any():
            i, j = np.argwhere(np.isinf(rows))[0].tolist()
            raise ValueError(f"row {i}, feature {j} is infinite in float32: {raw[i, j]}")
        if self._blocks is None:
            self._begin(numbered(raw.shape[1]))
        return rows

    def _inputs(self, x: npt.ArrayLike, timestamps_ms: npt.ArrayLike | None, keys: Keys) -> Inputs:
        rows = self._rows(x)
        times = None if timestamps_ms is None else np.asarray(timestamps_ms)
        if times is not None and (times.shape != rows.shape[:1] or times.dtype.kind not in "iu"):
            raise ValueError(f"timestamps_ms must be {len(rows)} whole numbers, one per row")
        if keys is not None and len(keys) != len(rows):
            raise ValueError(f"keys must be one per row, {len(rows)}, not {len(keys)}")
        named = [key.encode() if isinstance(key, str) else key for key in keys or ()]
        return Inputs.of(
            rows,
            None if times is None else times.astype(np.int64),
            None if keys is None else named,
        )

    def _begin(self, features: tuple[str, ...]) -> None:
        if not features or len(set(features)) < len(features):
            raise ValueError("features must be one or more different names")
        self._features = features
        stream = f"{self._partition.topic}/{self._partition.partition}"
        self._blocks = BlockwiseDetector(self._config, features, stream)

    def _ready(self) -> BlockwiseDetector:
        assert self._blocks is not None  # noqa: S101 - `_rows` has begun; for mypy.
        return self._blocks
