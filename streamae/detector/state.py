"""What a part of the detector has learnt, as named arrays."""

from typing import Any, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

State: TypeAlias = dict[str, npt.NDArray[Any]]


class Stateful:
    """A part whose learnt attributes, tensors, arrays or numbers, are listed in `learnt`.

    Their shapes and types are fixed at construction, so a state can be checked against a fresh
    detector. Everything else is derived from them in `refresh`.
    """

    learnt: ClassVar[tuple[str, ...]]

    def state_dict(self) -> State:
        """Return copies of the learnt attributes."""
        return {name: _to_array(getattr(self, name)) for name in self.learnt}

    def load_state_dict(self, state: State) -> None:
        """Take over what `state_dict` returned; names and shapes are the caller's business."""
        for name in self.learnt:
            setattr(self, name, _like(getattr(self, name), state[name]))
        self.refresh()

    def refresh(self) -> None:
        """Derive from the learnt attributes what scoring reads."""


def _to_array(value: Any) -> npt.NDArray[Any]:
    if isinstance(value, torch.Tensor):
        return np.array(value.cpu().numpy())
    return np.array(value)


def _like(value: Any, array: npt.NDArray[Any]) -> Any:
    if isinstance(value, torch.Tensor):
        # Memory of torch's own: its alignment decides which kernels, hence which bits, MKL takes.
        return torch.empty_like(value, memory_format=torch.contiguous_format).copy_(
            torch.from_numpy(array.copy())
        )
    if isinstance(value, np.ndarray):
        return array.copy()
    return type(value)(array)


def check_alike(expected: State, state: State) -> None:
    """Raise ValueError that names the first array that is absent, unknown or of another form."""
    for name in sorted(expected.keys() | state.keys()):
        if name not in state:
            raise ValueError(f"state lacks {name!r}")
        if name not in expected:
            raise ValueError(f"state has an unknown {name!r}")
        want, have = expected[name], state[name]
        if (want.shape, want.dtype) != (have.shape, have.dtype):
            raise ValueError(
                f"state {name!r} is {have.dtype}{list(have.shape)},"
                f" not {want.dtype}{list(want.shape)}"
            )
