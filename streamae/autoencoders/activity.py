"""How much of a code is in use."""

import torch
from torch import Tensor

from streamae.numerics.state import Stateful

DEAD_SHARE = 1e-3
"""A latent active on fewer of the records learnt lately is dead: under one row in four blocks."""


class Activity(Stateful):
    """The share of records that make each latent active."""

    learnt = ("shares", "active_share", "n_dead_latents")

    def __init__(self, n_latents: int, device: torch.device) -> None:
        self.shares = torch.zeros(n_latents, device=device)
        self.active_share = 0.0
        """Mean over the latents in the last block learnt."""
        self.n_dead_latents = 0

    def update(self, active: Tensor, rate: float) -> None:
        """Learn how active, from 0 to 1, each latent is on each record, [n, h]."""
        share = active.mean(0)
        self.shares.lerp_(share, rate)
        self.active_share = float(share.mean())
        self.n_dead_latents = int((self.shares < DEAD_SHARE).sum())
