"""Which parts of the detector learn from a block."""


def due(n_blocks: int, interval: int, filled: bool) -> tuple[bool, bool]:
    """Return whether the autoencoder, and the statistics of z, learn from the block `n_blocks`.

    Until the autoencoder's memory is `filled` both learn from every one; then the statistics (the
    covariance, prominence and neighbours) twice as often as the autoencoder and, where the interval
    allows, in other blocks, so that none takes long.
    """
    if not filled:
        return True, True
    half = max(interval // 2, 1)
    return (n_blocks + half // 2) % interval == 0, n_blocks % half == 0
