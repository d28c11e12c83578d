from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from streamae import Detector
from streamae.config import AlertingConfig, Config, DetectorConfig
from streamae.detector import Detector as BlockDetector
from streamae.errors import SnapshotError
from streamae.evaluate import evaluate, flag, judge
from streamae.pipeline import Pipeline
from streamae.pipeline.online import OnlineDetector, Rows
from streamae.transforms import Inputs
from streamae.types import Floats, RecordBatch, TopicPartition
from tests import checks

SMALL = {"block_size": 64, "n_latents": 16, "warmup_records": 128, "device": "cpu"}
CONFIG = Config(detector=DetectorConfig(**SMALL))
N = 1000


def stream(n: int = N) -> Floats:
    x = checks.stream(n)
    x[::53] *= 4
    x[::97, 1] = np.nan
    return x


@pytest.mark.parametrize("size", [1, 7, 63, 64, 65, 500, N])
def test_verdicts_are_those_of_evaluate_for_any_batch_size(size: int) -> None:
    x = stream()
    detector = Detector(topic="topic", **SMALL)
    verdicts = [detector.score_learn(x[at : at + size]) for at in range(0, N, size)]
    for place, expected in enumerate(judge(x, CONFIG, "topic/0")):
        have = np.concatenate([verdict[place] for verdict in verdicts])
        assert have.dtype == expected.dtype
        assert have.tobytes() == expected.tobytes()
    assert detector.n_learnt == N


def test_verdicts_are_those_of_the_pipeline() -> None:
    x = stream()
    online = OnlineDetector(CONFIG.detector, tuple("abcdef"), TopicPartition("topic", 3))
    detector = Detector(features="abcdef", topic="topic", partition=3, **SMALL)
    sizes, start = np.random.default_rng(0), 0
    while start < N:
        piece = x[start : start + min(int(sizes.integers(1, 64)), online.room)]
        zeros = np.zeros(len(piece), np.int64)
        scored = online.score(Rows(Inputs.of(piece), zeros, [()] * len(piece)))
        before = detector.score(piece)
        verdicts = detector.score_learn(piece)
        for have in (before, verdicts):
            assert have.score.tobytes() == scored.scores.score[scored.slots].tobytes()
            assert have.p_value.tobytes() == scored.scores.p_value[scored.slots].tobytes()
        if online.full:
            online.learn(scored.scores)
            online.block.finish()
        start += len(piece)
    assert detector.threshold(1e-2) == online.detector.threshold(1e-2)
    for have, expected in zip(detector.explain(x[-1]), online.detector.explain(x[-1]), strict=True):
        np.testing.assert_array_equal(have, expected)


def test_roc_auc_is_the_reports(tmp_path: Path) -> None:
    x = stream()
    y = np.zeros(N, np.int64)
    y[::53] = 1
    np.savez(tmp_path / "some.npz", X=x, y=y)
    config = Config(detector=CONFIG.detector, alerting=AlertingConfig(budget=0.01))
    report = evaluate(tmp_path / "some.npz", config)
    verdicts = Detector(topic="some", **SMALL).score_learn(x)
    assert report.warmup_rows == (~verdicts.warm).sum()
    first, flagged = flag(verdicts.p_value, config, 0.01)
    assert report.alert_rate_clean == flagged[y[first:] == 0].mean()


def test_learn_says_what_each_block_taught() -> None:
    x = stream()
    apart, together = Detector(**SMALL), Detector(**SMALL)
    verdicts = together.score_learn(x)
    learned = apart.learn(x[:100]) + apart.learn(x[100:])
    assert len(learned) == N // 64
    assert learned[-1].loss > 0
    row = stream(N + 1)[N:]
    assert apart.score(row).score == together.score(row).score
    assert np.isnan(verdicts.score[:64]).all()
    assert np.isfinite(verdicts.score[64:]).all()


