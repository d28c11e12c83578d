"""A share of the records seen lately."""

import math

MEMORY = 100_000.0
"""Records it looks back over: about 100 flagged ones at a budget of 0.001, so +-10 %."""


class RecentShare:
    """A share whose past fades exponentially, with a memory counted in records."""

    def __init__(self) -> None:
        self._part = 0.0
        self._whole = 0.0

    def update(self, whole: int, part: int) -> float:
        """Take in `whole` > 0 records, `part` of which count; return the share."""
        keep = math.exp(-whole / MEMORY)
        self._part = self._part * keep + part
        self._whole = self._whole * keep + whole
        return self._part / self._whole
