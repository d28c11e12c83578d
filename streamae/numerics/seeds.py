"""Randomness as a function of what it is for, never of what ran before."""

import hashlib

import torch


def generator(seed: int, stream: str, block: int, purpose: str) -> torch.Generator:
    """Return the CPU generator of one purpose in one block of one stream.

    Its seed is a SHA-256 prefix, so it is the same in every process (`hash` is salted) and
    independent between purposes. Drawing on the CPU gives every device the same numbers.
    """
    name = repr((seed, stream, block, purpose)).encode()
    digest = hashlib.sha256(name).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)
