"""All transforms of a partition, in their order."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from streamae.config import CHANGE, DetectorConfig
from streamae.numerics.state import State, prefixed, within, without
from streamae.transforms.calendar import Calendar
from streamae.transforms.diff import Diff
from streamae.transforms.heavy_tails import HeavyTails
from streamae.transforms.inputs import Context, Inputs
from streamae.transforms.lag import Lag
from streamae.transforms.transform import ContextTransform, FeatureTransform, Transform
from streamae.types import Bools, Floats

_OWN = "transforms"
"""Begins the names of their arrays."""


class Transforms:
    """Features x[m, d] to the detector's columns, decided on the first block.

    Raise `ConfigError` where the configuration names a feature that is not there.
    """

    def __init__(self, config: DetectorConfig, features: Sequence[str]) -> None:
        self._config = config
        self._features = tuple(features)
        self._diff = Diff(config, features)
        self._heavy_tails = HeavyTails(config, features)
        self._steps: dict[str, FeatureTransform] = {
            "diff": self._diff,
            "heavy_tails": self._heavy_tails,
        }
        self._context: dict[str, ContextTransform] = {}
        if config.calendar:
            self._context["calendar"] = Calendar(config)
        if config.lag:
            self._context["lag"] = Lag(config, len(features))
        self._parts: dict[str, Transform] = {**self._steps, **self._context}
        self.fitted = False
        """Whether the first block has been seen."""

    @property
    def names(self) -> tuple[str, ...]:
        """[d], what each feature is judged by."""
        changed = zip(self._features, self._diff.columns.tolist(), strict=True)
        return tuple(name + CHANGE if diff else name for name, diff in changed)

    @property
    def context(self) -> Context:
        """The columns to the left of the features."""
        n_columns = [part.n_columns for part in self._context.values()]
        return Context(sum(n_columns), Calendar.n_columns if "calendar" in self._context else 0)

    @property
    def decisions(self) -> dict[str, Any]:
        """What is done to which features, as plain values; `decided` after the first block."""
        return {
            "decided": self.fitted,
            "diff": self._chosen(self._diff.columns),
            "heavy_tails": self._chosen(self._heavy_tails.columns),
            "calendar": self._config.time_zone if self._config.calendar else None,
            "lag": self._config.lag,
        }

    def fit(self, inputs: Inputs) -> None:
        """Decide what the configuration left open, from the features of the first block."""
        for step in self._steps.values():
            step.fit(inputs)
            inputs = inputs._replace(x=step.apply(inputs))
        self.drop()
        self.fitted = True

    def apply(self, inputs: Inputs) -> Floats:
        """Return the columns [m, context + d] of the next records, and remember these."""
        for step in self._steps.values():
            inputs = inputs._replace(x=step.apply(inputs))
        if not self._context:
            return inputs.x
        context = [part.apply(inputs) for part in self._context.values()]
        return np.concatenate([*context, inputs.x], axis=1)

    def original(self, x: Floats) -> Floats:
        """Return judged values x[..., d] in the units that `names` says."""
        return self._heavy_tails.inverse(x)

    @property
    def n_keys(self) -> int:
        """Keys whose earlier records are remembered."""
        return max(part.n_keys for part in self._parts.values())

    def keep(self) -> int:
        """Begin a block: what is remembered now is the state from here on.

        Return how many keys are forgotten with it.
        """
        return max([part.keep() for part in self._parts.values()])

    def drop(self) -> None:
        """Forget the records since the last `keep`."""
        for part in self._parts.values():
            part.drop()

    def state_dict(self) -> State:
        """Return what was decided and what is remembered at the last `keep`."""
        state: State = {"fitted": np.array(self.fitted)}
        for name, part in self._parts.items() if self.fitted else ():
            state |= prefixed(name, part.state_dict())
        return prefixed(_OWN, state)

    def load_state_dict(self, state: State) -> State:
        """Continue where `state_dict` was called; return what is not the transforms' own.

        Raise ValueError where the state does not fit.
        """
        own = within(_OWN, state)
        try:
            self.fitted = bool(own["fitted"])
            for name, part in self._parts.items() if self.fitted else ():
                part.load_state_dict(within(name, own))
        except KeyError as error:
            raise ValueError(f"state lacks {error.args[0]!r} of the transforms") from error
        return without(_OWN, state)

    def _chosen(self, columns: Bools) -> list[str]:
        return [self._features[column] for column in np.flatnonzero(columns).tolist()]
