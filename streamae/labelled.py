"""Labelled streams on disk: `.npz` with X, y and feature_names, or CSV with a label column."""

import csv
import difflib
import gzip
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from streamae.errors import ConfigError, why
from streamae.types import Bools, Floats

TRUTHS = {"0": 0.0, "1": 1.0, "false": 0.0, "true": 1.0}


class LabelledStream(NamedTuple):
    """Rows in stream order."""

    x: Floats
    """[n, d], NaN = missing, infinite = a value the daemon would reject."""
    anomalous: Bools
    """[n]"""
    features: tuple[str, ...]
    """[d]"""
    beside: tuple[list[Any], ...] = ()
    """n cells of each column that was asked for and is no feature: text from CSV, else plain."""


def read(
    path: Path,
    label: str | None = None,
    rows: int | None = None,
    beside: Sequence[str] = (),
) -> LabelledStream:
    """Read at most `rows` rows of `path`; `label` names the label column of a CSV file.

    `beside` names columns, in an .npz file arrays, that are no features but wanted as they are.
    An empty CSV cell is missing; one that is no number becomes infinite. A CSV column that holds
    text in the first row is no feature. Raise `ConfigError` naming what is missing or malformed.
    """
    if rows is not None and rows < 1:
        raise ConfigError(f"--rows must be at least 1, not {rows}")
    try:
        if path.suffix == ".npz":
            return _npz(path, label, rows, beside)
        if path.name.endswith((".csv", ".csv.gz")):
            return _csv(path, label, rows, beside)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {why(error)}") from error
    except (BadZipFile, EOFError, csv.Error, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    raise ConfigError(f"{path}: a labelled stream is an .npz, .csv or .csv.gz file")


def select(stream: LabelledStream, names: Sequence[str]) -> LabelledStream:
    """Return the stream with the features `names`, in that order; raise `ConfigError` if absent."""
    absent = [name for name in names if name not in stream.features]
    if absent:
        raise ConfigError(f"record.features: {_unknown(absent[0], stream.features)}")
    columns = [stream.features.index(name) for name in names]
    return stream._replace(x=stream.x[:, columns], features=tuple(names))


def _npz(path: Path, label: str | None, rows: int | None, beside: Sequence[str]) -> LabelledStream:
    if label is not None:
        raise ConfigError(f"{path}: --label names a CSV column; an .npz file has its labels in y")
    arrays = _arrays(path, ("X", "y", *beside))
    x, y = arrays["X"], arrays["y"]
    if x.ndim != 2 or x.shape[1] == 0 or y.shape != x.shape[:1]:  # noqa: PLR2004
        raise ConfigError(f"{path}: X must be [n, d] and y [n], not {x.shape} and {y.shape}")
    features = arrays.get("feature_names", np.array([f"x{j}" for j in range(x.shape[1])]))
    if features.shape != x.shape[1:]:
        raise ConfigError(f"{path}: {x.shape[1]} features but feature_names {features.shape}")
    if x.dtype.kind not in "fiub" or y.dtype.kind not in "fiub":
        raise ConfigError(f"{path}: X and y must be numbers, not {x.dtype} and {y.dtype}")
    if any(arrays[name].shape != y.shape for name in beside):
        raise ConfigError(f"{path}: {', '.join(beside)} must be [n] like y")
    return LabelledStream(
        _float32(x[:rows]),
        _anomalous(path, y[:rows]),
        tuple(str(name) for name in features),
        tuple(arrays[name][:rows].tolist() for name in beside),
    )


def _arrays(path: Path, wanted: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = dict(file.items())
    except ValueError as error:
        raise ConfigError(f"{path}: cannot be read without unpickling objects: {error}") from error
    for name in wanted:
        if name not in arrays:
            raise ConfigError(f"{path}: no array {name}, only {', '.join(arrays) or 'none'}")
    return arrays


def _csv(path: Path, label: str | None, rows: int | None, beside: Sequence[str]) -> LabelledStream:
    opener: Any = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        header = next(reader, [])
        lines = [line for line in itertools.islice(reader, rows) if line]
    if label is None:
        raise ConfigError(f"{path}: name the label column: --label COLUMN, one of {_list(header)}")
    if label not in header:
        raise ConfigError(f"{path}: --label: {_unknown(label, header)}")
    for name in beside:
        if name not in header:
            raise ConfigError(f"{path}: {_unknown(name, header)}")
    for number, line in enumerate(lines, start=2):
        if len(line) != len(header):
            raise ConfigError(f"{path}: record {number}: {len(line)} cells, not {len(header)}")
    place, aside = header.index(label), [header.index(name) for name in beside]
    columns = [
        j
        for j in range(len(header))
        if j not in (place, *aside) and (not lines or _is_numeric(lines[0][j]))
    ]
    if not columns or not lines:
        raise ConfigError(f"{path}: no {'rows' if columns else 'numeric features'}")
    x = [[_number(line[j]) for j in columns] for line in lines]
    y = [TRUTHS.get(line[place].strip().lower(), _number(line[place])) for line in lines]
    return LabelledStream(
        _float32(np.array(x)),
        _anomalous(path, np.array(y)),
        tuple(header[j] for j in columns),
        tuple([line[j] for line in lines] for j in aside),
    )


def _is_numeric(cell: str) -> bool:
    return not np.isinf(_number(cell))


def _number(cell: str) -> float:
    """Return NaN for an empty cell and infinity for one that is no number."""
    try:
        return float(cell) if cell else float("nan")
    except ValueError:
        return float("nan") if cell.isspace() else float("inf")


def _float32(x: npt.NDArray[Any]) -> Floats:
    with np.errstate(over="ignore"):  # Beyond float32 is infinite, which is what is rejected.
        return np.ascontiguousarray(x, dtype=np.float32)


def _anomalous(path: Path, y: npt.NDArray[Any]) -> Bools:
    wrong = ~np.isin(y, (0, 1))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ConfigError(f"{path}: row {row + 1}: label {y[row]}: 0 is clean and 1 an anomaly")
    return np.asarray(y == 1)


def _unknown(name: str, known: Sequence[str]) -> str:
    nearest = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {nearest[0]!r}" if nearest else f"there are {_list(known)}"
    return f"no column {name!r}; {hint}"


def _list(names: Sequence[str]) -> str:
    """Return the first ten names."""
    return ", ".join(names[:10]) + (", ..." if len(names) > 10 else "") or "none"  # noqa: PLR2004
