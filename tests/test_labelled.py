import gzip
from pathlib import Path

import numpy as np
import pytest

from streamae.errors import ConfigError
from streamae.labelled import LabelledStream, read, select

CSV = "time,a,b,label\n2026-01-01,1.5,-2,0\n2026-01-02,,1e3,1\n2026-01-03,nan,oops,0\n"


def npz(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


def test_npz(tmp_path: Path) -> None:
    x = np.array([[1.0, np.nan], [3.0, 4.0], [1e39, 6.0]])
    names = np.array(["flow", "heat"])
    path = npz(tmp_path / "s.npz", X=x, y=np.array([0, 1, 1]), feature_names=names)
    stream = read(path)
    assert stream.x.dtype == np.float32
    np.testing.assert_array_equal(stream.x, [[1, np.nan], [3, 4], [np.inf, 6]])
    assert stream.anomalous.tolist() == [False, True, True]
    assert stream.features == ("flow", "heat")
    assert read(path, rows=2).x.shape == (2, 2)


def test_npz_without_names(tmp_path: Path) -> None:
    path = npz(tmp_path / "s.npz", X=np.zeros((2, 3), np.uint8), y=np.array([False, True]))
    assert read(path).features == ("x0", "x1", "x2")


@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
def test_csv(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"s{ending}"
    path.write_bytes(gzip.compress(CSV.encode()) if ending.endswith("gz") else CSV.encode())
    stream = read(path, label="label")
    np.testing.assert_array_equal(stream.x, [[1.5, -2], [np.nan, 1000], [np.nan, np.inf]])
    assert stream.anomalous.tolist() == [False, True, False]
    assert stream.features == ("a", "b")
    assert len(read(path, label="label", rows=1).x) == 1


def test_csv_dialect(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_bytes('\ufeff"a, 1",truth\r\n" 2 ",True\r\n\r\n3,FALSE\r\n'.encode())
    stream = read(path, label="truth")
    assert stream.features == ("a, 1",)
    assert stream.x.tolist() == [[2], [3]]
    assert stream.anomalous.tolist() == [True, False]


def test_select() -> None:
    stream = LabelledStream(np.array([[1, 2, 3]], np.float32), np.array([True]), ("a", "b", "c"))
    chosen = select(stream, ("c", "a"))
    assert chosen.x.tolist() == [[3, 1]]
    assert chosen.features == ("c", "a")
    with pytest.raises(ConfigError, match=r"record.features: no column 'bb'; did you mean 'b'"):
        select(stream, ("a", "bb"))


X, Y = np.zeros((3, 2)), np.array([0, 1, 0])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"X": X}, "no array y, only X"),
        ({"data": X, "y": Y}, "no array X, only data, y"),
        ({"X": X, "y": Y[:2]}, r"X must be \[n, d\] and y \[n\], not \(3, 2\) and \(2,\)"),
        ({"X": X[0], "y": Y}, r"not \(2,\) and \(3,\)"),
        ({"X": X[:, :0], "y": Y}, r"not \(3, 0\) and \(3,\)"),
        ({"X": X, "y": np.array([0, np.nan, 1])}, "row 2: label nan"),
        ({"X": X, "y": np.array([1, 1, -1])}, "row 3: label -1: 0 is clean"),
        ({"X": X, "y": Y, "feature_names": np.array(["a"])}, "2 features but feature_names"),
        ({"X": X.astype(str), "y": Y}, "must be numbers, not <U32"),
        ({"X": X.astype(object), "y": Y}, "without unpickling"),
    ],
)
def test_npz_error(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read(npz(tmp_path / "s.npz", **arrays))


@pytest.mark.parametrize(
    ("text", "label", "message"),
    [
        (CSV, None, r"--label COLUMN, one of time, a, b, label"),
        (CSV, "lable", r"no column 'lable'; did you mean 'label'"),
        (CSV, "zzz", r"no column 'zzz'; there are time, a, b, label"),
        (CSV, "a", r"row 1: label 1.5"),
        ("a,y\n1,0\n2\n", "y", r"record 3: 1 cells, not 2"),
        ("a,y\n1,0\n2,\n", "y", r"row 2: label nan"),
        ("a,y\n", "y", "no rows"),
        ("", "y", "there are none"),
        ("a,y\nx,0\n", "y", "no numeric features"),
    ],
)
def test_csv_error(tmp_path: Path, text: str, label: str | None, message: str) -> None:
    path = tmp_path / "s.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read(path, label=label)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("s.parquet", b"", "is an .npz, .csv or .csv.gz file"),
        ("s.npz", b"PK\x03\x04 not a zip", "cannot be read"),
        ("s.npz", b"plain text", "cannot be read"),
        ("s.npz", b"", "cannot be read"),
        ("s.csv.gz", b"not gzip", "cannot be read"),
        ("s.csv", b"a,y\n\xff,0\n", "cannot be read"),
    ],
)
def test_unreadable(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read(path, label=None if name.endswith("npz") else "y")


def test_absent(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read(tmp_path / "s.csv", label="y")


def test_label_of_npz(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--label names a CSV column"):
        read(npz(tmp_path / "s.npz", X=X, y=Y), label="y")


@pytest.mark.parametrize("rows", [0, -1])
def test_rows(tmp_path: Path, rows: int) -> None:
    with pytest.raises(ConfigError, match="--rows must be at least 1"):
        read(npz(tmp_path / "s.npz", X=X, y=Y), rows=rows)
