import numpy as np
import pytest

from streamae.config import DetectorConfig
from streamae.errors import ConfigError
from streamae.transforms.diff import Diff
from streamae.transforms.inputs import Inputs
from tests.transforms.streams import counters

NAN = np.nan


def one(*values: float) -> Inputs:
    return Inputs.of(np.array(values, np.float32)[:, None])


def changes(*values: float) -> list[float]:
    diff = Diff(DetectorConfig(diff=("a",)), ["a"])
    return diff.apply(one(*values))[:, 0].tolist()


def test_a_change_is_missing_without_a_value_before_and_after_a_reset() -> None:
    np.testing.assert_equal(changes(5, 7, 7, 2, 3), [NAN, 2, 0, NAN, 1])


def test_a_missing_value_leaves_two_changes_missing() -> None:
    np.testing.assert_equal(changes(5, NAN, 7, 9, NAN, NAN, 9), [NAN, NAN, NAN, 2, NAN, NAN, NAN])


def test_a_change_beyond_float32_is_missing() -> None:
    np.testing.assert_equal(
        changes(-3e38, 3e38, 3.1e38), [NAN, NAN, np.float32(3.1e38) - np.float32(3e38)]
    )


def test_changes_are_per_key_and_the_other_columns_stay() -> None:
    x = np.array([[1, 5], [100, 6], [3, 7], [150, 8]], np.float32)
    diff = Diff(DetectorConfig(diff=("a",)), ["a", "b"])
    found = diff.apply(Inputs.of(x, keys=[b"p", b"q", b"p", b"q"]))
    np.testing.assert_equal(found, [[NAN, 5], [NAN, 6], [2, 7], [50, 8]])
    assert x[0, 0] == 1


def test_auto_takes_what_never_falls_within_a_key() -> None:
    x, keys = counters(256)
    assert (np.diff(x[:, 0]) < 0).any()
    diff = Diff(DetectorConfig(), list("abcd"))
    diff.fit(Inputs.of(x, keys=keys))
    assert diff.columns.tolist() == [True, False, True, False]
    diff.fit(Inputs.of(x))
    assert not diff.columns.any()


@pytest.mark.parametrize(("rises", "chosen"), [(15, False), (16, True)])
def test_auto_takes_no_feature_that_hardly_rises(rises: int, chosen: bool) -> None:
    values = np.minimum(np.arange(256) // 10, rises).astype(np.float64)
    diff = Diff(DetectorConfig(), ["a"])
    diff.fit(one(*values))
    assert diff.columns.tolist() == [chosen]


def test_named_features_are_taken_and_no_others() -> None:
    x, keys = counters(256)
    diff = Diff(DetectorConfig(diff=("b",)), list("abcd"))
    diff.fit(Inputs.of(x, keys=keys))
    assert diff.columns.tolist() == [False, True, False, False]
    with pytest.raises(ConfigError, match="no feature 'z'"):
        Diff(DetectorConfig(diff=("z",)), list("abcd"))


def test_state_continues_what_was_decided() -> None:
    x, keys = counters(600)
    parts = [Inputs.of(x[at : at + 300], keys=keys[at : at + 300]) for at in (0, 300)]
    diff, twin = (Diff(DetectorConfig(), list("abcd")) for _ in range(2))
    diff.fit(parts[0])
    diff.apply(parts[0])
    diff.keep()
    twin.load_state_dict(diff.state_dict())
    np.testing.assert_array_equal(twin.apply(parts[1]), diff.apply(parts[1]))
    with pytest.raises(ValueError, match="columns"):
        Diff(DetectorConfig(), ["a"]).load_state_dict(diff.state_dict())
