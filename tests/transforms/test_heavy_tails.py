import numpy as np
import pytest

from streamae.config import DetectorConfig
from streamae.errors import ConfigError
from streamae.transforms.heavy_tails import HeavyTails, l_kurtosis
from streamae.transforms.inputs import Inputs
from streamae.types import Floats


def fitted(x: Floats, chosen: object = "auto") -> HeavyTails:
    names = [f"x{j}" for j in range(x.shape[1])]
    tails = HeavyTails(DetectorConfig(heavy_tails=chosen), names)  # type: ignore[arg-type]
    tails.fit(Inputs.of(x))
    return tails


def block(seed: int = 0) -> Floats:
    """Return [256, 4]: normal, Laplace, a power law without variance, and one rare value."""
    rng = np.random.default_rng(seed)
    columns = [rng.normal(size=256), rng.laplace(size=256), rng.pareto(0.7, size=256)]
    return np.stack([*columns, np.zeros(256)], axis=1).astype(np.float32)


@pytest.mark.parametrize("seed", range(5))
def test_auto_takes_tails_without_variance(seed: int) -> None:
    assert fitted(block(seed)).columns.tolist() == [False, False, True, False]


@pytest.mark.parametrize(
    ("draw", "known"),
    [("normal", 0.1226), ("exponential", 1 / 6), ("uniform", 0.0), ("laplace", 0.2357)],
)
def test_l_kurtosis_of_known_distributions(draw: str, known: float) -> None:
    values = np.sort(getattr(np.random.default_rng(0), draw)(size=200_000))
    assert l_kurtosis(values) == pytest.approx(known, abs=0.01)
    assert l_kurtosis(1e30 * values) == pytest.approx(l_kurtosis(values))


def test_one_wild_value_decides_nothing() -> None:
    x = block()
    x[17, 0] = 30.0
    assert not fitted(x).columns[0]


@pytest.mark.parametrize("values", [[], [1.0] * 100, [1.0, 2.0] * 4])
def test_too_little_to_tell(values: list[float]) -> None:
    assert l_kurtosis(np.array(values)) == 0.0


def test_it_is_monotone_and_odd_about_the_median_and_comes_back() -> None:
    x = block()
    tails = fitted(x, ("x0", "x2"))
    median = np.sort(x[:, 2])[127]
    steps = np.array([0, 1e-3, 1, 100, 1e8, 1e30])
    rows = np.zeros((12, 4), np.float32)
    rows[:, 2] = np.concatenate([median - steps[::-1], median + steps])
    y = tails.apply(Inputs.of(rows))[:, 2]
    assert (np.diff(y) >= 0).all()
    np.testing.assert_allclose(y, -y[::-1], atol=2e-4)
    for row in (0, 3, 8, 11):
        whole = tails.apply(Inputs.of(rows))[row]
        np.testing.assert_allclose(tails.inverse(whole)[2], rows[row, 2], rtol=2e-5, atol=1e-5)


def test_other_columns_and_missing_values_stay() -> None:
    x = block()
    x[3, 2] = np.nan
    found = fitted(x).apply(Inputs.of(x))
    assert np.isnan(found[3, 2])
    np.testing.assert_array_equal(found[:, [0, 1, 3]], x[:, [0, 1, 3]])
    assert np.isfinite(np.delete(found[:, 2], 3)).all()


def test_named_features_without_a_value_or_a_spread() -> None:
    x = np.full((64, 2), np.nan, np.float32)
    x[:, 1] = 7
    tails = fitted(x, ("x0", "x1"))
    np.testing.assert_allclose(
        tails.apply(Inputs.of(np.array([[1, 8]], np.float32))), np.arcsinh([[1, 1]])
    )


def test_extremes_stay_within_float32() -> None:
    tails = fitted(block(), ("x0", "x2"))
    most = np.finfo(np.float32).max
    rows = np.array([[most, 0, -most, 0], [-most, 0, most, 0]], np.float32)
    y = tails.apply(Inputs.of(rows))
    assert np.isfinite(y).all()
    assert np.isfinite(tails.inverse(y[0])).all()
    assert np.isfinite(tails.inverse(np.full(4, 1e30, np.float32))).all()


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    x = block()
    tails = fitted(x, ("x0", "x1", "x2"))
    apart = [tails.apply(Inputs.of(x[row : row + 1])) for row in range(256)]
    assert tails.apply(Inputs.of(x)).tobytes() == np.concatenate(apart).tobytes()


def test_state_and_names() -> None:
    tails, twin = fitted(block()), HeavyTails(DetectorConfig(heavy_tails="auto"), list("abcd"))
    twin.load_state_dict(tails.state_dict())
    inputs = Inputs.of(block(1))
    assert twin.apply(inputs).tobytes() == tails.apply(inputs).tobytes()
    with pytest.raises(ValueError, match="columns"):
        HeavyTails(DetectorConfig(), ["a"]).load_state_dict(tails.state_dict())
    with pytest.raises(ConfigError, match="no feature 'z'"):
        HeavyTails(DetectorConfig(heavy_tails=("z",)), ["a"])
