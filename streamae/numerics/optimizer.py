"""Adam (Kingma and Ba, 2015) on one matrix, its moments part of the detector's state."""

import math

import torch
from torch import Tensor

from streamae.numerics.state import Stateful

BETA_1 = 0.9
BETA_2 = 0.999
EPSILON = 1e-8

RISE = 0.3
"""Share of a cycle in which the learning rate rises."""


class Adam(Stateful):
    learnt = ("first", "second", "n_steps")

    def __init__(self, shape: torch.Size, learning_rate: float, device: torch.device) -> None:
        self._learning_rate = learning_rate
        self.first = torch.zeros(shape, device=device)
        self.second = torch.zeros(shape, device=device)
        self.n_steps = 0

    def step(self, parameter: Tensor, gradient: Tensor, share: float = 1.0) -> Tensor:
        """Return the parameter after a step against `gradient`, at `share` of the learning rate."""
        self.n_steps += 1
        self.first.lerp_(gradient, 1.0 - BETA_1)
        self.second.mul_(BETA_2).addcmul_(gradient, gradient, value=1.0 - BETA_2)
        rate = share * self._learning_rate / (1.0 - BETA_1**self.n_steps)
        deviation = (self.second / (1.0 - BETA_2**self.n_steps)).sqrt_().add_(EPSILON)
        return torch.addcdiv(parameter, self.first, deviation, value=-rate)


def one_cycle(progress: float) -> float:
    """Return the share of the learning rate to take when `progress`, 0 to 1, of a training is done.

    It rises from a tenth to 1 over three tenths of the steps and falls to 0, both as half a cosine:
    large steps in the middle find flat minima, small ones at the end settle (Smith and Topin,
    Super-convergence: very fast training of neural networks using large learning rates, 2018).
    """
    if progress < RISE:
        return 0.55 - 0.45 * math.cos(math.pi * progress / RISE)
    return 0.5 + 0.5 * math.cos(math.pi * (progress - RISE) / (1.0 - RISE))