def test_score_changes_nothing(tmp_path: Path) -> None:
    x = stream()
    detector = Detector(**SMALL)
    detector.learn(x[:500])
    detector.save(tmp_path / "before")
    first = detector.score(x)
    second = detector.score(x)
    detector.save(tmp_path / "after")
    assert (tmp_path / "before").read_bytes() == (tmp_path / "after").read_bytes()
    assert first.score.tobytes() == second.score.tobytes()


@pytest.mark.parametrize("n", [0, 10, 64, 500])
def test_a_saved_detector_goes_on_to_the_last_bit(tmp_path: Path, n: int) -> None:
    x = stream()
    detector = Detector(features="abcdef", topic="a-b", partition=2, **SMALL)
    detector.score_learn(x[:n])
    detector.save(tmp_path / "state.safetensors")
    loaded = Detector.load(tmp_path / "state.safetensors", device="cpu")
    assert loaded.n_learnt == n
    assert loaded.features == tuple("abcdef")
    assert loaded.config == detector.config
    for have, expected in zip(loaded.score_learn(x[n:]), detector.score_learn(x[n:]), strict=True):
        assert have.tobytes() == expected.tobytes()
    assert [path.name for path in tmp_path.iterdir()] == ["state.safetensors"]


def test_a_detector_without_rows_can_be_saved(tmp_path: Path) -> None:
    Detector(**SMALL).save(tmp_path / "state")
    assert Detector.load(tmp_path / "state").features == ()


def test_a_daemons_snapshot_can_be_loaded(tmp_path: Path) -> None:
    x = stream()
    partition = TopicPartition("sensors", 4)
    pipeline = Pipeline(CONFIG, partition, 0)
    names = tuple("abcdef")
    values = [row.astype("<f4").tobytes() for row in x[:640]]
    config = Config(detector=CONFIG.detector, record=_float32(names))
    pipeline = Pipeline(config, partition, 0)
    at = np.arange(640, dtype=np.int64)
    pipeline.process(RecordBatch(partition, at, at, [None] * 640, values, [()] * 640, 640))
    (tmp_path / "snapshot").write_bytes(pipeline.snapshot())
    loaded = Detector.load(tmp_path / "snapshot")
    expected = judge(x, CONFIG, "sensors/4")
    assert loaded.score_learn(x[640:]).score.tobytes() == expected.score[640:].tobytes()


def _float32(names: tuple[str, ...]) -> Any:
    return type(CONFIG.record)(format="float32", features=names)


def test_damaged_and_foreign_files(tmp_path: Path) -> None:
    path = tmp_path / "state"
    detector = Detector(**SMALL)
    detector.learn(stream())
    detector.save(path)
    blob = bytearray(path.read_bytes())
    blob[-5] ^= 1
    path.write_bytes(blob)
    with pytest.raises(SnapshotError, match="damaged"):
        Detector.load(path)
    path.write_bytes(b"not one")
    with pytest.raises(SnapshotError, match="damaged"):
        Detector.load(path)
    with pytest.raises(FileNotFoundError):
        Detector.load(tmp_path / "none")


def wild(x: Floats) -> Floats:
    x[:, 0], x[:, 1] = 1e30, 1e-30
    x[::7, 2] *= 1e30
    x[::5, 3] *= 1e-38
    return x


ODD: dict[str, Callable[[Floats], Floats]] = {
    "all missing": lambda x: np.full_like(x, np.nan),
    "one row all missing": lambda x: np.where(np.arange(len(x))[:, None] % 9, x, np.nan),
    "a feature all missing": lambda x: np.where(np.arange(6) == 2, np.nan, x).astype(np.float32),
    "missing at first": lambda x: np.where(np.arange(len(x))[:, None] < 200, np.nan, x),
    "constant": lambda x: np.full_like(x, 7.5),
    "a constant feature": lambda x: np.where(np.arange(6) == 2, 1e6, x).astype(np.float32),
    "zeros": np.zeros_like,
    "huge beside tiny": wild,
    "the largest float32": lambda x: np.copysign(np.finfo(np.float32).max, x),
    "one feature": lambda x: x[:, :1],
    "alternating extremes": lambda x: np.where(np.arange(len(x))[:, None] % 2, x, 3e38),
}


