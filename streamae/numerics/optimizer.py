"""Adam (Kingma and Ba, 2015) on one matrix, its moments part of the detector's state."""

import torch
from torch import Tensor

from streamae.numerics.state import Stateful

BETA_1 = 0.9
BETA_2 = 0.999
EPSILON = 1e-8


class Adam(Stateful):
    learnt = ("first", "second", "n_steps")

    def __init__(self, shape: torch.Size, learning_rate: float, device: torch.device) -> None:
        self._learning_rate = learning_rate
        self.first = torch.zeros(shape, device=device)
        self.second = torch.zeros(shape, device=device)
        self.n_steps = 0

    def step(self, parameter: Tensor, gradient: Tensor) -> Tensor:
        """Return the parameter after one step against `gradient`."""
        self.n_steps += 1
        self.first.lerp_(gradient, 1.0 - BETA_1)
        self.second.mul_(BETA_2).addcmul_(gradient, gradient, value=1.0 - BETA_2)
        rate = self._learning_rate / (1.0 - BETA_1**self.n_steps)
        deviation = (self.second / (1.0 - BETA_2**self.n_steps)).sqrt_().add_(EPSILON)
        return torch.addcdiv(parameter, self.first, deviation, value=-rate)
