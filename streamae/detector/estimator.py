"""The detector as an estimator of river: one dict per record, any step of a river pipeline."""

import inspect
import math
from collections.abc import Callable, Hashable, Iterable, Mapping
from numbers import Number
from typing import Any, NamedTuple

import msgspec
import numpy as np
from river import base

from streamae.config import DetectorConfig
from streamae.detector.blockwise import BlockwiseDetector, config_of
from streamae.transforms import Inputs
from streamae.types import Doubles, Floats

DEFAULT_BUDGET = 1e-3
"""Share of records that may be flagged, as in the daemon."""


class Attribution(NamedTuple):
    """One feature's part in what is anomalous about a record."""

    observed: float
    """In the feature's own unit; NaN where missing."""
    expected: float
    """What the record's other features, or the earlier record most like it, let expect."""
    deviation: float
    """Observed minus expected, in the feature's standard deviations; NaN where missing."""
    share: float
    """Of the anomaly; the shares of a record sum to 1."""


def _with_hyperparameters(init: Callable[..., None]) -> Callable[..., None]:
    """Give `init` the keys of `DetectorConfig` as keyword arguments that signatures show."""
    signature = inspect.signature(init)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    keys = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=field.type
        )
        for field in msgspec.structs.fields(DetectorConfig)
    ]
    vars(init)["__signature__"] = signature.replace(parameters=[*own, *keys])
    return init


