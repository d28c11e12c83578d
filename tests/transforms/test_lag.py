import numpy as np
import pytest

from streamae.config import DetectorConfig
from streamae.transforms.inputs import Inputs
from streamae.transforms.lag import Lag

NAN = np.nan


def test_columns_are_the_records_before_of_the_key_the_latest_first() -> None:
    x = np.array([[1, 2], [3, 4], [NAN, 6], [7, 8]], np.float32)
    lag = Lag(DetectorConfig(lag=2), 2)
    found = lag.apply(Inputs.of(x, keys=[b"a", b"a", b"b", b"a"]))
    none = [NAN, NAN]
    np.testing.assert_equal(found, [none + none, [1, 2, *none], none + none, [3, 4, 1, 2]])
    later = lag.apply(Inputs.of(x[:1], keys=[b"b"]))
    np.testing.assert_equal(later, [[NAN, 6, *none]])


@pytest.mark.parametrize("lag", [1, 3])
def test_state_continues_the_records_before(lag: int) -> None:
    x = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
    first, twin = (Lag(DetectorConfig(lag=lag), 2) for _ in range(2))
    first.apply(Inputs.of(x[:10]))
    first.keep()
    twin.load_state_dict(first.state_dict())
    np.testing.assert_array_equal(twin.apply(Inputs.of(x[10:])), first.apply(Inputs.of(x[10:])))
    with pytest.raises(ValueError, match="history"):
        Lag(DetectorConfig(lag=lag + 1), 2).load_state_dict(first.state_dict())
