import gzip
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from streamae.config import AlertingConfig, Config, DetectorConfig, RecordConfig
from streamae.detector import Detector
from streamae.errors import ConfigError
from streamae.evaluate import evaluate, flag, judge
from streamae.local import MemoryLog
from streamae.numerics.ranking import average_precision, roc_auc
from streamae.pipeline import Pipeline
from streamae.types import NO_TIMESTAMP, RecordBatch, TopicPartition

N, D, CLEAN_AFTER = 3000, 6, 600


def planted(n: int = N) -> tuple[np.ndarray, np.ndarray]:
    """Return correlated rows, one in fifty of them with the correlation broken, and labels."""
    rng = np.random.default_rng(7)
    factors = rng.normal(size=(n, 2))
    x = factors @ rng.normal(size=(2, D)) + 0.1 * rng.normal(size=(n, D))
    y = (rng.random(n) < 0.02) & (np.arange(n) >= CLEAN_AFTER)
    x[y] = rng.permuted(x, axis=0)[y]
    return x.astype(np.float32), y.astype(np.uint8)


@pytest.fixture
def stream(tmp_path: Path) -> Path:
    x, y = planted()
    path = tmp_path / "planted.npz"
    np.savez(path, X=x, y=y)
    return path


def saved(path: Path, x: np.ndarray, y: np.ndarray) -> Path:
    np.savez(path, X=x, y=y)
    return path


def ticks(step_s: float) -> Callable[[], float]:
    ticking = itertools.count(0.0, step_s)
    return lambda: next(ticking)


@pytest.mark.parametrize(
    ("scores", "labels", "auc", "precision"),
    [
        ([1, 2, 3, 4], [0, 0, 1, 1], 1.0, 1.0),
        ([4, 3, 2, 1], [0, 0, 1, 1], 0.0, (1 / 3 + 2 / 4) / 2),
        ([1, 1, 1, 1], [0, 0, 1, 1], 0.5, 0.5),
        # The example of scikit-learn's documentation of both functions.
        ([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1], 0.75, 5 / 6),
        # One anomaly tied with one clean row: half a pair, precision 1/1 then 2/3.
        ([3, 2, 2, 1], [1, 1, 0, 0], 0.875, (1 + 2 / 3) / 2),
        ([-1, 5], [1, 0], 0.0, 0.5),
    ],
)
def test_known_ranks(scores: list[float], labels: list[int], auc: float, precision: float) -> None:
    got = np.array(scores, np.float32), np.array(labels, np.bool_)
    assert roc_auc(*got) == pytest.approx(auc)
    assert average_precision(*got) == pytest.approx(precision)


def test_auc_counts_pairs() -> None:
    rng = np.random.default_rng(3)
    scores, labels = rng.integers(0, 20, 300).astype(np.float32), rng.random(300) < 0.1
    pairs = scores[labels][:, None] - scores[~labels][None, :]
    assert roc_auc(scores, labels) == pytest.approx(((pairs > 0) + (pairs == 0) / 2).mean())


@pytest.mark.parametrize("labels", [[True, True], [False, False], []])
def test_one_class_has_no_rank(labels: list[bool]) -> None:
    scores = np.arange(len(labels), dtype=np.float32)
    assert roc_auc(scores, np.array(labels, np.bool_)) is None
    assert average_precision(scores, np.array(labels, np.bool_)) is None


def test_rank_of_nan() -> None:
    with pytest.raises(ValueError, match="not a finite number"):
        roc_auc(np.array([1, np.nan]), np.array([True, False]))


def test_report(stream: Path) -> None:
    report = evaluate(stream, Config(), clock=ticks(2.0))
    assert (report.rows, report.features) == (N, D)
    assert report.anomalies == planted()[1].sum()
    assert report.roc_auc is not None
    assert report.roc_auc > 0.9
    assert report.average_precision is not None
    assert report.average_precision > 0.5
    assert report.alert_budget == 0.001
    assert 256 <= report.warmup_rows < N
    assert (report.seconds, report.records_per_second) == (2.0, N / 2)
    assert (report.rejected, report.notes) == (0, ())


