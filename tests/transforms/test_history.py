import numpy as np
import pytest

from streamae.transforms.history import History, keys_from_arrays, keys_to_arrays
from streamae.types import Floats


def rows(*values: float) -> Floats:
    return np.array(values, np.float32)[:, None]


def test_rows_before_are_those_of_the_same_key_latest_first() -> None:
    history = History(depth=2, n_columns=1, max_keys=10)
    before = history.before(rows(1, 10, 2, 3, 20), [b"a", b"b", b"a", b"a", None])
    missing = np.nan
    expected = [[missing] * 2, [missing] * 2, [1, missing], [2, 1], [missing] * 2]
    np.testing.assert_array_equal(before[:, :, 0], expected)
    after = history.before(rows(4, 11, 21), [b"a", b"b", None])
    np.testing.assert_array_equal(after[:, :, 0], [[3, 2], [10, missing], [20, missing]])


def test_no_rows_have_none_before_them() -> None:
    history = History(depth=2, n_columns=3, max_keys=10)
    assert history.before(np.empty((0, 3), np.float32), []).shape == (0, 2, 3)
    assert history.keep() == 0


@pytest.mark.parametrize("size", [1, 3, 7, 50])
def test_pieces_give_what_the_whole_gives(size: int) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2)).astype(np.float32)
    keys = [f"{at}".encode() for at in rng.integers(9, size=200).tolist()]
    whole, pieces = (History(depth=3, n_columns=2, max_keys=5) for _ in range(2))
    for start in range(0, 200, 50):  # A block.
        expected = whole.before(x[start : start + 50], keys[start : start + 50])
        whole.keep()
        found = [
            pieces.before(x[at : min(at + size, start + 50)], keys[at : min(at + size, start + 50)])
            for at in range(start, start + 50, size)
        ]
        pieces.keep()
        np.testing.assert_array_equal(np.concatenate(found), expected)
    assert pieces.state_dict().keys() == whole.state_dict().keys()
    for name, array in whole.state_dict().items():
        assert pieces.state_dict()[name].tobytes() == array.tobytes()


def test_the_keys_unseen_for_longest_are_forgotten_at_the_boundary() -> None:
    history = History(depth=1, n_columns=1, max_keys=2)
    history.before(rows(1, 2, 3, 4), [b"a", b"b", b"c", b"a"])
    assert history.before(rows(5), [b"b"])[0, 0, 0] == 2  # Within the block nothing is.
    assert history.keep() == 1
    assert history.n_keys == 2
    assert keys_from_arrays(history.state_dict()) == [b"a", b"b"]
    assert np.isnan(history.before(rows(6), [b"c"])).all()


def test_dropping_goes_back_to_the_boundary() -> None:
    history = History(depth=1, n_columns=1, max_keys=2)
    history.before(rows(1), [b"a"])
    history.keep()
    history.before(rows(2, 3), [b"a", b"b"])
    history.drop()
    assert history.before(rows(9, 9), [b"a", b"b"])[:, 0, 0].tolist()[0] == 1
    assert keys_from_arrays(history.state_dict()) == [b"a"]


def test_state_of_long_keys_and_of_none() -> None:
    history = History(depth=1, n_columns=1, max_keys=9)
    long, other = b"k" * 40, b"k" * 41
    history.before(rows(1, 2, 3, 4, 5), [long, other, None, b"", b"short"])
    history.keep()
    twin = History(depth=1, n_columns=1, max_keys=9)
    twin.load_state_dict(history.state_dict())
    found = twin.before(rows(0, 0, 0, 0, 0), [b"short", b"", None, other, long])
    assert found[:, 0, 0].tolist() == [5, 4, 3, 2, 1]
    assert max(twin.state_dict()["key_lengths"]) == 32


def test_a_state_that_does_not_fit() -> None:
    history = History(depth=1, n_columns=2, max_keys=9)
    state = {"rows": np.zeros((2, 1, 2), np.float32)} | keys_to_arrays([b"a", b"bc"])
    history.load_state_dict(state)
    with pytest.raises(ValueError, match=r"float32\[1, 1, 2\] for 2 keys"):
        history.load_state_dict(state | {"rows": state["rows"][:1]})
    with pytest.raises(ValueError, match="another length"):
        history.load_state_dict(state | {"keys": state["keys"][:2]})
