"""All transforms of a partition, in their order."""

from collections.abc import Sequence

import numpy as np

from streamae.config import DetectorConfig
from streamae.transforms.diff import Diff
from streamae.transforms.inputs import Arrays, Inputs, Transform
from streamae.types import Floats


class Transforms:
    """Features x[m, d] to the detector's columns, decided on the first block.

    Raise `ConfigError` where the configuration names a feature that is not there.
    """

    def __init__(self, config: DetectorConfig, features: Sequence[str]) -> None:
        self._features = tuple(features)
        self._diff = Diff(config, features)
        self._parts: dict[str, Transform] = {"diff": self._diff}
        self.fitted = False
        """Whether the first block has been seen."""

    @property
    def names(self) -> tuple[str, ...]:
        """[d], what each feature is judged by."""
        changed = zip(self._features, self._diff.columns.tolist(), strict=True)
        return tuple(f"{name} (change)" if diff else name for name, diff in changed)

    def fit(self, inputs: Inputs) -> None:
        """Decide what `auto` left open, from the features of the first block."""
        for part in self._parts.values():
            part.fit(inputs)
        self.fitted = True

    def apply(self, inputs: Inputs) -> Floats:
        """Return the columns of the next records, and remember the records until `keep`."""
        return self._diff.apply(inputs)

    def keep(self) -> None:
        """Begin a block: what is remembered now is the state from here on."""
        for part in self._parts.values():
            part.keep()

    def drop(self) -> None:
        """Forget the records since the last `keep`."""
        for part in self._parts.values():
            part.drop()

    def state_dict(self) -> Arrays:
        """Return what was decided and what is remembered at the last `keep`."""
        state: Arrays = {"transforms.fitted": np.array(self.fitted)}
        for prefix, part in self._parts.items() if self.fitted else ():
            for name, array in part.state_dict().items():
                state[f"transforms.{prefix}.{name}"] = array
        return state

    def load_state_dict(self, state: Arrays) -> Arrays:
        """Continue where `state_dict` was called; return what is not the transforms' own.

        Raise ValueError where the state does not fit.
        """
        try:
            self.fitted = bool(state["transforms.fitted"])
            for prefix, part in self._parts.items() if self.fitted else ():
                part.load_state_dict(_own(state, f"transforms.{prefix}."))
        except KeyError as error:
            raise ValueError(f"state lacks {error.args[0]!r} of the transforms") from error
        return {name: array for name, array in state.items() if not name.startswith("transforms.")}


def _own(state: Arrays, prefix: str) -> Arrays:
    return {
        name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)
    }