def test_figures_follow_from_the_verdicts(stream: Path) -> None:
    config = Config(alerting=AlertingConfig(budget=0.05))
    x, y = planted()
    verdicts = judge(x, config, "planted/0")
    report = evaluate(stream, config)
    assert report.roc_auc == roc_auc(verdicts.score[512:], y[512:] == 1)
    assert report.average_precision == average_precision(verdicts.score[512:], y[512:] == 1)
    assert report.warmup_rows == (~verdicts.warm).sum()


def test_what_it_flags_is_what_the_daemon_flags(stream: Path) -> None:
    """Which is not what the p-values alone would flag."""
    x, y = planted()
    names = tuple(f"x{at}" for at in range(D))
    partition = TopicPartition("planted", 0)
    read = MemoryLog([row.tobytes() for row in x.astype("<f4")]).read(partition, 0, N)
    corrected = False
    for budget in (0.05, 0.08, 0.12, 0.2):
        alerting = AlertingConfig(budget=budget)
        config = Config(record=RecordConfig(format="float32"), alerting=alerting)
        done = Pipeline(config, partition, 0).process(replace(read, columns=names))
        p_value = judge(x, config, "planted/0", names).p_value
        first, flagged = flag(p_value, config, budget)
        report = evaluate(stream, config)
        assert (N - first, int(flagged.sum())) == (done.n_judged, done.n_flagged)
        assert report.alert_rate == done.n_flagged / done.n_judged > 0
        assert report.alert_rate_clean == flagged[y[first:] == 0].mean() > 0
        corrected |= bool((flagged != (p_value[first:] <= budget)).any())
    assert corrected


def test_a_small_budget_is_not_judged_before_its_p_value_can_be_estimated(stream: Path) -> None:
    report = evaluate(stream, Config(alerting=AlertingConfig(budget=1 / 1500)))
    assert report.warmup_rows == 256 + 6 * 256
    assert evaluate(stream, Config(alerting=AlertingConfig(budget=1e-5))).alert_rate is None


def test_labels_are_not_shown_to_the_detector(stream: Path, tmp_path: Path) -> None:
    x, y = planted()
    flipped = evaluate(saved(tmp_path / "planted.npz", x, 1 - y), Config())
    report = evaluate(saved(stream, x, y), Config())
    assert report.roc_auc is not None
    assert flipped.roc_auc == pytest.approx(1 - report.roc_auc)


def test_rows_are_scored_before_they_are_learnt() -> None:
    x, _ = planted(700)
    config = Config()
    detector = Detector(config.detector, D, "planted/0")
    expected = []
    for start in (0, 256):
        scores = detector.score(x[start : start + 256], 256)
        expected.append(scores.score)
        detector.learn(x[start : start + 256], scores)
    rest = np.zeros((256, D), np.float32)
    rest[:188] = x[512:]
    expected.append(detector.score(rest, 188).score[:188])
    np.testing.assert_array_equal(judge(x, config, "planted/0").score, np.concatenate(expected))


def test_scores_are_the_daemons() -> None:
    x, _ = planted(1000)
    x[::7, 2] = np.nan
    pipeline = Pipeline(Config(), TopicPartition("planted", 0), 0)
    scores: list[np.ndarray] = []
    for first in range(0, len(x), 90):
        rows = x[first : first + 90].tolist()
        batch = RecordBatch(
            partition=pipeline.partition,
            offsets=np.arange(first, first + len(rows)),
            timestamps_ms=np.full(len(rows), NO_TIMESTAMP),
            keys=[None] * len(rows),
            values=[msgspec.json.encode(row) for row in rows],
            headers=[()] * len(rows),
            next_offset=first + len(rows),
        )
        scores += pipeline.process(batch).scores
    verdicts = judge(x, Config(), "planted/0")
    np.testing.assert_array_equal(np.concatenate(scores), verdicts.score)


def test_later_rows_change_nothing() -> None:
    x, _ = planted(1000)
    shorter, longer = (judge(x[:n], Config(), "planted/0") for n in (700, 1000))
    np.testing.assert_array_equal(shorter.score, longer.score[:700])
    np.testing.assert_array_equal(shorter.p_value, longer.p_value[:700])


def test_rows_and_source_name(stream: Path) -> None:
    x, y = planted()
    config = Config()
    named = msgspec.convert({"source": {"topic": "other"}}, Config)
    report = evaluate(stream, config, rows=1500)
    other = evaluate(stream, named, rows=1500)
    assert report.rows == 1500
    assert report.roc_auc == roc_auc(
        judge(x[:1500], config, "planted/0").score[512:], y[512:1500] == 1
    )
    assert other.roc_auc == roc_auc(
        judge(x[:1500], config, "other/0").score[512:], y[512:1500] == 1
    )


