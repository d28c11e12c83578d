"""The unfinished block of a stream: features go in, the detector's columns lie in it."""

from collections.abc import Sequence

import numpy as np

from streamae.config import DetectorConfig
from streamae.transforms.inputs import Context, Inputs
from streamae.transforms.transforms import Transforms
from streamae.types import Floats, Longs


class Block:
    """The unfinished block; a record's slot is its ordinal modulo the block size.

    In a stream's first block `x` stays empty: what becomes of the features is decided when it is
    full, and nothing scores it before.
    """

    def __init__(self, config: DetectorConfig, features: Sequence[str]) -> None:
        size = config.block_size
        self.transforms = Transforms(config, features)
        self.features: Floats = np.zeros((size, len(features)), np.float32)
        """[size, d], the records as they came."""
        n_columns = self.context.n_columns + len(features)
        self.x: Floats = np.zeros((size, n_columns), np.float32)
        """[size, context + d], what the detector reads."""
        self.timestamps_ms: Longs = np.zeros(size, np.int64)
        self.keys: list[bytes | None] = []
        self.n = 0

    def __len__(self) -> int:
        """Return the number of slots."""
        return len(self.x)

    @property
    def context(self) -> Context:
        """What the first columns of `x` are."""
        return self.transforms.context

    @property
    def room(self) -> int:
        """Free slots."""
        return len(self) - self.n

    @property
    def inputs(self) -> Inputs:
        """The records in it, as they came."""
        return Inputs(self.features[: self.n], self.timestamps_ms[: self.n], self.keys)

    def append(self, inputs: Inputs) -> slice:
        """Fill the next slots, for which there must be room, and return them."""
        slots = slice(self.n, self.n + len(inputs.x))
        self.features[slots] = inputs.x
        self.timestamps_ms[slots] = inputs.timestamps_ms
        self.keys.extend(inputs.keys)
        self.n = slots.stop
        if self.transforms.fitted:
            self.x[slots] = self.transforms.apply(inputs)
        return slots

    def columns(self, inputs: Inputs) -> Floats:
        """Return the columns [m, ...] the next records would have, without taking them in."""
        if not self.transforms.fitted:
            return np.zeros((len(inputs.x), self.x.shape[1]), np.float32)
        columns = self.transforms.apply(inputs)
        self.transforms.drop()
        self.transforms.apply(self.inputs)
        return columns

    def complete(self) -> Floats:
        """Return x of the full block; that of the stream's first block is decided here."""
        if not self.transforms.fitted:
            self.transforms.fit(self.inputs)
            self.x[:] = self.transforms.apply(self.inputs)
        return self.x

    def finish(self) -> int:
        """Begin an empty block behind the full one; return how many keys are forgotten with it."""
        self._clear()
        return self.transforms.keep()

    def drop(self) -> None:
        """Empty the block as if its records had never come."""
        self.transforms.drop()
        self._clear()

    def _clear(self) -> None:
        # What an unused slot holds is always the same.
        self.features[:] = 0
        self.x[:] = 0
        self.keys = []
        self.n = 0