class StreamingAnomalyDetector(base.AnomalyDetector):
    """Online denoising sparse autoencoder over whitened residuals, with calibrated p-values.

    Vincent, Larochelle, Lajoie, Bengio and Manzagol, Stacked denoising autoencoders, 2010; `model`
    exchanges it for another one of `streamae.autoencoders`, where the papers are.

    Keyword arguments are the keys of the configuration's section `detector`, with its defaults;
    `budget` is the share of records that `threshold` lets through as anomalies. Records are learnt
    in blocks of `block_size`; the first block has no model yet and scores 0.

    The numbers of the first record learnt name the features, in sorted order; text is left out.
    From then on a feature that is absent, None or NaN is missing, and any other name is ignored.
    Scores are those of the daemon for a log `topic`/`partition` with the same features.

    Raise ValueError for a hyperparameter out of range, and for a value that is infinite in float32
    or no number.
    """

    @_with_hyperparameters
    def __init__(
        self,
        *,
        budget: float = DEFAULT_BUDGET,
        topic: str = "stream",
        partition: int = 0,
        **hyperparameters: Any,
    ) -> None:
        if not 0.0 < budget < 1.0:
            raise ValueError(f"budget: expected a share between 0 and 1, got {budget!r}")
        self.budget = budget
        self.topic = topic
        self.partition = partition
        self._config = config_of(hyperparameters)
        # river reads and clones parameters through attributes of their names, and takes a tuple
        # for a class and its arguments.
        for name, value in msgspec.structs.asdict(self._config).items():
            setattr(self, name, list(value) if isinstance(value, tuple) else value)
        self._features: tuple[Hashable, ...] = ()
        self._blocks: BlockwiseDetector | None = None
        self._p_value = 1.0

    @property
    def features(self) -> tuple[Hashable, ...]:
        """Names in the order of the model's inputs; empty before the first record is learnt."""
        return self._features

    @property
    def p_value(self) -> float:
        """Share of earlier scores as high as the last one returned; 1 until warm.

        Of `score_many` it is the last row's.
        """
        return self._p_value

    @property
    def threshold(self) -> float:
        """Score from which a record is anomalous: its p-value is `budget`. Infinite until warm."""
        return math.inf if self._blocks is None else self._blocks.detector.threshold(self.budget)

    @property
    def warmup_progress(self) -> float:
        """1 once records can be judged by `budget`.

        After the first block that takes `warmup_records` scores or, where that is more, 1 / budget,
        `calibration_memory` at most.
        """
        return 0.0 if self._blocks is None else self._blocks.detector.warmup_progress(self.budget)

    def score_one(self, x: Mapping[Hashable, Any]) -> float:
        """Return the score of x, higher being more anomalous; 0 where there is no model yet."""
        return float(self._score([x], self._rows)[0])

    def learn_one(self, x: Mapping[Hashable, Any]) -> None:
        """Take in x; the last record of a block makes the detector learn the block."""
        self._learn(x, [x], self._rows)

    # river names data frames X.
    def score_many(self, X: Any) -> Any:  # noqa: N803
        """Score the rows of a pandas data frame as the next records; return a series like it."""
        from river.utils.pandas import import_pandas  # noqa: PLC0415 - pandas is optional.

        scores = self._score(X, self._table)
        return import_pandas().Series(scores, index=X.index, name="score")

    def learn_many(self, X: Any) -> None:  # noqa: N803
        """Take in the rows of a pandas data frame, as `learn_one` does one after the other."""
        if len(X):
            self._learn(_records(X.iloc[:1])[0], X, self._table)

    def explain_one(self, x: Mapping[Hashable, Any]) -> dict[Hashable, Attribution]:
        """Return what makes x anomalous, by feature, the largest share first.

        Raise ValueError before the first block is learnt.
        """
        if self._blocks is None:
            raise ValueError("nothing to explain with before anything is learnt")
        explanation = self._blocks.explain(Inputs.of(self._rows([x])))
        return {
            self._features[j]: Attribution(*(float(column[j]) for column in explanation))
            for j in np.argsort(-explanation.share, kind="stable")
        }

    def _score(self, records: Any, as_rows: Callable[[Any], Floats]) -> Doubles:
        if self._blocks is None or len(records) == 0:
            return np.zeros(len(records))
        scores = self._blocks.score(Inputs.of(as_rows(records)))
        self._p_value = float(scores.p_value[-1])
        return np.nan_to_num(scores.score.astype(np.float64), nan=0.0)

    def _learn(
        self, first: Mapping[Hashable, Any], records: Any, as_rows: Callable[[Any], Floats]
    ) -> None:
        if self._blocks is None:
            self._freeze(first)
        assert self._blocks is not None  # noqa: S101 - for mypy.
        self._blocks.learn(Inputs.of(as_rows(records)))

    def _freeze(self, x: Mapping[Hashable, Any]) -> None:
        names = [name for name, value in x.items() if value is None or isinstance(value, Number)]
        if not names:
            raise ValueError("the first record learnt has no number, so it names no feature")
        # Sorted: dicts of equal content must give equal models.
        self._features = tuple(sorted(names, key=lambda name: (str(name), repr(name))))
        stream = f"{self.topic}/{self.partition}"
        self._blocks = BlockwiseDetector(
            self._config, [str(name) for name in self._features], stream
        )

    def _rows(self, records: Iterable[Mapping[Hashable, Any]]) -> Floats:
        """Return [n, d], NaN where a feature is missing."""
        values = [[x.get(name) for name in self._features] for x in records]
        try:
            with np.errstate(over="ignore"):  # Beyond float32 is infinite, hence refused.
                rows = np.array(values, np.float32)
        except (TypeError, ValueError):
            raise ValueError(_unreadable(self._features, values)) from None
        return self._finite(rows)

    def _table(self, frame: Any) -> Floats:
        """Return the same of a data frame, whole columns at a time."""
        chosen = frame.reindex(columns=list(self._features))
        try:
            with np.errstate(over="ignore"):
                rows = chosen.to_numpy(np.float32, na_value=np.nan)
        except (TypeError, ValueError):
            return self._rows(_records(frame))  # Says which value is no number.
        return self._finite(rows)

    def _finite(self, rows: Floats) -> Floats:
        if np.isinf(rows).any():
            _, j = np.argwhere(np.isinf(rows))[0]
            raise ValueError(f"feature {self._features[j]!r} is infinite in float32")
        return rows


def _records(frame: Any) -> list[Mapping[Hashable, Any]]:
    records: list[Mapping[Hashable, Any]] = frame.to_dict(orient="records")
    return records


def _unreadable(features: tuple[Hashable, ...], values: list[list[Any]]) -> str:
    """Return a message that names the first value that is no number."""
    for row in values:
        for name, value in zip(features, row, strict=True):
            if value is not None and not isinstance(value, Number):
                return f"feature {name!r} is no number: {value!r}"
    return "a value is no real number"
