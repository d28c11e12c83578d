import numpy as np
import pytest
import torch

from streamae.numerics.state import Stateful, check_alike


class Part(Stateful):
    learnt = ("tensor", "array", "number", "count")

    def __init__(self) -> None:
        self.tensor = torch.zeros(2, 3)
        self.array = np.zeros(2)
        self.number = 0.0
        self.count = 0
        self.refresh()

    def refresh(self) -> None:
        self.total = float(self.tensor.sum()) + self.number


def test_round_trip_keeps_types_and_derives_again() -> None:
    part = Part()
    part.tensor, part.array = torch.arange(6.0).view(3, 2).T, np.array([1.0, 2.0])
    part.number, part.count = 0.5, 7
    other = Part()
    other.load_state_dict(part.state_dict())
    assert torch.equal(other.tensor, part.tensor)
    assert other.tensor.is_contiguous()
    assert (other.number, other.count, type(other.count)) == (0.5, 7, int)
    assert other.total == 15.5


def test_a_state_is_a_copy() -> None:
    part = Part()
    state = part.state_dict()
    other = Part()
    other.load_state_dict(state)
    state["tensor"][:] = state["array"][:] = 1.0
    part.tensor.add_(5.0)
    assert (other.tensor == 0).all()
    assert (other.array == 0).all()
    assert (state["tensor"] == 1.0).all()


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("tensor", None, "lacks 'tensor'"),
        ("other", np.zeros(1), "unknown 'other'"),
        ("array", np.zeros(3), r"'array' is float64\[3\], not float64\[2\]"),
        ("array", np.zeros(2, np.float32), r"'array' is float32\[2\], not float64\[2\]"),
    ],
)
def test_another_form_is_named(name: str, array: np.ndarray | None, message: str) -> None:
    expected = Part().state_dict()
    state = dict(expected)
    if array is None:
        del state[name]
    else:
        state[name] = array
    with pytest.raises(ValueError, match=message):
        check_alike(expected, state)
