"""The autoencoders to choose from: which hyperparameters each has, and with what values."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

ModelName = Literal[
    "denoising_sparse",
    "plain",
    "sparse",
    "l1_sparse",
    "k_sparse",
    "denoising",
    "contractive",
    "variational",
    "stacked_denoising",
]


class Model(NamedTuple):
    """What an autoencoder lets one choose."""

    defaults: Mapping[str, Any]
    """Its keys of the section `detector`, and what null stands for."""
    activations: tuple[str, ...] = ()
    """The values `activation` takes, if it is a key."""


ANY_ACTIVATION = ("linear", "relu", "sigmoid", "softplus", "tanh")

STEPPED: Mapping[str, Any] = {"n_latents": 64, "learning_rate": 0.01, "weight_decay": 0.0}
"""What all have that learn by gradient steps alone: a stream passes once, so steps are long."""

MODELS: Mapping[ModelName, Model] = {
    "denoising_sparse": Model(
        {
            "n_latents": 256,
            "activation": "relu",
            "learning_rate": 0.003,
            "l1_weight": 0.0,
            "sparsity_target": 0.1,
            "sparsity_weight": 0.1,
            "corruption_noise": 0.3,
            "corruption_masking": 0.02,
        },
        ("relu", "sigmoid"),
    ),
    "plain": Model({**STEPPED, "activation": "sigmoid"}, ANY_ACTIVATION),
    "sparse": Model(
        {
            **STEPPED,
            "n_latents": 100,
            "activation": "sigmoid",
            "weight_decay": 1e-4,
            "sparsity_target": 0.1,
            "sparsity_weight": 3.0,
        },
        ("sigmoid", "tanh"),
    ),
    "l1_sparse": Model({**STEPPED, "weight_decay": 1e-4, "l1_weight": 0.01}),
    "k_sparse": Model({**STEPPED, "k": 8}),
    "denoising": Model(
        {
            **STEPPED,
            "n_latents": 200,
            "activation": "softplus",
            "corruption_noise": 0.3,
            "corruption_masking": 0.1,
            "corruption_salt_and_pepper": 0.0,
        },
        ANY_ACTIVATION,
    ),
    "contractive": Model(
        {**STEPPED, "activation": "sigmoid", "contraction_weight": 0.01}, ("sigmoid", "tanh")
    ),
    "variational": Model({**STEPPED, "n_latents": 4}),
    "stacked_denoising": Model({**STEPPED, "activation": "tanh"}, ANY_ACTIVATION),
}
