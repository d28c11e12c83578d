"""What every transform is."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np

from streamae.errors import ConfigError
from streamae.numerics.state import State
from streamae.transforms.history import History
from streamae.transforms.inputs import Inputs
from streamae.types import Bools, Floats

Choice = tuple[str, ...] | Literal["auto"]


class Transform(ABC):
    """One step from features to columns.

    What it decides on a stream's first block is in the attributes that `decided` names, arrays all;
    what it remembers of earlier records is in its `history`, that of the last block boundary and,
    until `keep` or `drop`, what came since.
    """

    decided: ClassVar[tuple[str, ...]] = ()
    history: History | None = None

    @abstractmethod
    def apply(self, inputs: Inputs) -> Floats:
        """Return columns [m, ...] for the next records, and remember these."""

    @property
    def n_keys(self) -> int:
        """Keys whose earlier records are remembered."""
        return 0 if self.history is None else self.history.n_keys

    def keep(self) -> int:
        """Begin a block: what is remembered now is the state from here on.

        Return how many keys are forgotten with it.
        """
        return 0 if self.history is None else self.history.keep()

    def drop(self) -> None:
        """Go back to the last `keep`."""
        if self.history is not None:
            self.history.drop()

    def state_dict(self) -> State:
        """Return what was decided and what is kept, as arrays."""
        state = {name: getattr(self, name).copy() for name in self.decided}
        return state if self.history is None else state | self.history.state_dict()

    def load_state_dict(self, state: State) -> None:
        """Continue where `state_dict` was called; raise ValueError where it does not fit."""
        for name in self.decided:
            mine, array = getattr(self, name), state[name]
            if (array.dtype, array.shape) != (mine.dtype, mine.shape):
                raise ValueError(f"state {name!r} is {array.dtype}{list(array.shape)}")
            setattr(self, name, array.copy())
        self.refresh()
        if self.history is not None:
            self.history.load_state_dict(state)

    def refresh(self) -> None:  # noqa: B027 - few have anything to derive.
        """Derive what follows from what was decided."""


class FeatureTransform(Transform):
    """Its columns take the place of the features, [m, d], of which it changes some."""

    def __init__(self, key: str, chosen: Choice, features: Sequence[str]) -> None:
        """Change the `chosen` features, or those found by itself; `key` is where that is said.

        Raise `ConfigError` for a feature that is not there.
        """
        named = () if chosen == "auto" else chosen
        for name in named:
            if name not in features:
                raise ConfigError(f"{key}: there is no feature {name!r}")
        self._auto = chosen == "auto"
        self.columns: Bools = np.array([name in named for name in features], np.bool_)
        """[d], which features are changed."""

    @abstractmethod
    def fit(self, inputs: Inputs) -> None:
        """Decide what the configuration left open, from the features of the first block."""


class ContextTransform(Transform):
    """Its columns [m, n_columns] are context; it sees the features as they are judged."""

    n_columns: int
