import copy
import inspect
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import river.checks
from river import anomaly, compose, datasets, preprocessing, stats
from river.checks import common

from streamae import StreamingAnomalyDetector
from streamae.config import Config, DetectorConfig
from streamae.evaluate import judge
from streamae.numerics.ranking import roc_auc
from tests import checks

SMALL = {"block_size": 64, "n_latents": 16, "warmup_records": 128, "device": "cpu"}

SHUTTLE = [(x, bool(y)) for x, y in datasets.Shuttle().take(2000)]


def unpickled(detector: Any) -> Any:
    return pickle.loads(pickle.dumps(detector))  # noqa: S301 - made on this line.


def river_checks() -> list[Callable[[Any], None]]:
    """What `river.checks.check_estimator` runs; Shuttle for CreditCard, which it downloads."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets, "CreditCard", datasets.Shuttle)
        return list(river.checks.yield_checks(StreamingAnomalyDetector()))


@pytest.mark.slow
@pytest.mark.parametrize("check", river_checks(), ids=lambda check: check.__name__)
def test_river(check: Callable[[Any], None]) -> None:
    check(StreamingAnomalyDetector(**SMALL))


@pytest.mark.parametrize(
    "check", [common.check_seeding_is_idempotent, common.check_learn_many_matches_learn_one]
)
def test_river_checks_of_other_estimators(check: Callable[..., None]) -> None:
    check(StreamingAnomalyDetector(**SMALL), dataset=SHUTTLE[:300])


def test_parameters_are_the_keys_of_the_configuration_with_their_defaults() -> None:
    parameters = inspect.signature(StreamingAnomalyDetector).parameters
    own = {"budget", "topic", "partition"}
    defaults = {name: p.default for name, p in parameters.items() if name not in own}
    config = DetectorConfig()
    assert defaults == {name: getattr(config, name) for name in config.__struct_fields__}
    assert StreamingAnomalyDetector(n_latents=7).n_latents == 7  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"block_size": 3}, r"block_size"),
        ({"n_latent": 3}, "^n_latent: unknown key; did you mean 'n_latents'"),
        ({"activation": "gelu"}, "activation"),
        ({"budget": 0.0}, "^budget: expected a share between 0 and 1, got 0.0$"),
    ],
)
def test_bad_parameters(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StreamingAnomalyDetector(**parameters)


@pytest.mark.slow
def test_scores_p_values_and_thresholds_are_the_daemons() -> None:
    detector = StreamingAnomalyDetector(topic="shuttle", budget=0.2, **SMALL)
    said = []
    for x, _ in SHUTTLE:
        said.append((detector.score_one(x), detector.p_value))
        detector.learn_one(x)
    names = sorted(SHUTTLE[0][0])
    assert detector.features == tuple(names)
    rows = np.array([[x[name] for name in names] for x, _ in SHUTTLE], np.float32)
    verdicts = judge(rows, Config(detector=DetectorConfig(**SMALL)), "shuttle/0")
    expected = np.nan_to_num(verdicts.score.astype(np.float64), nan=0.0)
    np.testing.assert_array_equal([score for score, _ in said], expected)
    np.testing.assert_array_equal([p for _, p in said], verdicts.p_value)
    assert detector.warmup_progress == 1.0
    last = slice(len(rows) // 64 * 64, None)
    flagged = expected[last] >= detector.threshold
    assert flagged.any()
    np.testing.assert_array_equal(flagged, verdicts.p_value[last] <= detector.budget)


def test_nothing_is_flagged_before_it_is_warm() -> None:
    detector = StreamingAnomalyDetector(**SMALL)
    assert detector.threshold == math.inf
    for x, _ in SHUTTLE[: 64 + 127]:
        assert detector.score_one(x) < detector.threshold
        assert detector.p_value == 1.0
        detector.learn_one(x)
    assert detector.warmup_progress < 1.0


@pytest.mark.parametrize("duplicate", [copy.deepcopy, unpickled])
def test_a_copy_goes_on_alike_and_apart(duplicate: Callable[[Any], Any]) -> None:
    detector = StreamingAnomalyDetector(**SMALL)
    for x, _ in SHUTTLE[:300]:  # Not a whole number of blocks.
        detector.learn_one(x)
    twin = duplicate(detector)
    before = twin.score_one(SHUTTLE[300][0])
    for x, _ in SHUTTLE[300:500]:
        assert detector.score_one(x) >= 0
        detector.learn_one(x)
    assert twin.score_one(SHUTTLE[300][0]) == before
    for x, _ in SHUTTLE[300:500]:
        twin.learn_one(x)
    assert twin.score_one(SHUTTLE[500][0]) == detector.score_one(SHUTTLE[500][0])


def test_mini_batches() -> None:
    one, many = StreamingAnomalyDetector(**SMALL), StreamingAnomalyDetector(**SMALL)
    frame = pd.DataFrame([x for x, _ in SHUTTLE[:512]], index=range(1000, 1512))
    for start in range(0, 512, 32):
        batch = frame.iloc[start : start + 32]
        scores = many.score_many(batch)
        many.learn_many(batch)
        pd.testing.assert_index_equal(scores.index, batch.index)
        for row, x in enumerate(batch.to_dict(orient="records")):
            assert one.score_one(x) == scores.iloc[row]
            one.learn_one(x)
    assert one.p_value == many.p_value
    assert many.score_many(frame.iloc[:0]).empty
    many.learn_many(frame.iloc[:0])


def test_data_frames_are_their_records() -> None:
    rng = np.random.default_rng(0)
    usual = pd.DataFrame(rng.normal(size=(200, 3)), columns=list("abc"))
    odd = pd.DataFrame(
        {
            "note": "text",
            "c": pd.array([1, None, 3], "Int64"),
            "a": [None, True, 2.5],
        }
    )
    of_frames, of_records = (StreamingAnomalyDetector(**SMALL) for _ in range(2))
    for frame in (usual, odd, usual):
        of_frames.learn_many(frame)
        for x in frame.replace({pd.NA: None}).to_dict(orient="records"):
            of_records.learn_one(x)
    assert pickle.dumps(of_frames) == pickle.dumps(of_records)
    with pytest.raises(ValueError, match="'a' is no number: 'one'"):
        of_frames.score_many(pd.DataFrame({"a": [1.0, "one"]}))
    with pytest.raises(ValueError, match="'b' is infinite"):
        of_frames.learn_many(pd.DataFrame({"b": [1.0, 1e39]}))


@pytest.mark.slow
def test_in_a_pipeline_of_river() -> None:
    model = compose.Pipeline(
        preprocessing.StatImputer(("f1", stats.Mean())),
        preprocessing.StandardScaler(),
        StreamingAnomalyDetector(**SMALL),
    )
    scores = []
    for x, _ in SHUTTLE:
        scores.append(model.score_one(x))
        model.learn_one(x)
    labels = np.array([y for _, y in SHUTTLE])
    assert (roc_auc(np.array(scores[128:]), labels[128:]) or 0) > 0.95


def test_behind_a_filter_of_river() -> None:
    detector = StreamingAnomalyDetector(**SMALL)
    model = anomaly.QuantileFilter(detector, q=0.98, protect_anomaly_detector=False)
    flags = [model.classify(model.score_one(x)) or model.learn_one(x) for x, _ in SHUTTLE[:200]]
    assert len(flags) == 200


def test_features_of_the_first_record_are_frozen() -> None:
    detector = StreamingAnomalyDetector(**SMALL)
    assert detector.features == ()
    assert detector.score_one({"a": 1.0}) == 0.0
    assert detector.features == ()
    detector.learn_one({"b": None, "a": 1, "note": "text"})
    assert detector.features == ("a", "b")
    detector.learn_one({"c": 3.0, "a": float("nan")})
    detector.learn_one({})
    assert detector.features == ("a", "b")


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ({"a": math.inf}, "'a' is infinite"),
        ({"a": 1e39}, "'a' is infinite"),
        ({"a": "one"}, "'a' is no number: 'one'"),
        ({"a": [1.0]}, r"'a' is no number: \[1.0\]"),
        ({"a": 1j}, "no real number"),
    ],
)
def test_bad_values(x: dict[str, Any], message: str) -> None:
    detector = StreamingAnomalyDetector(**SMALL)
    detector.learn_one({"a": 1.0, "b": 2.0})
    before = pickle.dumps(detector)
    for method in (detector.score_one, detector.learn_one):
        with pytest.raises(ValueError, match=message):
            method(x)
    assert pickle.dumps(detector) == before


def test_a_first_record_without_numbers() -> None:
    with pytest.raises(ValueError, match="names no feature"):
        StreamingAnomalyDetector().learn_one({"a": "text"})


def test_explain_one() -> None:
    detector = StreamingAnomalyDetector(**SMALL)
    with pytest.raises(ValueError, match="before anything is learnt"):
        detector.explain_one({"f0": 1.0})
    x = checks.stream(1000)
    records = [{f"f{j}": float(v) for j, v in enumerate(row)} for row in x]
    for record in records[:-1]:
        detector.learn_one(record)
    odd = records[-1] | {"f3": 1000.0, "f1": None}
    explained = detector.explain_one(odd)
    name, attribution = next(iter(explained.items()))
    assert name == "f3"
    assert attribution.observed == 1000.0
    assert abs(attribution.expected) < 100
    assert math.isnan(explained["f1"].observed)
    assert sum(a.share for a in explained.values()) == pytest.approx(1.0)


def test_lists_of_features_are_parameters_like_others() -> None:
    detector = StreamingAnomalyDetector(diff=("a", "b"), heavy_tails=(), **SMALL)
    clone = detector.clone({"lag": 1})
    assert (clone.diff, clone.heavy_tails, clone.lag) == (["a", "b"], [], 1)
