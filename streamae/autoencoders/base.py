"""What all autoencoders of the family share: the contract, the optimiser and the state."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from streamae.autoencoders.batch import Batch, as_batch, as_records, to_array
from streamae.numerics.device import resolve_device
from streamae.numerics.optimizer import Adam
from streamae.numerics.seeds import generator
from streamae.numerics.state import State, check_alike, prefixed, within
from streamae.types import Floats, Longs

LARGEST = torch.finfo(torch.float32).max

RANGES = {
    "n_latents": (1, math.inf),
    "n_hidden": (1, math.inf),
    "n_samples": (1, math.inf),
    "n_classes": (2, math.inf),
    "learning_rate": (0.0, 1.0),
    "limit": (0.0, 1e6),
    "weight_decay": (0.0, 1000.0),
    "l1_weight": (0.0, 1000.0),
    "sparsity_weight": (0.0, 1000.0),
    "contraction_weight": (0.0, 1000.0),
    "sparsity_target": (1e-4, 1.0 - 1e-4),
    "corruption_noise": (0.0, 1000.0),
    "corruption_masking": (0.0, math.nextafter(1.0, 0.0)),
    "corruption_salt_and_pepper": (0.0, 1.0),
    "smallest_variance": (1e-6, math.inf),
    "label_smoothing": (0.0, 1.0),
}
"""What hyperparameters may be, so that float32 holds all that follows from them."""


@dataclass(eq=False, kw_only=True)
class Autoencoder(ABC):
    """Learns to reconstruct records x[n, d] from codes[n, h]; what it cannot reconstruct is odd.

    NaN is a missing value: the network sees 0 there and no cost counts it. Features should be
    standardised. The model is a function of its hyperparameters and the batches it has learnt, bit
    for bit on the same machine, library versions and number of threads. Every method that takes
    records raises ValueError when they are not numbers [n >= 1, d], one is infinite, or d is not
    that of the first batch; those that need a model also do so before the first batch. So does the
    constructor for a hyperparameter that is out of range.
    """

    n_latents: int = 64
    """h, hidden units of the code."""
    learning_rate: float = 1e-3
    """Step size of Adam (Kingma and Ba, 2015)."""
    weight_decay: float = 0.0
    """lambda: the cost has lambda / 2 times the sum of the squared weights, biases left out."""
    limit: float = 1e6
    """The network reads and learns values within +-limit, by default what float32 can square and
    square again; scores see them whole."""
    seed: int = 0
    """Changes every random choice."""
    device: str = "cpu"
    """`cpu`, `cuda`, or `auto` for CUDA where there is one."""

    def __post_init__(self) -> None:
        for name, (least, most) in RANGES.items():
            value = getattr(self, name, least)
            if not least <= value <= most:
                raise ValueError(f"{name} must lie between {least} and {most}, not {value}")
        self._device = torch.device(resolve_device(self.device))
        self._n_features = 0
        self._n_batches = 0
        self._parameters: dict[str, Tensor] = {}
        self._adams: dict[str, Adam] = {}

    @abstractmethod
    def _initial(self, n_features: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the parameters by name, which ends in `weight`, and these decay, or in `bias`."""

    @abstractmethod
    def encode(self, x: Tensor) -> Tensor:
        """Return the codes [n, h] of x[n, d], 0 where missing."""

    @abstractmethod
    def decode(self, codes: Tensor) -> Tensor:
        """Return the reconstruction [n, d] of codes[n, h]."""

    @abstractmethod
    def _loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return the cost of a batch without the weight decay, a scalar."""

    def activity(self, codes: Tensor) -> Tensor:
        """Return how active each unit of codes[n, h] is, from 0 to 1."""
        return (codes != 0).float()

    def begin(self, n_features: int, generator: torch.Generator) -> None:
        """Draw the parameters for records of n_features; what was learnt before is gone."""
        self._n_features, self._n_batches = n_features, 0
        self._parameters, self._adams = self._fresh(n_features, generator)

    def learn(self, batch: Batch, generator: torch.Generator) -> None:
        """Take one gradient step on the batch."""
        self._descend(self._cost(batch, generator))

    def partial_fit(self, x: npt.ArrayLike) -> Self:
        """Take one gradient step on the mini-batch x[n, d]."""
        self.learn(self._first(x), self._generator("batch", self._n_batches))
        return self

    def fit(self, x: npt.ArrayLike, n_epochs: int = 10, batch_size: int = 256) -> Self:
        """Pass n_epochs times over x[n, d] in mini-batches, in a new order each time.

        It goes on from what was learnt before: two fits of one epoch are one fit of two.
        """
        records = as_records(x)
        for _ in range(n_epochs):
            for rows in self._shuffled(len(records), batch_size):
                self.partial_fit(records[rows])
        return self

    @torch.no_grad()
    def transform(self, x: npt.ArrayLike) -> Floats:
        """Return the codes [n, h] of x[n, d]."""
        return to_array(self.encode(self._batch(x).x))

    @torch.no_grad()
    def inverse_transform(self, codes: npt.ArrayLike) -> Floats:
        """Return the records [n, d] that codes[n, h] stand for."""
        self._check_fitted()
        return to_array(self.decode(torch.as_tensor(codes, dtype=torch.float32).to(self._device)))

    @torch.no_grad()
    def reconstruct(self, x: npt.ArrayLike) -> Floats:
        """Return the reconstruction [n, d] of x[n, d], which also fills in what is missing."""
        return to_array(self.decode(self.encode(self._batch(x).x)))

    @torch.no_grad()
    def score(self, x: npt.ArrayLike) -> Floats:
        """Return how anomalous the records x[n, d] are, [n], higher being odder, kept finite."""
        return to_array(self._score(self._batch(x)).clamp(max=LARGEST))

    @torch.no_grad()
    def total_cost(self, x: npt.ArrayLike) -> float:
        """Return what training minimises, on the records x[n, d] as one batch.

        Its random draws, where there are any, are the same at every call.
        """
        return float(self._cost(self._batch(x), self._generator("total cost", 0)))

    @property
    def weights(self) -> list[Floats]:
        """The weight matrices [n_inputs, n_outputs] in the order of the layers."""
        return [to_array(p) for name, p in self._parameters.items() if name.endswith("weight")]

    @property
    def biases(self) -> list[Floats]:
        """The biases [n_outputs] in the order of the layers."""
        return [to_array(p) for name, p in self._parameters.items() if name.endswith("bias")]

    def state_dict(self) -> State:
        """Return copies of all that was learnt, as named arrays."""
        return _state(self._n_features, self._n_batches, self._parameters, self._adams)

    @torch.inference_mode(False)
    def load_state_dict(self, state: State) -> None:
        """Take over what `state_dict` of a model with the same hyperparameters returned.

        Raise ValueError that names the first array that is absent, unknown or of another form.
        """
        n_features = int(state.get("n_features", np.array(0)))
        generator = self._generator("parameters", 0)
        parameters, adams = self._fresh(n_features, generator) if n_features else ({}, {})
        check_alike(_state(n_features, 0, parameters, adams), state)
        for name, adam in adams.items():
            parameters[name] = torch.tensor(state[name], device=self._device).requires_grad_()
            adam.load_state_dict(within(f"adam.{name}", state))
        self._n_features, self._n_batches = n_features, int(state["n_batches"])
        self._parameters, self._adams = parameters, adams

    def _fresh(
        self, n_features: int, generator: torch.Generator
    ) -> tuple[dict[str, Tensor], dict[str, Adam]]:
        """Return the first parameters and their optimisers."""
        initial = self._initial(n_features, generator)
        parameters = {name: value.to(self._device) for name, value in initial.items()}
        adams = {
            name: Adam(value.shape, self.learning_rate, self._device)
            for name, value in initial.items()
        }
        return {name: value.requires_grad_() for name, value in parameters.items()}, adams

    def _shuffled(self, n: int, batch_size: int) -> Iterator[Longs]:
        """Yield the places of n records in mini-batches, in an order of this epoch's own."""
        order = torch.randperm(n, generator=self._generator("order", self._n_batches)).numpy()
        for start in range(0, n, batch_size):
            yield order[start : start + batch_size]

    def _descend(self, cost: Tensor, *prefixes: str, share: float = 1.0) -> None:
        """Take one step down the gradient of `cost` with the parameters whose names begin so.

        `share` is that of the learning rate.
        """
        names = [name for name in self._parameters if name.startswith(prefixes or "")]
        gradients = torch.autograd.grad(cost, [self._parameters[name] for name in names])
        with torch.no_grad():
            for name, gradient in zip(names, gradients, strict=True):
                stepped = self._adams[name].step(self._parameters[name], gradient, share)
                self._parameters[name] = stepped.requires_grad_()
        self._n_batches += 1

    def _cost(self, batch: Batch, generator: torch.Generator) -> Tensor:
        return self._loss(batch, generator) + self._decay()

    def _decay(self, *prefixes: str) -> Tensor:
        """Return lambda / 2 times the squared weights whose names begin so."""
        squares = [
            parameter.square().sum()
            for name, parameter in self._parameters.items()
            if name.startswith(prefixes or "") and name.endswith("weight")
        ]
        return 0.5 * self.weight_decay * torch.stack(squares).sum()

    def _linear(self, layer: str, x: Tensor) -> Tensor:
        """Return x W + b of a layer made with `linear`, [n, n_outputs]."""
        weight, bias = self._parameters[f"{layer}.weight"], self._parameters[f"{layer}.bias"]
        return torch.addmm(bias, x, weight)

    def _score(self, batch: Batch) -> Tensor:
        """Return the mean squared error over the observed features, [n]."""
        squares = batch.observed * (batch.whole - self.decode(self.encode(batch.x))).square()
        return squares.sum(1) / batch.observed.sum(1).clamp(min=1.0)

    def _first(self, x: npt.ArrayLike) -> Batch:
        """Return the records as a batch, and begin with them if they are the first."""
        if not self._parameters:
            self.begin(as_records(x).shape[1], self._generator("parameters", 0))
        return self._batch(x)

    def _batch(self, x: npt.ArrayLike) -> Batch:
        self._check_fitted()
        array = as_records(x)
        if array.shape[1] != self._n_features:
            raise ValueError(f"{array.shape[1]} features, not {self._n_features}")
        return as_batch(array, self.limit, self._device)

    def _check_fitted(self) -> None:
        if not self._parameters:
            raise ValueError("nothing was learnt yet: call partial_fit or fit first")

    def _generator(self, purpose: str, block: int) -> torch.Generator:
        return generator(self.seed, type(self).__name__, block, purpose)


def linear(
    layer: str, n_inputs: int, n_outputs: int, generator: torch.Generator
) -> dict[str, Tensor]:
    """Return the named weight [n_inputs, n_outputs] and bias [n_outputs] of a layer.

    Weights are uniform within +-sqrt(6 / (n_inputs + n_outputs)), so that activations and gradients
    keep their variance from layer to layer (Glorot and Bengio, Understanding the difficulty of
    training deep feedforward neural networks, 2010), biases 0.
    """
    limit = (6.0 / (n_inputs + n_outputs)) ** 0.5
    weight = limit * (2.0 * torch.rand(n_inputs, n_outputs, generator=generator) - 1.0)
    return {f"{layer}.weight": weight, f"{layer}.bias": torch.zeros(n_outputs)}


def _state(
    n_features: int, n_batches: int, parameters: dict[str, Tensor], adams: dict[str, Adam]
) -> State:
    state: State = {"n_features": np.array(n_features), "n_batches": np.array(n_batches)}
    for name, parameter in parameters.items():
        state[name] = to_array(parameter)
        state |= prefixed(f"adam.{name}", adams[name].state_dict())
    return state
