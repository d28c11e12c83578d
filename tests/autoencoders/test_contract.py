"""What every model of the registry promises."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from river.datasets import Shuttle

from streamae.autoencoders import MODELS, Autoencoder
from streamae.autoencoders.base import RANGES
from streamae.evaluate import UNJUDGED_ROWS
from streamae.labelled import LabelledStream, read
from streamae.numerics.ranking import roc_auc
from tests.autoencoders.prequential import prequential_scores
from tests.streams import vectors

SMALL = {"n_latents": 10}
X = vectors(300)
D = X.shape[1]
ON_A_STREAM = {"denoising": {"corruption_masking": 0.1, "corruption_noise": 0.3}}
LEAST_ROC_AUC = {"stacked_denoising": 0.93}
"""0.95 for all others: the third layer of three learns more slowly than a stream passes."""


@pytest.fixture(params=sorted(MODELS))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def make(name: str, **hyperparameters: object) -> Autoencoder:
    return MODELS[name](**(SMALL | hyperparameters))


def fitted(name: str, **hyperparameters: object) -> Autoencoder:
    model = make(name, **hyperparameters)
    for batch in np.array_split(X, 5):
        model.partial_fit(batch)
    return model


def assert_same(a: Autoencoder, b: Autoencoder) -> None:
    first, second = a.state_dict(), b.state_dict()
    assert first.keys() == second.keys()
    for key, array in first.items():
        np.testing.assert_array_equal(array, second[key], err_msg=key)


def test_shapes(name: str) -> None:
    model = fitted(name)
    assert model.transform(X).shape == (len(X), 10)
    assert model.reconstruct(X).shape == X.shape
    assert model.score(X).shape == (len(X),)
    assert isinstance(model.total_cost(X), float)
    assert all(weight.ndim == 2 for weight in model.weights)
    assert [len(bias) for bias in model.biases] == [weight.shape[1] for weight in model.weights]


def test_parameters_begin_as_glorot_and_bengio_say(name: str) -> None:
    model = make(name)
    model.begin(D, torch.Generator().manual_seed(0))
    for weight in model.weights:
        limit = np.sqrt(6.0 / sum(weight.shape))
        assert 0.9 * limit < np.abs(weight).max() <= limit
        assert abs(weight.mean()) < 0.2 * limit
    assert not any(bias.any() for bias in model.biases)


def test_reconstruction_is_the_decoded_code(name: str) -> None:
    model = fitted(name)
    recons = model.inverse_transform(model.transform(X))
    np.testing.assert_array_equal(recons, model.reconstruct(X))


def test_learning_lowers_the_cost(name: str) -> None:
    model = fitted(name)
    before = model.total_cost(X)
    assert model.fit(X, n_epochs=10, batch_size=50).total_cost(X) < before


def test_same_seed_and_batches_give_the_same_bits(name: str) -> None:
    assert_same(fitted(name), fitted(name))
    other = fitted(name, seed=1)
    assert not np.array_equal(fitted(name).weights[0], other.weights[0])


def test_only_learning_changes_the_model(name: str) -> None:
    model, untouched = fitted(name), fitted(name)
    scores, cost = model.score(X), model.total_cost(X)
    model.transform(X)
    model.reconstruct(X)
    np.testing.assert_array_equal(model.score(X), scores)
    assert model.total_cost(X) == cost
    assert_same(model, untouched)


def test_a_restored_model_goes_on_as_the_original(name: str) -> None:
    model, restored = fitted(name), make(name)
    restored.load_state_dict(model.state_dict())
    np.testing.assert_array_equal(restored.score(X), model.score(X))
    for each in (model, restored):
        each.partial_fit(X[:40])
    assert_same(model, restored)


def test_an_empty_state_can_be_restored(name: str) -> None:
    model = fitted(name)
    model.load_state_dict(make(name).state_dict())
    assert_same(model.partial_fit(X), make(name).partial_fit(X))


def test_a_state_of_another_form_is_refused(name: str) -> None:
    model = fitted(name)
    before = model.score(X)
    with pytest.raises(ValueError, match=r"state '.*' is float32.*, not float32"):
        model.load_state_dict(fitted(name, n_latents=11).state_dict())
    state = model.state_dict()
    state.pop("n_batches")
    with pytest.raises(ValueError, match="n_batches"):
        model.load_state_dict(state)
    np.testing.assert_array_equal(model.score(X), before)


def test_missing_values_teach_nothing(name: str) -> None:
    x = X.copy()
    x[:, 2] = np.nan
    model = make(name, weight_decay=0.0).fit(x, n_epochs=3, batch_size=64)
    into_features = [bias for bias in model.biases if len(bias) == D]
    assert into_features
    for bias in into_features:
        assert bias[2] == 0
        assert (np.delete(bias, 2) != 0).all()


def test_missing_values_do_not_count(name: str) -> None:
    model = fitted(name)
    holes = X.copy()
    holes[np.random.default_rng(0).random(X.shape) < 0.3] = np.nan
    assert np.isfinite(model.score(holes)).all()
    assert np.isfinite(model.reconstruct(holes)).all()
    np.testing.assert_array_equal(model.score(np.full((2, D), np.nan)), 0)


def test_one_record_is_a_batch(name: str) -> None:
    model = make(name).partial_fit(X[:1]).partial_fit(X[1:2])
    assert np.isfinite(model.score(X)).all()


def test_wild_values_are_scored_whole_and_learnt_within_the_limit(name: str) -> None:
    cut = X.clip(-3, 3)
    cut[0, 0] = 3
    wild = cut.copy()
    wild[0, 0] = 1e4
    first, second = (make(name, limit=3.0).partial_fit(x) for x in (wild, cut))
    assert_same(first, second)
    assert first.score(wild)[0] > 1e3 * abs(second.score(cut)[0])


@pytest.mark.parametrize("size", [1e-38, 1e-30, 1e8, 1e30, 3e38])
def test_values_of_any_size_leave_numbers(name: str, size: float) -> None:
    extreme = (np.sign(X) * np.float32(size)).astype(np.float32)
    mixed = np.where(np.arange(D) % 2, extreme, X).astype(np.float32)
    for model in (fitted(name), make(name).fit(extreme, 3, 50), make(name).fit(mixed, 3, 50)):
        for x in (extreme, mixed, X):
            assert np.isfinite(model.partial_fit(x).score(x)).all()
            assert np.isfinite(model.reconstruct(x)).all()
            assert np.isfinite(model.transform(x)).all()
            assert np.isfinite(model.total_cost(x))
        assert all(np.isfinite(array).all() for array in model.state_dict().values())


@pytest.mark.parametrize("d", [1, 40])
def test_one_feature_and_more_features_than_records(name: str, d: int) -> None:
    x = np.random.default_rng(0).standard_normal((8, d)).astype(np.float32)
    model = make(name).fit(x, 3, 4)
    assert model.reconstruct(x).shape == (8, d)
    assert np.isfinite(model.score(x)).all()


def test_hyperparameters_out_of_range_are_named(name: str) -> None:
    model = make(name)
    for key, (least, most) in RANGES.items():
        if hasattr(model, key):
            for value in (least - 1e-3, most + 1e-3, math.nan):
                if value < math.inf or math.isnan(value):
                    with pytest.raises(ValueError, match=f"^{key} must lie between"):
                        make(name, **{key: value})


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (X[:0], "n >= 1"),
        (X[0], "n >= 1"),
        (X[:, :3], "3 features, not 6"),
        (np.full((2, D), np.inf), "infinite"),
        (np.full((2, D), -1e39), "infinite"),
        ([["a"] * D], "convert"),
    ],
)
def test_what_is_no_batch_is_refused(name: str, x: np.ndarray, message: str) -> None:
    model = fitted(name)
    for method in (model.partial_fit, model.fit, model.score, model.transform, model.total_cost):
        with pytest.raises(ValueError, match=message):
            method(x)
    assert_same(model, fitted(name))


def test_nothing_learnt_is_said(name: str) -> None:
    for method in ("score", "transform", "reconstruct", "total_cost", "inverse_transform"):
        with pytest.raises(ValueError, match="partial_fit"):
            getattr(make(name), method)(X)


@pytest.mark.parametrize("name", sorted(MODELS.keys() - {"stacked_denoising"}))
def test_epochs_can_be_taken_one_by_one(name: str) -> None:
    once = make(name).fit(X, n_epochs=2, batch_size=70)
    assert_same(once, make(name).fit(X, 1, 70).fit(X, 1, 70))


@pytest.fixture(scope="module")
def shuttle() -> LabelledStream:
    return read(Path(Shuttle().path), label="anomaly")


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_anomalies_of_a_stream_score_high(name: str, seed: int, shuttle: LabelledStream) -> None:
    hyperparameters = ON_A_STREAM.get(name, {})
    model = MODELS[name](learning_rate=1e-2, limit=3.0, seed=seed, **hyperparameters)
    scores = prequential_scores(model, shuttle.x, batch_size=128)
    auc = roc_auc(scores[UNJUDGED_ROWS:], shuttle.anomalous[UNJUDGED_ROWS:])
    assert auc is not None
    assert auc >= LEAST_ROC_AUC.get(name, 0.95)


def test_any_array_like_is_taken(name: str) -> None:
    model = fitted(name)
    np.testing.assert_array_equal(model.score(X[::-1][::-1].tolist()), model.score(X))
    assert model.score(X[::-1]).shape == (len(X),)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_and_cpu_agree(name: str) -> None:
    np.testing.assert_allclose(
        fitted(name, device="cuda").score(X), fitted(name).score(X), rtol=1e-3, atol=1e-4
    )