def test_rejected_rows_are_left_out(tmp_path: Path) -> None:
    x, y = planted()
    bad = np.insert(x, [4, 1000], np.inf, axis=0)
    labels = np.insert(y, [4, 1000], 1)
    report = evaluate(saved(tmp_path / "bad.npz", bad, labels), Config())
    good = evaluate(
        saved(tmp_path / "good.npz", x, y), msgspec.convert({"source": {"topic": "bad"}}, Config)
    )
    assert report.rejected == 2
    assert "2 rows rejected, the first is row 5" in report.notes[0]
    assert report.rows == good.rows
    assert report.roc_auc == good.roc_auc
    with pytest.raises(ConfigError, match="no row can be evaluated"):
        evaluate(saved(tmp_path / "none.npz", bad[4:5], labels[4:5]), Config())


def test_large_blocks_move_the_first_judged_row(stream: Path) -> None:
    config = Config(detector=DetectorConfig(block_size=1024))
    x, y = planted()
    verdicts = judge(x, config, "planted/0")
    assert np.isnan(verdicts.score[:1024]).all()
    assert evaluate(stream, config).roc_auc == roc_auc(verdicts.score[1024:], y[1024:] == 1)


def test_one_class(tmp_path: Path) -> None:
    x, y = planted()
    report = evaluate(saved(tmp_path / "clean.npz", x, 0 * y), Config())
    assert report.roc_auc is None
    assert report.average_precision is None
    assert report.alert_rate_clean is not None
    assert report.notes == ("ROC-AUC and average precision need both labels: all rows are clean",)
    assert "ROC-AUC                 -\n" in report.render()


def test_all_anomalous(tmp_path: Path) -> None:
    x, y = planted()
    report = evaluate(saved(tmp_path / "all.npz", x, 0 * y + 1), Config())
    assert report.alert_rate_clean is None
    assert report.notes[1] == "no clean row after warm-up"


def test_short_stream(stream: Path) -> None:
    report = evaluate(stream, Config(), rows=100)
    assert report.roc_auc is None
    assert report.alert_rate_clean is None
    assert report.warmup_rows == 100
    assert "need more than 512 rows" in report.notes[0]
    assert report.notes[1] == "the detector did not finish its warm-up"


def test_csv_with_chosen_features(tmp_path: Path) -> None:
    x, y = planted(1000)
    path = tmp_path / "s.csv"
    lines = [
        ",".join([*(f"{v:.9g}" for v in row), str(label)]) for row, label in zip(x, y, strict=True)
    ]
    path.write_text("\n".join(["a,b,c,d,e,f,y", *lines]))
    config = Config(record=RecordConfig(features=("f", "a")))
    report = evaluate(path, config, label="y")
    assert report.features == 2
    assert report.roc_auc == roc_auc(judge(x[:, [5, 0]], config, "s/0").score[512:], y[512:] == 1)


def test_a_compressed_file_is_the_same_stream(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(700, 3))
    text = "".join(f"{a},{b},{c},{int(a > 2)}\n" for a, b, c in rows)
    plain, packed = tmp_path / "s.csv", tmp_path / "s.csv.gz"
    plain.write_text(f"a,b,c,odd\n{text}")
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    auc, auc_of_packed = (evaluate(path, Config(), label="odd").roc_auc for path in (plain, packed))
    assert auc == auc_of_packed


def test_budget_in_time(stream: Path) -> None:
    config = Config(alerting=AlertingConfig(budget="20 per day"))
    with pytest.raises(ConfigError, match=r"alerting\.budget: '20 per day' needs event time"):
        evaluate(stream, config)


def test_forms(stream: Path) -> None:
    report = evaluate(stream, Config(), rows=1000, clock=ticks(0.5))
    fields = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert fields["rows"] == 1000
    assert fields["roc_auc"] == report.roc_auc
    assert fields["records_per_second"] == 2000
    lines = report.render().splitlines()
    assert lines[0] == "rows                    1,000"
    assert "records per second      2,000" in lines
    assert f"ROC-AUC                 {report.roc_auc:.4f}" in lines
