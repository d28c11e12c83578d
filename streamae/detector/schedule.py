"""Which parts of the detector learn what of a block, so that no block takes long."""

from typing import NamedTuple

N_LESSONS = 2
"""Half of one block and half of another take as long as one whole, but no block takes that long."""

EVERY = slice(None)


class Due(NamedTuple):
    """What is learnt of a block, besides what is learnt of every one."""

    lesson: slice | None
    """The rows that the autoencoder learns."""
    covariance: bool
    neighbours: bool
    """These, and prominence."""


def due(n_blocks: int, interval: int, filled: bool) -> Due:
    """Return what is due of the block `n_blocks`.

    Until the autoencoder's memory is `filled` that is everything. Then it learns one record in
    `interval`, and the others two blocks in so many, each in other blocks where there are enough.
    """
    if not filled:
        return Due(EVERY, covariance=True, neighbours=True)
    n_lessons = N_LESSONS if interval % N_LESSONS == 0 else 1
    spacing = interval // n_lessons
    turn, rest = divmod(n_blocks + spacing // 2, spacing)
    half = max(interval // 2, 1)
    return Due(
        None if rest else slice(turn % n_lessons, None, n_lessons),
        covariance=n_blocks % half == 0,
        neighbours=n_blocks % half == half - 1,
    )