@pytest.mark.parametrize("name", ODD)
def test_no_nan_comes_out(name: str) -> None:
    x = np.ascontiguousarray(ODD[name](checks.stream(N)), np.float32)
    detector = Detector(**SMALL)
    verdicts = detector.score_learn(x)
    assert np.isfinite(verdicts.score[64:]).all()
    assert (verdicts.p_value > 0).all()
    assert (verdicts.p_value <= 1).all()
    explanation = detector.explain(x[-1])
    assert np.isfinite(explanation.expected).all()
    assert np.isfinite(explanation.share).all()


@pytest.mark.slow
def test_a_thousand_features() -> None:
    x = np.random.default_rng(0).standard_normal((80, 1000)).astype(np.float32)
    detector = Detector(block_size=16, n_latents=8, warmup_records=16, device="cpu")
    verdicts = detector.score_learn(x)
    assert np.isfinite(verdicts.score[16:]).all()
    assert verdicts.warm[-1]


def test_no_rows() -> None:
    detector = Detector(**SMALL)
    for method in (detector.score, detector.score_learn):
        verdicts = method(np.empty((0, 3)))
        assert [len(part) for part in verdicts] == [0, 0, 0]
    assert detector.learn(np.empty((0, 3))) == []
    assert detector.features == ("x0", "x1", "x2")
    assert detector.threshold(0.01) == float("inf")


def test_lists_integers_and_none() -> None:
    verdicts = Detector(block_size=16, n_latents=4).score_learn([[1, None], [2, 3.5]] * 20)
    assert np.isfinite(verdicts.score[16:]).all()


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros(6), r"\[n, d\] with d > 0, not \[6\]"),
        (np.zeros((2, 0)), r"not \[2, 0\]"),
        (np.zeros((2, 3, 4)), r"not \[2, 3, 4\]"),
        (np.zeros((2, 5)), "5 features, not 6"),
        (np.full((2, 6), np.inf), "row 0, feature 0 is infinite"),
        (np.array([[0, 0, 0, 0, 0, 0], [0, 0, -1e39, 0, 0, 0]]), "row 1, feature 2 is infinite"),
        (np.full((2, 6), "1"), "numbers, not <U1"),
        (np.full((2, 6), 1j), "numbers, not complex"),
        (np.full((2, 6), {}), "must hold numbers"),
    ],
)
def test_bad_rows(x: Any, message: str, tmp_path: Path) -> None:
    detector = Detector(**SMALL)
    detector.learn(stream())
    detector.save(tmp_path / "before")
    for method in (detector.score, detector.learn, detector.score_learn):
        with pytest.raises(ValueError, match=message):
            method(x)
    detector.save(tmp_path / "after")
    assert (tmp_path / "before").read_bytes() == (tmp_path / "after").read_bytes()


def test_bad_use() -> None:
    detector = Detector(**SMALL)
    with pytest.raises(ValueError, match="before 64 records"):
        detector.explain(np.zeros(6))
    with pytest.raises(ValueError, match="share"):
        detector.threshold(1.0)
    with pytest.raises(ValueError, match="colour: unknown key"):
        Detector(colour="red")
    with pytest.raises(ValueError, match=r"one row of features, \[d\], not \[3, 6\]"):
        detector.explain(np.zeros((3, 6)))
    with pytest.raises(ValueError, match="different names"):
        Detector(features=["a", "a"])


def test_threads_of_the_caller_are_left_alone() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        verdicts = Detector(**SMALL).score_learn(stream())
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert verdicts.score.tobytes() == judge(stream(), CONFIG, "stream/0").score.tobytes()


def test_it_is_one_class_of_several() -> None:
    assert Detector is not BlockDetector
    assert repr(Detector(**SMALL)).startswith("Detector(block_size=64, device='cpu'")
