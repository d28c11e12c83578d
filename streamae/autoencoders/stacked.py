"""Denoising autoencoders on top of each other, and a softmax layer on top of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from streamae.autoencoders.base import Autoencoder, linear
from streamae.autoencoders.batch import Batch, as_records, squared_error, to_array
from streamae.autoencoders.shallow import ACTIVATIONS, check_activations
from streamae.numerics.corruption import corrupt
from streamae.numerics.optimizer import one_cycle
from streamae.types import Floats, Longs

Augment = Callable[[Floats, np.random.Generator], Floats]


@dataclass(eq=False, kw_only=True)
class StackedDenoisingAutoencoder(Autoencoder):
    """Each layer learns to denoise the codes of the one below, then all learn the classes.

        codes_l = activation(codes_(l-1) W_l + b_l),  codes_0 = x
        recons_l = activation(corrupted codes_(l-1) W_l + b_l) V_l + c_l
        cost = sum over layers of 1 / (2 n) sum of (codes_(l-1) - recons_l)^2

    No gradient passes from one layer's cost to the layer below. `fit` trains the layers one after
    the other, `partial_fit` all of them by a step each; `fine_tune` then descends the cross-entropy
    of softmax(codes_L W + b) through all layers, with the inputs of each layer corrupted as before.
    Vincent, Larochelle, Lajoie, Bengio and Manzagol, Stacked denoising autoencoders, 2010.
    """

    n_latents: int = 200
    """Units of every layer."""
    activation: str = "tanh"
    """Of every layer; masking writes 0, the middle of a tanh code but an end of a sigmoid one."""
    corruption: tuple[float, ...] = (0.1, 0.2, 0.3)
    """Share of the values set to 0 in each layer; their number is that of the layers. While fine
    tuning the others are scaled up: dropout (Srivastava, Hinton, Krizhevsky, Sutskever and
    Salakhutdinov, Dropout: a simple way to prevent neural networks from overfitting, 2014)."""
    n_classes: int = 10
    label_smoothing: float = 0.1
    """Share of a label that is spread over all classes while fine tuning (Szegedy, Vanhoucke,
    Ioffe, Shlens and Wojna, Rethinking the Inception architecture, 2016)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_activations(self.activation)
        if not self.corruption or not all(0.0 <= share < 1.0 for share in self.corruption):
            raise ValueError("corruption is a share, from 0 to below 1, for each of the layers")

    def fit(self, x: npt.ArrayLike, n_epochs: int = 10, batch_size: int = 256) -> Self:
        """Pass n_epochs times over x[n, d] for the first layer, then for the next, and so on."""
        records = as_records(x)
        self._first(records)
        for layer in range(len(self.corruption)):
            for _ in range(n_epochs):
                for rows in self._shuffled(len(records), batch_size):
                    generator = self._generator("batch", self._n_batches)
                    self._learn_layer(layer, self._batch(records[rows]), generator)
        return self

    def fine_tune(
        self,
        x: npt.ArrayLike,
        y: npt.ArrayLike,
        n_epochs: int = 10,
        batch_size: int = 256,
        augment: Augment | None = None,
    ) -> Self:
        """Learn the classes y[n], from 0 to n_classes - 1, of x[n, d]; the decoders stay behind.

        A call is one cycle of the learning rate (see `one_cycle`). `augment` returns variations of
        a mini-batch [b, d] that have the same classes, such as shifted images, and draws from the
        generator it is given: the network never sees the same batch twice (Simard, Steinkraus and
        Platt, Best practices for convolutional neural networks, 2003). Raise ValueError for a class
        out of that range or another number of them.
        """
        records, labels = as_records(x), np.asarray(y, dtype=np.int64)
        if labels.shape != records.shape[:1]:
            raise ValueError(f"{list(labels.shape)} classes for {len(records)} records")
        if not ((labels >= 0) & (labels < self.n_classes)).all():
            raise ValueError(f"a class is not in 0 to {self.n_classes - 1}")
        self._first(records)
        # Moments of the gradients of another cost say nothing about these.
        _, fresh = self._fresh(self._n_features, self._generator("parameters", 0))
        self._adams |= {name: adam for name, adam in fresh.items() if name.startswith("up.")}
        n_steps, step = n_epochs * -(-len(records) // batch_size), 0
        for _ in range(n_epochs):
            for rows in self._shuffled(len(records), batch_size):
                batch = records[rows]
                if augment is not None:
                    batch = augment(batch, np.random.default_rng([self.seed, self._n_batches]))
                self._learn_classes(self._batch(batch), labels[rows], one_cycle(step / n_steps))
                step += 1
        return self

    @torch.no_grad()
    def predict_proba(self, x: npt.ArrayLike) -> Floats:
        """Return the probabilities [n, n_classes] of the classes of x[n, d]."""
        return to_array(self._linear("up.head", self.encode(self._batch(x).x)).softmax(1))

    def predict(self, x: npt.ArrayLike) -> Longs:
        """Return the likeliest class of each record, [n]."""
        return np.asarray(self.predict_proba(x).argmax(1))

    def _initial(self, n_features: int, generator: torch.Generator) -> dict[str, Tensor]:
        parameters: dict[str, Tensor] = {}
        n_inputs = n_features
        for layer in range(len(self.corruption)):
            parameters |= linear(f"up.{layer}", n_inputs, self.n_latents, generator)
            parameters |= linear(f"down.{layer}", self.n_latents, n_inputs, generator)
            n_inputs = self.n_latents
        return parameters | linear("up.head", n_inputs, self.n_classes, generator)

    def _up(self, layer: int, codes: Tensor) -> Tensor:
        return ACTIVATIONS[self.activation](self._linear(f"up.{layer}", codes))

    def encode(self, x: Tensor, n_layers: int | None = None) -> Tensor:
        """Return the codes of the topmost layer, or of the first n_layers."""
        codes = x
        for layer in range(len(self.corruption) if n_layers is None else n_layers):
            codes = self._up(layer, codes)
        return codes

    def decode(self, codes: Tensor) -> Tensor:
        for layer in reversed(range(len(self.corruption))):
            codes = self._linear(f"down.{layer}", codes)
        return codes

    def _loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        layers = range(len(self.corruption))
        return torch.stack([self._layer_loss(layer, batch, generator) for layer in layers]).sum()

    def learn(self, batch: Batch, generator: torch.Generator) -> None:
        """Take one gradient step on every layer, from the lowest to the topmost."""
        for layer in range(len(self.corruption)):
            self._learn_layer(layer, batch, generator)

    def _learn_classes(self, batch: Batch, labels: Longs, share: float) -> None:
        generator = self._generator("batch", self._n_batches)
        codes = batch.x
        for layer, masked in enumerate(self.corruption):
            codes = self._up(layer, corrupt(codes, 0.0, masked, generator) / (1.0 - masked))
        cost = torch.nn.functional.cross_entropy(
            self._linear("up.head", codes),
            torch.tensor(labels, device=self._device),
            label_smoothing=self.label_smoothing,
        )
        self._descend(cost + self._decay("up."), "up.", share=share)

    def _learn_layer(self, layer: int, batch: Batch, generator: torch.Generator) -> None:
        cost = self._layer_loss(layer, batch, generator)
        prefixes = (f"up.{layer}.", f"down.{layer}.")
        self._descend(cost + self._decay(*prefixes), *prefixes)

    def _layer_loss(self, layer: int, batch: Batch, generator: torch.Generator) -> Tensor:
        codes = self.encode(batch.x, layer).detach()
        corrupted = corrupt(codes, 0.0, self.corruption[layer], generator)
        if layer > 0:
            batch = Batch(codes, codes, torch.ones_like(codes), batch.weights)
        recons = self._linear(f"down.{layer}", self._up(layer, corrupted * batch.observed))
        return squared_error(batch, recons)
