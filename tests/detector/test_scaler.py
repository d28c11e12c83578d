import numpy as np
import pytest
import torch

from streamae.detector.moments import moments
from streamae.detector.scaler import Z_LIMIT, Scaler
from streamae.types import Doubles, Floats


def learnt(x: Floats, block: int = 128, memory: int = 10**6) -> Scaler:
    scaler = Scaler(x.shape[1], memory)
    scaler.fit(x[:block])
    for i in range(block, len(x), block):
        update(scaler, x[i : i + block])
    return scaler


def update(scaler: Scaler, x: Floats, weights: Doubles | None = None) -> None:
    z = scaler.transform(x)
    missing = torch.isnan(z)
    weights = np.ones(len(x)) if weights is None else weights
    scaler.update(x, moments(z.nan_to_num_(0.0), missing if missing.any() else None, weights))


def normal(n: int = 12_800, seed: int = 0) -> Floats:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 4)) * [1.0, 1e-8, 1e12, 3.0] + [5.0, 1e-9, -1e13, 0.0]
    return x.astype(np.float32)


def test_mean_and_variance_are_those_of_all_records() -> None:
    x = normal()
    scaler = learnt(x)
    np.testing.assert_allclose(scaler.mean, x.mean(0, dtype=np.float64), rtol=1e-4)
    np.testing.assert_allclose(scaler.variance, x.var(0, dtype=np.float64), rtol=1e-3)
    z = scaler.transform(x).numpy()
    np.testing.assert_allclose(z.std(0), 1.0, rtol=1e-3)
    np.testing.assert_allclose(scaler.inverse(z.astype(np.float64)), x, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("far", [3.0, 1000.0])
def test_records_count_by_their_weights(far: float) -> None:
    x = normal(256)[:, 3:]
    x[::2] += far  # One value in two is no wild one, however far.
    odd = np.arange(256) % 2 == 0
    weights = np.where(odd, 0.5, 1.5)
    scaler = Scaler(1, 10**6)
    scaler.fit(x[:2])
    update(scaler, x, weights)
    seen = np.append(x[:2, 0], x[:, 0]).astype(np.float64)
    weights = np.append([1.0, 1.0], weights)
    mean = np.average(seen, weights=weights)
    assert scaler.mean[0] == pytest.approx(mean, rel=1e-3, abs=1e-3)
    variance = np.average((seen - mean) ** 2, weights=weights)
    assert scaler.variance[0] == pytest.approx(variance, rel=1e-3)


def test_missing_values_are_left_out() -> None:
    x = normal()
    gappy = x.copy()
    gappy[np.random.default_rng(1).random(x.shape) < 0.3] = np.nan
    scaler = learnt(gappy)
    np.testing.assert_allclose(scaler.mean, np.nanmean(gappy, 0, dtype=np.float64), rtol=1e-3)
    np.testing.assert_allclose(scaler.variance, np.nanvar(gappy, 0, dtype=np.float64), rtol=1e-3)
    np.testing.assert_array_equal(scaler.count, (~np.isnan(gappy)).sum(0))
    assert np.isnan(scaler.transform(gappy).numpy()).sum() == np.isnan(gappy).sum()


def test_a_feature_that_is_always_missing() -> None:
    x = normal()
    x[:, 1] = np.nan
    scaler = learnt(x)
    assert np.isfinite(scaler.mean).all()
    assert np.isfinite(scaler.variance).all()


@pytest.mark.parametrize("first", [0, 6400])
@pytest.mark.parametrize("wild", [1e30, -3e38])
def test_one_wild_value_does_not_hide_its_feature(first: int, wild: float) -> None:
    x = normal()
    x[first, 0] = wild
    scaler = learnt(x)
    assert scaler.scale[0] < 10.0
    assert abs(scaler.transform(x).numpy()[first, 0]) == Z_LIMIT


def test_a_change_of_range_passes() -> None:
    x = normal()
    x[6400:, 0] *= 1e6
    assert learnt(x).scale[0] == pytest.approx(x[:, 0].std(dtype=np.float64), rel=0.05)


@pytest.mark.parametrize("value", [0.0, 1e-30, 7.0, -1e30])
def test_constant_features(value: float) -> None:
    x = np.full((1280, 1), value, np.float32)
    scaler = learnt(x)
    assert (scaler.transform(x).numpy() == 0.0).all()
    beside = np.nextafter(x[:1], np.float32(np.inf))
    assert abs(scaler.transform(beside).item()) < 1.0
    far = np.float32(value * 1.1 + 1.0).reshape(1, 1)
    assert abs(scaler.transform(far).item()) > 10.0


def test_a_rare_flag_keeps_its_variance() -> None:
    x = np.zeros((1280, 1), np.float32)
    x[5] = 1.0
    assert learnt(x).variance[0] == pytest.approx(1 / 1280, rel=0.05)


def test_memory_forgets() -> None:
    x = normal(25_600)
    x[12_800:, 3] += 100.0
    assert learnt(x, memory=1000).mean[3] == pytest.approx(100.0, abs=1.0)
    assert learnt(x).mean[3] == pytest.approx(50.0, abs=1.0)


def test_inverse_stays_within_float32() -> None:
    scaler = learnt(np.float32(3e38) * np.sign(normal()[:, :1]))
    assert np.isfinite(scaler.inverse(np.array([100.0]))).all()


def test_a_feature_never_seen_has_no_value_until_it_is_learnt() -> None:
    x = normal()
    late = x.copy()
    late[:6400, 2] = np.nan
    scaler = learnt(late[:6400])
    assert torch.isnan(scaler.transform(x)[:, 2]).all()
    update(scaler, late[6400:6528])
    np.testing.assert_allclose(scaler.mean[2], x[6400:6528, 2].mean(dtype=np.float64), rtol=1e-4)
    np.testing.assert_allclose(scaler.variance[2], x[6400:6528, 2].var(), rtol=1e-2)


def test_a_feature_that_varies_for_the_first_time_starts_afresh() -> None:
    x = normal()
    still = x.copy()
    still[:6400, 0] = 5.0
    scaler = learnt(still[:6400])
    z = scaler.transform(still[6400:6528])
    assert scaler.update(still[6400:6528], moments(z, None, np.ones(128))).tolist() == [0]
    np.testing.assert_allclose(scaler.variance[0], x[6400:6528, 0].var(), rtol=1e-2)
    z = scaler.transform(still[6528:6656])
    assert scaler.update(still[6528:6656], moments(z, None, np.ones(128))).tolist() == []


def test_recentred_features_are_standardised_about_their_new_mean() -> None:
    scaler = learnt(normal())
    scaler.recenter(np.array([2]), np.array([7e12]))
    z = scaler.transform(np.array([[5.0, 1e-9, 7e12, 0.0]], np.float32))
    assert abs(float(z[0, 2])) < 1e-3
