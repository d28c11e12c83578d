"""Counters: features that only grow are judged by their change."""

from collections.abc import Sequence

import numpy as np

from streamae.config import DetectorConfig
from streamae.transforms.history import History
from streamae.transforms.inputs import Inputs
from streamae.transforms.transform import FeatureTransform
from streamae.types import Floats

FEWEST_RISES = 16
"""A feature without trend rises as often as it falls: 16 rises in a row by chance are 1 in 65,536
features."""


class Diff(FeatureTransform):
    """The change of a feature since the key's record before, in place of the feature.

    It is missing where either value is, at a key's first record, and where the feature falls: the
    counter was reset, and how far it had come before is not known. So is a change beyond float32.
    """

    decided = ("columns",)
    history: History

    def __init__(self, config: DetectorConfig, features: Sequence[str]) -> None:
        super().__init__("detector.diff", config.diff, features)
        self._max_keys = config.max_keys
        self.refresh()

    def refresh(self) -> None:
        self.history = History(1, int(self.columns.sum()), self._max_keys)

    def fit(self, inputs: Inputs) -> None:
        """With `auto`, choose the features that rise at least 16 times and never fall."""
        if not self._auto:
            return
        history = History(1, inputs.x.shape[1], self._max_keys)
        before = history.before(inputs.x, inputs.keys)[:, 0]
        rises, falls = (inputs.x > before).sum(0), (inputs.x < before).sum(0)
        self.columns = np.asarray((rises >= FEWEST_RISES) & (falls == 0))
        self.refresh()

    def apply(self, inputs: Inputs) -> Floats:
        """Return x[m, d] with the changes in the chosen columns."""
        if not self.columns.any():
            return inputs.x
        values = inputs.x[:, self.columns]
        before = self.history.before(values, inputs.keys)[:, 0]
        with np.errstate(over="ignore"):
            change = values - before
        x = inputs.x.copy()
        x[:, self.columns] = np.where((change >= 0) & (change < np.inf), change, np.float32(np.nan))
        return x
