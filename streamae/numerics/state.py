"""What a part of the detector has learnt, as named arrays."""

from typing import Any, ClassVar, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch

State: TypeAlias = dict[str, npt.NDArray[Any]]


@runtime_checkable
class Part(Protocol):
    """Anything whose state is named arrays."""

    def state_dict(self) -> State:
        """Return copies of all that was learnt."""

    def load_state_dict(self, state: State) -> None:
        """Continue, to the last bit, where `state_dict` was called."""


class Stateful:
    """A part whose learnt attributes, tensors, arrays, numbers or parts, are listed in `learnt`.

    Their shapes and types are fixed at construction, so a state can be checked against a fresh
    detector. Everything else is derived from them in `refresh`.
    """

    learnt: ClassVar[tuple[str, ...]]

    def state_dict(self) -> State:
        """Return copies of the learnt attributes; those of a part `p` are named `p.name`."""
        state: State = {}
        for name in self.learnt:
            value = getattr(self, name)
            if isinstance(value, Part):
                state |= prefixed(name, value.state_dict())
            else:
                state[name] = _to_array(value)
        return state

    def load_state_dict(self, state: State) -> None:
        """Take over what `state_dict` returned; names and shapes are the caller's business."""
        for name in self.learnt:
            value = getattr(self, name)
            if isinstance(value, Part):
                value.load_state_dict(within(name, state))
            else:
                setattr(self, name, _like(value, state[name]))
        self.refresh()

    def refresh(self) -> None:
        """Derive from the learnt attributes what scoring reads."""


def prefixed(part: str, state: State) -> State:
    """Return the state of a part under the names it has in the whole."""
    return {f"{part}.{name}": array for name, array in state.items()}


def within(part: str, state: State) -> State:
    """Return the part's share of the state of the whole."""
    prefix = f"{part}."
    return {
        name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)
    }


def without(part: str, state: State) -> State:
    """Return the state of the whole less the part's share."""
    return {name: array for name, array in state.items() if not name.startswith(f"{part}.")}


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
